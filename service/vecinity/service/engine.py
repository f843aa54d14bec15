"""Answers in terms of the domain: vectors and strings in, ids and scores out. Knows no transport and no protobuf.

resolve the queries to vectors (`resolving`) → search (`searching`), solve (`solving`) or compare (`comparing`)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.metric import Vectors
from vecinity.indexer.unknown_words import UnknownWords
from vecinity.service.answer import Answer, nothing_found
from vecinity.service.call import Call
from vecinity.service.comparing import Comparer, Comparison, Similarities
from vecinity.service.graph import Duplicates, Graph, Neighbours
from vecinity.service.planner import Wish
from vecinity.service.pools import Pools
from vecinity.service.query import Kind, Queries, Query, Search
from vecinity.service.resolving import Resolved, Resolver
from vecinity.service.searching import Searcher
from vecinity.service.single import Ready, is_plain
from vecinity.service.solving import Analogies, Solver
from vecinity.service.store import OpenVersion, Store
from vecinity.service.tally import Tally

_READY_MAX = 1_024

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Embedding:
    """Vectors of texts, float32 (n, d), prepared for the collection's metric."""

    vectors: Vectors
    fingerprint: str
    version: int


class Engine:
    """Answers queries on the versions of a store.

    Args:
        threads: Search threads; 0 is one for each CPU this process may use.
        alone: Whether no other process serves the same callers.
        default_recall: For searches that name no effort.
        analogy_recall: For analogies that name no effort; at least `default_recall` is asked.
        answer_bytes_max: How much the vectors, or the texts, of an answer may take.
        embeddings_kept: Vectors of texts that are remembered.
        tally: Where batches are counted; None if nobody wants to know.
    """

    def __init__(
        self,
        store: Store,
        *,
        threads: int,
        alone: bool,
        default_recall: float,
        analogy_recall: float,
        answer_bytes_max: int,
        embeddings_kept: int,
        tally: Tally | None = None,
    ) -> None:
        self.store = store
        self._pools = Pools(threads, alone=alone, tally=tally)
        self._resolver = Resolver(self._pools, embeddings_kept=embeddings_kept)
        self._searcher = Searcher(self._pools, default_recall=default_recall, answer_bytes_max=answer_bytes_max)
        self._solver = Solver(
            self._pools, self._resolver, self._searcher, default_recall=max(default_recall, analogy_recall)
        )
        self._comparer = Comparer(self._pools, self._resolver, self._searcher)
        self._graph = Graph(self._pools, self._searcher, answer_bytes_max=answer_bytes_max)

    def close(self) -> None:
        self._pools.close()

    async def search(self, call: Call, search: Search, queries: Queries | Query) -> Answer:
        """The k closest items of each query. An item asked by its id, or as an example, is left out of its own hits."""
        version = await self.store.get(search.collection, search.version)
        if isinstance(queries, Query):
            return await self._search_examples(call, version, search, queries)
        if queries.kind is Kind.VECTOR and len(queries) == 1 and is_plain(search):
            assert queries.vectors is not None
            return await self._searcher.find_vector(call, version, search, queries.vectors, queries.place(0))
        await self._searcher.through(call, version, search)  # a fault in it shows before a text is embedded
        resolved = await self._resolver.resolve(call, version, queries, search.unknown_words)
        known = resolved.known[resolved.which]
        if not known.all():
            return await self._search_known(call, version, search, queries, resolved, known)
        by_items = queries.kind is Kind.ID
        left_out = resolved.rows[resolved.which] if by_items else None
        answer = await self._searcher.find(call, version, search, resolved.of_each(), left_out, by_items=by_items)
        return replace(answer, unknown_words=resolved.unknown_words) if resolved.unknown_words else answer

    def ready(self, number: int, search: Search, dimension: int) -> tuple[OpenVersion, Ready] | None:
        """What plain searches (`is_plain`) of one kind for a vector need, remembered for each version.

        Args:
            number: Of the kind: the same for the same search and dimension, never for others.

        Returns:
            None where the version must be waited for: then `search` does it.

        Raises:
            InvalidArgumentError: The dimension is not the collection's, or the answer would be too large.
        """
        version = self.store.serving(search.collection, search.version)
        if version is None:
            return None
        ready = version.ready.get(number)
        if not isinstance(ready, Ready):
            if len(version.ready) >= _READY_MAX:
                version.ready.clear()
            ready = version.ready[number] = self._searcher.ready(version, search, dimension, "query")
        return version, ready

    def ask(
        self,
        call: Call,
        ready: tuple[OpenVersion, Ready],
        vectors: Vectors,
        tell: Callable[[Answer | Exception], None],
    ) -> None:
        """`search` for one vector, float32 (1, d), with the answer told once, on the loop: no task waits for it."""
        self._searcher.ask(call, *ready, vectors, tell)

    async def _search_examples(self, call: Call, version: OpenVersion, search: Search, query: Query) -> Answer:
        """A search by a query made of examples."""
        resolved = await self._resolver.resolve(call, version, [query], search.unknown_words)
        if not resolved.known.all():
            await self._resolver.resolve(call, version, [query])
        items = [example for example, _ in query.examples if example.kind is Kind.ID]
        left_out = (await self._resolver.resolve(call, version, items, search.unknown_words)).rows if items else None
        rows = None if left_out is None else left_out.reshape(1, -1)
        answer = await self._searcher.find(call, version, search, resolved.of_each(), rows)
        return replace(answer, unknown_words=resolved.unknown_words)

    async def _search_known(
        self,
        call: Call,
        version: OpenVersion,
        search: Search,
        queries: Queries,
        resolved: Resolved,
        known: NDArray[np.bool_],
    ) -> Answer:
        """A search in which some of the queries are left out, and have no hits."""
        if len(known) == 1:  # then it is refused, as if nothing might be left out
            await self._resolver.resolve(call, version, queries)
        if not known.any():
            return nothing_found(len(known), version, search, resolved.unknown_words)
        which = resolved.which[known]
        by_items = queries.kind is Kind.ID
        left_out = resolved.rows[which] if by_items else None
        answer = await self._searcher.find(call, version, search, resolved.vectors[which], left_out, by_items=by_items)
        counts = np.zeros(len(known), dtype=np.int64)
        counts[known] = answer.counts
        return replace(answer, counts=counts.tolist(), unknown_words=resolved.unknown_words)

    async def solve_analogies(self, call: Call, search: Search, analogies: Analogies) -> Answer:
        """The k best items for each analogy; see `Solver.solve`."""
        version = await self.store.get(search.collection, search.version)
        return await self._solver.solve(call, version, search, analogies)

    async def similarity(self, call: Call, comparison: Comparison) -> Similarities:
        """Scores of pairs, and of pairs of sets; see `Comparer.similarity`."""
        version = await self.store.get(comparison.collection, comparison.version)
        return await self._comparer.similarity(call, version, comparison)

    async def odd_one_out(
        self, call: Call, collection: str, number: int, queries: Sequence[Query], unknown_words: UnknownWords
    ) -> Similarities:
        """The score of each query with the mean of all; see `Comparer.with_mean`."""
        version = await self.store.get(collection, number)
        return await self._comparer.with_mean(call, version, queries, unknown_words)

    async def closer_items(self, call: Call, search: Search, query: Query, than: Query) -> tuple[int, Answer]:
        """The rank of `than` and the closest of the items closer than it; see `Comparer.closer`."""
        version = await self.store.get(search.collection, search.version)
        return await self._comparer.closer(call, version, search, query, than)

    def neighbours(
        self, call: Call, collection: str, number: int, k: int, wish: Wish
    ) -> AsyncGenerator[Neighbours, None]:
        """The k closest items of every item, in parts."""
        return self._parts(collection, number, lambda version: self._graph.neighbours(call, version, k, wish))

    def duplicates(
        self, call: Call, collection: str, number: int, min_score: float, wish: Wish
    ) -> AsyncGenerator[Duplicates, None]:
        """The pairs of items that score at least `min_score` with each other, in parts."""
        return self._parts(collection, number, lambda version: self._graph.duplicates(call, version, min_score, wish))

    async def _parts(
        self, collection: str, number: int, ask: Callable[[OpenVersion], AsyncGenerator[_Part, None]]
    ) -> AsyncGenerator[_Part, None]:
        async with aclosing(ask(await self.store.get(collection, number))) as parts:
            async for part in parts:
                yield part

    async def embed(self, call: Call, collection: str, number: int, texts: Sequence[str]) -> Embedding:
        """The vectors of texts, as a search by text would use them."""
        version = await self.store.get(collection, number)
        vectors = await self._resolver.vectors(call, version, Queries(Kind.TEXT, texts))
        embedder = version.record.embedder
        assert embedder is not None  # or the resolver would have raised NoEmbedderError
        return Embedding(vectors, embedder.fingerprint, version.record.number)
