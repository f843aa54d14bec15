"""Conditions on the attributes of items: a tree of them, and which rows of a segment meet it.

An item that lacks an attribute does not meet a comparison with it, nor `OneOf`, `Contains` or `Exists`; `Not` is then
the plain opposite, so it is met. NaN equals nothing, itself included, and is neither above nor below anything. Strings
compare by code points, points in time to the microsecond, and whole numbers with doubles exactly.
"""

from vecinity.indexer.filters.evaluate import Columns, evaluate
from vecinity.indexer.filters.tree import (
    AllOf,
    AnyOf,
    Comparison,
    Contains,
    Exists,
    Filter,
    Literal,
    Not,
    OneOf,
    Operator,
    has_nan,
)

__all__ = [
    "AllOf",
    "AnyOf",
    "Columns",
    "Comparison",
    "Contains",
    "Exists",
    "Filter",
    "Literal",
    "Not",
    "OneOf",
    "Operator",
    "evaluate",
    "has_nan",
]
