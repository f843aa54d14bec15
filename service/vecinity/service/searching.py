"""From vectors to an answer: plan, search in threads, chunk by chunk, drop what is left out, look up the hits.

Before each chunk the call is asked whether anybody still waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from vecinity.indexer.ann import FilteredIndex, Rows
from vecinity.indexer.metric import Vectors
from vecinity.service.answer import Answer
from vecinity.service.call import Call
from vecinity.service.candidates import Candidates, Finder
from vecinity.service.choosing import Chooser, candidates_count, planned_count
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.filter_planner import containing_matches, plan_filtered
from vecinity.service.grouping import Groups
from vecinity.service.lookup import FoundPart, joined, looked_up
from vecinity.service.planner import EXACTLY, Asked, Plan, Wish, plan
from vecinity.service.pools import Pools
from vecinity.service.query import EVERYTHING, Search
from vecinity.service.single import (
    CHUNK_PRODUCTS,
    CHUNK_QUERIES,
    LEFT_OUT_AT_ONCE,
    Asking,
    Ready,
    SingleSearches,
    is_plain,
    share_queries,
)
from vecinity.service.store import OpenVersion
from vecinity.service.times import Part, taking

_CHUNK_HITS = 8_192
"""Hits in a chunk whose texts or attributes are looked up: some ten milliseconds, in which Python does nothing else."""

_TURN_NUMBERS = 100_000
"""What each hit of a diverse search costs beside comparing it with the candidates, in numbers compared."""

_PLANS_MAX = 1_024


class Searcher:
    """Searches the index of a version.

    Args:
        default_recall: For requests that name no effort.
        answer_bytes_max: How much the vectors, or the texts, of an answer may take.
    """

    def __init__(self, pools: Pools, *, default_recall: float, answer_bytes_max: int) -> None:
        self._pools = pools
        self._default_recall = default_recall
        self._answer_bytes_max = answer_bytes_max
        self._singles = SingleSearches(pools, self._check_texts_size)

    async def find(
        self,
        call: Call,
        version: OpenVersion,
        search: Search,
        vectors: Vectors,
        left_out: Rows | None = None,
        finder: Finder | None = None,
        *,
        by_items: bool = False,
    ) -> Answer:
        """Search in threads, chunk by chunk.

        Args:
            vectors: float32 (n, d), prepared.
            left_out: int64 (n, e), rows that must not be among the hits of each query; -1 is none.
            finder: What finds the rows of a search that selects among everything; None asks the index for those closest
                to `vectors`.
            by_items: Whether the vectors are those of items, asked by their ids.
        """
        self._check_vectors_size(len(vectors), search, version.record.dimension)
        through = await self.through(call, version, search)
        asked = Asked(planned_count(search, candidates_count(search)), by_items, alone=len(vectors) == 1)
        queries = min(len(vectors), CHUNK_QUERIES)
        chosen = self.plan(version, search.wish, asked, through, queries=queries, farthest=search.selection.farthest)
        if finder is not None:
            chosen = finder.plan(chosen)
        elif len(vectors) == 1 and is_plain(search) and _width(left_out) <= LEFT_OUT_AT_ONCE:
            ready = Ready.of(version, search, chosen, raw=False, without=_width(left_out))
            return await self._singles.find(call, version, ready, Asking(vectors, left_out))
        groups = await self._groups(call, version, search)
        size = _chunk_size(version, chosen, search, len(vectors), self._pools.threads)
        if finder is not None:
            size = finder.chunk_queries(chosen, size)
        begins = iter(range(0, len(vectors), size))
        parts: dict[int, FoundPart] = {}

        async def take_chunks() -> None:
            # One chunk at a time for each thread: a large batch leaves turns to the calls that come after it.
            for begin in begins:
                chunk = slice(begin, begin + size)
                without = None if left_out is None else left_out[chunk]
                candidates = Candidates(
                    version.segment,
                    partial(self._plan_for, version, search, asked, through, finder, queries),
                    _width(without) + search.pages,
                    through,
                    find=None if finder is None else partial(finder.find, chunk),
                )
                work = partial(_search_chunk, call, candidates, version, vectors[chunk], search, without, groups)
                parts[begin] = await self._pools.search(call, work)
                self._check_texts_size(parts.values())

        await asyncio.gather(*(take_chunks() for _ in range(min(self._pools.threads, -(-len(vectors) // size)))))
        return joined(
            [parts[begin] for begin in sorted(parts)],
            call,
            version,
            search,
            chosen,
            selected=search.selection != EVERYTHING and version.segment.rows - _width(left_out) >= search.k,
        )

    async def find_vector(
        self, call: Call, version: OpenVersion, search: Search, vectors: Vectors, field: str
    ) -> Answer:
        """`find` for one vector as it came, for a plain search: what it is searched with, it is checked with.

        Args:
            field: Where it stands in its request, for errors.

        Raises:
            InvalidArgumentError: It is not one of this collection.
        """
        ready = self.ready(version, search, vectors.shape[1], field)
        return await self._singles.find(call, version, ready, Asking(vectors, None, field))

    def ready(self, version: OpenVersion, search: Search, dimension: int, field: str) -> Ready:
        """What `find_vector` needs beside the vector; the same for all searches of one kind.

        Raises:
            InvalidArgumentError: The dimension is not the collection's, or the answer would be too large.
        """
        version.check_dimension(dimension, field)
        self._check_vectors_size(1, search, dimension)
        chosen = self._plan_unfiltered(version, search.wish, Asked(search.k, alone=True))
        return Ready.of(version, search, chosen, raw=True)

    def ask(
        self,
        call: Call,
        version: OpenVersion,
        ready: Ready,
        vectors: Vectors,
        tell: Callable[[Answer | Exception], None],
    ) -> None:
        """`find_vector`, with the answer told once, on the loop."""
        self._singles.ask(call, version, ready, Asking(vectors, None), tell)

    def _check_vectors_size(self, queries: int, search: Search, dimension: int) -> None:
        size = queries * search.k * dimension * 4
        if search.include_vectors and size > self._answer_bytes_max:
            raise self._too_large("include_vectors", size)

    def _check_texts_size(self, parts: Iterable[FoundPart]) -> None:
        size = sum(part.text_chars for part in parts)
        if size > self._answer_bytes_max:
            raise self._too_large("k, include_texts, include_attributes", size)

    def _too_large(self, field: str, size: int) -> InvalidArgumentError:
        return InvalidArgumentError(
            field,
            f"would take over {size >> 20} MiB; the limit is {self._answer_bytes_max >> 20} MiB: ask for fewer at once",
        )

    async def _groups(self, call: Call, version: OpenVersion, search: Search) -> Groups | None:
        """The groups of which only some items each may be hits, if there are such."""
        if (grouping := search.selection.grouping) is None:
            return None
        return await version.groupings.by(grouping.attribute, self._pools.shared)

    async def through(self, call: Call, version: OpenVersion, search: Search) -> FilteredIndex | None:
        """The index as it looks through the filter, if there is one; kept for the next that asks."""
        if (tree := search.selection.filter) is None:
            return None
        with taking(call.times, Part.FILTER):
            return await version.matches.find(tree, self._pools.shared)

    def plan(
        self,
        version: OpenVersion,
        wish: Wish,
        asked: Asked,
        through: FilteredIndex | None = None,
        *,
        queries: int = 1,
        farthest: bool = False,
    ) -> Plan:
        """What is done for the candidates of a query, with or without a filter."""
        chosen = self._plan_unfiltered(version, EXACTLY if farthest else wish, asked)
        if through is None:
            return chosen
        manifest = version.segment.manifest
        containing = None
        if chosen.effort.nprobe and wish.effort is None and through.count:
            containing = self._plan_unfiltered(version, wish, containing_matches(asked, through.density))
        return plan_filtered(
            chosen,
            wish,
            asked.k,
            rows=manifest.rows,
            dimension=manifest.dimension,
            matches=through.count,
            queries=queries,
            metric=manifest.metric,
            containing=containing,
        )

    def _plan_unfiltered(self, version: OpenVersion, wish: Wish, asked: Asked) -> Plan:
        """Requests of one kind come by the thousand, so a version keeps what was planned for them."""
        key = (wish, asked)
        chosen = version.plans.get(key)
        if chosen is None:
            segment = version.segment
            chosen = plan(
                wish,
                asked,
                segment.index.spec,
                segment.manifest.calibration,
                rows=segment.rows,
                default_recall=self._default_recall,
            )
            if len(version.plans) >= _PLANS_MAX:
                version.plans.clear()
            version.plans[key] = chosen
        return chosen

    def _plan_for(
        self,
        version: OpenVersion,
        search: Search,
        asked: Asked,
        through: FilteredIndex | None,
        finder: Finder | None,
        queries: int,
        count: int,
    ) -> Plan:
        asked = replace(asked, k=planned_count(search, count))
        chosen = self.plan(version, search.wish, asked, through, queries=queries)
        return chosen if finder is None else finder.plan(chosen)


def _width(left_out: Rows | None) -> int:
    """How many rows are left out of the hits of each query at most."""
    return 0 if left_out is None else left_out.shape[1]


def _chunk_size(version: OpenVersion, chosen: Plan, search: Search, queries: int, threads: int) -> int:
    """As `share_queries`, with what is done about the hits after they are found."""
    size = share_queries(version, chosen, search.k, queries, threads)
    if search.include_texts or search.include_attributes:
        size = min(size, _CHUNK_HITS // search.k)
    if search.selection.diversity is not None:
        numbers = search.k * (candidates_count(search) * version.record.dimension + _TURN_NUMBERS)
        size = min(size, CHUNK_PRODUCTS // numbers)
    return max(size, 1)


def _search_chunk(
    call: Call,
    candidates: Candidates,
    version: OpenVersion,
    vectors: Vectors,
    search: Search,
    left_out: Rows | None,
    groups: Groups | None,
) -> FoundPart:
    """Find the hits and look up what they contain."""
    chooser = Chooser(candidates, search, groups, call.check)
    with taking(call.times, Part.SEARCH):
        hits = chooser.hits(vectors, left_out)
    with taking(call.times, Part.LOOKUP):
        return looked_up(hits, version, search)
