"""From candidates to the hits of a selection: least score, page, groups, diversity, or the farthest.

Where the candidates do not suffice for k hits, more are fetched, until they do or there are no more: nobody gets fewer
than k hits while k items meet the selection, within the recall of the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows
from vecinity.indexer.calibration import CALIBRATED_K
from vecinity.indexer.metric import Vectors
from vecinity.indexer.stored_vectors import as_float32
from vecinity.service.candidates import GROWTH, Candidates, Line
from vecinity.service.grouping import Groups
from vecinity.service.query import EVERYTHING, Position, Search
from vecinity.service.selecting import Scores, group_ranks, most_diverse


@dataclass(frozen=True, slots=True)
class Hits:
    """The hits of n queries: counts (n), and scores float32 (h,) and rows int64 (h,) of the first, then of the second…

    `following` is where the next page begins; None if there is none.
    """

    counts: list[int]
    scores: Scores
    rows: Rows
    following: Position | None = None


def candidates_count(search: Search) -> int:
    """How many candidates a search looks at first, those left out not counted; its plan is for so many."""
    count = _wanted(search)
    if search.selection.grouping is not None:
        count *= 2
    return count if search.after is None else count + search.after.hits


def planned_count(search: Search, count: int) -> int:
    """For how many candidates a search for `count` is planned.

    What a plan promises is the share found of all of them, and the last ones are found least. A page is made of the
    last ones alone, so it is planned as if twice as many were asked for, where that was measured.
    """
    return max(count, min(2 * count, CALIBRATED_K[-1])) if search.pages else count


def _wanted(search: Search) -> int:
    """How many candidates must be left when all but diversity has had its say."""
    diversity = search.selection.diversity
    return search.k if diversity is None else diversity.candidates_for(search.k)


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses the hits of a search.

    Attributes:
        groups: Of the attribute that the selection groups by, if it does.
        check: Raises if nobody waits for the answer any more.
    """

    candidates: Candidates
    search: Search
    groups: Groups | None
    check: Callable[[], None]

    def hits(self, vectors: Vectors, left_out: Rows | None) -> Hits:
        """The hits of queries.

        Args:
            vectors: float32 (n, d), prepared.
            left_out: int64 (n, e), rows that must not be among the hits of each query.
        """
        selection, k = self.search.selection, self.search.k
        if selection == EVERYTHING or selection.farthest:
            fetch = self.candidates.farthest if selection.farthest else self.candidates.best
            return first_hits(*fetch(vectors, k), k, left_out)
        chosen: dict[int, _Picked] = {}
        waiting = list(range(len(vectors)))
        count = candidates_count(self.search)
        while waiting:
            lines = self.candidates.lines(vectors[waiting], count, None if left_out is None else left_out[waiting])
            for number, line in zip(waiting, lines, strict=True):
                self.check()
                if (picked := self._pick(line)) is not None:
                    chosen[number] = picked
            waiting = [number for number in waiting if number not in chosen]
            count *= GROWTH
        parts = [chosen[number] for number in range(len(vectors))]
        return Hits(
            [len(part.rows) for part in parts],
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.rows for part in parts]),
            parts[-1].following,
        )

    def _pick(self, line: Line) -> _Picked | None:
        """The hits of one line; None if more candidates are needed."""
        search, selection = self.search, self.search.selection
        scores, rows, reach = line.scores, line.rows, line.reach
        if selection.min_score is not None:
            # What was not fetched scores too little anyway.
            reach = -np.inf if reach < selection.min_score else reach
            scores, rows = _kept(scores, rows, scores >= np.float32(selection.min_score))
        if (after := search.after) is not None:
            scores, rows = _kept(scores, rows, (scores < after.score) | ((scores == after.score) & (rows > after.row)))
        if selection.grouping is not None:
            assert self.groups is not None
            scores, rows = _kept(scores, rows, group_ranks(self.groups[rows]) < selection.grouping.hits_per_group)
        wanted = _wanted(search)
        if len(rows) < wanted + search.pages and reach > -np.inf:
            return None
        if search.pages:
            return _page(scores, rows, search, reach)
        scores, rows = scores[:wanted], rows[:wanted]
        if selection.diversity is not None:
            segment, relevance = self.candidates.segment, selection.diversity.relevance
            vectors, metric = as_float32(segment.vectors[rows]), segment.manifest.metric
            places = most_diverse(scores, vectors, search.k, relevance, metric, self.check)
            scores, rows = scores[places], rows[places]
        return _Picked(scores, rows)


@dataclass(frozen=True, slots=True)
class _Picked:
    scores: Scores
    rows: Rows
    following: Position | None = None


def _kept(scores: Scores, rows: Rows, keep: NDArray[np.bool_]) -> tuple[Scores, Rows]:
    return scores[keep], rows[keep]


def _page(scores: Scores, rows: Rows, search: Search, reach: float) -> _Picked | None:
    """The first k, and where they end if there are more."""
    k, given = search.k, 0 if search.after is None else search.after.hits
    if len(rows) <= k:
        return _Picked(scores, rows)
    if scores[k - 1] <= reach:
        return None  # what was not fetched may belong before the end of this page
    return _Picked(scores[:k], rows[:k], Position(given + k, float(scores[k - 1]), int(rows[k - 1])))


def first_hits(scores: Vectors, rows: Rows, k: int, left_out: Rows | None) -> Hits:
    """The first k that are not left out; for the most frequent searches, so for all lines at once.

    Args:
        scores, rows: (n, c), best first; -1 for none.
        left_out: int64 (n, e).
    """
    if left_out is None and rows.shape[1] == k and rows[:, -1].min(initial=0) >= 0:  # all are, almost always
        return Hits([k] * len(rows), scores.ravel(), rows.ravel())
    keep = rows >= 0
    for column in range(0 if left_out is None else left_out.shape[1]):
        keep &= rows != left_out[:, column, None]  # type: ignore[index]  # not None where there are columns
    keep &= np.cumsum(keep, axis=1) <= k
    return Hits(keep.sum(axis=1).tolist(), scores[keep], rows[keep])
