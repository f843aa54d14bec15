r"""Filters as text, such as ``year >= 2000 and lang in ["de", "fr"] and not tags contains "draft" and exists(title)``.

===================================  ==================================================================
``year == 1999``                     also ``!=``, ``<``, ``<=``, ``>``, ``>=``
``lang in ["de", "fr"]``             equal to one of them; ``lang not in [...]`` for the opposite
``tags contains "draft"``            an entry of a string list, a part of a string
``exists(title)``                    the item has the attribute
``not A``, ``A and B``, ``A or B``   ``not`` binds strongest, then ``and``; parentheses group
===================================  ==================================================================

Values are strings in either kind of quotes (with JSON's escapes: ``\"``, ``\n``, ``\u00e9``), numbers, ``true``,
``false``, points in time as ``timestamp("2024-01-01T00:00:00Z")``, and days as ``date("2024-01-01")``, which stand for
their first moment, UTC. A number without point and exponent is a whole number. A name that is no plain word stands in
backquotes: ```publication year` > 1999``.

An item that lacks an attribute meets no comparison with it, so it meets ``not year == 1999``, and does not meet
``year != 1999``.
"""

from __future__ import annotations

from vecinity.client._filters.formatting import format_filter
from vecinity.client._filters.limits import CONDITIONS_MAX, DEPTH_MAX
from vecinity.client._filters.parsing import FilterSyntaxError, parse_filter

__all__ = ["CONDITIONS_MAX", "DEPTH_MAX", "FilterSyntaxError", "format_filter", "parse_filter"]
