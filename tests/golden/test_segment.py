"""A segment of each format that was ever published stays readable. The folders are never made anew."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.ann import EXACT, Effort, Family
from vecinity.indexer.metric import Metric
from vecinity.indexer.segment import Segment

FOLDER = Path(__file__).parent


def test_format_1() -> None:
    segment = Segment(FOLDER / "segment-v1-ivf-flat")
    manifest = segment.manifest
    assert (manifest.rows, manifest.dimension, manifest.metric) == (10, 4, Metric.COSINE)
    assert (manifest.spec.family, manifest.spec.nlist) == (Family.IVF_FLAT, 2)
    (point,) = manifest.calibration.points
    assert (point.k, point.effort, point.recall, point.query_us) == (10, Effort(nprobe=2), 1.0, 3.5)
    expected = np.arange(1, 41, dtype=np.float64).reshape(10, 4) % 7 + np.eye(10, 4)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(segment.vectors, expected, rtol=1e-6)
    every = np.arange(10, dtype=np.int64)
    assert segment.ids(every) == [*(f"id {i}" for i in range(9)), "naïve"]
    assert segment.texts(every) == [f"text {i}" if i % 2 else "" for i in range(10)]
    np.testing.assert_array_equal(segment.find_rows(["naïve", "id 4", "absent"]), [9, 4, -1])
    query = segment.vectors[3:4].copy()
    for effort in (EXACT, Effort(nprobe=2)):
        scores, rows = segment.index.search(query, 10, effort)
        np.testing.assert_allclose(scores[0], np.sort(expected @ expected[3])[::-1], rtol=1e-5)
        assert rows[0, 0] == 3


@pytest.mark.parametrize(
    ("family", "metric", "effort"),
    [(Family.HNSW, Metric.DOT, Effort(ef_search=32)), (Family.IVF_PQ, Metric.EUCLIDEAN, Effort(nprobe=2, k_factor=4))],
)
def test_format_1_of_other_families(family: Family, metric: Metric, effort: Effort) -> None:
    segment = Segment(FOLDER / f"segment-v1-{family}")
    assert (segment.manifest.spec.family, segment.manifest.metric) == (family, metric)
    vectors = np.arange(1, 129, dtype=np.float32).reshape(32, 4) % 7 + np.eye(32, 4, dtype=np.float32)
    np.testing.assert_array_equal(segment.vectors, vectors)
    exact, _ = segment.index.search(vectors, 8, EXACT)
    found, _ = segment.index.search(vectors, 8, effort, complete=False)
    np.testing.assert_allclose(found, exact, rtol=1e-4)


def test_format_2() -> None:
    segment = Segment(FOLDER / "segment-v2-attributes")
    assert [(a.name, a.type) for a in segment.manifest.attributes] == [
        ("sold", "bool"), ("year", "int64"), ("price", "double"), ("lang", "string"), ("when", "timestamp"),
        ("tags", "string-list"),
    ]  # fmt: skip
    first, second, third = segment.attributes(np.arange(3, dtype=np.int64))
    assert first == {
        "sold": True,
        "year": 2**63 - 1,
        "price": 0.5,
        "lang": "naïve",
        "when": datetime(2024, 5, 31, 12, 0, 0, 123456, tzinfo=UTC),
        "tags": ("a;b", "c"),
    }
    assert second == {}
    assert third == {
        "sold": False, "year": -1, "price": 0.0, "lang": "", "when": datetime(1, 1, 1, tzinfo=UTC), "tags": (),
    }  # fmt: skip
    np.testing.assert_array_equal(segment.vectors, np.arange(1, 13, dtype=np.float32).reshape(3, 4) % 7)


def test_format_1_has_no_attributes() -> None:
    segment = Segment(FOLDER / "segment-v1-hnsw")
    assert segment.manifest.attributes == () and segment.attributes(np.arange(2, dtype=np.int64)) == [{}, {}]


def test_format_3_has_blocks_behind_the_index() -> None:
    segment = Segment(FOLDER / "segment-v3-ivf-pq")
    vectors = np.arange(1, 1281, dtype=np.float32).reshape(40, 32) % 7 + np.eye(40, 32, dtype=np.float32)
    np.testing.assert_array_equal(segment.vectors, vectors)
    exact, _ = segment.index.search(vectors, 8, EXACT)
    found, _ = segment.index.search(vectors, 8, Effort(nprobe=3, k_factor=4), complete=False)
    np.testing.assert_allclose(found, exact, rtol=1e-4)
