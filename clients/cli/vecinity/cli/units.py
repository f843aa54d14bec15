"""Sizes and durations as people write them."""

from __future__ import annotations

import re

import typer

_BYTES = {
    "": 1,
    "b": 1,
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb", "tb"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib", "tib"), 1)},
}
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)


def size(text: str) -> int:
    """Bytes: ``200MB`` is 200,000,000, ``200MiB`` is 209,715,200, a number alone is bytes.

    Raises:
        typer.BadParameter: It is something else, or not above 0.
    """
    value = int(_value(text, _BYTES, "a size such as 200MB, 1.5GiB or 800000"))
    if value < 1:
        raise typer.BadParameter(f"{text!r} is less than a byte")
    return value


def duration(text: str) -> float:
    """Seconds: ``90s``, ``5m``, ``1.5h``, a number alone is seconds.

    Raises:
        typer.BadParameter: It is something else, or not above 0.
    """
    value = _value(text, _SECONDS, "a time such as 90s, 5m or 1.5h")
    if not value > 0:
        raise typer.BadParameter(f"{text!r} is no time at all")
    return value


def _value(text: str, units: dict[str, int], wanted: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise typer.BadParameter(f"{text!r} is not {wanted}")
    return float(match[1]) * units[match[2].lower()]
