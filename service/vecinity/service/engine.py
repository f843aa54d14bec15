"""Answers in terms of the domain: vectors and strings in, ids and scores out. Knows no transport and no protobuf.

    resolve the query to vectors → plan → search in a thread, chunk by chunk → drop what is left out → ids

Work that takes longer than the hop to a thread is done there: FAISS frees the GIL. Before each chunk the call is
asked whether anybody still waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer import ann
from vecinity.indexer.ann import Rows
from vecinity.indexer.catalog import VersionRecord
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.errors import ItemNotFoundError, NoEmbedderError, VectorError
from vecinity.indexer.metric import Vectors, pair_scores, prepare
from vecinity.service.analogy import three_cos_add
from vecinity.service.call import Call
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.planner import ANY_EFFORT, Plan, Wish, plan
from vecinity.service.store import OpenVersion, Store

_CHUNK_QUERIES = 64
"""Queries between two looks at the deadline; also what one thread takes of a batch at a time."""

_CHUNK_PRODUCTS = 1_000_000_000
"""Multiplications in a chunk of an exact search: some hundred milliseconds."""

_PLANS_MAX = 1_024

T = TypeVar("T")


class Kind(Enum):
    """What a query is given as."""

    VECTOR = "vector"
    ID = "id"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Query:
    """One query: `vector` is float32 (d,) for `Kind.VECTOR`, `string` the id or text for the others.

    `field` is where it stands in its request, for errors.
    """

    kind: Kind
    field: str
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
        predicted_recall: What the plan expects; None if that was not measured.
    """

    counts: list[int]
    ids: list[str]
    scores: NDArray[np.float32]
    texts: list[str] | None
    vectors: Vectors | None
    version: int
    predicted_recall: float | None


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
        answer_bytes_max: How much the vectors, or the texts, of an answer may take.
    """

    def __init__(self, store: Store, *, threads: int, default_recall: float, answer_bytes_max: int) -> None:
        self.store = store
        self.answer_bytes_max = answer_bytes_max
        self.default_recall = default_recall
        self.threads = threads or available_cpus()
        # One OpenMP thread in each: the pool is the parallelism, two levels of it would fight over the cores.
        self._searchers = ThreadPoolExecutor(self.threads, "search", initializer=ann.set_threads, initargs=(1,))
        # A thread of their own: texts take milliseconds to embed, and vectors must not wait for them.
        self._embedders = ThreadPoolExecutor(1, "embed", initializer=ann.set_threads, initargs=(1,))

    def close(self) -> None:
        # Not waited for: a chunk or a model that is still under way is of use to nobody any more.
        self._searchers.shutdown(wait=False, cancel_futures=True)
        self._embedders.shutdown(wait=False, cancel_futures=True)

    async def search(self, call: Call, search: Search, queries: Queries) -> Answer:
        """The k closest items of each query. An item asked by its id is left out of its own hits."""
        version = await self.store.get(search.collection, search.version)
        if queries.kind is not Kind.ID:
            return await self._find(call, version, search, await self._vectors(call, version, queries))
        rows, vectors = await self._run(call, self._searchers, lambda: _stored(version, queries.strings))
        return await self._find(call, version, search, vectors, rows[:, None])

    async def solve_analogy(self, call: Call, search: Search, terms: Sequence[tuple[Query, float]]) -> Answer:
        """The k items closest to the weighted sum of the terms (3CosAdd), the terms themselves left out.

        Args:
            terms: Queries and their factors, negative for those subtracted.
        """
        version = await self.store.get(search.collection, search.version)
        queries = [query for query, _ in terms]
        vectors = await self._mixed(call, version, queries)
        query = three_cos_add(vectors, [weight for _, weight in terms], version.record.metric)
        rows = await self._run(call, self._searchers, lambda: _rows_of_terms(version, queries))
        return await self._find(call, version, search, query, rows[None])

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
        strings = queries.strings
        if queries.kind is Kind.VECTOR:
            assert queries.vectors is not None
            vectors = queries.vectors
            return _checked(vectors, version.record, lambda row: "query" if len(vectors) == 1 else f"queries[{row}]")
        if queries.kind is Kind.ID:
            return (await self._run(call, self._searchers, lambda: _stored(version, strings)))[1]
        if version.record.embedder is None:
            raise NoEmbedderError(version.record.collection)
        return await self._run(
            call, self._embedders, lambda: prepare(version.open_embedder().embed(strings), version.record.metric)
        )

    async def _mixed(self, call: Call, version: OpenVersion, queries: Sequence[Query]) -> Vectors:
        """The vectors of queries of any kinds, in order."""
        vectors = np.empty((len(queries), version.record.dimension), dtype=np.float32)
        for place, query in enumerate(queries):
            if query.vector is not None:
                vectors[place] = _checked(query.vector[None], version.record, [query.field].__getitem__)[0]
        for kind in (Kind.ID, Kind.TEXT):
            if places := [place for place, query in enumerate(queries) if query.kind is kind]:
                strings = [queries[place].string for place in places]
                vectors[places] = await self._vectors(call, version, Queries(kind, strings))
        return vectors

    async def _find(
        self, call: Call, version: OpenVersion, search: Search, vectors: Vectors, left_out: Rows | None = None
    ) -> Answer:
        """Search in threads, chunk by chunk.

        Args:
            vectors: float32 (n, d), prepared.
            left_out: int64 (n, e), rows that must not be among the hits of each query.
        """
        self._check_vectors_size(len(vectors), search, version.record.dimension)
        chosen = self._plan(version, search.wish, search.k)
        size = _chunk_queries(version, chosen)
        begins = iter(range(0, len(vectors), size))
        parts: dict[int, _Part] = {}

        async def take_chunks() -> None:
            # One chunk at a time for each thread: a large batch leaves turns to the calls that come after it.
            for begin in begins:
                chunk = slice(begin, begin + size)
                without = None if left_out is None else left_out[chunk]
                work = partial(_search_chunk, version, vectors[chunk], search, chosen, without)
                parts[begin] = await self._run(call, self._searchers, work)
                self._check_texts_size(parts.values())

        await asyncio.gather(*(take_chunks() for _ in range(min(self.threads, -(-len(vectors) // size)))))
        ordered = [parts[begin] for begin in sorted(parts)]
        return Answer(
            counts=[count for part in ordered for count in part.counts],
            ids=[item_id for part in ordered for item_id in part.ids],
            scores=np.concatenate([part.scores for part in ordered]),
            texts=[text for part in ordered for text in part.texts] if search.include_texts else None,
            vectors=np.concatenate([part.vectors for part in ordered]) if search.include_vectors else None,
            version=version.record.number,
            predicted_recall=chosen.predicted_recall,
        )

    def _check_vectors_size(self, queries: int, search: Search, dimension: int) -> None:
        size = queries * search.k * dimension * 4
        if search.include_vectors and size > self.answer_bytes_max:
            raise self._too_large("include_vectors", size)

    def _check_texts_size(self, parts: Iterable[_Part]) -> None:
        size = sum(part.text_chars for part in parts)
        if size > self.answer_bytes_max:
            raise self._too_large("k, include_texts", size)

    def _too_large(self, field: str, size: int) -> InvalidArgumentError:
        return InvalidArgumentError(
            field,
            f"would take over {size >> 20} MiB; the limit is {self.answer_bytes_max >> 20} MiB: ask for fewer at once",
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
    text_chars: int
    vectors: Vectors


def _chunk_queries(version: OpenVersion, chosen: Plan) -> int:
    """Queries that a thread takes at a time: fewer where each is compared with very many numbers."""
    if not chosen.effort.exact:
        return _CHUNK_QUERIES
    return max(1, min(_CHUNK_QUERIES, _CHUNK_PRODUCTS // max(version.segment.vectors.size, 1)))


def _search_chunk(version: OpenVersion, vectors: Vectors, search: Search, chosen: Plan, left_out: Rows | None) -> _Part:
    """Search, drop what is left out and the -1 of a small collection, and look up what the hits contain."""
    segment = version.segment
    # So many more are fetched that k remain when those left out are dropped.
    extra = 0 if left_out is None else left_out.shape[1]
    scores, rows = segment.index.search(vectors, min(search.k + extra, segment.rows), chosen.effort)
    keep = rows >= 0
    for column in range(extra):
        keep &= rows != left_out[:, column, None]  # type: ignore[index]  # not None where extra is above 0
    keep &= np.cumsum(keep, axis=1) <= search.k
    found = rows[keep]
    ids = segment.ids(found)
    texts = segment.texts(found) if search.include_texts else []
    return _Part(
        counts=keep.sum(axis=1).tolist(),
        ids=ids,
        scores=scores[keep],
        texts=texts,
        text_chars=sum(map(len, texts)) + sum(map(len, ids)),
        vectors=np.asarray(segment.vectors[found]) if search.include_vectors else segment.vectors[:0],
    )


def _checked(vectors: Vectors, record: VersionRecord, field: Callable[[int], str]) -> Vectors:
    """Vectors that came with a request, prepared; `field` names the place of one in the request."""
    if vectors.shape[1] != record.dimension:
        raise InvalidArgumentError(
            field(0), f"has dimension {vectors.shape[1]}; collection {record.collection!r} has {record.dimension}"
        )
    try:
        return prepare(vectors, record.metric)
    except VectorError as error:
        raise InvalidArgumentError(field(error.row), error.fault) from error


def _stored(version: OpenVersion, ids: Sequence[str]) -> tuple[Rows, Vectors]:
    """The rows of items, int64 (n,), and their stored vectors, float32 (n, d)."""
    rows = version.segment.find_rows(ids)
    if (missing := np.flatnonzero(rows < 0)).size:
        item_id = ids[int(missing[0])]
        raise ItemNotFoundError(version.record.collection, item_id, version.segment.near_spellings(item_id))
    return rows, np.asarray(version.segment.vectors[rows])


def _rows_of_terms(version: OpenVersion, queries: Sequence[Query]) -> Rows:
    """Rows of the items that are terms, by id or by a text that is the id of an item; int64 (e,), each once."""
    ids = [query.string for query in queries if query.kind is not Kind.VECTOR]
    texts = [query.string for query in queries if query.kind is Kind.TEXT]
    if texts:
        ids += map(version.open_embedder().canonical, texts)
    rows = np.unique(version.segment.find_rows(ids))
    return rows[rows >= 0]
