from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from conftest import clustered

from vecinity.indexer.ann import Effort, Family, Index, choose_spec, exact_search
from vecinity.indexer.calibration import (
    Calibration,
    CalibrationPoint,
    CalibrationSource,
    calibrate,
    calibrate_with,
    hold_out,
    rows_without,
)
from vecinity.indexer.calibration.frontier import frontier
from vecinity.indexer.evaluation import shares_found
from vecinity.indexer.metric import Metric, Vectors

ITEMS, QUERIES = CalibrationSource.ITEMS, CalibrationSource.QUERIES
INDEXED = (Family.IVF_FLAT, Family.HNSW, Family.IVF_PQ)


def half_built(family: Family, rows: int = 3_000, vectors: Vectors | None = None) -> tuple[Index, np.ndarray]:
    vectors = clustered(rows) if vectors is None else vectors
    rows = len(vectors)
    held_out = hold_out(rows, seed=1)
    every = np.arange(rows, dtype=np.int64)
    index = Index.train(choose_spec(family, rows, 32), Metric.EUCLIDEAN, vectors, every)
    for chunk in rows_without(rows, held_out):
        index.add(chunk)
    return index, held_out


def all_scores(queries: Vectors, vectors: Vectors) -> Vectors:
    """By NumPy, of each query the best first."""
    return -np.sort(((queries[:, None] - vectors[None]) ** 2).sum(axis=2), axis=1)


def searched(index: Index, queries: Vectors, truth: Vectors, point: CalibrationPoint) -> float:
    """The recall of a real search with the point's effort."""
    found, _ = index.search(queries, point.k, point.effort, complete=False)
    return float(shares_found(found, truth[:, : point.k], tolerance=1e-4).mean())


@pytest.mark.parametrize("family", INDEXED)
def test_the_recall_of_every_point_is_that_of_a_real_search(family: Family) -> None:
    index, held_out = half_built(family)
    calibration = calibrate(index, held_out)
    queries = np.ascontiguousarray(index.vectors[held_out])
    truth = all_scores(queries, index.vectors[np.concatenate(rows_without(3_000, held_out))])
    assert calibration.calibrated_k(ITEMS) == [1, 3, 10, 30, 100]
    for point in calibration.points:
        # What is read off one search for many candidates differs from a search of its own by the rounding of codes.
        assert searched(index, queries, truth, point) == pytest.approx(point.recall, abs=0.01), point
        assert 0 <= point.recall_lower_bound < point.recall + 1e-9
        assert point.query_us > 0
        assert point.source is ITEMS


def test_a_deep_walk_through_a_graph_is_measured_with_fewer_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecinity.indexer.calibration.recalls._GRAPH_WORK", 1_000)
    monkeypatch.setattr("vecinity.indexer.calibration.recalls._QUERIES_MIN", 30)
    index, held_out = half_built(Family.HNSW)
    few = calibrate(index, held_out)
    monkeypatch.undo()
    many = calibrate(index, held_out)
    for k in (1, 10, 100):
        assert few.best_recall(k) == pytest.approx(many.best_recall(k), abs=0.05)
    # Fewer queries are less sure, on the mean: which efforts there are is chosen by time, and chance plays a part.
    margins = [
        [point.recall - point.recall_lower_bound for k in (1, 10) for point in each.of(ITEMS, k) if point.recall < 1]
        for each in (few, many)
    ]
    assert np.mean(margins[0]) > 1.2 * np.mean(margins[1])


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1e6])
def test_the_length_of_the_vectors_does_not_change_the_recall(scale: float) -> None:
    vectors = np.random.default_rng(5).normal(size=(2_000, 32)).astype(np.float32)  # without clusters: hard to find
    recalls = [
        {(point.effort, point.k): point.recall for point in calibrate(*half_built(Family.IVF_FLAT, vectors=v)).points}
        for v in (vectors, vectors * np.float32(scale))
    ]
    common = recalls[0].keys() & recalls[1].keys()
    assert len(common) >= 5
    assert min(recalls[0].values()) < 0.9
    for point in common:
        assert recalls[0][point] == pytest.approx(recalls[1][point], abs=0.01), point


@pytest.mark.parametrize("family", INDEXED)
def test_every_point_finds_more_and_costs_more_than_the_one_before(family: Family) -> None:
    calibration = calibrate(*half_built(family))
    for k in (1, 10, 100):
        points = calibration.of(ITEMS, k)
        bounds = [point.recall_lower_bound for point in points]
        assert bounds == sorted(set(bounds))
        costs = [point.query_us for point in points]
        assert costs == sorted(costs)
        assert points[-1].recall > 0.98
    assert calibration.best_recall(10) > 0.98
    assert calibration.queries == 300


def test_the_frontier_keeps_what_no_other_beats_at_small_steps() -> None:
    def at(us: float, recall: float) -> CalibrationPoint:
        return CalibrationPoint(10, Effort(nprobe=int(us)), recall, recall - 0.01, us)

    good = [at(us, 1 - 0.9 * 0.99**us) for us in range(1, 600)]
    beaten = [at(us, point.recall - 0.001) for us, point in enumerate(good, start=2)]
    kept = frontier(good + beaten)
    assert set(kept) <= set(good)
    assert (kept[0], kept[-1]) == (good[0], good[-1])
    for point, after in pairwise(kept):
        step = after.recall - point.recall
        assert step < (0.03 if point.recall < 0.5 else 0.01 if point.recall < 0.9 else 0.3 * (1 - point.recall))
    assert len(kept) < 250


def test_items_scanned_are_the_rows_of_the_lists_visited() -> None:
    index, held_out = half_built(Family.IVF_FLAT)
    points = calibrate(index, held_out).of(ITEMS, 10)
    lists = index.spec.nlist
    for point in points:
        # Full lists are visited more often than empty ones.
        assert 0.5 * point.effort.nprobe / lists < point.items_scanned / 2_700 <= 1
    assert [point.items_scanned for point in points] == sorted(point.items_scanned for point in points)


def test_of_equal_items_any_will_do() -> None:
    for family in INDEXED:
        calibration = calibrate(*half_built(family, vectors=np.repeat(clustered(200), 20, axis=0)))
        assert calibration.best_recall(10) > 0.98


@pytest.mark.parametrize("family", INDEXED)
def test_rows_that_are_all_equal_are_found(family: Family) -> None:
    calibration = calibrate(*half_built(family, vectors=np.ones((2_000, 32), dtype=np.float32)))
    # Equal centroids tie, and the first list may be one that holds few: then more lists are visited.
    assert calibration.best_recall(10) == 1.0


@pytest.mark.parametrize("family", [Family.IVF_FLAT, Family.HNSW])  # 16 rows are the least that codes are learnt from
@pytest.mark.parametrize("rows", [1, 2, 9, 10, 50])
def test_few_rows(family: Family, rows: int) -> None:
    index, held_out = half_built(family, rows=rows)
    calibration = calibrate(index, held_out)
    assert calibration.calibrated_k(ITEMS) == ([] if rows < 10 else [k for k in (1, 3, 10) if k < rows])


def test_queries_of_another_kind_find_less_and_are_measured_on_the_whole_index() -> None:
    index, held_out = half_built(Family.IVF_FLAT)
    calibration = calibrate(index, held_out)
    index.add(held_out)
    queries = np.random.default_rng(9).normal(size=(500, 32)).astype(np.float32) * 3  # anywhere, not near a cluster
    both = calibrate_with(index, queries, calibration)
    assert both.sources == (ITEMS, QUERIES)
    assert both.points[: len(calibration.points)] == calibration.points
    assert (both.queries, both.given_queries) == (300, 500)
    truth = all_scores(queries, index.vectors)
    for point in both.of(QUERIES, 10):
        assert searched(index, queries, truth, point) == pytest.approx(point.recall, abs=0.01)
    assert both.of(QUERIES, 10)[0].recall < both.of(ITEMS, 10)[0].recall - 0.05
    assert both.best_recall(10) == min(both.of(source, 10)[-1].recall for source in both.sources)


def test_a_flat_index_needs_no_calibration() -> None:
    index, _ = half_built(Family.FLAT)
    assert calibrate(index, hold_out(3_000, 1)) == Calibration()
    assert calibrate_with(index, index.vectors[:10], Calibration()) == Calibration()
    assert Calibration().best_recall(10) == 1.0


def test_the_cost_of_an_exact_search_is_measured() -> None:
    calibration = calibrate(*half_built(Family.IVF_FLAT))
    assert 0 < calibration.exact_us
    assert 0 < calibration.exact_single_us


def test_hold_out() -> None:
    assert len(hold_out(5, 1)) == 0
    assert len(hold_out(100, 1)) == 10
    sample = hold_out(1_000_000, 1)
    assert len(sample) == 4_000 == len(set(sample.tolist())) and (np.diff(sample) > 0).all()
    np.testing.assert_array_equal(sample, hold_out(1_000_000, 1))
    assert not np.array_equal(sample, hold_out(1_000_000, 2))
    assert len(hold_out(10_000_000, 1, 100)) == 1_000  # the exact search over so many rows is dear
    assert len(hold_out(10_000_000, 1, 1_000)) == 500


def test_rows_without_gives_every_other_row_once() -> None:
    left_out = np.array([0, 5, 65_536, 199_999], dtype=np.int64)
    rows = np.concatenate(rows_without(200_000, left_out))
    np.testing.assert_array_equal(rows, np.setdiff1d(np.arange(200_000), left_out))


def test_it_survives_json() -> None:
    index, held_out = half_built(Family.IVF_PQ)
    calibration = calibrate(index, held_out)
    index.add(held_out)
    calibration = calibrate_with(index, clustered(50, seed=8), calibration)
    assert Calibration.from_json(calibration.to_json()) == calibration


def test_what_was_written_before_there_were_sources_is_read() -> None:
    effort = {"nprobe": 2, "ef_search": 0, "k_factor": 0, "exact": False}
    old = {"k": 10, "effort": effort, "recall": 0.9, "recall_lower_bound": 0.8, "query_us": 3.5}
    expected = CalibrationPoint(10, Effort(nprobe=2), 0.9, 0.8, 3.5, ITEMS, 0)
    assert Calibration.from_json({"points": [old], "queries": 7}) == Calibration((expected,), 7)


def test_the_truth_is_that_of_an_exact_search() -> None:
    """An effort that visits everything misses nothing, whatever is held out and however large k is."""
    index, held_out = half_built(Family.IVF_FLAT, rows=12_000)
    best = calibrate(index, held_out).of(ITEMS, 1_000)[-1]
    assert best.recall > 0.999
    queries = np.ascontiguousarray(index.vectors[held_out[:50]])
    scores, _ = index.search(queries, 1_000, best.effort, complete=False)
    rest = np.concatenate(rows_without(12_000, held_out))
    truth, _ = exact_search(queries, np.ascontiguousarray(index.vectors[rest]), 1_000, Metric.EUCLIDEAN)
    assert shares_found(scores, truth).mean() > 0.99
