"""Exact scores of candidates, read where they are, and the best of them."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import StoredVectors, as_float32

Rows = NDArray[np.int64]
"""int64 row numbers of a segment; -1 where there is none."""


_GATHERED_ROWS = 1_024
"""So many float16 rows are made float32 at a time, so that they are still in the cache when they are scored."""


def exact_scores(queries: Vectors, vectors: StoredVectors, rows: Rows, metric: Metric) -> NDArray[np.float32]:
    """Exact scores of chosen rows.

    Args:
        queries: float32 (n, d), prepared.
        vectors: (rows, d), prepared; may be memory-mapped, is not copied.
        rows: int64 (n, c) candidates; -1 is passed over.

    Returns:
        float32 (n, c); -inf where the row is -1.

    Raises:
        IndexError: A row is not of the matrix: C++ would read outside it.
    """
    n, candidates = rows.shape
    if int(rows.max(initial=-1)) >= len(vectors):
        raise IndexError(f"row {int(rows.max())} of {len(vectors)}")
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    scores = np.empty((n, candidates), dtype=np.float32)
    if vectors.dtype == np.float16:
        _gather_and_score(queries, np.asarray(vectors), rows, metric, scores)
    else:
        _score(queries, vectors, rows, metric, scores)
    if metric is Metric.EUCLIDEAN:
        np.negative(scores, out=scores)
    scores[rows < 0] = -np.inf
    return scores


def _score(queries: Vectors, vectors: StoredVectors, rows: Rows, metric: Metric, scores: Vectors) -> None:
    """FAISS's distances or products into `scores`; all arrays are contiguous, the vectors float32."""
    function = faiss.fvec_L2sqr_by_idx if metric is Metric.EUCLIDEAN else faiss.fvec_inner_products_by_idx
    pointers = (faiss.swig_ptr(array) for array in (scores, queries, vectors, rows))
    function(*pointers, vectors.shape[1], *rows.shape)


def _gather_and_score(queries: Vectors, vectors: StoredVectors, rows: Rows, metric: Metric, scores: Vectors) -> None:
    """`_score` for float16, of which FAISS can't score chosen rows: they are copied, a few at a time."""
    if not len(vectors):
        return
    n, candidates = rows.shape
    width = min(candidates, _GATHERED_ROWS) or 1
    height = max(1, _GATHERED_ROWS // width)
    for top in range(0, n, height):
        for left in range(0, candidates, width):
            part = np.ascontiguousarray(rows[top : top + height, left : left + width])
            gathered = as_float32(vectors[np.maximum(part.ravel(), 0)])
            places = np.where(part < 0, -1, np.arange(part.size, dtype=np.int64).reshape(part.shape))
            found = np.empty(part.shape, dtype=np.float32)
            _score(queries[top : top + height], gathered, places, metric, found)
            scores[top : top + height, left : left + width] = found


class Best:
    """The k highest-scored rows of each of n queries, among all that are shown.

    FAISS's heaps: for 64 queries with 320 candidates each and k 10 they take 34 µs where NumPy's argpartition and
    argsort take 190.
    """

    def __init__(self, n: int, k: int) -> None:
        self._heap = faiss.ResultHeap(n, k, keep_max=True)

    def add(self, scores: NDArray[np.float32], rows: Rows) -> None:
        """Show candidates, both (n, c); a row of -1 is passed over if its score is -inf."""
        self._heap.add_result(scores, rows)

    def add_block(self, scores: NDArray[np.float32], rows: Rows) -> None:
        """Show rows (b,) that are candidates of every query, (n, b); after the first of many blocks few can matter."""
        places = np.flatnonzero(scores > self._heap.D[:, :1])  # each heap's root is the k-th best so far
        if 4 * len(places) > scores.size:
            self.add(scores, np.ascontiguousarray(np.broadcast_to(rows, scores.shape)))
        elif len(places):
            line, column = np.divmod(places, len(rows))
            counts = np.bincount(line, minlength=len(scores))
            slot = np.arange(len(line)) - np.repeat(np.cumsum(counts) - counts, counts)
            table = np.full((len(scores), int(counts.max())), -np.inf, dtype=np.float32)
            table_rows = np.full(table.shape, -1, dtype=np.int64)
            table[line, slot] = scores[line, column]
            table_rows[line, slot] = rows[column]
            self.add(table, table_rows)

    def ordered(self) -> tuple[Vectors, Rows]:
        """Scores float32 (n, k), descending, and rows int64 (n, k); -inf and -1 where fewer were shown. Ask once."""
        self._heap.finalize()
        scores, rows = self._heap.D, self._heap.I
        scores[rows < 0] = -np.inf  # FAISS fills up with the least float32
        return scores, rows


def best(scores: Vectors, rows: Rows, k: int) -> tuple[Vectors, Rows]:
    """The k best of each line of candidates, both (n, c), descending; -inf and -1 where there are fewer."""
    if len(scores) == 1 and k <= scores.shape[1]:  # where making a heap takes longer than filling it
        order = np.argsort(-scores[0], kind="stable")[:k]
        return scores[:, order], rows[:, order]
    chosen = Best(len(scores), k)
    chosen.add(scores, rows)
    return chosen.ordered()
