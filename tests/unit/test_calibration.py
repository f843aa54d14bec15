from __future__ import annotations

import numpy as np
from conftest import clustered

from vecinity.indexer.ann import Family, Index, choose_spec
from vecinity.indexer.calibration import Calibration, calibrate, hold_out, rows_without
from vecinity.indexer.metric import Metric


def half_built(family: Family, rows: int = 3_000) -> tuple[Index, np.ndarray]:
    vectors = clustered(rows)
    held_out = hold_out(rows, seed=1)
    every = np.arange(rows, dtype=np.int64)
    index = Index.train(choose_spec(family, rows, 32), Metric.EUCLIDEAN, vectors, every)
    for chunk in rows_without(rows, held_out):
        index.add(chunk)
    return index, held_out


def test_recall_is_what_numpy_counts() -> None:
    index, held_out = half_built(Family.IVF_FLAT)
    calibration = calibrate(index, held_out)
    rest = np.concatenate(rows_without(3_000, held_out))
    distances = ((index.vectors[held_out][:, None] - index.vectors[rest][None]) ** 2).sum(axis=2)
    truth = rest[np.argsort(distances, axis=1)[:, :10]]
    for point in calibration.points:
        if point.k == 10:
            _, found = index.search(np.ascontiguousarray(index.vectors[held_out]), 10, point.effort, complete=False)
            shares = [len({*f} & {*t}) / 10 for f, t in zip(found.tolist(), truth.tolist(), strict=True)]
            np.testing.assert_allclose(point.recall, np.mean(shares), atol=2e-3)
            assert 0 <= point.recall_lower_bound < point.recall + 1e-9
            assert point.query_us > 0


def test_recall_grows_with_effort() -> None:
    for family in (Family.IVF_FLAT, Family.HNSW, Family.IVF_PQ):
        calibration = calibrate(*half_built(family))
        recalls = [p.recall for p in calibration.points if p.k == 10 and p.effort.k_factor in (0, 4)]
        assert recalls == sorted(recalls) or np.diff(recalls).min() > -0.01
        assert calibration.best_recall(10) > 0.98
        assert calibration.queries == 300


def test_of_equal_items_any_will_do() -> None:
    vectors = np.repeat(clustered(200), 20, axis=0)
    held_out = hold_out(len(vectors), seed=1)
    every = np.arange(len(vectors), dtype=np.int64)
    index = Index.train(choose_spec(Family.IVF_FLAT, len(vectors), 32), Metric.EUCLIDEAN, vectors, every)
    for chunk in rows_without(len(vectors), held_out):
        index.add(chunk)
    assert calibrate(index, held_out).best_recall(10) > 0.98


def test_a_flat_index_needs_no_calibration() -> None:
    index, _ = half_built(Family.FLAT)
    assert calibrate(index, hold_out(3_000, 1)) == Calibration()
    assert Calibration().best_recall(10) == 1.0


def test_hold_out() -> None:
    assert len(hold_out(5, 1)) == 0
    assert len(hold_out(100, 1)) == 10
    sample = hold_out(1_000_000, 1)
    assert len(sample) == 1_000 == len(set(sample.tolist())) and (np.diff(sample) > 0).all()
    np.testing.assert_array_equal(sample, hold_out(1_000_000, 1))
    assert not np.array_equal(sample, hold_out(1_000_000, 2))


def test_rows_without_gives_every_other_row_once() -> None:
    left_out = np.array([0, 5, 65_536, 199_999], dtype=np.int64)
    rows = np.concatenate(rows_without(200_000, left_out))
    np.testing.assert_array_equal(rows, np.setdiff1d(np.arange(200_000), left_out))


def test_it_survives_json() -> None:
    calibration = calibrate(*half_built(Family.IVF_PQ))
    assert Calibration.from_json(calibration.to_json()) == calibration
