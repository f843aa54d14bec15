"""Which candidates become hits: the orders and choices that a request may ask for. Pure functions over arrays.

A line of candidates is what was found for one query: scores and rows, both (c,), in order: highest score first, lower
row first where scores are equal. That order is total, so that a page can begin where another ended.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows
from vecinity.indexer.metric import Metric, Vectors

Scores = NDArray[np.float32]


def ordered(scores: Scores, rows: Rows) -> tuple[Scores, Rows]:
    """A line in order."""
    order = np.lexsort((rows, -scores))
    return scores[order], rows[order]


def group_ranks(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many of the same code stand before each, int64 (c,).

    >>> group_ranks(np.array([5, 5, 2, 5], dtype=np.int32)).tolist()
    [0, 1, 0, 2]
    """
    by_code = np.argsort(codes, kind="stable")
    begins = np.flatnonzero(np.diff(codes[by_code], prepend=codes[by_code[:1]] - 1))
    sizes = np.diff(begins, append=len(codes))
    ranks = np.empty(len(codes), dtype=np.int64)
    ranks[by_code] = np.arange(len(codes)) - np.repeat(begins, sizes)
    return ranks


def most_diverse(
    scores: Scores,
    vectors: Vectors,
    k: int,
    relevance: float,
    metric: Metric,
    check: Callable[[], None] = lambda: None,
) -> Rows:
    """Maximal marginal relevance (Carbonell and Goldstein 1998).

    One by one that candidate is chosen whose ``relevance · score(query, it) − (1 − relevance) · max score(chosen, it)``
    is highest; with nothing chosen yet, whose score is. Both are scores of the metric. Under the Euclidean one they are
    negative squared distances, so that what lies close to a chosen item is the worse for it there too.

    Args:
        scores: float32 (c,), in order.
        vectors: float32 (c, d), of the candidates, prepared for the metric.
        k: How many to choose, at most c.
        relevance: From 0 to 1.
        check: Called before each choice; may raise.

    Returns:
        int64 (min(k, c),), places among the candidates, in the order chosen.
    """
    similarity = _scores_with(vectors, metric)
    chosen = np.empty(min(k, len(scores)), dtype=np.int64)
    redundancy = np.full(len(scores), -np.inf)
    worth = scores.astype(np.float64)
    left = np.ones(len(scores), dtype=bool)
    for turn in range(len(chosen)):
        check()
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        chosen[turn], left[best] = best, False
        np.maximum(redundancy, similarity(best), out=redundancy)
        worth = relevance * scores - (1 - relevance) * redundancy
    return chosen


def _scores_with(vectors: Vectors, metric: Metric) -> Callable[[int], NDArray[np.float32]]:
    """The scores of one of the vectors with all."""
    if metric is not Metric.EUCLIDEAN:
        return lambda place: vectors @ vectors[place]
    return lambda place: -np.square(vectors - vectors[place]).sum(axis=1)
