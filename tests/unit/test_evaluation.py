import math

import numpy as np
import pytest

from vecinity.indexer import evaluation
from vecinity.indexer.errors import InputError
from vecinity.indexer.evaluation import recall_at_k, recall_at_k_with_ties


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_recall_by_hand() -> None:
    truth = np.array([[1, 2, 3], [4, 5, 6]])
    assert recall_at_k(truth[:, ::-1], truth) == 1
    assert recall_at_k(np.array([[1, 2, 9], [4, 8, 7]]), truth) == pytest.approx(3 / 6)
    assert recall_at_k(np.array([[1, 1, 1], [-1, -1, -1]]), truth) == pytest.approx(1 / 6)


def test_recall_of_a_collection_smaller_than_k() -> None:
    truth = np.array([[7, 8, -1]])
    assert recall_at_k(np.array([[8, 7, -1]]), truth) == 1
    assert recall_at_k(np.array([[8, -1, -1]]), truth) == 0.5
    assert math.isnan(recall_at_k(np.array([[-1]]), np.array([[-1]])))


def test_recall_equals_sets_in_python(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_SCORES_AT_ONCE", 300)
    truth = np.array([rng.permutation(20)[:8] for _ in range(50)])
    found = np.array([rng.permutation(20)[:8] for _ in range(50)])
    wanted = np.mean([len(set(f) & set(t)) / 8 for f, t in zip(found.tolist(), truth.tolist(), strict=True)])
    assert recall_at_k(found, truth) == pytest.approx(wanted)


def test_recall_with_ties_takes_any_equal_score() -> None:
    truth = np.array([[0.9, 0.8, 0.8]], dtype=np.float32)
    assert recall_at_k_with_ties(truth, truth) == 1
    assert recall_at_k_with_ties(np.array([[0.9, 0.8, 0.8 - 1e-6]]), truth) == 1
    assert recall_at_k_with_ties(np.array([[0.9, 0.8, 0.79]]), truth) == pytest.approx(2 / 3)
    assert recall_at_k_with_ties(np.array([[0.9, -np.inf, -np.inf]]), truth) == pytest.approx(1 / 3)


def test_recall_with_ties_of_a_collection_smaller_than_k() -> None:
    truth = np.array([[-4.0, -9.0, -np.inf], [-np.inf] * 3])
    assert recall_at_k_with_ties(np.array([[-4.0, -10.0, -np.inf], [-np.inf] * 3]), truth) == 0.5
    more_than_there_are = np.array([[-4.0, -9.0, -9.0], [-np.inf] * 3])
    assert recall_at_k_with_ties(more_than_there_are, truth) == 1


def test_recall_with_ties_scales_its_tolerance() -> None:
    truth = np.array([[-1e6]])
    assert recall_at_k_with_ties(np.array([[-1e6 - 5]]), truth) == 1
    assert recall_at_k_with_ties(np.array([[-1e6 - 50]]), truth) == 0


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e12])
def test_recall_with_ties_of_short_and_long_vectors(scale: float) -> None:
    truth = np.array([[3, 2, 0.01], [-1, -2, -3]]) * scale
    assert recall_at_k_with_ties(truth - 1e-6 * scale, truth) == 1
    assert recall_at_k_with_ties(np.array([[3, 2, 0.009], [-1, -2, -3.001]]) * scale, truth) == pytest.approx(4 / 6)


@pytest.mark.parametrize("found", [np.zeros((2, 3), dtype=np.int64), np.zeros(2, dtype=np.int64)])
def test_recall_of_other_shapes(found: np.ndarray) -> None:
    with pytest.raises(InputError, match="one shape"):
        recall_at_k(found, np.zeros((2, 2), dtype=np.int64))
    with pytest.raises(InputError, match="one shape"):
        recall_at_k_with_ties(found, np.zeros((2, 2), dtype=np.float32))
