"""The items that come into question for a query, in order, as many as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vecinity.indexer.ann import Effort, FilteredIndex, Rows, exact_farthest, exact_scores
from vecinity.indexer.metric import Vectors
from vecinity.indexer.segment import Segment
from vecinity.service.planner import Plan
from vecinity.service.selecting import Scores, ordered

GROWTH = 4
"""Where candidates do not suffice, so many times as many are asked for."""

_WHOLE_SHARE = 8
"""From a share of 1 / 8 of all items on, comparing with each and sorting is quicker than keeping the best."""


class Finder(Protocol):
    """Finds the best rows in another way than the index does by itself.

    Attributes:
        queries: float32 (n, d), the queries that it was made of.
    """

    queries: Vectors

    def chunk_queries(self, chosen: Plan, share: int) -> int:
        """How many queries a thread takes at a time; `share` of those that ask the index once."""
        ...

    def plan(self, chosen: Plan) -> Plan:
        """What will be done, from what the planner chose for the index."""
        ...

    def find(self, chunk: slice, count: int, effort: Effort, left_out: int) -> tuple[Vectors, Rows]:
        """The best rows for a chunk of queries, as `Index.search` gives them: both (n, count), best first."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """What was found for one query, in order, without what is left out.

    Attributes:
        scores: float32 (c,), exact, the same for the same query and item however it was found.
        rows: int64 (c,).
        reach: Whatever is not in the line scores no more than this; -inf where nothing is missing.
    """

    scores: Scores
    rows: Rows
    reach: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """Finds candidates for queries.

    Attributes:
        segment: Where.
        plan_for: The plan for so many candidates.
        spare: So many more are fetched than asked for, because some will be left out, or to see whether there are any.
        through: Only what may be found through it comes into question; None for everything.
        find: What finds the best rows of all the queries together; None asks the index.
    """

    segment: Segment
    plan_for: Callable[[int], Plan]
    spare: int = 0
    through: FilteredIndex | None = None
    find: Callable[[int, Effort, int], tuple[Vectors, Rows]] | None = None

    @property
    def size(self) -> int:
        """How many items come into question."""
        return self.segment.rows if self.through is None else self.through.count

    def best(self, vectors: Vectors, count: int) -> tuple[Vectors, Rows]:
        """The `count` closest rows of each query, and the spare ones.

        Args:
            vectors: float32 (n, d), prepared.

        Returns:
            Scores float32 (n, c), descending, and rows int64 (n, c); -inf and -1 where there are no more.
        """
        chosen = self.plan_for(count)
        fetched, effort = min(count + self.spare, self.size), chosen.effort
        left_out = max(fetched - count, 0)
        if self.find is not None:
            return self.find(fetched, effort, left_out)
        if self.through is None:
            return self.segment.index.search(vectors, fetched, effort, left_out=left_out)
        return self.through.search(vectors, fetched, effort, chosen.target_recall)

    def farthest(self, vectors: Vectors, count: int) -> tuple[Vectors, Rows]:
        """As `best`, but the rows with the lowest scores, lowest first."""
        segment = self.segment
        within = None if self.through is None else self.through.within
        fetched = min(count + self.spare, self.size)
        return exact_farthest(vectors, segment.vectors, fetched, segment.manifest.metric, within)

    def lines(self, vectors: Vectors, count: int, left_out: Rows | None) -> Iterator[Line]:
        """The `count` closest items of each query, or more.

        Args:
            vectors: float32 (n, d), prepared.
            left_out: int64 (n, e), rows that must not be in the line of each query.
        """
        if count * _WHOLE_SHARE >= self.size:
            every = np.arange(self.size, dtype=np.int64) if self.through is None else self.through.within.rows
            rows = every[None]
            for number in range(len(vectors)):  # one by one: this is as large as it gets
                yield self._line(vectors[number, None], rows, left_out, number, whole=True)
            return
        rows = self.best(vectors, count)[1]
        for number in range(len(vectors)):
            yield self._line(vectors[number, None], rows[number, None], left_out, number, whole=False)

    def _line(self, vector: Vectors, rows: Rows, left_out: Rows | None, number: int, *, whole: bool) -> Line:
        scores = exact_scores(vector, self.segment.vectors, rows, self.segment.manifest.metric)[0]
        rows = rows[0]
        keep = rows >= 0
        # Indexes add in other orders than `exact_scores` does.
        last = float(scores[-1]) if len(scores) else -np.inf
        reach = -np.inf if whole or not keep.all() else last + 1e-5 * abs(last) + 1e-6
        if left_out is not None:
            keep &= ~np.isin(rows, left_out[number])
        return Line(*ordered(scores[keep], rows[keep]), reach)
