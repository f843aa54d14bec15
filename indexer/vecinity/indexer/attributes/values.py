"""From what a source holds to a value of an attribute's type."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from vecinity.indexer.attributes.schema import AttributeType, Value

CHARS_MAX = 32_768
ENTRIES_MAX = 10_000
_INT64 = range(-(1 << 63), 1 << 63)
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_BOOLS = {"true": True, "false": False, "1": True, "0": False}


class ValueFault(Exception):
    """What is wrong with a value, as the end of a sentence; its reader knows file, line and column."""


def read_value(kind: AttributeType, raw: Any, *, text_only: bool) -> Value | None:
    """A value as stored.

    Args:
        raw: What the source holds; None, and "" where only text can be held, mean that there is none.
        text_only: Whether the source holds nothing but text, as CSV does, so that "7" may be a number.

    Raises:
        ValueFault: It is not of the type.
    """
    if raw is None or (text_only and raw == ""):
        return None
    return (_FROM_TEXT if text_only else _FROM_VALUE)[kind](raw)


def infer_type(raw: Any) -> AttributeType | None:
    """The type of a value of JSON or Parquet; None if it tells nothing."""
    if raw is None or raw == []:
        return None
    for python, kind in _INFERRED:
        if isinstance(raw, python):
            return kind
    raise ValueFault(f"holds {type(raw).__name__}, of which no attribute can be made")


_INFERRED: tuple[tuple[type, AttributeType], ...] = (
    (bool, AttributeType.BOOL),
    (int, AttributeType.INT64),
    (float, AttributeType.DOUBLE),
    (str, AttributeType.STRING),
    (date, AttributeType.TIMESTAMP),
    (list, AttributeType.STRING_LIST),
)


def _fault(kind: AttributeType, raw: Any, hint: str = "") -> ValueFault:
    shown = repr(raw)
    return ValueFault(f"holds {shown if len(shown) <= 60 else shown[:60] + '…'}, which is no {kind}{hint}")


def _bool(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise _fault(AttributeType.BOOL, raw)
    return raw


def _bool_text(raw: str) -> bool:
    try:
        return _BOOLS[raw.strip().lower()]
    except KeyError:
        raise _fault(AttributeType.BOOL, raw, ": write true or false") from None


def _int64(raw: Any) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise _fault(AttributeType.INT64, raw)
    if raw not in _INT64:
        raise _fault(AttributeType.INT64, raw, ": it must be from -2^63 to 2^63 - 1")
    return raw


def _int64_text(raw: str) -> int:
    if not _WHOLE.fullmatch(raw.strip()):
        raise _fault(AttributeType.INT64, raw)
    return _int64(int(raw))


def _double(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise _fault(AttributeType.DOUBLE, raw)
    try:
        return float(raw)
    except OverflowError:
        raise _fault(AttributeType.DOUBLE, raw) from None


def _double_text(raw: str) -> float:
    try:
        number = float(raw)
    except ValueError:
        raise _fault(AttributeType.DOUBLE, raw) from None
    if "_" in raw or (math.isinf(number) and "inf" not in raw.lower()):  # Python's 1_000; a number too large
        raise _fault(AttributeType.DOUBLE, raw)
    return number


def _string(raw: Any) -> str:
    if not isinstance(raw, str):
        raise _fault(AttributeType.STRING, raw)
    if len(raw) > CHARS_MAX:
        raise ValueFault(f"holds {len(raw)} characters; an attribute may have {CHARS_MAX}")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise ValueFault("holds half of a surrogate pair, which is no character") from None
    return raw


def _timestamp(raw: Any) -> datetime:
    if isinstance(raw, str):
        return timestamp_of(raw)
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime.combine(raw, time())
    if not isinstance(raw, datetime):
        raise _fault(AttributeType.TIMESTAMP, raw, ": write it as 2024-05-31T12:00:00Z")
    return _utc(raw, raw)


def timestamp_of(text: str) -> datetime:
    """A point in time, UTC, of ISO 8601's text; what has no zone is of UTC."""
    try:
        return _utc(datetime.fromisoformat(text.strip()), text)
    except ValueError:
        raise _fault(AttributeType.TIMESTAMP, text, ": write it as 2024-05-31T12:00:00Z") from None


def _utc(when: datetime, raw: Any) -> datetime:
    try:
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except OverflowError:  # a zone can push the first and the last day out of the calendar
        raise _fault(AttributeType.TIMESTAMP, raw) from None


def _string_list(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        raise _fault(AttributeType.STRING_LIST, raw)
    if len(raw) > ENTRIES_MAX:
        raise ValueFault(f"holds {len(raw)} entries; a list may have {ENTRIES_MAX}")
    if not all(isinstance(entry, str) for entry in raw):
        raise _fault(AttributeType.STRING_LIST, raw, ": every entry must be a string")
    if sum(map(len, raw)) > CHARS_MAX:
        raise ValueFault(f"holds {sum(map(len, raw))} characters; an attribute may have {CHARS_MAX}")
    return tuple(map(_string, raw))


def _string_list_text(raw: str) -> tuple[str, ...]:
    if not raw.lstrip().startswith("["):
        return _string_list([entry for part in raw.split(";") if (entry := part.strip())])
    try:
        return _string_list(json.loads(raw))
    except (ValueError, RecursionError):
        raise _fault(AttributeType.STRING_LIST, raw, " and no JSON: write values with ; between") from None


_FROM_VALUE: dict[AttributeType, Callable[[Any], Value]] = {
    AttributeType.BOOL: _bool,
    AttributeType.INT64: _int64,
    AttributeType.DOUBLE: _double,
    AttributeType.STRING: _string,
    AttributeType.TIMESTAMP: _timestamp,
    AttributeType.STRING_LIST: _string_list,
}
_FROM_TEXT: dict[AttributeType, Callable[[str], Value]] = {
    AttributeType.BOOL: _bool_text,
    AttributeType.INT64: _int64_text,
    AttributeType.DOUBLE: _double_text,
    AttributeType.STRING: _string,
    AttributeType.TIMESTAMP: timestamp_of,
    AttributeType.STRING_LIST: _string_list_text,
}
