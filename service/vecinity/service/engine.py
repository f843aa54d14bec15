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
    """

    def __init__(self, store: Store, *, threads: int = 0, default_recall: float = 0.95) -> None:
        self.store = store
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
                of_kind = [queries[i] for i in places]
                given = np.stack([q.vector for q in of_kind if q.vector is not None]) if kind is Kind.VECTOR else None
                vectors[places] = await self._vectors(
                    call, version, Queries(kind, [query.string for query in of_kind], given)
                )
        return vectors

    async def _find(
        self,
        call: Call,
        version: OpenVersion,
        search: Search,
        vectors: Vectors,
        left_out: Sequence[frozenset[int]] | None,
    ) -> Answer:
        chosen = self._plan(version, search.wish, search.k)
        # So many more are fetched that k remain when those left out are dropped.
        extra = max(map(len, left_out)) if left_out else 0
        async with asyncio.TaskGroup() as group:
            chunks = [
                group.create_task(
                    self._run(
                        call,
                        self._searchers,
                        partial(
                            _search_chunk,
                            version,
                            vectors[begin : begin + _CHUNK_QUERIES],
                            search.k,
                            extra,
                            chosen,
                            left_out and left_out[begin : begin + _CHUNK_QUERIES],
                        ),
                    )
                )
                for begin in range(0, len(vectors), _CHUNK_QUERIES)
            ]
        found = [chunk.result() for chunk in chunks]
        rows = [line for lines, _ in found for line in lines]
        flat = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
        scores = np.concatenate([line for _, lines in found for line in lines])
        ids, texts, hit_vectors = await self._run(call, self._searchers, lambda: _contents(version, flat, search))
        return Answer(
            counts=[len(line) for line in rows],
            ids=ids,
            scores=scores,
            texts=texts,
            vectors=hit_vectors,
            version=version.record.number,
            predicted_recall=chosen.predicted_recall,
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


Lines = list[NDArray[np.int64]]
ScoreLines = list[NDArray[np.float32]]


def _search_chunk(
    version: OpenVersion,
    vectors: Vectors,
    k: int,
    extra: int,
    chosen: Plan,
    left_out: Sequence[frozenset[int]] | None,
) -> tuple[Lines, ScoreLines]:
    """Rows and scores of each query's hits, without those left out and without the -1 of a small collection."""
    index = version.segment.index
    scores, rows = index.search(vectors, min(k + extra, len(index.vectors)), chosen.effort)
    lines: Lines = []
    score_lines: ScoreLines = []
    for i in range(len(vectors)):
        keep = rows[i] >= 0
        if left_out is not None and left_out[i]:
            keep &= ~np.isin(rows[i], list(left_out[i]))
        lines.append(rows[i][keep][:k])
        score_lines.append(scores[i][keep][:k])
    return lines, score_lines


def _contents(
    version: OpenVersion, rows: NDArray[np.int64], search: Search
) -> tuple[list[str], list[str] | None, Vectors | None]:
    segment = version.segment
    return (
        segment.ids(rows),
        segment.texts(rows) if search.include_texts else None,
        np.asarray(segment.vectors[rows]) if search.include_vectors else None,
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
