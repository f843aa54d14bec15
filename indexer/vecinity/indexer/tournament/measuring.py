"""One candidate on a sample of rows: built, brought to the target recall, and timed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecinity.indexer.ann import (
    Effort,
    Index,
    IndexSpec,
    Rows,
    effort_of,
    exact_scores,
    exact_search,
    lists_worth_visiting,
    set_threads,
)
from vecinity.indexer.evaluation import recall_at_k_with_ties
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import StoredVectors

K = 10
BATCH = 64
_QUERIES_ASKED = 500
"""For the recall; all are for the times."""
_SINGLES_TIMED = 32
_EF_SEARCH_MIN, _EF_SEARCH_MAX = 16, 512
"""The depths tried of a graph, which keeps no fewer candidates than there are hits."""
_LIST_FACTORS, _GRAPH_FACTORS = (4, 8, 16, 32), (1, 2, 4)
"""The k_factors tried, where codes are re-ranked."""


@dataclass(slots=True)
class Trial:
    """A candidate built on the rows of one round.

    Attributes:
        spec: As scaled for the sample.
        train_seconds, add_seconds: Processor time.
        effort: The cheapest found that reaches the target; None if none does.
        wide_us: Of a query in a batch with twice the effort.
        spare: The share of the visits that is not needed for the target itself: efforts come in steps, and a comparison
            must not hang on where they happen to lie.
    """

    index: Index
    spec: IndexSpec
    train_seconds: float
    add_seconds: float
    effort: Effort | None = None
    recall: float = 0.0
    single_us: float = np.inf
    batch_us: float = np.inf
    wide_us: float = np.inf
    spare: float = 0.0

    @property
    def spare_us(self) -> float:
        """What of the times goes into that share."""
        return self.spare * max(self.wide_us - self.batch_us, 0.0)


@dataclass(frozen=True, slots=True)
class Round:
    """The rows and queries that all candidates of a round share.

    Attributes:
        rows: int64 (n,), sorted, none of them a query.
        queries: float32 (q, d), prepared, like the rows and not among them.
        truth: float32 (t, K), the scores of the true neighbours, among the rows, of the first t queries.
    """

    vectors: StoredVectors
    metric: Metric
    rows: Rows
    queries: Vectors
    truth: Vectors

    @classmethod
    def draw(cls, vectors: StoredVectors, metric: Metric, rows: Rows, queries: Vectors) -> Round:
        asked = queries[:_QUERIES_ASKED]
        nearest = exact_search(asked, vectors[rows], min(K, len(rows)), metric)[1]
        # Scored as the candidates score: what ties must tie exactly.
        return cls(vectors, metric, rows, queries, exact_scores(asked, vectors, rows[nearest], metric))


def build_trial(spec: IndexSpec, held: Round, seed: int) -> Trial:
    """Train and add all rows of the round with one thread.

    Several candidates are built at once, each in a thread of its own, which keeps the processors busier than several
    threads for one: codes are trained in thousands of small steps, and threads of OpenMP that wait for each other stand
    still where anything else runs on the machine. Processor time is what is measured.
    """
    set_threads(1)
    began = time.thread_time()
    rows = held.rows
    if 0 < spec.training_rows < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, spec.training_rows, replace=False))
    index = Index.train(spec, held.metric, held.vectors, rows)
    trained = time.thread_time()
    index.add(held.rows)
    index.finish()
    return Trial(index, spec, trained - began, time.thread_time() - trained)


def find_effort(trial: Trial, held: Round, target: float) -> None:
    """Set `effort` and `recall` to the cheapest effort that reaches the target.

    Within one k_factor recall grows with the depth, so that is bisected. A larger k_factor is taken only if it lets the
    depth be so much less that the search costs less.
    """
    set_threads(1)
    spec = trial.spec
    most = lists_worth_visiting(spec) if spec.nlist else min(_EF_SEARCH_MAX, len(held.rows))
    best_us = np.inf
    for k_factor in _k_factors(spec):
        found = _least_depth(trial, held, effort_of(spec, most, k_factor), target)
        if found is None:
            continue
        effort, recall, spare = found
        # More candidates never ask for more depth.
        most = effort.depth
        cost = min(_query_us(trial, held, held.queries[: 4 * BATCH], BATCH, effort) for _ in range(3))
        if cost >= best_us:
            break
        best_us, trial.effort, trial.recall, trial.spare = cost, effort, recall, spare


def _k_factors(spec: IndexSpec) -> tuple[int, ...]:
    if not spec.needs_rerank:
        return (0,)
    return _LIST_FACTORS if spec.nlist else _GRAPH_FACTORS


def _least_depth(trial: Trial, held: Round, most: Effort, target: float) -> tuple[Effort, float, float] | None:
    """The least depth that reaches the target, its recall, and the share of its visits that is to spare.

    Args:
        most: The deepest that is tried.
    """
    if (best := _recall(trial, held, most)) < target:
        return None
    effort, above = most, most.depth
    lowest = below = 0 if trial.spec.nlist else min(_EF_SEARCH_MIN, above) - 1
    missed = 0.0
    # A tenth is near enough: recall on a sample is no surer.
    while above - below > max(1, above // 10):
        middle = min(max(round(math.sqrt(above * below)), below + 1, above // 8), above - 1)
        between = effort.at_depth(middle)
        if (recall := _recall(trial, held, between)) >= target:
            above, effort, best = middle, between, recall
        else:
            below, missed = middle, recall
    if below == lowest:
        return effort, best, 0.0
    needed = below + (above - below) * (target - missed) / (best - missed)
    return effort, best, 1 - needed / above


def _recall(trial: Trial, held: Round, effort: Effort) -> float:
    # Not completed: the matrix holds other rows too, which the index must not be credited with.
    found, _ = trial.index.search(held.queries[: len(held.truth)], held.truth.shape[1], effort, complete=False)
    return recall_at_k_with_ties(found, held.truth)


def time_trials(trials: Sequence[Trial], held: Round, repeats: int) -> None:
    """Set the times of all trials with an effort, which take turns.

    Processor time of the calling thread: what else the machine does disturbs that least, though not little. A bad
    moment disturbs all in turn, so each repeat tells what share of it a trial takes, and their median counts; how long
    a repeat is where little disturbs it, their first quartile tells. Each repeat asks other queries: the vectors around
    queries that were just asked lie in the cache, where those around a server's next query don't, and that flatters a
    graph most.
    """
    set_threads(1)
    timed = [(trial, trial.effort) for trial in trials if trial.effort is not None]
    if not timed:
        return
    times = np.empty((repeats, len(timed), 3))
    for repeat in range(repeats):
        batch, wide_batch, *singles = np.array_split(_queries_of(held, repeat), [BATCH, 2 * BATCH])
        for place, (trial, effort) in enumerate(timed):
            times[repeat, place] = (
                _query_us(trial, held, singles[0], 1, effort),
                _query_us(trial, held, batch, BATCH, effort),
                _query_us(trial, held, wide_batch, BATCH, wide_effort(effort)),
            )
    of_repeat = np.exp(np.log(times).mean(axis=1, keepdims=True))
    shares = np.median(times / of_repeat, axis=0)
    for (trial, _), expected in zip(timed, shares * np.percentile(of_repeat, 25, axis=0), strict=True):
        trial.single_us, trial.batch_us, trial.wide_us = expected.tolist()


def _queries_of(held: Round, repeat: int) -> Vectors:
    """Those of one repeat: two batches and some to be asked alone; from the beginning again when there are no more."""
    count = 2 * BATCH + _SINGLES_TIMED
    return np.take(held.queries, np.arange(repeat * count, (repeat + 1) * count), axis=0, mode="wrap")


def wide_effort(effort: Effort) -> Effort:
    """Twice the depth: the difference in cost tells what visits cost."""
    return effort.at_depth(2 * effort.depth)


def _query_us(trial: Trial, held: Round, queries: Vectors, batch: int, effort: Effort) -> float:
    began = time.thread_time()
    for begin in range(0, len(queries), batch):
        trial.index.search(queries[begin : begin + batch], held.truth.shape[1], effort, complete=False)
    return (time.thread_time() - began) / len(queries) * 1e6
