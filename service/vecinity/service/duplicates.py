"""Pairs of items that are nearly the same.

Compared with every item, a pair is found from its earlier item, which is asked for later ones only: half the work.
Through an index it may be found from either item or from both, and comes when it is found first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows, exact_radius, exact_scores
from vecinity.indexer.segment import Segment
from vecinity.indexer.stored_vectors import as_float32
from vecinity.service.candidates import GROWTH, Candidates
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.planner import Plan

_FIRST_COUNT = 10
_KEPT = 1_024
"""Near items of one item that are kept in the first pass over all rows."""

WAITING_MAX = 1 << 25
"""Pairs that one call may have remembered: 256 MiB."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Parallel columns: rows int64 (p,), left below right, and scores float32 (p,)."""

    left: Rows
    right: Rows
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.left)


def near_pairs(
    segment: Segment, plan_for: Callable[[int], Plan], rows: Rows, min_score: float, check: Callable[[], None]
) -> Pairs:
    """The pairs that some items make, as queries, with all items.

    Args:
        rows: int64 (n,), of these items, successive.
        check: Raises if nobody waits for the answer any more.

    Returns:
        Each pair once or, by an index, twice if both items are among `rows`.
    """
    if finds_from_earlier(plan_for):
        asked, found = _by_comparing(segment, rows, int(rows[0]), _least(min_score), check)
        later = found > asked
        return _scored(segment, asked[later], found[later], min_score)
    return _by_index(segment, plan_for, rows, min_score, check)


def finds_from_earlier(plan_for: Callable[[int], Plan]) -> bool:
    """Whether each pair is found once, from its earlier item, because all items are compared with all later ones."""
    return plan_for(_FIRST_COUNT).effort.exact


def _by_index(
    segment: Segment, plan_for: Callable[[int], Plan], rows: Rows, min_score: float, check: Callable[[], None]
) -> Pairs:
    """Ask the index for more near items of those whose last one is near enough still, and in the end every item."""
    asked, found, least = [], [], _least(min_score)
    waiting, count = rows, _FIRST_COUNT
    while len(waiting):
        check()
        if plan_for(count).effort.exact or count * GROWTH >= segment.rows:
            lines, others = _by_comparing(segment, waiting, 0, least, check)
            waiting = waiting[:0]
        else:
            scores, hits = Candidates(segment, plan_for, spare=1).best(as_float32(segment.vectors[waiting]), count)
            # Whoever's last hit is near enough may have more.
            enough = (scores[:, -1] < least) | (hits[:, -1] < 0)
            places, columns = np.nonzero((scores >= least) & (hits >= 0) & enough[:, None])
            lines, others = waiting[places], hits[places, columns]
            waiting, count = waiting[~enough], count * GROWTH
        asked.append(lines)
        found.append(others)
    return _scored(segment, np.concatenate(asked), np.concatenate(found), min_score)


def _least(min_score: float) -> float:
    """What finds rows adds in other orders than `exact_scores` does, which decides in the end."""
    return min_score - 1e-5 * abs(min_score) - 1e-6


def _by_comparing(
    segment: Segment, rows: Rows, begin: int, least: float, check: Callable[[], None]
) -> tuple[Rows, Rows]:
    """Of each row, those from `begin` on that score at least so much with it; two parallel columns."""
    metric = segment.manifest.metric
    later = segment.vectors[begin:]
    counts, _, hits = exact_radius(as_float32(segment.vectors[rows]), later, least, metric, hits_max=_KEPT)
    many = counts > _KEPT
    hits = np.where(many[:, None], -1, hits)
    places, columns = np.nonzero(hits >= 0)
    asked, found = [rows[places]], [hits[places, columns]]
    for place in np.flatnonzero(many).tolist():
        check()
        row = rows[place]
        query = as_float32(segment.vectors[row, None])
        _, _, hits = exact_radius(query, later, least, metric, hits_max=int(counts[place]))
        found.append(hits[0])
        asked.append(np.full(len(hits[0]), row))
    return np.concatenate(asked), np.concatenate(found) + begin


def _scored(segment: Segment, asked: Rows, found: Rows, min_score: float) -> Pairs:
    other = asked != found
    asked, found = asked[other], found[other]
    order = np.lexsort((found, asked))
    asked, found = asked[order], found[order]
    scores = np.empty(len(asked), dtype=np.float32)
    begins = np.flatnonzero(np.diff(asked, prepend=-1))
    for begin, end in pairwise([*begins.tolist(), len(asked)]):
        query, rows = as_float32(segment.vectors[asked[begin], None]), found[None, begin:end]
        scores[begin:end] = exact_scores(query, segment.vectors, rows, segment.manifest.metric)[0]
    near = scores >= np.float32(min_score)
    asked, found, scores = asked[near], found[near], scores[near]
    return Pairs(np.minimum(asked, found), np.maximum(asked, found), scores)


class OncePerPair:
    """Passes on each pair when it comes first. Chunks must come in the order of their rows.

    It remembers a pair from when its earlier item finds it until its later item has been asked: 8 bytes for each.

    Args:
        rows: Of the segment.
        size: Of a chunk.
        waiting_max: How many pairs may be remembered at a time.
    """

    def __init__(self, rows: int, size: int, waiting_max: int = WAITING_MAX) -> None:
        self._rows = rows
        self._size = size
        self._waiting_max = waiting_max
        self.waiting = 0
        # Bytes, not arrays: one that is part of another keeps all of it in memory.
        self._seen: defaultdict[int, bytearray] = defaultdict(bytearray)

    def first_seen(self, pairs: Pairs, chunk: int) -> Pairs:
        """Of the pairs that a chunk has found, those that none before has; by left and right row.

        Raises:
            InvalidArgumentError: There are more to remember than may be.
        """
        keys, firsts = np.unique(pairs.left * self._rows + pairs.right, return_index=True)
        if (seen := self._seen.pop(chunk, None)) is not None:
            before = np.frombuffer(seen, dtype=np.int64)
            self.waiting -= len(before)
            new = ~np.isin(keys, before)
            keys, firsts = keys[new], firsts[new]
        pairs = Pairs(pairs.left[firsts], pairs.right[firsts], pairs.scores[firsts])
        chunks = pairs.right // self._size
        later = np.argsort(chunks, kind="stable")[np.count_nonzero(chunks <= chunk) :]
        self.waiting += len(later)
        if self.waiting > self._waiting_max:
            raise InvalidArgumentError(
                "min_score",
                f"over {self._waiting_max} pairs would have to be remembered, to name none twice: "
                "raise min_score, or ask for exact pairs, which come in order",
            )
        begins = np.flatnonzero(np.diff(chunks[later], prepend=-1))
        for begin, part in zip(begins, np.split(keys[later], begins[1:]) if len(begins) else (), strict=True):
            self._seen[int(chunks[later[begin]])] += part.tobytes()
        return pairs
