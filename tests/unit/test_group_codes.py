from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from vecinity.indexer.attributes.groups import group_codes


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([["a", None, "b"], [], ["a", "", None]], pa.large_string()),
        ([[3, None, -3], [3]], pa.int64()),
        ([[True, None, False, True]], pa.bool_()),
        ([[0.0, None, 1.5], [-0.0, math.nan, math.inf, math.nan]], pa.float64()),
        ([[datetime(2020, 1, 1, tzinfo=UTC), None], [datetime(2020, 1, 1, tzinfo=UTC)]], pa.timestamp("us", tz="UTC")),
        ([[]], pa.large_string()),
        ([], pa.int64()),
    ],
)
def test_equal_values_share_a_number(chunks: list[list[object]], kind: pa.DataType) -> None:
    codes = group_codes(pa.chunked_array([pa.array(chunk, type=kind) for chunk in chunks], type=kind))
    values = ["nan" if value != value else value for chunk in chunks for value in chunk]
    assert codes.dtype == np.int32 and len(codes) == len(values)
    for value, code in zip(values, codes.tolist(), strict=True):
        assert (code == -1) == (value is None)
        for other, other_code in zip(values, codes.tolist(), strict=True):
            assert (code == other_code) == (value == other)
