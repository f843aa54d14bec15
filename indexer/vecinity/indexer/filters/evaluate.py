"""Which rows meet a filter: a boolean mask over whole Arrow columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vecinity.indexer.attributes import AttributeType
from vecinity.indexer.attributes.schema import ARROW_TYPES
from vecinity.indexer.errors import FilterError
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
)
from vecinity.indexer.spelling import NearSpellings

Mask = NDArray[np.bool_]
Columns = Mapping[str, tuple[AttributeType, Any]]
"""Type and pyarrow.ChunkedArray of each attribute, by name."""

_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUAL: pc.equal,
    Operator.NOT_EQUAL: pc.not_equal,
    Operator.LESS: pc.less,
    Operator.LESS_OR_EQUAL: pc.less_equal,
    Operator.GREATER: pc.greater,
    Operator.GREATER_OR_EQUAL: pc.greater_equal,
}
_EQUALITY = (Operator.EQUAL, Operator.NOT_EQUAL)
_WRITE = {
    AttributeType.BOOL: "true or false",
    AttributeType.INT64: "a whole number",
    AttributeType.DOUBLE: "a number",
    AttributeType.STRING: "a string",
    AttributeType.TIMESTAMP: 'a point in time, as in timestamp("2024-05-31T12:00:00Z")',
}


def _go_on() -> None:
    """Somebody always waits."""


def evaluate(tree: Filter, columns: Columns, rows: int, check: Callable[[], None] = _go_on) -> Mask:
    """The rows that meet a filter.

    Args:
        tree: Nested no deeper than Python can call.
        columns: All attributes there are, each of `rows` values.
        check: Called before each condition; raises where nobody waits for the answer any more.

    Returns:
        bool (rows,).

    Raises:
        FilterError: An attribute is not there, or compared with what is not of its type; it has the place in the tree.
    """
    return _Evaluation(columns, rows, check).mask(tree, "")


class _Evaluation:
    def __init__(self, columns: Columns, rows: int, check: Callable[[], None]) -> None:
        self._columns = columns
        self._rows = rows
        self._check = check

    def mask(self, tree: Filter, place: str) -> Mask:
        self._check()
        match tree:
            case Comparison():
                return self._comparison(tree, _below(place, "comparison"))
            case OneOf():
                return self._one_of(tree, _below(place, "one_of"))
            case Contains():
                return self._contains(tree, _below(place, "contains"))
            case Exists():
                _, column = self._column(tree.attribute, _below(place, "exists"))
                return _to_mask(pc.is_valid(column))
            case AllOf():
                mask = np.ones(self._rows, dtype=bool)
                for position, condition in enumerate(tree.conditions):
                    mask &= self.mask(condition, _below(place, f"all_of[{position}]"))
                return mask
            case AnyOf():
                mask = np.zeros(self._rows, dtype=bool)
                for position, condition in enumerate(tree.conditions):
                    mask |= self.mask(condition, _below(place, f"any_of[{position}]"))
                return mask
            case Not():
                return ~self.mask(tree.condition, _below(place, "not"))

    def _comparison(self, tree: Comparison, place: str) -> Mask:
        kind, column = self._column(tree.attribute, place + ".attribute")
        _check_type(tree.attribute, kind, tree.value, place + ".value")
        if kind is AttributeType.BOOL and tree.operator not in _EQUALITY:
            raise FilterError(place + ".operator", f"is {tree.operator}; a bool can be compared with == and != only")
        if kind is AttributeType.DOUBLE and isinstance(tree.value.value, int):
            return self._whole_number_with_doubles(column, tree.operator, tree.value.value)
        return _to_mask(_COMPARE[tree.operator](column, pa.scalar(tree.value.value, ARROW_TYPES[kind])))

    def _whole_number_with_doubles(self, column: Any, operator: Operator, number: int) -> Mask:
        """Exact, though a whole number of 64 bits may lie between two doubles."""
        nearest = float(number)
        below = nearest if nearest <= number else math.nextafter(nearest, -math.inf)
        above = nearest if nearest >= number else math.nextafter(nearest, math.inf)
        if below == above:
            return _to_mask(_COMPARE[operator](column, pa.scalar(nearest, pa.float64())))
        match operator:
            case Operator.EQUAL:
                return np.zeros(self._rows, dtype=bool)
            case Operator.NOT_EQUAL:
                return _to_mask(pc.is_valid(column))
            case Operator.LESS | Operator.LESS_OR_EQUAL:
                return _to_mask(pc.less_equal(column, pa.scalar(below, pa.float64())))
            case _:
                return _to_mask(pc.greater_equal(column, pa.scalar(above, pa.float64())))

    def _one_of(self, tree: OneOf, place: str) -> Mask:
        kind, column = self._column(tree.attribute, place + ".attribute")
        if not tree.values:
            _check_comparable(tree.attribute, kind, place + ".attribute")
            return np.zeros(self._rows, dtype=bool)
        for position, literal in enumerate(tree.values):
            _check_type(tree.attribute, kind, literal, f"{place}.values[{position}]")
        values: list[Any] = [literal.value for literal in tree.values]
        if kind is AttributeType.DOUBLE:
            # Whole numbers that no double equals, and NaN, equal nothing. Arrow looks values up by their bits.
            values = [float(value) for value in values if float(value) == value]
            values += [-value for value in values if value == 0]
        return _to_mask(pc.is_in(column, value_set=pa.array(values, ARROW_TYPES[kind])))

    def _contains(self, tree: Contains, place: str) -> Mask:
        kind, column = self._column(tree.attribute, place + ".attribute")
        if kind is AttributeType.STRING:
            return _to_mask(pc.match_substring(column, tree.value))
        if kind is not AttributeType.STRING_LIST:
            raise FilterError(
                place + ".attribute", f"{tree.attribute!r} is {_a(kind)}; only a string or a string list contains"
            )
        mask = np.zeros(self._rows, dtype=bool)
        wanted, first = pa.scalar(tree.value, pa.large_string()), 0
        for chunk in column.chunks:
            equal = pc.equal(pc.list_flatten(chunk), wanted)
            mask[first + pc.list_parent_indices(chunk).filter(equal).to_numpy(zero_copy_only=False)] = True
            first += len(chunk)
        return mask

    def _column(self, name: str, place: str) -> tuple[AttributeType, Any]:
        try:
            return self._columns[name]
        except KeyError:
            raise FilterError(place, _unknown(name, list(self._columns))) from None


def _check_comparable(name: str, kind: AttributeType, place: str) -> None:
    if kind is AttributeType.STRING_LIST:
        raise FilterError(place, f"attribute {name!r} is a string list, which can't be compared: write contains")


def _check_type(name: str, kind: AttributeType, literal: Literal, place: str) -> None:
    _check_comparable(name, kind, place)
    if literal.type is kind or (kind is AttributeType.DOUBLE and literal.type is AttributeType.INT64):
        return
    raise FilterError(place, f"is {_a(literal.type)}, but attribute {name!r} is {_a(kind)}: write {_WRITE[kind]}")


def _unknown(name: str, names: list[str]) -> str:
    """What to say of an attribute that is not there."""
    fault = f"there is no attribute {name[:100]!r}"
    if not names:
        return fault + ": the items of this version have none (a build keeps those that --attributes names)"
    if near := NearSpellings(names)(name):
        return f"{fault}; did you mean {', '.join(map(repr, near))}?"
    shown = ", ".join(repr(known[:40]) for known in names[:10])
    return f"{fault}: there are {shown}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _a(kind: AttributeType) -> str:
    return f"{'an' if kind is AttributeType.INT64 else 'a'} {kind.replace('-', ' ')}"


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _to_mask(booleans: Any) -> Mask:
    """A null is what an item lacks, and does not meet anything."""
    mask: Mask = pc.fill_null(booleans, False).combine_chunks().to_numpy(zero_copy_only=False)
    return mask
