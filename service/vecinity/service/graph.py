"""Searches that ask every item of a version: the neighbours of each, and the pairs that are nearly the same.

Both go through the items in the order of their rows, chunk by chunk, in as many threads as there are. A chunk is begun
when a reader has taken those before it, but for those that other threads work on meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows
from vecinity.indexer.segment import Segment
from vecinity.indexer.stored_vectors import as_float32
from vecinity.service.call import Call
from vecinity.service.candidates import Candidates
from vecinity.service.duplicates import OncePerPair, Pairs, finds_from_earlier, near_pairs
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.planner import Asked, Plan, Wish
from vecinity.service.pools import Pools
from vecinity.service.searching import Searcher
from vecinity.service.single import chunk_queries
from vecinity.service.store import OpenVersion

_PART_HITS = 16_384
"""Neighbours, or pairs, in one part of an answer; an item with more neighbours has a part of its own."""

_CHUNK_PAIRS = 16_000_000
"""Pairs that a chunk may find if all items are the same: what a thread needs then is some hundred megabytes."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The neighbours of some items: `ids` and `counts` of the items, the other two columns of the neighbours."""

    ids: list[str]
    counts: list[int]
    neighbour_ids: list[str]
    scores: NDArray[np.float32]
    version: int
    predicted_recall: float | None


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Pairs of items, three parallel columns."""

    left_ids: list[str]
    right_ids: list[str]
    scores: NDArray[np.float32]
    version: int
    predicted_recall: float | None


class Graph:
    """Asks every item of a version.

    Args:
        answer_bytes_max: How much a part of an answer may take.
    """

    def __init__(self, pools: Pools, searcher: Searcher, *, answer_bytes_max: int) -> None:
        self._pools = pools
        self._searcher = searcher
        self._answer_bytes_max = answer_bytes_max

    async def neighbours(
        self, call: Call, version: OpenVersion, k: int, wish: Wish
    ) -> AsyncGenerator[Neighbours, None]:
        """The k closest items of every item, itself left out."""
        segment, plan = version.segment, self._searcher.plan(version, wish, Asked(k, by_items=True))
        candidates = Candidates(segment, lambda _: plan, spare=1)
        size = min(chunk_queries(version, plan), max(_PART_HITS // k, 1))

        def part(rows: Rows) -> Neighbours:
            scores, found = candidates.best(as_float32(segment.vectors[rows[0] : rows[-1] + 1]), k)
            keep = (found >= 0) & (found != rows[:, None])
            keep &= np.cumsum(keep, axis=1) <= k
            counts, hits = keep.sum(axis=1).tolist(), segment.ids(found[keep])
            return Neighbours(
                segment.ids(rows), counts, hits, scores[keep], version.record.number, plan.predicted_recall
            )

        works = (partial(part, rows) for rows in _chunks(segment, size))
        async with aclosing(self._pools.in_order(call, works)) as parts:
            async for neighbours in parts:
                self._check_size("k", (neighbours.ids, neighbours.neighbour_ids))
                yield neighbours

    async def duplicates(
        self, call: Call, version: OpenVersion, min_score: float, wish: Wish
    ) -> AsyncGenerator[Duplicates, None]:
        """The pairs of items that score at least `min_score` with each other, each once."""
        segment = version.segment

        def plan_for(k: int) -> Plan:
            return self._searcher.plan(version, wish, Asked(k, by_items=True))

        predicted = plan_for(10).predicted_recall
        size = min(chunk_queries(version, plan_for(10)), max(_CHUNK_PAIRS // max(segment.rows, 1), 8))
        works = (partial(near_pairs, segment, plan_for, rows, min_score, call.check) for rows in _chunks(segment, size))
        once = None if finds_from_earlier(plan_for) else OncePerPair(segment.rows, size)

        def named(pairs: Pairs, begin: int) -> Duplicates:
            part = slice(begin, begin + _PART_HITS)
            left, right = segment.ids(pairs.left[part]), segment.ids(pairs.right[part])
            return Duplicates(left, right, pairs.scores[part], version.record.number, predicted)

        async with aclosing(self._pools.in_order(call, works)) as chunks:
            chunk = 0
            async for pairs in chunks:
                if once is not None:  # in a thread, because there may be millions of them
                    pairs = await self._pools.search(call, partial(once.first_seen, pairs, chunk))
                chunk += 1
                for begin in range(0, len(pairs.left), _PART_HITS):
                    duplicates = await self._pools.search(call, partial(named, pairs, begin))
                    self._check_size("min_score", (duplicates.left_ids, duplicates.right_ids))
                    yield duplicates

    def _check_size(self, field: str, columns: Sequence[Sequence[str]]) -> None:
        size = sum(len(item_id) for column in columns for item_id in column)
        if size > self._answer_bytes_max:
            raise InvalidArgumentError(
                field,
                f"the ids of a part of the answer take {size >> 20} MiB; "
                f"the limit is {self._answer_bytes_max >> 20} MiB: ask for fewer",
            )


def _chunks(segment: Segment, size: int) -> Iterator[Rows]:
    for begin in range(0, segment.rows, size):
        yield np.arange(begin, min(begin + size, segment.rows), dtype=np.int64)
