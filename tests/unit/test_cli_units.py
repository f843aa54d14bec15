from __future__ import annotations

import pytest
import typer

from vecinity.cli import units


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("800000", 800_000),
        ("200MB", 200_000_000),
        ("200 mb", 200_000_000),
        ("1.5GiB", 1_610_612_736),
        (".5kB", 500),
        ("2TB", 2 * 10**12),
    ],
)
def test_sizes(text: str, value: int) -> None:
    assert units.size(text) == value


@pytest.mark.parametrize("text", ["", "MB", "200 M B", "-1MB", "1e9", "5 parsecs", "0", ".1B", "200M"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is not a size such as 200MB|is less than a byte"):
        units.size(text)


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90s", 90), ("5m", 300), ("5 min", 300), ("1.5h", 5400), ("0.25S", 0.25)]
)
def test_durations(text: str, value: float) -> None:
    assert units.duration(text) == value


@pytest.mark.parametrize("text", ["", "s", "0", "0s", "-3s", "1d", "1:30", "inf", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is not a time such as 90s|is no time at all"):
        units.duration(text)
