"""What several requests and responses share."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from numpy.typing import ArrayLike, NDArray

from vecinity.client._types import (
    Effort,
    Query,
    Text,
)
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2, search_service_pb2

R = TypeVar("R")
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Method(Generic[R]):
    """A method of the API, and what its response to a request becomes."""

    name: str
    response: type[Message]
    result: Callable[[Any, Any], R]


def parameters(target_recall: float | None, exact: bool, effort: Effort | None) -> core_pb2.SearchParameters:
    """What decides how much a search spends; at most one of the three may be given."""
    exact = flag("exact", exact)
    if sum((target_recall is not None, exact, effort is not None)) > 1:
        raise InvalidArgumentError("give at most one of target_recall, exact and effort")
    if target_recall is not None:
        return core_pb2.SearchParameters(target_recall=real("target_recall", target_recall))
    if exact:
        return core_pb2.SearchParameters(exact=True)
    if effort is not None:
        if not isinstance(effort, Effort):
            raise InvalidArgumentError(f"effort is {effort!r}; it must be an Effort, such as Effort(nprobe=16)")
        numbers = {name: unsigned(name, value) for name, value in effort._asdict().items()}
        return core_pb2.SearchParameters(effort=core_pb2.Effort(**numbers))
    return core_pb2.SearchParameters()


def query(value: Query) -> core_pb2.Query:
    """A plain string is an id, a `Text` a text, all else a vector."""
    if isinstance(value, str):
        try:
            return core_pb2.Query(text=value) if isinstance(value, Text) else core_pb2.Query(id=value)
        except UnicodeEncodeError as error:
            raise not_unicode(error) from error
    if isinstance(value, int | np.integer):
        raise InvalidArgumentError(f"ids are strings: write {str(value)!r}, not {value!r}")
    return vector_query(value)


def vector_query(vector: ArrayLike) -> core_pb2.Query:
    return core_pb2.Query(vector=core_pb2.Vector(packed=numbers(vector, 1).tobytes()))


def query_pairs(name: str, pairs: Sequence[tuple[Query, Query]]) -> list[search_service_pb2.QueryPair]:
    kept = listed(name, pairs)
    made = []
    for position, pair in enumerate(kept):
        try:
            if isinstance(pair, str):
                raise TypeError
            left, right = pair
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f"{name}[{position}] must be a pair, not {pair!r}") from error
        made.append(search_service_pb2.QueryPair(left=query(left), right=query(right)))
    return made


def array(block: core_pb2.VectorBlock) -> NDArray[np.float32]:
    return np.frombuffer(block.packed, "<f4").reshape(block.count, -1 if block.count else 0)


def block(vectors: ArrayLike) -> core_pb2.VectorBlock:
    rows = numbers(vectors, 2)
    return core_pb2.VectorBlock(count=len(rows), packed=rows.tobytes())


def numbers(values: ArrayLike, dimensions: int) -> NDArray[np.float32]:
    try:
        if isinstance(values, np.ndarray) and values.dtype == "<f4":
            numbers = values
        else:
            with np.errstate(over="ignore"):  # becomes infinity, which the server refuses by name
                numbers = np.asarray(values, dtype="<f4")
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(f"a vector must be numbers ({error})") from error
    if numbers.ndim != dimensions or not numbers.size:
        raise InvalidArgumentError(f"expected a {dimensions}-d array that is not empty, not shape {numbers.shape}")
    return np.ascontiguousarray(numbers)


def listed(name: str, values: Iterable[R]) -> Sequence[R]:
    # A lone string is a sequence of its letters; nobody means that.
    if isinstance(values, str):
        raise InvalidArgumentError(f"{name} must be a list, not a string: write [{values!r}]")
    if isinstance(values, Sequence):
        return values
    try:
        one_by_one = iter(values)
    except TypeError as error:
        raise InvalidArgumentError(f"{name} must be a list, not {values!r}") from error
    return list(one_by_one)


def strings(name: str, values: Iterable[str]) -> core_pb2.StringList:
    kept = listed(name, values)
    for position, value in enumerate(kept):
        if not isinstance(value, str):
            raise InvalidArgumentError(f"{name}[{position}] must be a string, not {value!r}")
    return string_list(kept)


def string(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} is {value!r}; it must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise not_unicode(error) from error
    return value


def string_list(values: Sequence[str]) -> core_pb2.StringList:
    try:
        return core_pb2.StringList(values=values)
    except UnicodeEncodeError as error:
        raise not_unicode(error) from error


def not_unicode(error: UnicodeEncodeError) -> InvalidArgumentError:
    fault = error.object[error.start]
    return InvalidArgumentError(
        f"a string has {fault!r} at character {error.start}, half of a surrogate pair: that is no text, "
        "and comes of bytes read with the wrong encoding, or with errors='surrogateescape'"
    )


def one_of(name: str, kind: type[E], value: E | str) -> E:
    """The member of a `StrEnum` that a caller named."""
    try:
        return kind(value)
    except ValueError as error:
        known = ", ".join(repr(member.value) for member in kind)
        raise InvalidArgumentError(f"{name} is {value!r}; it must be one of {known}") from error


def member(kind: type[E], enum: EnumTypeWrapper, number: int) -> E:
    """The member of a `StrEnum` for a value in an answer; UNKNOWN for one that came after this client was made."""
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    try:
        return kind(enum.Name(number).removeprefix(prefix).lower().replace("_", "-"))
    except ValueError:
        return kind("unknown")


def unsigned(name: str, value: int, bits: int = 32) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InvalidArgumentError(f"{name} is {value!r}; it must be a whole number") from error
    if not 0 <= number < 1 << bits:
        raise InvalidArgumentError(f"{name} is {number}; it must be from 0 to {(1 << bits) - 1}")
    return number


def real(name: str, value: float) -> float:
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidArgumentError(f"{name} is {value!r}; it must be a number")


def seconds(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if math.isnan(number := real(name, value)):
        raise InvalidArgumentError(f"{name} is NaN; it must be seconds")
    return number


def flag(name: str, value: bool | None) -> bool:
    if not isinstance(value, int | np.bool_ | None) or value not in (False, True, None):
        raise InvalidArgumentError(f"{name} is {value!r}; it must be True or False")
    return bool(value)
