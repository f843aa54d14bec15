"""The exact searches, each against three lines of NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import clustered
from indexes import numpy_scores

from vecinity.indexer.ann import RowSet, exact_farthest, exact_radius, exact_scores, exact_search
from vecinity.indexer.metric import Metric, prepare

ROWS = 9_000  # more than two blocks


def sets(rows: int) -> list[RowSet | None]:
    rng = np.random.default_rng(2)
    return [None] + [RowSet.of(rng.random(rows) < share) for share in (0.001, 0.04, 0.6, 1.0)]


@pytest.fixture(params=list(Metric))
def metric(request: pytest.FixtureRequest) -> Metric:
    return request.param


@pytest.mark.parametrize("count", [1, 3, 15, 40])
@pytest.mark.parametrize("within", sets(ROWS), ids=lambda s: "all" if s is None else str(s.count))
def test_the_closest_and_the_farthest(metric: Metric, count: int, within: RowSet | None) -> None:
    vectors = prepare(clustered(ROWS, 20), metric)
    queries = prepare(clustered(count, 20, seed=5), metric)
    allowed = np.arange(ROWS) if within is None else within.rows
    truth = numpy_scores(queries, vectors, metric)
    k = min(12, len(allowed))
    for function, sign in ((exact_search, -1), (exact_farthest, 1)):
        scores, rows = function(queries, vectors, 12, metric, within)
        order = np.sort(sign * truth[:, allowed], axis=1)[:, :k]
        np.testing.assert_allclose(sign * scores[:, :k], order, rtol=2e-5, atol=2e-5)
        assert np.isin(rows[:, :k], allowed).all() and all(len({*line}) == k for line in rows[:, :k].tolist())
        np.testing.assert_array_equal(scores[:, :k], exact_scores(queries, vectors, rows[:, :k], metric))
        assert (rows[:, k:] == -1).all() and (scores[:, k:] == sign * np.inf).all()


@pytest.mark.parametrize("within", sets(ROWS), ids=lambda s: "all" if s is None else str(s.count))
@pytest.mark.parametrize("order", ["mixed", "nearer and nearer", "equal"])
def test_many_hits_of_many_queries(metric: Metric, within: RowSet | None, order: str) -> None:
    vectors = prepare(clustered(ROWS, 20), metric)
    queries = prepare(clustered(20, 20, seed=5), metric)
    if order == "nearer and nearer":
        vectors = vectors[np.argsort(exact_scores(queries[:1], vectors, np.arange(ROWS)[None], metric)[0])]
    elif order == "equal":
        vectors = np.tile(vectors[:3], (ROWS // 3, 1))
    truth = numpy_scores(queries, vectors, metric)
    if within is not None:
        truth = truth[:, within.rows]
    k = min(90, truth.shape[1])
    scores, rows = exact_search(queries, vectors, 90, metric, within)
    np.testing.assert_allclose(scores[:, :k], -np.sort(-truth, axis=1)[:, :k], rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(scores[:, :k], exact_scores(queries, vectors, rows[:, :k], metric))
    assert all(len({*line}) == k for line in rows[:, :k].tolist()) and (rows[:, k:] == -1).all()
    assert within is None or np.isin(rows[:, :k], within.rows).all()


@pytest.mark.parametrize("within", sets(ROWS), ids=lambda s: "all" if s is None else str(s.count))
def test_all_above_a_score(metric: Metric, within: RowSet | None) -> None:
    vectors = prepare(clustered(ROWS, 20), metric)
    queries = prepare(clustered(30, 20, seed=5), metric)
    truth = exact_scores(queries, vectors, np.tile(np.arange(ROWS), (30, 1)), metric)
    if within is not None:
        truth[:, ~within.mask] = -np.inf
    least = float(np.sort(truth[0])[-min(25, within.count if within else ROWS)])  # met exactly by a row of query 0
    counts, scores, rows = exact_radius(queries, vectors, least, metric, 200, within)
    np.testing.assert_array_equal(counts, (truth >= least).sum(axis=1))
    assert scores.shape == rows.shape == (30, min(200, counts.max()))
    expected = -np.sort(-np.where(truth >= least, truth, -np.inf), axis=1)[:, : scores.shape[1]]
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(rows < 0, scores == -np.inf)


def test_nothing_above_a_score() -> None:
    vectors = clustered(100)
    counts, scores, rows = exact_radius(vectors[:3], vectors, 1e9, Metric.DOT, 10)
    assert counts.tolist() == [0, 0, 0] and scores.shape == rows.shape == (3, 0)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows(metric: Metric, rows: int) -> None:
    vectors, queries = prepare(clustered(rows), metric), prepare(clustered(3, seed=9), metric)
    for function in (exact_search, exact_farthest):
        scores, found = function(queries, vectors, 4, metric)
        assert ((found >= 0).sum(axis=1) == rows).all() and np.isinf(scores[:, rows:]).all()
    assert exact_radius(queries, vectors, -1e30, metric, 4)[0].tolist() == [rows] * 3


def test_an_empty_set_finds_nothing(metric: Metric) -> None:
    vectors = prepare(clustered(10), metric)
    empty = RowSet.of(np.zeros(10, dtype=bool))
    assert (exact_search(vectors[:2], vectors, 3, metric, empty)[1] == -1).all()
    assert (exact_farthest(vectors[:2], vectors, 3, metric, empty)[1] == -1).all()
    assert exact_radius(vectors[:2], vectors, -1e9, metric, 3, empty)[0].tolist() == [0, 0]


def test_small_distances_between_long_vectors_are_kept() -> None:
    # ‖q‖² − 2q·x + ‖x‖² in float32 would give 0 or worse for all of them.
    rng = np.random.default_rng(0)
    vectors = (1_000 + rng.random((500, 64))).astype(np.float32)
    scores, rows = exact_search(vectors[:64], vectors, 3, Metric.EUCLIDEAN)
    truth = numpy_scores(vectors[:64], vectors, Metric.EUCLIDEAN)
    np.testing.assert_allclose(scores, -np.sort(-truth, axis=1)[:, :3], rtol=1e-4)
    assert (rows[:, 0] == np.arange(64)).all()


@pytest.mark.parametrize("length", [1e-15, 1e15])
def test_extreme_lengths(metric: Metric, length: float) -> None:
    vectors = prepare(clustered(300) * (length / 20), metric)
    scores, rows = exact_search(vectors[:20], vectors, 5, metric)
    truth = numpy_scores(vectors[:20], vectors, metric)
    assert (rows >= 0).all() and np.isfinite(scores).all()
    # Products below float32's range are 0: of those any order will do.
    np.testing.assert_allclose(scores, -np.sort(-truth, axis=1)[:, :5], rtol=1e-4, atol=1e-30)


def test_a_memory_map_is_read_in_place(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", clustered(5_000))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    _, rows = exact_search(mapped[:20], mapped, 1, Metric.EUCLIDEAN)
    assert rows[:, 0].tolist() == list(range(20))


def test_row_sets() -> None:
    mask = np.random.default_rng(0).random(21) < 0.4
    chosen = RowSet.of(mask)
    assert (chosen.count, chosen.size) == (mask.sum(), 21)
    np.testing.assert_array_equal(chosen.mask, mask)
    np.testing.assert_array_equal(chosen.rows, np.flatnonzero(mask))
    np.testing.assert_array_equal(chosen.holds(np.array([[-1, 21, *range(21)]])), [[False, False, *mask]])
    mask[:] = True  # the set has its own copy
    assert chosen.count == np.count_nonzero(chosen.mask) < 21
    with pytest.raises(ValueError, match="read-only"):
        chosen.rows[0] = 3
    assert RowSet.of(np.zeros(0, dtype=bool)).holds(np.array([0, -1])).tolist() == [False, False]


def test_a_mask_is_a_line_of_bool() -> None:
    with pytest.raises(TypeError, match=r"bool \(rows,\), not int64 \(3,\)"):
        RowSet.of(np.array([0, 1, 1]))  # type: ignore[arg-type]
