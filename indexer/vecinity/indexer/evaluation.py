"""How good the results of a search are: recall against exact neighbours, by ids or by scores."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError

Float32s = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]

_SCORES_AT_ONCE = 1 << 24  # float32 scores held at a time: 64 MiB.


def recall_at_k(found: Int64s, truth: Int64s) -> float:
    """The share of the true k nearest neighbours that were found, 0 to 1, averaged over queries.

    Ids that tie with the k-th true neighbour count as misses here; see `recall_at_k_with_ties`.

    Args:
        found: int64 (queries, k); −1 where there were too few results. An id found twice counts once.
        truth: int64 (queries, k), distinct in a row; −1 where the collection has fewer than k items.

    >>> recall_at_k(np.array([[1, 2], [3, 9]]), np.array([[2, 1], [3, 4]]))
    0.75
    """
    _check_shapes(found, truth)
    queries, k = truth.shape
    hits = 0
    step = max(1, _SCORES_AT_ONCE // (k * k))
    for start in range(0, queries, step):
        f, t = found[start : start + step], truth[start : start + step]
        hits += int(((f[:, :, None] == t[:, None, :]).any(axis=1) & (t >= 0)).sum())
    return _share(hits, int((truth >= 0).sum()))


def recall_at_k_with_ties(found_scores: Float32s, truth_scores: Float32s, tolerance: float = 1e-5) -> float:
    """As `recall_at_k`, but any item that scores as high as the k-th true neighbour is a hit.

    With duplicates in a collection many answers are equally right, and ids cannot tell (FAISS, contrib/evaluation.py:
    `check_ref_knn_with_draws`; ANN-Benchmarks, Aumüller et al. 2018, section 3.2).

    Args:
        found_scores: float32 (queries, k), exact scores (not those of compressed codes) of distinct items,
            higher is closer; −inf where there were too few results.
        truth_scores: float32 (queries, k), of the true neighbours; −inf where the collection has fewer than k.
        tolerance: Scores this much lower, in proportion to the largest of the true scores, either sign, still count:
            rounding differs between ways of computing one score. Not in proportion to 1: vectors may be short, and
            then all scores are near 0.

    >>> recall_at_k_with_ties(np.array([[0.9, 0.7]]), np.array([[0.9, 0.8]]))
    0.5
    """
    hits, real = _hits_with_ties(found_scores, truth_scores, tolerance)
    return _share(int(hits.sum()), int(real.sum()))


def shares_found(found_scores: Float32s, truth_scores: Float32s, tolerance: float = 1e-5) -> npt.NDArray[np.float64]:
    """The recall of each query, float64 (queries,); `recall_at_k_with_ties` has the arguments."""
    hits, real = _hits_with_ties(found_scores, truth_scores, tolerance)
    return hits / np.maximum(real, 1)


def _hits_with_ties(found_scores: Float32s, truth_scores: Float32s, tolerance: float) -> tuple[Int64s, Int64s]:
    """Of each query, how many true neighbours were found and how many there are; int64 (queries,) both."""
    _check_shapes(found_scores, truth_scores)
    real = (truth_scores > -np.inf).sum(axis=1)
    return np.minimum((found_scores >= hit_thresholds(truth_scores, tolerance)).sum(axis=1), real), real


def hit_thresholds(truth_scores: Float32s, tolerance: float = 1e-5) -> Float32s:
    """The score from which on an item counts as a true neighbour, float32 (queries, 1); inf where there is none.

    `recall_at_k_with_ties` has the arguments.
    """
    real = truth_scores > -np.inf
    lowest = np.where(real, truth_scores, np.inf).min(axis=1, keepdims=True)
    scale = np.abs(np.where(real, truth_scores, 0)).max(axis=1, keepdims=True)
    thresholds: Float32s = lowest - np.float32(tolerance) * scale
    return thresholds


def _check_shapes(found: npt.NDArray[np.generic], truth: npt.NDArray[np.generic]) -> None:
    if found.ndim != 2 or found.shape != truth.shape or found.size == 0:
        raise InputError(f"found {found.shape} and truth {truth.shape} must have one shape, (queries, k), not empty")


def _share(hits: int, possible: int) -> float:
    return hits / possible if possible else math.nan
