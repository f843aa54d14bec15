"""From queries to vectors: checks those that came with a request, looks up items, has texts read (`reading`).

A word or id that is not known becomes what the request's policy says (`UnknownWords`); where all are known, which is
nearly always, that costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows
from vecinity.indexer.catalog import VersionRecord
from vecinity.indexer.errors import ItemNotFoundError, UnknownWordError, VectorError
from vecinity.indexer.metric import Vectors, prepare
from vecinity.indexer.stored_vectors import as_float32
from vecinity.indexer.unknown_words import UnknownWord, UnknownWords
from vecinity.service.call import Call
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.examples import mean_of_examples
from vecinity.service.pools import Pools
from vecinity.service.query import Kind, Queries, Query
from vecinity.service.reading import Found, Reader, each_once
from vecinity.service.store import OpenVersion

_EXAMPLE_ROWS_MAX = 10_000_000
"""Queries × most examples of one: what it takes to say which items each leaves out."""

_STRINGS_AT_ONCE_MAX = 1_000
_IDS_AT_ONCE_MAX = 10
_NUMBERS_AT_ONCE_MAX = 100_000
_EXAMPLES_AT_ONCE_MAX = 10
"""What the event loop does itself, for some hundred microseconds at most; the threads do what is more."""

_Place = Callable[[int], str]
"""From the number of a query to where it stands in its request."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """n queries and the u vectors that they have: queries of the same string share one.

    Attributes:
        vectors: float32 (u, d), prepared for the version's metric; zero where it is not known.
        rows: int64 (u, r), the items that a vector is of, by id or by a text that is the id of an item; -1 is none.
        known: bool (u,); False where the policy left it out.
        which: int64 (n,), the vector of each query.
        unknown_words: What was done to each unknown word, and where in the request it stood.
    """

    vectors: Vectors
    rows: Rows
    known: NDArray[np.bool_]
    which: Rows
    unknown_words: Sequence[tuple[str, UnknownWord]] = ()

    def __len__(self) -> int:
        return len(self.which)

    def of_each(self) -> Vectors:
        """The vectors in the order of the queries, float32 (n, d)."""
        as_they_are = np.array_equal(self.which, np.arange(len(self.vectors)))
        return self.vectors if as_they_are else self.vectors[self.which]


class Resolver:
    """Gives queries their vectors.

    Args:
        embeddings_kept: Vectors of texts that are remembered; see `Reader`.
    """

    def __init__(self, pools: Pools, *, embeddings_kept: int) -> None:
        self._pools = pools
        self._reader = Reader(pools, kept=embeddings_kept)

    async def resolve(
        self,
        call: Call,
        version: OpenVersion,
        queries: Queries | Sequence[Query],
        unknown_words: UnknownWords = UnknownWords.ERROR,
    ) -> Resolved:
        """The vectors of queries, of one kind or of any.

        Raises:
            InvalidArgumentError: A vector is not one of this collection.
            ItemNotFoundError: There is no such item, and the policy has no answer to that.
            UnknownWordError: A text has no known word, and the policy has no answer to that.
            NoEmbedderError, NoSubwordsError: The collection can't make a vector of that.
        """
        if isinstance(queries, Queries):
            return await self._of_one_kind(call, version, queries, queries.place, unknown_words)
        given = await self._mixed(call, version, flattened(queries), unknown_words)
        if not any(query.examples for query in queries):
            return given
        large = len(given) > _EXAMPLES_AT_ONCE_MAX
        return await self._pools.search_if(large, call, lambda: _with_examples(given, queries, version.record))

    async def _mixed(
        self, call: Call, version: OpenVersion, queries: Sequence[Query], unknown_words: UnknownWords
    ) -> Resolved:
        parts, order = [], []
        for kind in Kind:
            if places := [place for place, query in enumerate(queries) if query.kind is kind]:
                given = [queries[place] for place in places]
                fields = [query.field for query in given]
                same = Queries(kind, [query.string for query in given], _stacked(given, version, kind))
                parts.append(await self._of_one_kind(call, version, same, fields.__getitem__, unknown_words))
                order += places
        return parts[0] if len(parts) == 1 else _joined(parts, order)

    async def vectors(self, call: Call, version: OpenVersion, queries: Queries) -> Vectors:
        """The vectors of queries, float32 (n, d), prepared for the version's metric; see `resolve`."""
        return (await self.resolve(call, version, queries)).of_each()

    async def _of_one_kind(
        self, call: Call, version: OpenVersion, queries: Queries, place: _Place, policy: UnknownWords
    ) -> Resolved:
        if queries.kind is Kind.VECTOR:
            assert queries.vectors is not None
            given = queries.vectors
            large = given.size > _NUMBERS_AT_ONCE_MAX
            vectors = await self._pools.search_if(large, call, lambda: _checked(given, version, place))
            rows = np.full((len(vectors), 1), -1, dtype=np.int64)
            return Resolved(vectors, rows, np.ones(len(vectors), dtype=bool), np.arange(len(vectors)))
        large = len(queries) > _STRINGS_AT_ONCE_MAX
        distinct, which = await self._pools.search_if(large, call, lambda: each_once(queries.strings))
        if queries.kind is Kind.ID:
            found = _known_items(version, distinct) if len(distinct) <= _IDS_AT_ONCE_MAX else None
            if found is None:
                found = await self._pools.search(call, lambda: _items(call, version, distinct, policy))
        else:
            found = await self._reader.read(call, version, distinct, policy)
        vectors, rows, known, met = found
        if not met:
            return Resolved(vectors, rows, known, which)
        unknown = await self._pools.search_if(large, call, lambda: _placed(which, met, place))
        return Resolved(vectors, rows, known, which, unknown)


def _placed(which: Rows, met: dict[int, list[UnknownWord]], place: _Place) -> list[tuple[str, UnknownWord]]:
    """What was done to unknown words, wherever in the request each stands."""
    return [(place(i), word) for i, number in enumerate(which.tolist()) for word in met.get(number, ())]


def _stacked(queries: Sequence[Query], version: OpenVersion, kind: Kind) -> Vectors | None:
    """Vectors of single queries as one matrix, float32 (n, d)."""
    if kind is not Kind.VECTOR:
        return None
    vectors = [query.vector for query in queries if query.vector is not None]
    for query, vector in zip(queries, vectors, strict=True):
        version.check_dimension(len(vector), query.field)
    return np.stack(vectors)


def _joined(parts: Sequence[Resolved], order: Sequence[int]) -> Resolved:
    """Queries of several kinds as one; `order` holds their places in the request, part after part."""
    begins = np.cumsum([0, *(len(part.vectors) for part in parts)])
    which = np.empty(len(order), dtype=np.int64)
    which[order] = np.concatenate([part.which + begin for part, begin in zip(parts, begins, strict=False)])
    rows = np.full((begins[-1], max(part.rows.shape[1] for part in parts)), -1, dtype=np.int64)
    for part, begin in zip(parts, begins, strict=False):
        rows[begin : begin + len(part.vectors), : part.rows.shape[1]] = part.rows
    return Resolved(
        np.concatenate([part.vectors for part in parts]),
        rows,
        np.concatenate([part.known for part in parts]),
        which,
        [unknown for part in parts for unknown in part.unknown_words],
    )


def flattened(queries: Sequence[Query]) -> list[Query]:
    """The queries, with examples in the place of those that are made of them."""
    return [
        given
        for query in queries
        for given in ([example for example, _ in query.examples] if query.examples else (query,))
    ]


def _with_examples(given: Resolved, queries: Sequence[Query], record: VersionRecord) -> Resolved:
    """The queries, some made of examples, from what `flattened` gives of them.

    An example that was left out plays no part; a query of which no wanted example is left is left out.
    """
    vectors = np.zeros((len(queries), record.dimension), dtype=np.float32)
    known = np.ones(len(queries), dtype=bool)
    width = given.rows.shape[1] * max(len(query.examples) or 1 for query in queries)
    if len(queries) * width > _EXAMPLE_ROWS_MAX:
        field = next(query.field for query in queries if query.examples)
        raise InvalidArgumentError(field, "has too many examples beside so many other queries: send fewer at once")
    rows = np.full((len(queries), width), -1, dtype=np.int64)
    begin = 0
    for place, query in enumerate(queries):
        part = given.which[begin : begin + (len(query.examples) or 1)]
        begin += len(part)
        found = given.rows[part].ravel()
        rows[place, : len(found)] = found
        weights = np.array([weight for _, weight in query.examples])[given.known[part]] if query.examples else None
        part = part[given.known[part]]
        known[place] = bool(len(part)) if weights is None else bool((weights > 0).any())
        if known[place]:
            members = given.vectors[part]
            vectors[place] = (
                members[0]
                if weights is None
                else mean_of_examples(members, weights.tolist(), record.metric, query.field)
            )
    return Resolved(vectors, rows, known, np.arange(len(queries)), given.unknown_words)


def _checked(vectors: Vectors, version: OpenVersion, place: _Place) -> Vectors:
    """Vectors that came with a request, prepared."""
    version.check_dimension(vectors.shape[1], place(0))
    try:
        return prepare(vectors, version.record.metric)
    except VectorError as error:
        raise InvalidArgumentError(place(error.row), error.fault) from error


def _known_items(version: OpenVersion, ids: Sequence[str]) -> Found | None:
    """What `_items` finds, if all are known; else None."""
    rows = version.segment.find_rows(ids)
    if (rows < 0).any():
        return None
    return as_float32(version.segment.vectors[rows]), rows[:, None], np.ones(len(ids), dtype=bool), {}


def _items(call: Call, version: OpenVersion, ids: Sequence[str], policy: UnknownWords) -> Found:
    """The stored vectors of items, float32 (u, d), and their rows, int64 (u, 1)."""
    segment = version.segment
    rows = segment.find_rows(ids)
    known = np.ones(len(ids), dtype=bool)
    missing = np.flatnonzero(rows < 0).tolist()
    if not missing:
        return as_float32(segment.vectors[rows]), rows[:, None], known, {}
    met: dict[int, list[UnknownWord]] = {}
    made: dict[int, Vectors] = {}
    for number in missing:
        call.check()  # a look for near spellings takes milliseconds
        item_id, replacement = ids[number], ""
        if policy is UnknownWords.SKIP:
            known[number] = False
        elif policy is UnknownWords.SUBWORD:
            made[number] = _by_subwords(version, item_id)
        else:
            near = segment.near_spellings(item_id)
            if policy is UnknownWords.ERROR or not near:
                raise ItemNotFoundError(version.record.collection, item_id, near)
            replacement = near[0]
            rows[number] = segment.find_rows([replacement])[0]
        met[number] = [UnknownWord(item_id, policy, replacement)]
    vectors = as_float32(segment.vectors[np.maximum(rows, 0)])
    vectors[rows < 0] = 0
    for number, vector in made.items():
        vectors[number] = vector
    return vectors, rows[:, None], known, met


def _by_subwords(version: OpenVersion, item_id: str) -> Vectors:
    """The vector, float32 (d,), that an embedder makes of a word it has not met."""
    try:
        vector = version.open_embedder().subword_vector(item_id)
    except UnknownWordError as error:
        near = version.segment.near_spellings(item_id)
        raise ItemNotFoundError(version.record.collection, item_id, near) from error
    prepared: Vectors = prepare(vector[None], version.record.metric)[0]
    return prepared
