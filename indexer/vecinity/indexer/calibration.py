"""The measured recall and cost of an index at each effort.

Rows used as queries overstate recall: a row finds itself, and an HNSW graph is densest around its own rows. So the
build keeps a sample of rows out of the index, asks it with them, compares with an exact search over the same rows,
and adds the sample afterwards (docs/adr/0003).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vecinity.indexer.ann import Effort, Index, Rows, effort_ladder, exact_scores, exact_search, set_threads
from vecinity.indexer.evaluation import shares_found
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.progress import Progress, silent

CALIBRATED_K = (1, 10, 100)
QUERIES_MAX = 1_000
# The recall of one query for 100 hits varies little, and its search is the dear one.
_QUERIES = {1: QUERIES_MAX, 10: QUERIES_MAX, 100: 300}
_SHARE_HELD_OUT = 10
_CHUNK_ROWS = 65_536
_Z_95 = 1.645
_GOOD_ENOUGH = 0.998
_GAIN_MIN = 0.002


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """What one effort gave for one k.

    Attributes:
        recall: Mean over the queries of the share of the true k nearest that were found.
        recall_lower_bound: Lower end of the one-sided 95 % confidence interval of that mean (normal approximation).
        query_us: Mean time of one query in a batch on one thread, in microseconds.
    """

    k: int
    effort: Effort
    recall: float
    recall_lower_bound: float
    query_us: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """All points of an index; none for a flat one, which is exact."""

    points: tuple[CalibrationPoint, ...] = ()
    queries: int = 0

    def best_recall(self, k: int) -> float:
        """The highest recall measured for a calibrated k; 1 for a flat index."""
        return max((p.recall for p in self.points if p.k == k), default=1.0)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Calibration:
        points = tuple(CalibrationPoint(**{**p, "effort": Effort(**p["effort"])}) for p in value["points"])
        return cls(points, value["queries"])


def hold_out(rows: int, seed: int) -> Rows:
    """Row numbers to keep out of the index while it is measured: a tenth, at most 1,000; int64, sorted."""
    count = min(QUERIES_MAX, rows // _SHARE_HELD_OUT)
    return np.sort(np.random.default_rng(seed).choice(rows, count, replace=False)).astype(np.int64)


def calibrate(index: Index, held_out: Rows, progress: Progress = silent) -> Calibration:
    """Measure `index`, which holds all rows but `held_out`, at each effort of its family's ladder.

    The ladder is climbed, for each k_factor, until an effort finds hardly more than the one before, and it ends where
    one finds practically everything: what lies above is dearer and no better.
    """
    ladder = effort_ladder(index.spec, len(index.vectors))
    indexed = len(index.vectors) - len(held_out)
    if not ladder or not len(held_out) or not indexed:
        return Calibration()
    queries = np.ascontiguousarray(index.vectors[held_out])
    ks = [k for k in CALIBRATED_K if k <= indexed]
    nearest = _exact_without(queries, index.vectors, held_out, ks[-1], index.metric)
    # Scored as the index scores: what ties must tie exactly, however the truth was computed.
    truth = exact_scores(queries, index.vectors, nearest, index.metric)
    points: list[CalibrationPoint] = []
    finished: set[int] = set()
    previous: dict[int, list[float]] = {}
    # One thread, so that the costs can be compared and hold for a server of many threads.
    set_threads(1)
    for step, effort in enumerate(ladder):
        progress("calibrate", step, len(ladder), "efforts")
        if effort.k_factor in finished:
            continue
        measured = [_measure(index, queries[: _QUERIES[k]], truth[: _QUERIES[k], :k], effort, k) for k in ks]
        points += measured
        recalls = [point.recall for point in measured]
        if min(recalls) >= _GOOD_ENOUGH:
            break
        gains = np.subtract(recalls, previous.get(effort.k_factor, [0.0] * len(ks)))
        if max(gains) < _GAIN_MIN:
            finished.add(effort.k_factor)
        previous[effort.k_factor] = recalls
    progress("calibrate", len(ladder), len(ladder), "efforts")
    return Calibration(tuple(points), len(queries))


def _measure(index: Index, queries: Vectors, truth: Vectors, effort: Effort, k: int) -> CalibrationPoint:
    """`truth` holds the true scores, float32 (n, k). Recall is counted by score: of equal items any will do."""
    began = time.perf_counter()
    # Not completed: the matrix holds the held-out rows too, which the index must not be credited with.
    found, _ = index.search(queries, k, effort, complete=False)
    elapsed = time.perf_counter() - began
    share = shares_found(found, truth)
    recall = float(share.mean())
    # A run without a single miss still proves no more than the rule of three allows (Hanley & Lippman-Hand 1983).
    error = max(_Z_95 * float(share.std()) / math.sqrt(len(share)), 3 / share.size / k if recall == 1.0 else 0.0)
    return CalibrationPoint(k, effort, recall, max(0.0, recall - error), elapsed / len(queries) * 1e6)


def _exact_without(queries: Vectors, vectors: Vectors, left_out: Rows, k: int, metric: Metric) -> Rows:
    """The k nearest rows of each query among all rows but `left_out`, in bounded memory; int64 (n, k)."""
    best_scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    best_rows = np.full((len(queries), k), -1, dtype=np.int64)
    for rows in rows_without(len(vectors), left_out):
        scores, found = exact_search(queries, np.ascontiguousarray(vectors[rows]), min(k, len(rows)), metric)
        scores = np.hstack([best_scores, scores])
        found = np.hstack([best_rows, rows[found]])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best_scores, best_rows = np.take_along_axis(scores, order, 1), np.take_along_axis(found, order, 1)
    return best_rows


def rows_without(rows: int, left_out: Rows) -> Sequence[Rows]:
    """All row numbers but `left_out`, in order, in chunks that bound memory."""
    keep = np.ones(rows, dtype=bool)
    keep[left_out] = False
    return [
        begin + np.flatnonzero(keep[begin : begin + _CHUNK_ROWS]).astype(np.int64)
        for begin in range(0, rows, _CHUNK_ROWS)
        if keep[begin : begin + _CHUNK_ROWS].any()
    ]
