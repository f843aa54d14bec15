"""What attributes the items of a version may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import pyarrow as pa

from vecinity.indexer.errors import SettingError

ATTRIBUTES_MAX = 1_000
NAME_CHARS_MAX = 255

Value = bool | int | float | str | datetime | tuple[str, ...]
"""One value, of the Python type of its attribute."""


class AttributeType(StrEnum):
    """Types of attributes. The values are what users write and segments store."""

    BOOL = "bool"
    INT64 = "int64"
    DOUBLE = "double"
    STRING = "string"
    TIMESTAMP = "timestamp"
    STRING_LIST = "string-list"


ARROW_TYPES: dict[AttributeType, Any] = {
    AttributeType.BOOL: pa.bool_(),
    AttributeType.INT64: pa.int64(),
    AttributeType.DOUBLE: pa.float64(),
    AttributeType.STRING: pa.large_string(),
    AttributeType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    AttributeType.STRING_LIST: pa.large_list(pa.large_string()),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute that items may have; a type of None is still to be inferred from the source."""

    name: str
    type: AttributeType | None


def parse_attributes(text: str) -> tuple[Attribute, ...]:
    """The attributes that ``--attributes`` names, such as ``"year:int64,title:string,tags"``.

    Raises:
        SettingError: A name is empty, too long or there twice, a type is unknown, or there are too many.
    """
    attributes: dict[str, Attribute] = {}
    for part in text.split(","):
        name, colon, kind = (piece.strip() for piece in part.strip().rpartition(":"))
        if not colon:
            name, kind = kind, ""
        if not name or len(name) > NAME_CHARS_MAX:
            raise SettingError(f"--attributes {text[:100]!r}: a name must have from 1 to {NAME_CHARS_MAX} characters")
        if name in attributes:
            raise SettingError(f"--attributes names {name!r} twice")
        if colon and kind not in list(AttributeType):
            raise SettingError(f"--attributes: {name!r} has type {kind!r}; the types are {', '.join(AttributeType)}")
        attributes[name] = Attribute(name, AttributeType(kind) if colon else None)
    if len(attributes) > ATTRIBUTES_MAX:
        raise SettingError(f"--attributes names {len(attributes)} attributes; at most {ATTRIBUTES_MAX} can be kept")
    return tuple(attributes.values())


def arrow_schema(attributes: Sequence[Attribute]) -> list[Any]:
    """Fields of an Arrow schema. The prefix keeps an attribute named "id" apart from the ids."""
    return [pa.field(f"attribute.{a.name}", ARROW_TYPES[a.type]) for a in attributes if a.type is not None]
