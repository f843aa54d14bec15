"""Attributes of items to messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from vecinity.indexer.attributes import Attribute, AttributeType, Value
from vecinity.v1 import collection_service_pb2, core_pb2

_TYPES = {
    AttributeType.BOOL: core_pb2.ATTRIBUTE_TYPE_BOOL,
    AttributeType.INT64: core_pb2.ATTRIBUTE_TYPE_INT64,
    AttributeType.DOUBLE: core_pb2.ATTRIBUTE_TYPE_DOUBLE,
    AttributeType.STRING: core_pb2.ATTRIBUTE_TYPE_STRING,
    AttributeType.TIMESTAMP: core_pb2.ATTRIBUTE_TYPE_TIMESTAMP,
    AttributeType.STRING_LIST: core_pb2.ATTRIBUTE_TYPE_STRING_LIST,
}


def schema(attribute: Attribute) -> collection_service_pb2.AttributeSchema:
    assert attribute.type is not None  # only a source can leave it open
    return collection_service_pb2.AttributeSchema(name=attribute.name, type=_TYPES[attribute.type])


def attributes(values: Mapping[str, Value]) -> core_pb2.Attributes:
    """The attributes of one item."""
    return core_pb2.Attributes(values={name: _VALUES[type(value)](value) for name, value in values.items()})


def _timestamp(value: Any) -> core_pb2.AttributeValue:
    moment = Timestamp()
    moment.FromDatetime(value)
    return core_pb2.AttributeValue(timestamp_value=moment)


_VALUES: dict[type, Callable[[Any], core_pb2.AttributeValue]] = {
    bool: lambda value: core_pb2.AttributeValue(bool_value=value),
    int: lambda value: core_pb2.AttributeValue(int64_value=value),
    float: lambda value: core_pb2.AttributeValue(double_value=value),
    str: lambda value: core_pb2.AttributeValue(string_value=value),
    datetime: _timestamp,
    tuple: lambda value: core_pb2.AttributeValue(string_list_value=core_pb2.StringList(values=value)),
}
