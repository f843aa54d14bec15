"""Comparing analogies with every row of a matrix.

A thousand analogies are made of a few hundred words. So the products of the *distinct* term vectors with a block of
rows are computed once, by one matrix product, and each analogy only combines the few lines of it that are its own. The
rows are taken in blocks whose products stay in the cache.

Of a block only rows that can be among the best are looked at: a block is folded to a line of maxima, and the k-th
largest of them is a bound below which no row matters.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.metric import Vectors
from vecinity.indexer.stored_vectors import StoredVectors, as_float32
from vecinity.service.analogy.blas import one_blas_thread

Float32s = NDArray[np.float32]
Int64s = NDArray[np.int64]
Combine = Callable[[Float32s, slice], Float32s]
"""From the products of all terms with a block of rows, float32 (u, b), to the scores of a slice of the analogies with
them, float32 (m, b), none of them NaN."""

Keep = Callable[[Float32s, int, Float32s, Int64s], None]
"""The same and the keeping of the best in one: from the products of a block, the number of its first row, and the best
scores and rows so far, (n, count) both, which it changes."""

KEEP_SCORES_MIN = 5_000_000
"""So many scores are worth the second that compiling a `Keep` may take."""

KEEP_COUNT_MAX = 256
"""A `Keep` inserts one by one, which is slow where very many are kept."""

_BLOCK_ROWS = 4_096
_KEEP_BLOCK_ROWS = 256, 4_096
_KEEP_PRODUCTS = 1 << 18  # float32 products that the second cache of a processor holds.
_FOLDS = 16
_SCORES_AT_ONCE = 64 * _BLOCK_ROWS
_PRODUCTS_AT_ONCE = 1 << 24


def scan(
    vectors: Vectors, matrix: StoredVectors, analogies: int, count: int, combine: Combine, keep: Keep | None = None
) -> tuple[Float32s, Int64s]:
    """The best rows for each analogy.

    Args:
        vectors: float32 (u, d), the vectors whose products with the rows `combine` gets.
        matrix: (rows, d), usually memory-mapped.
        analogies: n.
        count: How many rows of each to find, from 1 to rows.
        combine: What gives the scores.
        keep: What does the same faster, where there is such a thing.

    Returns:
        Scores float32 (n, count), descending, and rows int64 (n, count).
    """
    with one_blas_thread():
        if keep is not None and count <= KEEP_COUNT_MAX and analogies * len(matrix) >= KEEP_SCORES_MIN:
            return _scan_kept(vectors, matrix, analogies, count, keep)
        return _scan_combined(vectors, matrix, analogies, count, combine)


def _scan_combined(
    vectors: Vectors, matrix: StoredVectors, analogies: int, count: int, combine: Combine
) -> tuple[Float32s, Int64s]:
    width = max(_FOLDS, min(_BLOCK_ROWS, _PRODUCTS_AT_ONCE // max(len(vectors), 1)) // _FOLDS * _FOLDS)
    height = max(1, _SCORES_AT_ONCE // width)
    best = np.full((analogies, count), -np.inf, dtype=np.float32)
    found = np.full((analogies, count), -1, dtype=np.int64)
    for begin in range(0, len(matrix), width):
        block = as_float32(matrix[begin : begin + width])
        products = vectors @ block.T
        for top in range(0, analogies, height):
            part = slice(top, min(top + height, analogies))
            scores = combine(products, part)
            _keep_best(scores, begin, best[part], found[part])
    return best, found


def _scan_kept(
    vectors: Vectors, matrix: StoredVectors, analogies: int, count: int, keep: Keep
) -> tuple[Float32s, Int64s]:
    best = np.full((analogies, count), -np.inf, dtype=np.float32)
    found = np.full((analogies, count), -1, dtype=np.int64)
    least, most = _KEEP_BLOCK_ROWS
    width = max(least, min(most, _KEEP_PRODUCTS // max(len(vectors), 1)) // least * least)
    for begin in range(0, len(matrix), width):
        keep(vectors @ as_float32(matrix[begin : begin + width]).T, begin, best, found)
    return best, found


def _keep_best(scores: Float32s, begin: int, best: Float32s, found: Int64s) -> None:
    """Merge the scores of a block, float32 (m, b), whose first row is `begin`, into the best so far, (m, count)."""
    lines, width = scores.shape
    count = best.shape[1]
    group = width // _FOLDS
    if group < count or width % _FOLDS:
        _merge(scores, np.broadcast_to(np.arange(begin, begin + width), scores.shape), best, found)
        return
    folded = scores.reshape(lines, _FOLDS, group)
    maxima = folded.max(axis=1)
    # The block itself has `count` rows that reach the count-th largest of the maxima.
    bound = np.maximum(best[:, -1], np.partition(maxima, group - count, axis=1)[:, group - count])
    # Of one dimension: that is many times faster than of two.
    line, column = np.divmod(np.flatnonzero(maxima >= bound[:, None]), group)
    candidates = folded[line, :, column]
    which, fold = np.divmod(np.flatnonzero(candidates >= bound[line, None]), _FOLDS)
    if not len(which):
        return
    line, row, score = line[which], fold * group + column[which] + begin, candidates[which, fold]
    # The candidates of each line side by side; the bound leaves few.
    many = np.bincount(line, minlength=lines)
    order = np.argsort(line, kind="stable")
    slot = np.arange(len(line)) - np.repeat(np.cumsum(many) - many, many)
    table = np.full((lines, int(many.max())), -np.inf, dtype=np.float32)
    table_rows = np.full(table.shape, -1, dtype=np.int64)
    table[line[order], slot] = score[order]
    table_rows[line[order], slot] = row[order]
    _merge(table, table_rows, best, found)


def _merge(scores: Float32s, rows: Int64s, best: Float32s, found: Int64s) -> None:
    """The best of both, descending, in place of `best` and `found`; of equal scores the earlier row."""
    scores = np.concatenate([best, scores], axis=1)
    rows = np.concatenate([found, rows], axis=1)
    count = best.shape[1]
    if scores.shape[1] > 4 * count:
        part = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        scores, rows = np.take_along_axis(scores, part, 1), np.take_along_axis(rows, part, 1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    best[:] = np.take_along_axis(scores, order, 1)
    found[:] = np.take_along_axis(rows, order, 1)
