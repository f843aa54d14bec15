"""What every effort finds, from few searches.

A search of an IVF index for many candidates, through many lists, tells what each smaller search would have found: of
its candidates, in the order of the scores that the codes give, the smaller one sees those in the lists it visits, and
re-ranks the first of these. A true neighbour is found if it is one of them. So one search gives the recall of every
nprobe and every k_factor. A graph is walked once for each ef_search.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Index, effort_of, exact_scores, lists_worth_visiting
from vecinity.indexer.calibration.ladder import candidates_of, depths, k_factors
from vecinity.indexer.evaluation import hit_thresholds
from vecinity.indexer.metric import Vectors

_CHUNK_QUERIES = 256
_Z_95 = 1.645
_SPARE = 1.25
"""More candidates are fetched than the largest search looks at: in fewer lists those come first that stood behind."""

QUERIES_OF_K = ((30, 4_000), (100, 1_000), (1_000, 300))
"""Up to which k how many queries are asked, the first ones. The recall of one query for many hits varies little, and
its search is the dear one."""

_GRAPH_WORK = 200_000
"""Queries × ef_search of one walk through a graph: the higher the recall, the less it varies."""

_QUERIES_MIN = 200

_GOOD_ENOUGH = 0.9985
_GAIN_MIN = 0.0005
_HIGHEST_TARGET = 0.99


class Reached(NamedTuple):
    """What one effort finds of one k: the mean recall and the lower end of its one-sided 95 % confidence interval."""

    recall: float
    lower_bound: float


@dataclass(frozen=True, slots=True)
class Recalls:
    """Attributes:
    reached: By depth, k_factor and k.
    items_scanned: Rows compared with one query, by depth.
    """

    reached: dict[tuple[int, int, int], Reached]
    items_scanned: dict[int, int]


def measure_recalls(index: Index, queries: Vectors, truth: Vectors, ks: Sequence[int]) -> Recalls:
    """Ask an index.

    Args:
        queries: float32 (n, d), prepared; none of them is in the index unless it is in the truth.
        truth: float32 (n, max(ks)), exact scores of the true nearest, descending; -inf where there are fewer rows.
        ks: The k's to measure, ascending.
    """
    reached: dict[tuple[int, int, int], Reached] = {}
    scanned: dict[int, int] = {}
    ladder = depths(index.spec, len(index.vectors))
    lowest = 0
    for highest, count in QUERIES_OF_K:
        group = [k for k in ks if lowest < k <= highest]
        lowest = highest
        if group:
            measure = _lists if index.spec.nlist else _graph
            reached |= measure(index, queries[:count], truth[:count], group, ladder, scanned)
    return Recalls(reached, scanned)


def _lists(
    index: Index, queries: Vectors, truth: Vectors, ks: list[int], ladder: list[int], scanned: dict[int, int]
) -> dict[tuple[int, int, int], Reached]:
    """All lists are looked at only where those worth visiting fail."""
    # Not the one that the index keeps: rows are still to be added.
    lists = index.read_lists()
    assert lists is not None
    reached: dict[tuple[int, int, int], Reached] = {}
    for most in dict.fromkeys((lists_worth_visiting(index.spec), index.spec.nlist)):
        steps = [depth for depth in ladder if depth <= most]
        counter = _Counter(index, ks)
        visits: list[NDArray[np.float64]] = []
        fetched = min(int(counter.candidates_max * _SPARE) + 8, len(index.vectors))
        for part in _parts(len(queries)):
            visited = lists.visited(queries[part], steps[-1])
            visits.append(lists.rows_seen(visited) * len(visited))
            rows = index.candidates(queries[part], fetched, effort_of(index.spec, steps[-1], 1))
            scores = exact_scores(queries[part], index.vectors, rows, index.metric)
            turns = lists.turns(visited, rows)
            seen = counter.look(scores, truth[part])
            for depth in steps:
                seen.count(depth, turns < depth)
        reached = counter.reached()
        items = np.sum(visits, axis=0) / len(queries)
        scanned.update({depth: round(float(items[depth - 1])) for depth in steps})
        if min(counter.reached_at(steps[-1], k) for k in ks) >= _HIGHEST_TARGET:
            break
    return reached


def _graph(
    index: Index, queries: Vectors, truth: Vectors, ks: list[int], ladder: list[int], scanned: dict[int, int]
) -> dict[tuple[int, int, int], Reached]:
    counter = _Counter(index, ks)
    last = 0.0
    for depth in ladder:
        # With a smaller ef_search as many candidates are kept as hits are wanted.
        here = [k for k in ks if k <= depth]
        if not here:
            continue
        count = max(_GRAPH_WORK // depth, _QUERIES_MIN)
        asked, nearest = queries[:count], truth[:count]
        for part in _parts(len(asked)):
            rows = index.candidates(asked[part], min(depth, counter.candidates_max), effort_of(index.spec, depth))
            scores = exact_scores(asked[part], index.vectors, rows, index.metric)
            counter.look(scores, nearest[part], here).count(depth, rows >= 0)
        recall = min(counter.reached_at(depth, k) for k in here)
        if len(here) == len(ks) and (recall >= _GOOD_ENOUGH or recall - last < _GAIN_MIN):
            break
        last = recall if len(here) == len(ks) else 0.0
    return counter.reached()


class _Counter:
    """Counts, for each depth, k_factor and k, the share of the true neighbours that a search would have found."""

    def __init__(self, index: Index, ks: list[int]) -> None:
        self._ks = ks
        self._factors = {k: k_factors(index, k) for k in ks}
        self._cuts = {k: np.array([candidates_of(k, f) for f in self._factors[k]]) for k in ks}
        self.candidates_max = int(max(cuts[-1] for cuts in self._cuts.values()))
        if not index.needs_rerank:
            self.candidates_max *= 2  # room for what ties
        self._sums: dict[tuple[int, int], list[NDArray[np.float64]]] = defaultdict(list)

    def look(self, scores: NDArray[np.float32], truth: Vectors, ks: Sequence[int] | None = None) -> _Seen:
        """Find the true neighbours among the candidates of n queries.

        Args:
            scores: float32 (n, c), exact, of candidates in the order in which the index ranks them.
            truth: float32 (n, k), exact scores of the true nearest, descending.
        """
        found = []
        for k in ks or self._ks:
            real = (truth[:, :k] > -np.inf).sum(axis=1)
            lines, columns = np.nonzero(scores >= hit_thresholds(truth[:, :k]))
            found.append(_Found(k, self._cuts[k], real, lines, columns))
        return _Seen(found, self._sums)

    def reached_at(self, depth: int, k: int) -> float:
        """The mean recall of the largest k_factor."""
        count, total, _ = np.sum(self._sums[depth, k], axis=0)
        return float(total[-1] / count[-1])

    def reached(self) -> dict[tuple[int, int, int], Reached]:
        """By depth, k_factor and k."""
        return {
            (depth, factor, k): _reached(count, total, squares, k)
            for (depth, k), sums in self._sums.items()
            for factor, (count, total, squares) in zip(self._factors[k], np.sum(sums, axis=0).T.tolist(), strict=True)
        }


class _Found(NamedTuple):
    """Where the true neighbours for one k are: line and column among n lines of candidates; `real` is their number."""

    k: int
    cuts: NDArray[np.int64]
    real: NDArray[np.int64]
    lines: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Seen:
    found: list[_Found]
    sums: dict[tuple[int, int], list[NDArray[np.float64]]]

    def count(self, depth: int, visible: NDArray[np.bool_]) -> None:
        """Add what a search of this depth finds, to which the candidates `visible`, bool (n, c), show themselves."""
        places = visible.cumsum(axis=1, dtype=np.int32)
        for k, cuts, real, lines, columns in self.found:
            shown = visible[lines, columns]
            # Bin b holds what cut b is the first to include; the last bin what none includes.
            bins = np.searchsorted(cuts, places[lines, columns][shown])
            width = len(cuts) + 1
            hits = np.bincount(lines[shown] * width + bins, minlength=len(real) * width).reshape(-1, width)[:, :-1]
            shares = np.minimum(hits.cumsum(axis=1), real[:, None]) / np.maximum(real, 1)[:, None]
            self.sums[depth, k].append(
                np.stack([np.full(len(cuts), len(shares)), shares.sum(axis=0), (shares**2).sum(axis=0)])
            )


def _reached(count: float, total: float, squares: float, k: int) -> Reached:
    recall = total / count
    error = _Z_95 * math.sqrt(max(squares / count - recall**2, 0.0) / count)
    # A run without a single miss still proves no more than the rule of three allows (Hanley & Lippman-Hand 1983).
    error = max(error, 3 / count / k if recall >= 1.0 else 0.0)
    return Reached(recall, max(0.0, recall - error))


def _parts(count: int) -> Iterator[slice]:
    return (slice(begin, begin + _CHUNK_QUERIES) for begin in range(0, count, _CHUNK_QUERIES))
