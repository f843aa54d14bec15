"""Searches of one query each, the most frequent: which can share a search of the index, and how they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vecinity.indexer.ann import Effort, Rows
from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import Vectors, prepare
from vecinity.service.answer import Answer
from vecinity.service.batching import Batches
from vecinity.service.call import Call
from vecinity.service.choosing import Hits, first_hits
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.lookup import FoundPart, joined, looked_up
from vecinity.service.planner import Plan
from vecinity.service.pools import Pools
from vecinity.service.query import EVERYTHING, Search
from vecinity.service.store import OpenVersion
from vecinity.service.times import Part, taking

CHUNK_QUERIES = 64
"""Queries between two looks at the deadline, and single searches in a batch: the first of them wait for the last."""

_SHARE_MIN, _SHARE_MAX = 32, 256
_SHARE_US = 20_000
_SHARE_HITS = 1 << 16
"""What a thread takes of one call at a time: by IVF256,PQ96x4fs a query takes 56 µs among 250, and 65 among 64. No more
than some twenty milliseconds, and hits whose ids are looked up in ten, unless that is less than `CHUNK_QUERIES`."""

CHUNK_PRODUCTS = 1_000_000_000
"""Multiplications in a chunk of an exact search: some hundred milliseconds."""

_LOOKED_UP_AT_ONCE = 100
"""Hits whose texts or attributes are looked up on the event loop: some hundred microseconds."""

_HITS_AT_ONCE = 1_000

LEFT_OUT_AT_ONCE = 100
"""More rows to leave out of a query's hits take longer to find than the hits."""

_NUMBER_SECONDS = 2.5e-10
"""What comparing with a number of a vector takes: its four bytes come from memory at 16 GB/s."""

_UNMEASURED_SECONDS = 1.0
"""Of an effort that nothing is known of: too long for the event loop."""


class Together(NamedTuple):
    """What searches have in common that can be one search of an index (`batching.Together`).

    Attributes:
        raw: Whether the vectors are as they came, still to be checked and prepared.
        without: How many rows are left out of the hits of each; they are one array.
    """

    version: OpenVersion
    k: int
    effort: Effort
    raw: bool
    without: int
    seconds_each: float
    batch_max: int


class Asking(NamedTuple):
    """One query.

    Attributes:
        vectors: float32 (1, d).
        left_out: int64 (1, e), rows that must not be among its hits.
        field: Where it stands in its request, for errors.
    """

    vectors: Vectors
    left_out: Rows | None
    field: str = "query"


class Found(NamedTuple):
    """The hits of one query, and their ids."""

    hits: Hits
    ids: list[str]


class Ready(NamedTuple):
    """A plain search of a version, but for its vector.

    The version remembers them, so they do not hold it: it would never be let go.

    Attributes:
        raw: Whether the vector is still to be checked and prepared.
        without: How many rows are left out of the hits.
        seconds_each, batch_max: See `batching.Together`.
    """

    search: Search
    plan: Plan
    raw: bool
    without: int
    seconds_each: float
    batch_max: int

    @classmethod
    def of(cls, version: OpenVersion, search: Search, chosen: Plan, *, raw: bool, without: int = 0) -> Ready:
        return cls(search, chosen, raw, without, _query_seconds(version, chosen), chunk_queries(version, chosen))

    def together(self, version: OpenVersion) -> Together:
        """What it can be done with."""
        return Together(
            version, self.search.k, self.plan.effort, self.raw, self.without, self.seconds_each, self.batch_max
        )


class SingleSearches:
    """Searches the index for plain searches (`is_plain`) of one query, those that come meanwhile together.

    Args:
        check_size: Refuses what would be too large an answer.
    """

    def __init__(self, pools: Pools, check_size: Callable[[Sequence[FoundPart]], None]) -> None:
        self._batches: Batches[Together, Asking, Found] = Batches(pools.searchers, search_together, Part.SEARCH)
        self._check_size = check_size

    async def find(self, call: Call, version: OpenVersion, ready: Ready, asking: Asking) -> Answer:
        """The answer to one query.

        Raises:
            InvalidArgumentError: The vector can't be one, or the answer would be too large.
        """
        return self._answer(call, version, ready, await self._batches.do(call, ready.together(version), asking))

    def ask(
        self,
        call: Call,
        version: OpenVersion,
        ready: Ready,
        asking: Asking,
        tell: Callable[[Answer | Exception], None],
    ) -> None:
        """`find`, with the answer, or what it would raise, told once, on the loop."""

        def found(result: Found | Exception) -> None:
            answer: Answer | Exception
            try:
                answer = result if isinstance(result, Exception) else self._answer(call, version, ready, result)
            except Exception as error:
                answer = error
            tell(answer)

        self._batches.add(call, ready.together(version), asking, found)

    def _answer(self, call: Call, version: OpenVersion, ready: Ready, found: Found) -> Answer:
        search, chosen = ready.search, ready.plan
        hits, ids = found
        wants_more = search.include_texts or search.include_attributes or search.include_vectors
        if wants_more or call.times is not None:
            with taking(call.times, Part.LOOKUP):
                part = looked_up(hits, version, search, ids)
            self._check_size([part])
            return joined([part], call, version, search, chosen)
        return Answer(
            counts=hits.counts,
            ids=ids,
            scores=hits.scores,
            texts=None,
            vectors=None,
            version=version.record.number,
            predicted_recall=chosen.predicted_recall,
        )


def search_together(key: Together, asked: Sequence[Asking]) -> Sequence[Found | Exception]:
    """The hits of single queries, each by itself; a vector that can't be one has an exception instead."""
    segment = key.version.segment
    vectors = asked[0].vectors if len(asked) == 1 else np.concatenate([asking.vectors for asking in asked])
    try:
        vectors = prepare(vectors, segment.manifest.metric) if key.raw else vectors
    except VectorError as error:
        refused = InvalidArgumentError(asked[error.row].field, error.fault)
        before, after = asked[: error.row], asked[error.row + 1 :]
        others = [*search_together(key, [*before, *after])] if before or after else []
        return [*others[: error.row], refused, *others[error.row :]]
    without = np.concatenate([a.left_out for a in asked if a.left_out is not None]) if key.without else None
    fetched = min(key.k + (0 if without is None else without.shape[1]), segment.rows)
    best = segment.index.search(vectors, fetched, key.effort, left_out=max(fetched - key.k, 0))
    hits = first_hits(*best, key.k, without)
    ids = segment.ids(hits.rows)
    if len(asked) == 1:
        return [Found(hits, ids)]
    found = []
    begin = 0
    for count in hits.counts:
        end = begin + count
        found.append(Found(Hits([count], hits.scores[begin:end], hits.rows[begin:end]), ids[begin:end]))
        begin = end
    return found


def is_plain(search: Search) -> bool:
    """Whether a search wants nothing that takes longer than the search itself."""
    wants = search.include_texts or search.include_attributes or search.include_vectors
    return (
        search.selection == EVERYTHING
        and not search.pages
        and search.k <= (_LOOKED_UP_AT_ONCE if wants else _HITS_AT_ONCE)
    )


def _query_seconds(version: OpenVersion, chosen: Plan) -> float:
    """What a query of a plan is expected to take, at least."""
    if chosen.effort.exact:
        return version.segment.rows * version.record.dimension * _NUMBER_SECONDS
    return chosen.query_us * 1e-6 or _UNMEASURED_SECONDS


def share_queries(version: OpenVersion, chosen: Plan, k: int, queries: int, threads: int) -> int:
    """Queries that a thread takes at a time of a call with many."""
    size = chunk_queries(version, chosen)
    if chosen.effort.exact or not chosen.query_us:
        return size
    most = min(_SHARE_MAX, int(_SHARE_US / chosen.query_us), _SHARE_HITS // k)
    return min(max(-(-queries // threads), _SHARE_MIN), max(most, size))


def chunk_queries(version: OpenVersion, chosen: Plan) -> int:
    """Queries that a thread takes at a time: fewer where each is compared with very many numbers."""
    if not chosen.effort.exact:
        return CHUNK_QUERIES
    rows = version.segment.rows if chosen.items_matching is None else chosen.items_matching
    return max(1, min(CHUNK_QUERIES, CHUNK_PRODUCTS // max(rows * version.record.dimension, 1)))
