"""Checks of filters, whatever the attributes of the collection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from vecinity.service.errors import InvalidArgumentError
from vecinity.v1 import core_pb2

CONDITIONS_MAX = 10_000
DEPTH_MAX = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = range(
    (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1),
    (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) + 1,
)


def filter_tree(field: str, tree: core_pb2.Filter) -> None:
    """Check a filter, without recursion: it may come from this process as deep as memory allows."""
    pending = [(field, tree, 1)]
    count = 0
    while pending:
        place, condition, depth = pending.pop()
        count += 1
        if depth > DEPTH_MAX:
            raise InvalidArgumentError(field, f"is nested deeper than {DEPTH_MAX}: write it flatter")
        match condition.WhichOneof("condition"):
            case "comparison":
                _comparison(f"{place}.comparison", condition.comparison)
            case "one_of":
                count += len(condition.one_of.values)
                # Before its values are looked at one by one.
                _check_count(field, count)
                _name(f"{place}.one_of.attribute", condition.one_of.attribute)
                for position, value in enumerate(condition.one_of.values):
                    _value(f"{place}.one_of.values[{position}]", value)
            case "contains":
                _name(f"{place}.contains.attribute", condition.contains.attribute)
            case "exists":
                _name(f"{place}.exists", condition.exists)
            case "all_of" | "any_of" as kind:
                filters = getattr(condition, kind).filters
                _check_count(field, count + len(pending) + len(filters))
                # The first is checked first, so that an error names the first fault.
                pending += [(f"{place}.{kind}[{p}]", filters[p], depth + 1) for p in reversed(range(len(filters)))]
            case "not":
                pending.append((f"{place}.not", getattr(condition, "not"), depth + 1))
            case _:
                raise InvalidArgumentError(
                    place, "set one of comparison, one_of, contains, exists, all_of, any_of and not"
                )
        _check_count(field, count)


def _check_count(field: str, count: int) -> None:
    if count > CONDITIONS_MAX:
        raise InvalidArgumentError(field, f"has over {CONDITIONS_MAX} conditions and values: ask for fewer at once")


def _comparison(place: str, comparison: core_pb2.Filter.Comparison) -> None:
    _name(f"{place}.attribute", comparison.attribute)
    if comparison.operator not in core_pb2.Filter.Operator.values()[1:]:
        raise InvalidArgumentError(f"{place}.operator", f"is {comparison.operator}; it must be one of the six")
    _value(f"{place}.value", comparison.value)


def _name(place: str, name: str) -> None:
    if not name:
        raise InvalidArgumentError(place, "is required")


def _value(place: str, value: core_pb2.AttributeValue) -> None:
    match value.WhichOneof("value"):
        case None:
            raise InvalidArgumentError(place, "set one of bool_value, int64_value, double_value, string_value, …")
        case "string_list_value":
            raise InvalidArgumentError(place, "is a string list, which can't be compared: use contains")
        case "timestamp_value":
            _timestamp(place, value.timestamp_value)


def _timestamp(place: str, value: Timestamp) -> None:
    if value.seconds not in _SECONDS or not 0 <= value.nanos < 1_000_000_000:
        raise InvalidArgumentError(f"{place}.timestamp_value", "is not from year 1 to year 9999")
