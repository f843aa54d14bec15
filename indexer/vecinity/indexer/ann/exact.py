"""Comparing queries with every row, or every row of a set: the k closest, the k farthest, all above a score.

The matrix is read in blocks that stay in the processor's cache while all queries pass over them: 64 queries over
100,000 × 384 numbers take a third of the time of one call for the whole matrix. A set of rows is gathered block by
block, in bounded memory.

Inner products go through BLAS from `_BLAS_QUERIES` queries on. Squared distances never do: FAISS would compute them as
‖q‖² − 2q·x + ‖x‖², which loses the small distances between long vectors. What does not go through BLAS reads float16 as
it is stored where it can (`borrowed`), in half the time of float32; else each block of it is made float32. Whichever
way a row is found, its score is the one that `exact_scores` gives it, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann.borrowed import borrowed_storage
from vecinity.indexer.ann.scores import Best, Rows, best, exact_scores
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import StoredVectors, as_float32

_BLOCK_ROWS = 4_096
_BLAS_QUERIES = 16
_FLOAT16_BLOCK_ROWS = 16_384
_FLOAT16_LANES = 8

_SIFTED_K = 32
"""From here on, finding the k best of each block costs more than looking for what beats the k-th best so far."""

_MASKED_QUERIES = 3
_MASKED_SHARE = 0.05
"""For so few queries, passing over the rows outside a set costs less than copying a larger share of the matrix."""

# FAISS takes BLAS where queries × dimension reach this; its own 128,000 is far too late. What must not take it is given
# a selector, for which FAISS has no BLAS.
faiss.cvar.distance_compute_blas_threshold = 512
_EVERY_ROW = faiss.IDSelectorAll()


def exact_search(
    queries: Vectors, vectors: StoredVectors, k: int, metric: Metric, within: RowSet | None = None
) -> tuple[Vectors, Rows]:
    """Compare every query with every row, or with every row of a set.

    Args:
        queries: float32 (n, d), prepared for the metric.
        vectors: (rows, d), prepared; may be memory-mapped, is not copied.
        k: Hits for each query.
        within: The rows that may be found; None for all.

    Returns:
        Scores float32 (n, k), higher is closer, and rows int64 (n, k); -inf and -1 where there are fewer rows than k.
    """
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    blas = metric is not Metric.EUCLIDEAN and len(queries) >= _BLAS_QUERIES
    as_stored = vectors.dtype == np.float16 and vectors.shape[1] % _FLOAT16_LANES == 0 and not blas
    masked = within is not None and len(queries) <= _MASKED_QUERIES and within.count > _MASKED_SHARE * within.size
    hits = Best(len(queries), k)
    if within is not None and masked and (as_stored or vectors.dtype == np.float32):
        hits.add(*_knn(queries, vectors, min(k, within.count), metric, within.selector))
    else:
        # A block much smaller than k would only pass everything on.
        for rows, block in _blocks(vectors, within, max(_FLOAT16_BLOCK_ROWS if as_stored else _BLOCK_ROWS, 4 * k)):
            block = block if as_stored else as_float32(block)
            if blas and k >= _SIFTED_K:
                hits.add_block(queries @ block.T, rows)
            else:
                scores, found = _knn(queries, block, min(k, len(block)), metric, None if blas else _EVERY_ROW)
                hits.add(scores, np.where(found < 0, -1, rows[found]))
    scores, found = hits.ordered()
    if blas or as_stored:  # which add up in other orders
        return best(exact_scores(queries, vectors, found, metric), found, k)
    return scores, found


def exact_farthest(
    queries: Vectors, vectors: StoredVectors, k: int, metric: Metric, within: RowSet | None = None
) -> tuple[Vectors, Rows]:
    """The rows with the lowest scores, lowest first.

    Arguments as of `exact_search`.

    Returns:
        Scores float32 (n, k), ascending, and rows int64 (n, k); inf and -1 where there are fewer rows than k.
    """
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    if metric is not Metric.EUCLIDEAN:
        scores, found = exact_search(-queries, vectors, k, metric, within)
        return -scores, found
    hits = Best(len(queries), k)
    for rows, block in _blocks(vectors, within, _BLOCK_ROWS):
        hits.add(-_all_scores(queries, block, metric), np.broadcast_to(rows, (len(queries), len(rows))))
    scores, found = hits.ordered()
    return -scores, found


def exact_radius(
    queries: Vectors,
    vectors: StoredVectors,
    min_score: float,
    metric: Metric,
    hits_max: int,
    within: RowSet | None = None,
) -> tuple[NDArray[np.int64], Vectors, Rows]:
    """The rows that score at least `min_score`.

    Args:
        hits_max: Of each query's matches, at most so many are returned, the best; all are counted.

    The other arguments are as of `exact_search`.

    Returns:
        Matches of each query, int64 (n,), and as `exact_search` scores float32 (n, c) and rows int64 (n, c), where c is
        the highest count or `hits_max`, the lower; -inf and -1 fill up the lines of those with fewer.
    """
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    counts = np.zeros(len(queries), dtype=np.int64)
    hits = Best(len(queries), hits_max)
    for rows, block in _blocks(vectors, within, _BLOCK_ROWS):
        scores = _all_scores(queries, block, metric)
        matches = scores >= min_score
        matching = matches.any(axis=0)
        if not matching.any():
            continue
        counts += np.count_nonzero(matches, axis=1)
        scores = np.where(matches, scores, -np.inf)[:, matching]
        hits.add(scores, np.where(scores == -np.inf, -1, rows[matching]))
    scores, found = hits.ordered()
    width = min(hits_max, int(counts.max(initial=0)))
    return counts, scores[:, :width], found[:, :width]


def _blocks(vectors: StoredVectors, within: RowSet | None, size: int) -> Iterator[tuple[Rows, StoredVectors]]:
    """Row numbers int64 (b,) and their vectors (b, d), b at most `size`."""
    for begin in range(0, len(vectors) if within is None else within.count, size):
        if within is None:
            block = vectors[begin : begin + size]
            yield np.arange(begin, begin + len(block), dtype=np.int64), block
        else:
            rows = within.rows[begin : begin + size]
            yield rows, vectors[rows]


def _all_scores(queries: Vectors, block: StoredVectors, metric: Metric) -> NDArray[np.float32]:
    """float32 (n, b), without BLAS."""
    every = np.tile(np.arange(len(block), dtype=np.int64), (len(queries), 1))
    return exact_scores(queries, as_float32(block), every, metric)


def _knn(
    queries: Vectors, vectors: StoredVectors, k: int, metric: Metric, selector: Any | None
) -> tuple[Vectors, Rows]:
    """Scores float32 (n, k) and positions int64 (n, k), -1 where there is none; BLAS only without a selector."""
    scores = np.empty((len(queries), k), dtype=np.float32)
    rows = np.empty((len(queries), k), dtype=np.int64)
    if not k:
        return scores, rows
    sizes = vectors.shape[1], len(queries), len(vectors), k
    pointers = faiss.swig_ptr(queries), faiss.swig_ptr(vectors)
    if vectors.dtype == np.float16:
        parameters = faiss.SearchParameters(sel=selector)
        borrowed_storage(vectors, metric).search(queries, k, params=parameters, D=scores, I=rows)
        if metric is Metric.EUCLIDEAN:
            np.negative(scores, out=scores)
    elif metric is Metric.EUCLIDEAN:
        faiss.knn_L2sqr(*pointers, *sizes, faiss.swig_ptr(scores), faiss.swig_ptr(rows), None, selector)
        np.negative(scores, out=scores)
    else:
        faiss.knn_inner_product(*pointers, *sizes, faiss.swig_ptr(scores), faiss.swig_ptr(rows), selector)
    scores[rows < 0] = -np.inf
    return scores, rows
