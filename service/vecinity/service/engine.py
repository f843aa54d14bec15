"""Answers in terms of the domain: vectors and strings in, ids and scores out. Knows no transport and no protobuf.

    resolve the query to vectors → plan → search in a thread, chunk by chunk → drop what is left out → ids

Work that takes longer than the hop to a thread is done there: FAISS frees the GIL. Before each chunk the call is
asked whether anybody still waits for the answer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer import ann
from vecinity.indexer.catalog import VersionRecord
from vecinity.indexer.errors import ItemNotFoundError, NoEmbedderError, VectorError
from vecinity.indexer.metric import Vectors, pair_scores, prepare
from vecinity.service.analogy import three_cos_add
from vecinity.service.call import Call
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.planner import ANY_EFFORT, Plan, Wish, plan
from vecinity.service.store import OpenVersion, Store

_CHUNK_QUERIES = 64
"""Queries between two looks at the deadline; also what one thread takes of a batch at a time."""

_PLANS_MAX = 1_024

T = TypeVar("T")


class Kind(Enum):
    """What a query is given as."""

    VECTOR = "vector"
    ID = "id"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Query:
    """One query: `vector` is float32 (d,) for `Kind.VECTOR`, `string` the id or text for the others."""

    kind: Kind
    string: str = ""
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Queries:
    """Many queries of one kind: `vectors` is float32 (n, d) for `Kind.VECTOR`, `strings` for the others."""

    kind: Kind
    strings: Sequence[str] = ()
    vectors: Vectors | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What a search wants beside its queries."""

    collection: str
    k: int
    version: int = 0
    wish: Wish = ANY_EFFORT
    include_texts: bool = False
    include_vectors: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of n queries.

    Attributes:
        counts: Hits of each query, n numbers, each at most k.
        ids: Of all hits, those of the first query first, closest first within each.
        scores: float32 (len(ids),), higher is closer.
        texts: Parallel to ids, or None if not asked for.
        vectors: float32 (len(ids), d), or None if not asked for.
        version: The number of the version that answered.
    """

    counts: list[int]
    ids: list[str]
    scores: NDArray[np.float32]
    texts: list[str] | None
    vectors: Vectors | None
    version: int
    predicted_recall: float


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
        default_recall: For requests that name no effort.
        answer_bytes_max: How much the vectors of an answer may take.
    """

    def __init__(
        self, store: Store, *, threads: int = 0, default_recall: float = 0.95, answer_bytes_max: int = 64 << 20
    ) -> None:
        self.store = store
        self.answer_bytes_max = answer_bytes_max
        self.default_recall = default_recall
        self.threads = threads or len(os.sched_getaffinity(0))
        # One OpenMP thread in each: the pool is the parallelism, two levels of it would fight over the cores.
        self._searchers = ThreadPoolExecutor(self.threads, "search", initializer=ann.set_threads, initargs=(1,))
        # A thread of their own: texts take milliseconds to embed, and vectors must not wait for them.
        self._embedders = ThreadPoolExecutor(1, "embed", initializer=ann.set_threads, initargs=(1,))

    def close(self) -> None:
        self._searchers.shutdown(cancel_futures=True)
        self._embedders.shutdown(cancel_futures=True)

    async def search(self, call: Call, search: Search, queries: Queries) -> Answer:
        """The k closest items of each query. An item asked by its id is left out of its own hits."""
        version = await self.store.get(search.collection, search.version)
        vectors = await self._vectors(call, version, queries)
        left_out: list[frozenset[int]] | None = None
        if queries.kind is Kind.ID:
            left_out = [frozenset((row,)) for row in version.segment.find_rows(queries.strings).tolist()]
        return await self._find(call, version, search, vectors, left_out)

    async def solve_analogy(self, call: Call, search: Search, terms: Sequence[tuple[Query, float]]) -> Answer:
        """The k items closest to the weighted sum of the terms (3CosAdd), the terms themselves left out.

        Args:
            terms: Queries and their factors, negative for those subtracted.
        """
        version = await self.store.get(search.collection, search.version)
        vectors = await self._mixed(call, version, [query for query, _ in terms])
        query = three_cos_add(vectors, [weight for _, weight in terms], version.record.metric)
        rows = await self._run(call, self._searchers, lambda: _rows_of_terms(version, [q for q, _ in terms]))
        return await self._find(call, version, search, query, [rows])

    async def similarity(
        self, call: Call, collection: str, number: int, pairs: Sequence[tuple[Query, Query]]
    ) -> tuple[NDArray[np.float32], int]:
        """Scores of pairs, float32 (n,), and the version that answered."""
        version = await self.store.get(collection, number)
        vectors = await self._mixed(call, version, [query for pair in pairs for query in pair])
        return pair_scores(vectors[0::2], vectors[1::2], version.record.metric), version.record.number

    async def embed(self, call: Call, collection: str, number: int, texts: Sequence[str]) -> Embedding:
        """The vectors of texts, as a search by text would use them."""
        version = await self.store.get(collection, number)
        vectors = await self._vectors(call, version, Queries(Kind.TEXT, texts))
        embedder = version.record.embedder
        assert embedder is not None  # or `_vectors` would have raised NoEmbedderError
        return Embedding(vectors, embedder.fingerprint, version.record.number)

    async def _vectors(self, call: Call, version: OpenVersion, queries: Queries) -> Vectors:
        """The vectors of queries, float32 (n, d), prepared for the version's metric."""
        if queries.kind is Kind.VECTOR:
            assert queries.vectors is not None
            return _checked(queries.vectors, version.record)
        strings = queries.strings
        if queries.kind is Kind.ID:
            return await self._run(call, self._searchers, lambda: _stored(version, strings))
        if version.record.embedder is None:
            raise NoEmbedderError(version.record.collection)
        return await self._run(
            call, self._embedders, lambda: prepare(version.open_embedder().embed(strings), version.record.metric)
        )

    async def _mixed(self, call: Call, version: OpenVersion, queries: Sequence[Query]) -> Vectors:
        """The vectors of queries of any kinds, in order."""
        vectors = np.empty((len(queries), version.record.dimension), dtype=np.float32)
        for kind in Kind:
            if places := [i for i, query in enumerate(queries) if query.kind is kind]:
                if kind is Kind.VECTOR:
                    given = [queries[i].vector for i in places]
                    vectors[places] = [_checked(v[None], version.record)[0] for v in given if v is not None]
                else:
                    strings = [queries[i].string for i in places]
                    vectors[places] = await self._vectors(call, version, Queries(kind, strings))
        return vectors

    async def _find(
        self,
        call: Call,
        version: OpenVersion,
        search: Search,
        vectors: Vectors,
        left_out: Sequence[frozenset[int]] | None,
    ) -> Answer:
        self._check_answer_size(len(vectors), search, version.record.dimension)
        chosen = self._plan(version, search.wish, search.k)
        # So many more are fetched that k remain when those left out are dropped.
        extra = max(map(len, left_out)) if left_out else 0
        parts = await asyncio.gather(
            *(
                self._run(
                    call,
                    self._searchers,
                    partial(
                        _search_chunk,
                        version,
                        vectors[begin : begin + _CHUNK_QUERIES],
                        search,
                        extra,
                        chosen,
                        left_out and left_out[begin : begin + _CHUNK_QUERIES],
                    ),
                )
                for begin in range(0, len(vectors), _CHUNK_QUERIES)
            )
        )
        return Answer(
            counts=[count for part in parts for count in part.counts],
            ids=[item_id for part in parts for item_id in part.ids],
            scores=np.concatenate([part.scores for part in parts]),
            texts=[text for part in parts for text in part.texts] if search.include_texts else None,
            vectors=np.concatenate([part.vectors for part in parts]) if search.include_vectors else None,
            version=version.record.number,
            predicted_recall=chosen.predicted_recall,
        )

    def _check_answer_size(self, queries: int, search: Search, dimension: int) -> None:
        size = queries * search.k * dimension * 4
        if search.include_vectors and size > self.answer_bytes_max:
            raise InvalidArgumentError(
                "include_vectors",
                f"the vectors of {queries} × {search.k} hits are {size >> 20} MiB; the limit is "
                f"{self.answer_bytes_max >> 20} MiB: ask for fewer at once",
            )

    def _plan(self, version: OpenVersion, wish: Wish, k: int) -> Plan:
        """Requests of one kind come by the thousand, so a version keeps what was planned for them."""
        key = (wish, k)
        chosen = version.plans.get(key)
        if chosen is None:
            segment = version.segment
            chosen = plan(wish, k, segment.index.spec, segment.manifest.calibration, self.default_recall)
            if len(version.plans) >= _PLANS_MAX:
                version.plans.clear()
            version.plans[key] = chosen
        return chosen

    async def _run(self, call: Call, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        def unless_too_late() -> T:
            call.check()
            return work()

        return await asyncio.get_running_loop().run_in_executor(pool, unless_too_late)


@dataclass(frozen=True, slots=True)
class _Part:
    """The hits of one chunk of queries, laid out as in `Answer`; texts and vectors are empty if not asked for."""

    counts: list[int]
    ids: list[str]
    scores: NDArray[np.float32]
    texts: list[str]
    vectors: Vectors


def _search_chunk(
    version: OpenVersion,
    vectors: Vectors,
    search: Search,
    extra: int,
    chosen: Plan,
    left_out: Sequence[frozenset[int]] | None,
) -> _Part:
    """Search, drop what is left out and the -1 of a small collection, and look up what the hits contain."""
    segment = version.segment
    scores, rows = segment.index.search(vectors, min(search.k + extra, segment.rows), chosen.effort)
    keep = rows >= 0
    if left_out is not None:
        for line, without in enumerate(left_out):
            keep[line] &= ~np.isin(rows[line], list(without))
    keep &= np.cumsum(keep, axis=1) <= search.k
    found = rows[keep]
    return _Part(
        counts=keep.sum(axis=1).tolist(),
        ids=segment.ids(found),
        scores=scores[keep],
        texts=segment.texts(found) if search.include_texts else [],
        vectors=np.asarray(segment.vectors[found]) if search.include_vectors else segment.vectors[:0],
    )


def _checked(vectors: Vectors, record: VersionRecord) -> Vectors:
    """Vectors that came with a request, prepared."""
    if vectors.shape[1] != record.dimension:
        raise InvalidArgumentError(
            "vector", f"has dimension {vectors.shape[1]}; collection {record.collection!r} has {record.dimension}"
        )
    try:
        return prepare(vectors, record.metric)
    except VectorError as error:
        raise InvalidArgumentError("vector", f"query {error.row} {error.fault}") from error


def _stored(version: OpenVersion, ids: Sequence[str]) -> Vectors:
    """The stored vectors of items, float32 (n, d)."""
    rows = version.segment.find_rows(ids)
    if (missing := np.flatnonzero(rows < 0)).size:
        item_id = ids[int(missing[0])]
        raise ItemNotFoundError(version.record.collection, item_id, version.segment.near_spellings(item_id))
    return np.asarray(version.segment.vectors[rows])


def _rows_of_terms(version: OpenVersion, queries: Sequence[Query]) -> frozenset[int]:
    """Rows of the items that are terms: by id, or by a text that is the id of an item."""
    ids = [query.string for query in queries if query.kind is not Kind.VECTOR]
    texts = [query.string for query in queries if query.kind is Kind.TEXT]
    if texts:
        ids += map(version.open_embedder().canonical, texts)
    return frozenset(row for row in version.segment.find_rows(ids).tolist() if row >= 0)
