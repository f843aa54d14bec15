"""An index looked at through a filter: as accurate as without one, wherever the rows of the filter lie.

In inverted lists that is `filtered_lists`. In a graph, a filter leaves no path of its own: the graph is searched as
without a filter, for more rows than asked, and the k that pass are the nearest that do. A query that meets a few looks
deeper once; one that meets hardly any is far from all that pass, and is compared with every one of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann.effort import EF_SEARCH, Effort
from vecinity.indexer.ann.exact import exact_search
from vecinity.indexer.ann.filtered_lists import FilteredLists
from vecinity.indexer.ann.index import Index
from vecinity.indexer.ann.scores import Best, Rows, exact_scores
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.metric import Vectors

GRAPH_DEPTH = 2
"""So many times as many rows are fetched from a graph as must be for k to pass, were they spread evenly. With 1.5,
.9395 were found for a target of .95 where half pass at random."""

_DEEPER = 4

FEW_QUERIES = 3
"""So few queries are compared with the rows where they lie: to copy the rows first pays for more."""

_FEW_ROWS = 65_536


class FilteredIndex:
    """An index and the rows of it that may be found. Immutable, so safe for many threads.

    Args:
        index: Complete.
        mask: bool (rows,), True where a row may be found.
    """

    def __init__(self, index: Index, mask: NDArray[np.bool_]) -> None:
        self.index = index
        self.within = RowSet.of(mask)
        lists = index.lists
        self._lists = None if lists is None else FilteredLists(index, lists, self.within)

    @property
    def count(self) -> int:
        """Rows that may be found."""
        return self.within.count

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        counts = 0 if self._lists is None else self._lists.counts.nbytes
        return self.within.bits.nbytes + 8 * self.within.count + counts

    @property
    def density(self) -> float:
        """The share of rows that may be found, as one of them sees it around itself: from 0 to 1."""
        if self._lists is None:
            return self.count / max(self.within.size, 1)
        return self._lists.density

    def search(self, queries: Vectors, k: int, effort: Effort, recall: float | None = None) -> tuple[Vectors, Rows]:
        """The k closest rows that may be found.

        Args:
            queries: float32 (n, d), prepared.
            k: Hits for each query; at least 1, if any row may be found.
            effort: `EXACT`, or what gives the recall without a filter: in inverted lists for the k / `density` nearest
                rows, among which the k nearest are that may be found.
            recall: That recall; None to spend the effort and no more, whatever it finds.

        Returns:
            As `Index.search`: -inf and -1 only where fewer than k rows may be found.
        """
        if effort.exact or not self.count:
            return self._search_exactly(queries, k)
        if recall is None:
            return self.index.search(queries, k, effort, within=self.within)
        if self._lists is not None:
            return self._lists.search(queries, k, effort, recall, self._search_exactly)
        return self._search_graph(queries, k, effort)

    def _search_exactly(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        vectors, metric = self.index.vectors, self.index.metric
        if len(queries) > FEW_QUERIES:
            return exact_search(queries, vectors, k, metric, self.within)
        hits = Best(len(queries), k)
        for begin in range(0, self.count, _FEW_ROWS):
            part = self.within.rows[begin : begin + _FEW_ROWS]
            candidates = np.tile(part, (len(queries), 1))
            hits.add(exact_scores(queries, vectors, candidates, metric), candidates)
        return hits.ordered()

    def _search_graph(self, queries: Vectors, k: int, effort: Effort) -> tuple[Vectors, Rows]:
        size = self.within.size
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        wanted = min(k, self.count)
        left = np.arange(len(queries))
        far: list[NDArray[np.int64]] = []
        depth = int(np.ceil(GRAPH_DEPTH * k * size / max(self.count, 1)))
        for fetched in (depth, _DEEPER * depth):
            if not len(left) or fetched >= min(size, EF_SEARCH.maximum):
                break
            deep = replace(effort, ef_search=max(effort.ef_search, fetched))
            # Not completed: whoever finds too few is compared with the rows of the filter alone.
            found_scores, found = self.index.search(queries[left], fetched, deep, complete=False)
            passing = self.within.holds(found)
            passing &= np.cumsum(passing, axis=1) <= k
            full = passing.sum(axis=1) >= wanted
            done = left[full]
            scores[done, :wanted] = found_scores[full][passing[full]].reshape(-1, wanted)
            rows[done, :wanted] = found[full][passing[full]].reshape(-1, wanted)
            hopeful = _DEEPER * np.count_nonzero(passing, axis=1) >= wanted
            far.append(left[~full & ~hopeful])
            left = left[~full & hopeful]
        left = np.concatenate([*far, left])
        if len(left):
            scores[left], rows[left] = self._search_exactly(queries[left], k)
        return scores, rows
