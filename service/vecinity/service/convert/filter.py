"""Filters to their tree. They have been validated, so they are not nested deeper than Python can call."""

from __future__ import annotations

from datetime import UTC

from vecinity.indexer.attributes import AttributeType
from vecinity.indexer.filters import AllOf, AnyOf, Comparison, Contains, Exists, Filter, Literal, Not, OneOf, Operator
from vecinity.v1 import core_pb2

_OPERATORS = {
    core_pb2.Filter.OPERATOR_EQUAL: Operator.EQUAL,
    core_pb2.Filter.OPERATOR_NOT_EQUAL: Operator.NOT_EQUAL,
    core_pb2.Filter.OPERATOR_LESS: Operator.LESS,
    core_pb2.Filter.OPERATOR_LESS_OR_EQUAL: Operator.LESS_OR_EQUAL,
    core_pb2.Filter.OPERATOR_GREATER: Operator.GREATER,
    core_pb2.Filter.OPERATOR_GREATER_OR_EQUAL: Operator.GREATER_OR_EQUAL,
}


def filter_tree(message: core_pb2.Filter) -> Filter:
    match message.WhichOneof("condition"):
        case "comparison":
            comparison = message.comparison
            return Comparison(comparison.attribute, _OPERATORS[comparison.operator], _literal(comparison.value))
        case "one_of":
            return OneOf(message.one_of.attribute, tuple(map(_literal, message.one_of.values)))
        case "contains":
            return Contains(message.contains.attribute, message.contains.value)
        case "exists":
            return Exists(message.exists)
        case "all_of":
            return AllOf(tuple(map(filter_tree, message.all_of.filters)))
        case "any_of":
            return AnyOf(tuple(map(filter_tree, message.any_of.filters)))
        case _:
            return Not(filter_tree(getattr(message, "not")))


def _literal(value: core_pb2.AttributeValue) -> Literal:
    match value.WhichOneof("value"):
        case "bool_value":
            return Literal(AttributeType.BOOL, value.bool_value)
        case "int64_value":
            return Literal(AttributeType.INT64, value.int64_value)
        case "double_value":
            return Literal(AttributeType.DOUBLE, value.double_value)
        case "timestamp_value":
            return Literal(AttributeType.TIMESTAMP, value.timestamp_value.ToDatetime(tzinfo=UTC))
        case _:
            return Literal(AttributeType.STRING, value.string_value)
