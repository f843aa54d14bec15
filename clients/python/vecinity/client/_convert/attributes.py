"""Attributes and filters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from vecinity.client._convert.fields import string
from vecinity.client._filters.limits import check_size
from vecinity.client._types import AttributeValue
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2


def filter_message(condition: str | core_pb2.Filter) -> core_pb2.Filter:
    """A filter, given as text or as a message.

    Raises:
        InvalidArgumentError: The text is no filter, or the filter is too large.
    """
    if isinstance(condition, str):
        from vecinity.client._filters.parsing import parse_filter  # the grammar takes time to read

        return parse_filter(string("filter", condition))
    if not isinstance(condition, core_pb2.Filter):
        raise InvalidArgumentError(f"filter must be a text or a vecinity.v1.Filter, not {type(condition).__name__}")
    check_size(condition)
    return condition


def attributes(messages: Iterable[core_pb2.Attributes]) -> list[dict[str, AttributeValue]]:
    """The attributes of items, as Python's own types; points in time are of UTC."""
    return [{name: _value(message.values[name]) for name in sorted(message.values)} for message in messages]


def _value(message: core_pb2.AttributeValue) -> Any:
    match message.WhichOneof("value"):
        case "timestamp_value":
            return message.timestamp_value.ToDatetime(tzinfo=UTC)
        case "string_list_value":
            return list(message.string_list_value.values)
        case None:  # of a type that this client does not know yet
            return None
        case field:
            return getattr(message, field)
