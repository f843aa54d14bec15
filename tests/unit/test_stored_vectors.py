"""Vectors stored as float16: exact about what is stored, and clear about what can't be."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import clustered
from indexes import best_effort, made_of, numpy_scores

from vecinity.indexer.ann import EXACT, Family, Index, RowSet, exact_farthest, exact_radius, exact_scores, exact_search
from vecinity.indexer.build import Build
from vecinity.indexer.errors import CorruptError, InputError, VectorError
from vecinity.indexer.indexing import IndexSettings
from vecinity.indexer.metric import Metric, prepare
from vecinity.indexer.segment import Segment
from vecinity.indexer.stored_vectors import VectorType, as_float32, to_stored
from vecinity.indexer.tournament.memory import index_bytes

ROWS = 1_500


def halves(rows: int, dimension: int, metric: Metric) -> np.ndarray:
    return to_stored(prepare(clustered(rows, dimension), metric), VectorType.FLOAT16)


def test_every_finite_float16_becomes_float32_to_the_last_bit() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(2, -1)
    with np.errstate(all="raise"):
        found = as_float32(finite)
    np.testing.assert_array_equal(found.view(np.uint32), finite.astype(np.float32).view(np.uint32))
    transposed = as_float32(finite.T)
    np.testing.assert_array_equal(transposed, finite.T.astype(np.float32))


def test_float32_is_not_copied() -> None:
    vectors = clustered(10)
    assert np.shares_memory(as_float32(vectors[2:5]), vectors)
    assert to_stored(vectors, VectorType.FLOAT32) is vectors


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (65_505.0, "vector 3 holds a number of size 65505, and float16 ends at 65,504: scale the vectors, or store"),
        (-1e9, "holds a number of size 1e[+]09"),
        (1e-7, "has no number above 1e-07, which float16 holds too coarsely: scale the vectors, or store them as"),
        (1e-12, "has no number above 1e-12"),
    ],
)
def test_what_float16_cant_hold(number: float, fault: str) -> None:
    vectors = np.ones((5, 2), dtype=np.float32)
    vectors[3] = 0, number
    with pytest.raises(VectorError, match=fault):
        to_stored(vectors, VectorType.FLOAT16)


def test_what_float16_can_hold() -> None:
    vectors = np.array([[65_504, -65_504], [0, 0], [1e-3, 1e-9], [6e-5, 3e-5]], dtype=np.float32)
    np.testing.assert_allclose(as_float32(to_stored(vectors, VectorType.FLOAT16)), vectors, rtol=1e-2, atol=1e-8)


@pytest.mark.parametrize("dimension", [20, 24])  # FAISS reads float16 as it is stored in multiples of 8 only
@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("share", [None, 0.01, 0.6])
def test_exact_searches(metric: Metric, dimension: int, count: int, share: float | None) -> None:
    rows = 20_000  # more than a block
    vectors = halves(rows, dimension, metric)
    queries = prepare(clustered(count, dimension, seed=5), metric)
    within = None if share is None else RowSet.of(np.random.default_rng(2).random(rows) < share)
    allowed = np.arange(rows) if within is None else within.rows
    truth = numpy_scores(queries, vectors, metric)
    for function, sign in ((exact_search, -1), (exact_farthest, 1)):
        scores, found = function(queries, vectors, 12, metric, within)
        np.testing.assert_allclose(
            sign * scores, np.sort(sign * truth[:, allowed], axis=1)[:, :12], rtol=2e-5, atol=2e-5
        )
        assert np.isin(found, allowed).all() and all(len({*line}) == 12 for line in found.tolist())
        np.testing.assert_array_equal(scores, exact_scores(queries, vectors, found, metric))
    least = float(exact_search(queries[:1], vectors, 25, metric, within)[0][0, -1])
    counts, scores, found = exact_radius(queries, vectors, least, metric, 50, within)
    assert counts[0] == 25 and (scores[0, :25] >= least).all() and np.isin(found[0, :25], allowed).all()
    np.testing.assert_allclose(counts, (truth[:, allowed] >= least).sum(axis=1), atol=1)


@pytest.mark.parametrize("metric", Metric)
def test_scores_of_chosen_rows(metric: Metric, rng: np.random.Generator) -> None:
    vectors, queries = halves(200, 12, metric), prepare(clustered(7, 12, seed=5), metric)
    for candidates in (0, 1, 30, 3_000):
        rows = rng.integers(-1, 200, (7, candidates))
        expected = np.where(
            rows < 0, -np.inf, np.take_along_axis(numpy_scores(queries, vectors, metric), np.maximum(rows, 0), 1)
        )
        np.testing.assert_allclose(exact_scores(queries, vectors, rows, metric), expected, rtol=2e-5, atol=2e-5)
    with pytest.raises(IndexError, match="row 200 of 200"):
        exact_scores(queries[:1], vectors, np.array([[200]]), metric)
    assert (exact_scores(queries[:1], vectors[:0], np.array([[-1]]), metric) == -np.inf).all()


@pytest.mark.parametrize("dimension", [20, 32])
@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("family", Family)
def test_every_family(family: Family, metric: Metric, dimension: int, tmp_path: Path) -> None:
    index = made_of(halves(ROWS, dimension, metric), family, metric)
    queries = prepare(clustered(40, dimension, seed=5), metric)
    truth = -np.sort(-numpy_scores(queries, index.vectors, metric), axis=1)[:, :10]
    index.save(tmp_path / "index.faiss")
    opened = Index.load(tmp_path / "index.faiss", index.spec, metric, index.vectors)
    within = RowSet.of(np.random.default_rng(4).random(ROWS) < 0.3)
    for asked in (index, opened):
        scores, rows = asked.search(queries, 10, best_effort(index))
        assert (scores >= truth[:, -1:] - 1e-3).mean() >= 0.95
        np.testing.assert_array_equal(scores, exact_scores(queries, index.vectors, rows, metric))
        _, rows = asked.search(queries, 10, best_effort(index), within=within)
        assert within.mask[rows].all()
        np.testing.assert_allclose(asked.search(queries, 10, EXACT)[0], truth, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", [Family.HNSW, Family.IVF_FLAT, Family.NSG])
def test_no_float32_copy_of_the_matrix(family: Family, tmp_path: Path) -> None:
    index = made_of(halves(ROWS, 128, Metric.COSINE), family, Metric.COSINE)
    index.save(tmp_path / "index.faiss")
    lists = index.vectors.nbytes if family is Family.IVF_FLAT else 0
    assert (tmp_path / "index.faiss").stat().st_size < lists + 0.9 * index.vectors.nbytes
    opened = Index.load(tmp_path / "index.faiss", index.spec, Metric.COSINE, index.vectors)
    queries = as_float32(index.vectors[:1])
    tracemalloc.start()
    for effort in (best_effort(opened), EXACT):
        opened.search(queries, 5, effort, within=RowSet.of(np.ones(ROWS, dtype=bool)) if effort is EXACT else None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < index.vectors.nbytes / 2


def test_the_size_of_lists_is_known_beforehand(tmp_path: Path) -> None:
    index = made_of(halves(ROWS, 128, Metric.DOT), Family.IVF_FLAT, Metric.DOT)
    index.save(tmp_path / "index.faiss")
    expected = index_bytes(index.spec, ROWS, 128, VectorType.FLOAT16)
    assert expected == pytest.approx((tmp_path / "index.faiss").stat().st_size, rel=0.08)


class TestBuild:
    def test_half_the_bytes_and_the_type_in_the_manifest(self, tmp_path: Path) -> None:
        vectors = clustered()
        np.save(tmp_path / "vectors.npy", vectors)
        with Build(tmp_path, "halves", IndexSettings(vector_type=VectorType.FLOAT16, metric=Metric.EUCLIDEAN)) as build:
            build.from_vectors(tmp_path / "vectors.npy", None)
        segment = self.segment(tmp_path)
        assert segment.manifest.vector_type is VectorType.FLOAT16
        assert segment.vectors.dtype == np.float16 and isinstance(segment.vectors.base, np.memmap)
        np.testing.assert_array_equal(segment.vectors, vectors.astype(np.float16))
        assert (segment.folder / "vectors.npy").stat().st_size < 0.51 * vectors.nbytes

    def test_a_manifest_that_names_another_type_is_damaged(self, tmp_path: Path) -> None:
        self.test_half_the_bytes_and_the_type_in_the_manifest(tmp_path)
        segment = self.segment(tmp_path)
        manifest = json.loads((segment.folder / "segment.json").read_text())
        for kind, fault in (("float32", "holds float16"), ("float8", "is not a segment manifest")):
            (segment.folder / "segment.json").write_text(json.dumps({**manifest, "vector_type": kind}))
            with pytest.raises(CorruptError, match=fault):
                Segment(segment.folder)

    def test_the_item_that_float16_cant_hold_is_named(self, tmp_path: Path) -> None:
        vectors = clustered()
        vectors[1_234, 7] = 70_000
        np.save(tmp_path / "vectors.npy", vectors)
        settings = IndexSettings(vector_type=VectorType.FLOAT16, metric=Metric.DOT)
        with Build(tmp_path, "halves", settings) as build:
            with pytest.raises(InputError, match=r"the vector of item 1235 \(id '1234'\) holds a number of size 70000"):
                build.from_vectors(tmp_path / "vectors.npy", None)

    @staticmethod
    def segment(data_dir: Path) -> Segment:
        (folder,) = (data_dir / "collections" / "halves" / "segments").iterdir()
        return Segment(folder)
