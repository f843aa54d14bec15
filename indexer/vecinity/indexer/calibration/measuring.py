"""Puts a calibration together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from vecinity.indexer.ann import Family, Index, Rows, RowSet, effort_of, exact_scores, exact_search, set_threads
from vecinity.indexer.calibration.costs import Costs, exact_costs
from vecinity.indexer.calibration.frontier import frontier
from vecinity.indexer.calibration.ladder import calibrated_k, candidates_of, k_factors
from vecinity.indexer.calibration.points import Calibration, CalibrationPoint, CalibrationSource
from vecinity.indexer.calibration.recalls import QUERIES_OF_K, Recalls, measure_recalls
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.metric import Vectors
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.stored_vectors import as_float32

QUERIES_MAX = 4_000
"""At a recall@1 of .8 the confidence interval of so many queries is .01 wide on each side."""

_QUERIES_MIN = 500
_SHARE_HELD_OUT = 10
_CHUNK_ROWS = 65_536
_MULTIPLICATIONS_MAX = 1_000_000_000_000
"""Of the exact search that the recall is measured against: some 20 seconds of one processor."""

_STAGES = 4


def hold_out(rows: int, seed: int, dimension: int = 1) -> Rows:
    """Row numbers to keep out of the index while it is measured; int64, sorted.

    A tenth of them, at most 4,000, and fewer, down to 500, where they are so many that the exact search would take
    minutes.
    """
    affordable = max(_QUERIES_MIN, _MULTIPLICATIONS_MAX // max(rows * dimension, 1))
    count = min(QUERIES_MAX, affordable, rows // _SHARE_HELD_OUT)
    return np.sort(np.random.default_rng(seed).choice(rows, count, replace=False)).astype(np.int64)


def calibrate(index: Index, held_out: Rows, progress: Progress = silent) -> Calibration:
    """Measure `index`, which holds all rows but `held_out`, at each effort worth knowing."""
    if index.spec.family is Family.FLAT or not len(held_out) or len(held_out) == len(index.vectors):
        return Calibration()
    # In no order of the rows: of some k's only the first are asked.
    order = np.random.default_rng(len(held_out)).permutation(len(held_out))
    queries = as_float32(index.vectors[held_out[order]])
    return _calibrate(index, queries, held_out, CalibrationSource.ITEMS, progress)


def calibrate_with(
    index: Index, queries: Vectors, calibration: Calibration, progress: Progress = silent
) -> Calibration:
    """Add to a calibration by held-out rows what queries of the caller's find.

    Args:
        index: Complete.
        queries: float32 (n, d), prepared for the metric, n at least 1; the first 4,000 are asked.
    """
    if index.spec.family is Family.FLAT:
        return calibration
    asked = np.ascontiguousarray(queries[:QUERIES_MAX])
    more = _calibrate(index, asked, np.empty(0, dtype=np.int64), CalibrationSource.QUERIES, progress)
    return replace(
        more, points=calibration.points + more.points, queries=calibration.queries, given_queries=more.queries
    )


def _calibrate(
    index: Index, queries: Vectors, left_out: Rows, source: CalibrationSource, progress: Progress
) -> Calibration:
    def stage(done: int, note: str) -> None:
        progress("calibrate", done, _STAGES, "stages", note)

    ks = calibrated_k(len(index.vectors) - len(left_out))
    stage(0, "search exactly")
    set_threads(available_cpus())
    truth = _truth(index, queries, left_out, ks)
    # One thread, so that the costs can be compared and hold for a server of many threads.
    set_threads(1)
    stage(1, "measure recall")
    recalls = measure_recalls(index, queries, truth, ks)
    stage(2, "measure time")
    depths = sorted({depth for depth, _, _ in recalls.reached})
    costs = Costs(index, queries, depths, ks[-1])
    exact_us, exact_single_us = exact_costs(index, queries)
    stage(3, "choose efforts")
    points = [point for k in ks for point in frontier(_every(index, k, recalls, costs, source))]
    stage(_STAGES, "")
    return Calibration(tuple(points), len(queries), round(exact_us, 1), round(exact_single_us, 1))


def _every(
    index: Index, k: int, recalls: Recalls, costs: Costs, source: CalibrationSource
) -> Iterator[CalibrationPoint]:
    """A point for each effort of which the recall is known for `k`."""
    for factor in k_factors(index, k):
        depths = [depth for depth, of, for_k in recalls.reached if (of, for_k) == (factor, k)]
        times = costs.query_us(depths, candidates_of(k, factor), k)
        for depth, query_us in zip(depths, times, strict=True):
            reached = recalls.reached[depth, factor, k]
            yield CalibrationPoint(
                k=k,
                effort=effort_of(index.spec, depth, factor),
                recall=round(reached.recall, 5),
                recall_lower_bound=round(reached.lower_bound, 5),
                query_us=round(query_us, 2),
                source=source,
                items_scanned=recalls.items_scanned.get(depth, 0),
            )


def _truth(index: Index, queries: Vectors, left_out: Rows, ks: Sequence[int]) -> Vectors:
    """The true scores, float32 (n, max k), descending; -inf beyond what a query is asked for.

    Few queries are asked for many hits, and only of those are many looked up.
    """
    within = None
    if len(left_out):
        mask = np.ones(len(index.vectors), dtype=np.bool_)
        mask[left_out] = False
        within = RowSet.of(mask)
    truth = np.full((len(queries), ks[-1]), -np.inf, dtype=np.float32)
    begin = 0
    for highest, count in sorted(QUERIES_OF_K, reverse=True):
        k = max((k for k in ks if k <= highest), default=0)
        if k and len(asked := queries[begin:count]):
            nearest = exact_search(asked, index.vectors, k, index.metric, within)[1]
            # Scored as the index scores: what ties must tie exactly, however the truth was computed.
            scores = exact_scores(asked, index.vectors, nearest, index.metric)
            truth[begin:count, :k] = -np.sort(-scores, axis=1)
            begin = count
    return truth


def rows_without(rows: int, left_out: Rows) -> Sequence[Rows]:
    """All row numbers but `left_out`, in order, in chunks that bound memory."""
    keep = np.ones(rows, dtype=bool)
    keep[left_out] = False
    return [
        begin + np.flatnonzero(keep[begin : begin + _CHUNK_ROWS]).astype(np.int64)
        for begin in range(0, rows, _CHUNK_ROWS)
        if keep[begin : begin + _CHUNK_ROWS].any()
    ]
