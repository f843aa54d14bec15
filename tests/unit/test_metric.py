from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import Metric, normalise, pair_scores, prepare

finite = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, (5, 4), elements=finite).filter(lambda a: (np.abs(a).max(axis=1) > 1e-3).all()))
def test_normalised_rows_have_length_one_and_their_direction(vectors: np.ndarray) -> None:
    unit = normalise(vectors)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit.astype(np.float64), axis=1), 1, rtol=1e-5)
    exact = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(unit, exact, atol=1e-6)


@pytest.mark.parametrize("size", [1e-18, 1e18])
def test_squares_outside_float32_do_no_harm(size: float) -> None:
    unit = normalise(np.array([[3.0, 4.0]], dtype=np.float32) * np.float32(size))
    np.testing.assert_allclose(unit, [[0.6, 0.8]], rtol=1e-5)


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_row(metric: Metric, bad: float) -> None:
    vectors = np.ones((4, 3), dtype=np.float32)
    vectors[2, 1] = bad
    with pytest.raises(VectorError, match="vector 2 holds NaN or infinity") as caught:
        prepare(vectors, metric)
    assert caught.value.row == 2


def test_a_zero_vector_has_no_cosine() -> None:
    vectors = np.array([[1, 0], [0, 0]], dtype=np.float32)
    with pytest.raises(VectorError, match="vector 1 is zero"):
        prepare(vectors, Metric.COSINE)
    np.testing.assert_array_equal(prepare(vectors, Metric.DOT), vectors)
    np.testing.assert_array_equal(prepare(vectors, Metric.EUCLIDEAN), vectors)


def test_pair_scores_by_hand() -> None:
    left = np.array([[1, 2], [0, 1]], dtype=np.float32)
    right = np.array([[3, 4], [0, 1]], dtype=np.float32)
    assert pair_scores(left, right, Metric.DOT).tolist() == [11, 1]
    assert pair_scores(left, right, Metric.EUCLIDEAN).tolist() == [-8, 0]


@given(st.integers(1, 40), st.integers(0, 1_000), st.floats(-15, 15))
def test_one_vector_is_prepared_as_among_many(dimension: int, seed: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(3, dimension)) * 10**exponent).astype(np.float32)
    together = prepare(vectors, Metric.COSINE)
    alone = np.vstack([prepare(vectors[[row]], Metric.COSINE) for row in range(3)])
    assert np.array_equal(together.view(np.uint32), alone.view(np.uint32))
