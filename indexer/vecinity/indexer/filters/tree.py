"""What a filter is made of. Frozen and hashable: a filter is the key of what was found for it before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from vecinity.indexer.attributes import AttributeType, Value


class Operator(StrEnum):
    """How two values are compared."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class Literal:
    """A value with its type: to Python 1, 1.0 and True are equal, to a filter they are not."""

    type: AttributeType
    value: Value


@dataclass(frozen=True, slots=True)
class Comparison:
    """attribute operator value."""

    attribute: str
    operator: Operator
    value: Literal


@dataclass(frozen=True, slots=True)
class OneOf:
    """The attribute equals one of the values; of none, false."""

    attribute: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """A string list has the value as an entry; a string has it as a part."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The item has the attribute."""

    attribute: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """All hold; of none, true."""

    conditions: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one holds; of none, false."""

    conditions: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    condition: Filter


Filter = Comparison | OneOf | Contains | Exists | AllOf | AnyOf | Not


def has_nan(tree: Filter) -> bool:
    """Whether a value in it is NaN: such a filter equals no other, so it is no key to find anything by."""
    match tree:
        case Comparison():
            return _is_nan(tree.value)
        case OneOf():
            return any(map(_is_nan, tree.values))
        case AllOf() | AnyOf():
            return any(map(has_nan, tree.conditions))
        case Not():
            return has_nan(tree.condition)
        case _:
            return False


def _is_nan(literal: Literal) -> bool:
    return isinstance(literal.value, float) and math.isnan(literal.value)
