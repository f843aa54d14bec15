"""Filters to text."""

from __future__ import annotations

import json
import re

from vecinity.client._filters.limits import check_size
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2

_WORD = re.compile(r"[^\W\d][\w.-]*")
_WORDS_OF_THE_GRAMMAR = {"and", "or", "not", "in", "contains", "exists", "true", "false", "timestamp", "date"}
_OPERATORS = {
    core_pb2.Filter.OPERATOR_EQUAL: "==",
    core_pb2.Filter.OPERATOR_NOT_EQUAL: "!=",
    core_pb2.Filter.OPERATOR_LESS: "<",
    core_pb2.Filter.OPERATOR_LESS_OR_EQUAL: "<=",
    core_pb2.Filter.OPERATOR_GREATER: ">",
    core_pb2.Filter.OPERATOR_GREATER_OR_EQUAL: ">=",
}


def format_filter(tree: core_pb2.Filter) -> str:
    """The text of a filter, which `parse_filter` reads as the same filter.

    A list of one condition is written as that condition.

    Raises:
        InvalidArgumentError: It is too large, or no text can say it: an empty list of conditions, a field not set.
    """
    check_size(tree)
    return _format(tree)


def _format(tree: core_pb2.Filter) -> str:
    match tree.WhichOneof("condition"):
        case "comparison":
            comparison = tree.comparison
            if comparison.operator not in _OPERATORS:
                raise InvalidArgumentError("filter: a comparison has no operator")
            return f"{_name(comparison.attribute)} {_OPERATORS[comparison.operator]} {_value(comparison.value)}"
        case "one_of":
            return f"{_name(tree.one_of.attribute)} in [{', '.join(map(_value, tree.one_of.values))}]"
        case "contains":
            return f"{_name(tree.contains.attribute)} contains {json.dumps(tree.contains.value)}"
        case "exists":
            return f"exists({_name(tree.exists)})"
        case "not":
            return f"not {_inner(getattr(tree, 'not'))}"
        case "all_of":
            return _joined("and", tree.all_of)
        case "any_of":
            return _joined("or", tree.any_of)
        case _:
            raise InvalidArgumentError("filter: a condition is not set")


def _joined(word: str, conditions: core_pb2.FilterList) -> str:
    if not conditions.filters:
        raise InvalidArgumentError("filter: an empty list of conditions can't be written as text")
    return f" {word} ".join(map(_inner, conditions.filters))


def _inner(tree: core_pb2.Filter) -> str:
    kind = tree.WhichOneof("condition")
    return f"({_format(tree)})" if kind in ("all_of", "any_of") else _format(tree)


def _name(name: str) -> str:
    if _WORD.fullmatch(name) and name not in _WORDS_OF_THE_GRAMMAR:
        return name
    if not name:
        raise InvalidArgumentError("filter: the name of an attribute is empty")
    return "`" + name.replace("`", "``") + "`"


def _value(value: core_pb2.AttributeValue) -> str:
    match value.WhichOneof("value"):
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int64_value":
            return str(value.int64_value)
        case "double_value":
            return repr(value.double_value)
        case "string_value":
            return json.dumps(value.string_value, ensure_ascii=False)
        case "timestamp_value":
            return f'timestamp("{value.timestamp_value.ToJsonString()}")'
        case _:
            raise InvalidArgumentError("filter: a value is not set, or is a string list")
