"""Inverted lists looked at through a filter.

If a filter lets the share s of the rows pass, evenly, the k nearest of them are among the k / s nearest of all: lists
are visited until they held as many rows of the filter as the effort calibrated for k / s would have seen. Where the
rows of a filter come in clusters, s is the density that they themselves see, Σ c² / Σ c n over lists of n rows of which
c pass: near 1 for a filter that is itself a cluster, which is then searched as deeply as an index of its own.

That is too little where a query is far from what passes. Its nearest matches lie at the edge of those, all nearly as
far away, and which list is near says little about them. So a query looks where in the visited lists its best finds
were: if many of them came late, there are more to come, and it goes on, twice as far each time, through lists that it
has not seen. (To stop when the best no longer change is known from Busolin et al. 2024, Early Exit Strategies for
Learned IVF Indexes.) Costs and recalls: tests/benchmarks/bench_filters.py and docs/adr/0007.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vecinity.indexer.ann.effort import Effort
from vecinity.indexer.ann.index import Index
from vecinity.indexer.ann.lists import Lists
from vecinity.indexer.ann.scores import Rows, best
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.ann.spec import Family
from vecinity.indexer.metric import Vectors

SearchExactly = Callable[[Vectors, int], tuple[Vectors, Rows]]

_SEEN_PER_HIT = 4
"""Rows of the filter to be seen for each hit, at least: the first k seen are not the k nearest."""

_WATCHED = 30
"""So many of the best finds tell whether more are to come, however small k is: ten would leave it to chance."""

_LATE = 0.15
"""So much more than the share of the nearest that may be missed may be found late: in lists that hold half of what was
seen. Calibrated searches find late what they miss, or a little more; with .1 each eighth of them would go on."""

_FAR = 0.85
_LATE_IF_FAR = 0.05
"""Where matches are thinner around a query than this multiple of their share of all rows: half the share that may be
missed, and this. Even so a far query misses more than others: finds become rarer very slowly there."""

_CANDIDATES = 1.5
"""So many times as many are re-ranked: the scores of rows far from a query lie closer together than codes can tell."""

_CANDIDATES_RABITQ = 4
"""The same with a bit for each number: 1.5 times found .926 of rows far from the query for a target of .95."""

_RANKED_MAX = 1 << 20
"""Queries × lists that are ranked at a time, in up to 70 bytes each."""


class FilteredLists:
    """The inverted lists of an index and the rows of it that may be found. Immutable, so safe for many threads.

    Attributes:
        counts: int64 (nlist,), how many rows of the filter each list holds.
        density: The share of rows that may be found, as one of them sees it around itself: from 0 to 1.
    """

    def __init__(self, index: Index, lists: Lists, within: RowSet) -> None:
        self._index = index
        self._lists = lists
        self._within = within
        self.counts = lists.count(within.rows)
        around = float(self.counts @ lists.sizes)
        self.density = float(self.counts @ self.counts) / around if around else 0.0
        more = _CANDIDATES_RABITQ if index.spec.family is Family.IVF_RABITQ else _CANDIDATES
        self._more_candidates = more

    def search(
        self, queries: Vectors, k: int, effort: Effort, recall: float, search_exactly: SearchExactly
    ) -> tuple[Vectors, Rows]:
        """As `FilteredIndex.search`, of which at least one row may be found.

        Args:
            search_exactly: What compares queries with every row of the filter.
        """
        effort = replace(effort, k_factor=math.ceil(self._more_candidates * effort.k_factor))
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        step = max(1, _RANKED_MAX // len(self.counts))
        for begin in range(0, len(queries), step):
            part = slice(begin, begin + step)
            scores[part], rows[part] = self._search_part(queries[part], k, effort, recall, search_exactly)
        return self._index.completed(scores, rows, queries, k, self._within)

    def _search_part(
        self, queries: Vectors, k: int, effort: Effort, recall: float, search_exactly: SearchExactly
    ) -> tuple[Vectors, Rows]:
        ranked = self._lists.ranked(queries, self.counts)
        size, count = self._within.size, self._within.count
        watched = max(k, min(_WATCHED, count))
        wanted = max(effort.nprobe * size / len(self.counts) * self.density, _SEEN_PER_HIT * k, watched)
        ends = ranked.depths(wanted, effort.nprobe)
        if len(queries) == 1:
            # FAISS finds and re-ranks in one call then, which saves a third of the time.
            scores, rows = self._index.search(
                queries,
                watched,
                effort.at_depth(int(ends[0])),
                left_out=watched - k,
                complete=False,
                within=self._within,
            )
        else:
            scores, rows = self._index.search_visits(
                queries, watched, effort, ranked.visits(ends), self._within, left_out=watched - k
            )
        far = ranked.nearness(effort.nprobe) < _FAR * count / size
        may_be_late = np.where(far, (1 - recall) / 2 + _LATE_IF_FAR, 1 - recall + _LATE)
        late = ranked.late(rows, ends)
        left = np.flatnonzero((late > may_be_late) & (ranked.held_by(ends) < count))
        while len(left):
            begins, going = ends[left], ranked.of(left)
            ends[left] = going.depths(2 * going.held_by(begins))
            visits = going.visits(ends[left], begins)
            if count * _compared_per_code(len(left)) < float(going.seen(visits).mean()):
                scores[left, :k], rows[left, :k] = search_exactly(queries[left], k)
                break
            new_scores, new = self._index.search_visits(
                queries[left], watched, effort, visits, self._within, left_out=watched - k
            )
            if len(queries) == 1:  # where FAISS ranked the lists itself, perhaps two that are as near otherwise
                again = np.isin(new, rows)
                new_scores[again], new[again] = -np.inf, -1
            merged_scores, merged = best(np.hstack([scores[left], new_scores]), np.hstack([rows[left], new]), watched)
            scores[left], rows[left] = merged_scores, merged
            came = ((new_scores >= merged_scores[:, -1:]) & (new >= 0)).sum(axis=1)
            late = came / np.maximum((merged >= 0).sum(axis=1), 1)
            left = left[(late > may_be_late[left]) & (going.held_by(ends[left]) < count)]
        return scores[:, :k], rows[:, :k]


def _compared_per_code(queries: int) -> float:
    """What comparing a query with a row takes, as a multiple of looking at its code.

    Measured with 384 numbers a row: 8 ns for a code; 84 ns to compare one of few queries with a row where it lies, 11
    to 27 ns with rows that were copied for all of them, which takes 270 to 350 ns a row.
    """
    return min(10.0, 3 + 40 / queries)
