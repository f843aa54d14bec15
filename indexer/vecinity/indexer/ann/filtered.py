"""An index looked at through a filter: as accurate as without one, wherever the rows of the filter lie.

With inverted lists, the effort that was calibrated without a filter says how many rows a query must see. Through a
filter that lets the share s of the rows pass, and evenly, it must look further: the k nearest of the filter are the
k / s nearest of all. How much further was measured (tests/benchmarks/bench_filters.py): the rows of the filter seen
should be the rows seen without one, times s^0.8, and two fifths more to be safe. Where the rows of a filter come in
clusters, s is the density that they themselves see, Σ c² / Σ c n over lists of n rows of which c pass: near 1 for a
filter that is itself a cluster, which is then searched as deeply as an index of its own.

In a graph, a filter leaves no path of its own: the graph is searched as without a filter, for more rows than asked, and
the k that pass are the nearest that do. A query that meets a few looks deeper once; one that meets hardly any is far
from all that pass, and is compared with every one of them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann.effort import EF_SEARCH, Effort
from vecinity.indexer.ann.exact import exact_search
from vecinity.indexer.ann.index import Index
from vecinity.indexer.ann.scores import Best, Rows, exact_scores
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.ann.spec import Family
from vecinity.indexer.metric import Vectors

_EXPONENT = 0.8
_MARGIN = 1.43
"""Together they look at as many rows as s^(2/3) and 1.35 where half of all pass: .944 are found for a target of .95 if
they lie far from the query. Where a tenth does it is a fifth fewer, as those found .955."""

_SEEN_PER_HIT = 4
"""Rows of the filter to be seen for each hit, at least: the first k seen are not the k nearest."""

_CANDIDATES = 1.5
"""So many times as many are re-ranked: the scores of rows far from a query lie closer together than codes can tell."""

_CANDIDATES_RABITQ = 4
"""The same with a bit for each number: 1.5 times found .926 of rows far from the query for a target of .95."""

_RANKED_MAX = 1 << 20
"""Queries × lists that are ranked at a time, in some 50 bytes each."""

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
        self._counts = None if lists is None else lists.count(self.within.rows)

    @property
    def count(self) -> int:
        """Rows that may be found."""
        return self.within.count

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        counts = 0 if self._counts is None else self._counts.nbytes
        return self.within.bits.nbytes + 8 * self.within.count + counts

    @cached_property
    def density(self) -> float:
        """The share of rows that may be found, as one of them sees it around itself: from 0 to 1."""
        if self._counts is None or self.index.lists is None:
            return self.count / max(self.within.size, 1)
        around = float(self._counts @ self.index.lists.sizes)
        return float(self._counts @ self._counts) / around if around else 0.0

    def search(self, queries: Vectors, k: int, effort: Effort, *, deepen: bool = True) -> tuple[Vectors, Rows]:
        """The k closest rows that may be found.

        Args:
            queries: float32 (n, d), prepared.
            k: Hits for each query; at least 1, if any row may be found.
            effort: What gives the recall wanted without a filter, or `EXACT`.
            deepen: Whether more may be spent than `effort`, to reach that recall with the filter.

        Returns:
            As `Index.search`: -inf and -1 only where fewer than k rows may be found.
        """
        if effort.exact or not self.count:
            return self._search_exactly(queries, k)
        if not deepen:
            return self.index.search(queries, k, effort, within=self.within)
        if self._counts is not None:
            return self._search_lists(queries, k, effort, self._counts)
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

    def _search_lists(
        self, queries: Vectors, k: int, effort: Effort, counts: NDArray[np.int64]
    ) -> tuple[Vectors, Rows]:
        lists = self.index.lists
        assert lists is not None
        seen = effort.nprobe * self.within.size / len(lists.sizes)
        wanted = max(_MARGIN * seen * self.density**_EXPONENT, _SEEN_PER_HIT * k)
        more = _CANDIDATES_RABITQ if self.index.spec.family is Family.IVF_RABITQ else _CANDIDATES
        deep = replace(effort, k_factor=math.ceil(more * effort.k_factor))
        if len(queries) == 1:
            # FAISS finds and re-ranks in one call then, which saves a third of the time.
            deep = deep.at_depth(lists.depth(queries, counts, wanted, effort.nprobe))
            return self.index.search(queries, k, deep, within=self.within)
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        step = max(1, _RANKED_MAX // len(lists.sizes))
        for begin in range(0, len(queries), step):
            part = slice(begin, begin + step)
            visits = lists.visits(queries[part], counts, wanted, effort.nprobe)
            scores[part], rows[part] = self.index.search_visits(queries[part], k, deep, visits, self.within)
        return scores, rows

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
