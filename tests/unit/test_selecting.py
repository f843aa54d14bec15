"""The choices among candidates, compared with the plainest loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecinity.indexer.metric import Metric
from vecinity.service.errors import DeadlineError
from vecinity.service.selecting import group_ranks, most_diverse, ordered


def test_order_is_by_score_and_then_by_row() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.9], np.float32)
    got_scores, got_rows = ordered(scores, np.array([7, 3, 2, 1]))
    assert got_rows.tolist() == [1, 3, 2, 7]
    assert got_scores.tolist() == sorted(scores.tolist(), reverse=True)


@given(st.lists(st.integers(-1, 5)))
def test_group_ranks(codes: list[int]) -> None:
    expected = [codes[:place].count(code) for place, code in enumerate(codes)]
    assert group_ranks(np.array(codes, dtype=np.int32)).tolist() == expected


def plain_mmr(query: np.ndarray, items: np.ndarray, k: int, relevance: float, metric: Metric) -> list[int]:
    def score(a: np.ndarray, b: np.ndarray) -> float:
        return float(-((a - b) ** 2).sum() if metric is Metric.EUCLIDEAN else a @ b)

    chosen: list[int] = []
    while len(chosen) < min(k, len(items)):
        worth = {
            i: score(query, item)
            if not chosen
            else relevance * score(query, item) - (1 - relevance) * max(score(items[j], item) for j in chosen)
            for i, item in enumerate(items)
            if i not in chosen
        }
        chosen.append(max(worth, key=worth.__getitem__))
    return chosen


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("relevance", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_mmr_is_that_of_the_paper(metric: Metric, relevance: float, rng: np.random.Generator) -> None:
    items = rng.normal(size=(40, 8)).astype(np.float32)
    query = rng.normal(size=8).astype(np.float32)
    if metric is Metric.COSINE:
        items /= np.linalg.norm(items, axis=1, keepdims=True)
        query /= np.linalg.norm(query)
    scores = (-((items - query) ** 2).sum(axis=1) if metric is Metric.EUCLIDEAN else items @ query).astype(np.float32)
    order = np.argsort(-scores)
    scores, items = scores[order], items[order]
    got = most_diverse(scores, items, 12, relevance, metric).tolist()
    assert got == plain_mmr(query.astype(float), items.astype(float), 12, relevance, metric)
    assert got[0] == 0
    if relevance == 1:
        assert got == list(range(12))


def test_mmr_passes_over_copies_while_there_are_others() -> None:
    items = np.array([[1, 0], [1, 0], [0.9, np.sqrt(1 - 0.81)], [0, 1]], np.float32)
    got = most_diverse(items @ np.array([1, 0], np.float32), items, 3, 0.4, Metric.COSINE)
    assert got.tolist() == [0, 3, 2]


def test_mmr_of_fewer_candidates_than_wanted_and_none() -> None:
    items = np.eye(3, dtype=np.float32)
    assert sorted(most_diverse(items[0], items, 9, 0.5, Metric.DOT).tolist()) == [0, 1, 2]
    assert most_diverse(items[0][:0], items[:0], 9, 0.5, Metric.DOT).tolist() == []


def test_mmr_stops_when_told() -> None:
    def stop() -> None:
        raise DeadlineError

    items = np.eye(3, dtype=np.float32)
    with pytest.raises(DeadlineError):
        most_diverse(items[0], items, 2, 0.5, Metric.DOT, stop)
