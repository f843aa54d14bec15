"""Strings read from Arrow's buffers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecinity.indexer.mapped_strings import MappedStrings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(st.lists(TEXT, min_size=1, max_size=20), st.integers(1, 7))
def test_every_string_is_found(strings: list[str], chunk_rows: int) -> None:
    parts = [strings[begin : begin + chunk_rows] for begin in range(0, len(strings), chunk_rows)]
    column = MappedStrings([pa.array(part, pa.large_string()) for part in parts], chunk_rows)
    assert column.at(np.arange(len(strings))) == strings
    assert column.at(np.array([len(strings) - 1, 0])) == [strings[-1], strings[0]]


@pytest.mark.parametrize("chunk_rows", [1_000, 300])
def test_many_at_once(chunk_rows: int, rng: np.random.Generator) -> None:
    strings = ["" if number % 7 == 0 else "ß" * (number % 5) + str(number) for number in range(1_000)]
    parts = [strings[begin : begin + chunk_rows] for begin in range(0, 1_000, chunk_rows)]
    column = MappedStrings([pa.array(["x", *part], pa.large_string())[1:] for part in parts], chunk_rows)
    for count in (0, 50, 99, 100, 5_000):
        rows = rng.integers(0, 1_000, count)
        assert column.at(rows) == [strings[row] for row in rows.tolist()]


def test_slices_and_empty_strings() -> None:
    column = MappedStrings([pa.array(["x", "", "straße", "y"], pa.large_string())[1:]], 8)
    assert column.at(np.array([0, 1, 2])) == ["", "straße", "y"]
    assert MappedStrings([pa.array(["", ""], pa.large_string())], 2).at(np.array([1])) == [""]
    with pytest.raises(IndexError):
        column[3]
