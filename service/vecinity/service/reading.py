"""From texts to vectors: by a model that computes them, or by one that looks words up.

A model that computes takes milliseconds for a text. So texts that calls ask for one by one are embedded together
(`batching`), many of one call a few at a time, so that others have their turn between, and vectors are remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows
from vecinity.indexer.errors import NoEmbedderError
from vecinity.indexer.metric import Vectors, prepare
from vecinity.indexer.unknown_words import UnknownWord, UnknownWords
from vecinity.service.batching import Batches
from vecinity.service.call import Call
from vecinity.service.embedders import SharedEmbedder
from vecinity.service.pools import Pools
from vecinity.service.store import OpenVersion
from vecinity.service.times import Part, Times, taking

_PIECE_TEXTS = 32
_PIECE_CHARS = 8_192
"""Of the texts of one call, so many are embedded before others have their turn: some tenths of a second."""

_AT_ONCE_MAX = 64
"""Texts whose vectors the event loop itself prepares and whose items it looks up."""

Found = tuple[Vectors, Rows, NDArray[np.bool_], dict[int, list[UnknownWord]]]
"""Vectors, rows of items, which are known, and what was done to unknown words, by the number of the query."""


class Reader:
    """Reads texts.

    Args:
        kept: Vectors that are remembered, of the texts asked for last; those that are looked up are not.
    """

    def __init__(self, pools: Pools, *, kept: int) -> None:
        self._pools = pools
        self._embedding: Batches[_Model, str, Vectors] = Batches(pools.embedders, _embed_together, Part.EMBED)
        self._lookups: Batches[_Lookup, str, Found] = Batches(pools.readers, _look_up_together, Part.EMBED)
        # Touched on the event loop only; by fingerprint and text. The vectors in it are read-only.
        self._kept: LRUCache[tuple[str, str], Vectors] = LRUCache(kept)

    async def read(self, call: Call, version: OpenVersion, texts: Sequence[str], policy: UnknownWords) -> Found:
        """The vectors of texts of which no two are equal, float32 (u, d), and the rows of items that a text is the id
        of, as it stands or as the embedder reads it; int64 (u, r).

        Raises:
            NoEmbedderError: The collection was built from vectors.
            UnknownWordError, NoSubwordsError: The policy has no answer for a text.
            MissingExtraError, CorruptError, EmbedderLostError: The embedder can't be had.
        """
        if version.embedder is None:
            raise NoEmbedderError(version.record.collection)
        if version.embedder.computes:
            vectors = await self._embedded(call, version.embedder, texts)
            return await self._pools.search_if(len(texts) > _AT_ONCE_MAX, call, lambda: _found(version, texts, vectors))
        if len(texts) == 1:
            return await self._lookups.do(call, _Lookup(version, policy), texts[0])
        return await self._pools.readers.run_for(call, lambda: _look_up(call.times, version, texts, policy))

    async def _embedded(self, call: Call, embedder: SharedEmbedder, texts: Sequence[str]) -> Sequence[Vectors]:
        """The vector of each text, float32 (d,)."""
        kept = {text: vector for text in texts if (vector := self._kept.get((embedder.fingerprint, text))) is not None}
        if call.times is not None:
            call.times.texts_remembered += len(kept)
        missing = [text for text in texts if text not in kept]
        if len(missing) == 1:
            made = [await self._embedding.do(call, _Model(embedder), missing[0])]
        else:
            made, missing = await self._in_pieces(call, embedder, missing)
        for text, vector in zip(missing, made, strict=True):
            kept[text] = vector
            self._keep(embedder, text, vector)
        return [kept[text] for text in texts]

    async def _in_pieces(
        self, call: Call, embedder: SharedEmbedder, texts: Sequence[str]
    ) -> tuple[list[Vectors], list[str]]:
        """The vectors of texts, and those texts, in another order."""
        vectors, order = list[Vectors](), list[str]()
        for piece in _pieces(texts):

            def embed(piece: Sequence[str] = piece) -> Vectors:
                with taking(call.times, Part.EMBED):
                    return embedder.open().embed(piece)

            vectors += list(await self._pools.embedders.run_for(call, embed))
            order += piece
        return vectors, order

    def _keep(self, embedder: SharedEmbedder, text: str, vector: Vectors) -> None:
        if self._kept.maxsize:
            copy = vector.copy()  # or it would keep the whole batch it is a row of
            copy.flags.writeable = False
            self._kept[embedder.fingerprint, text] = copy


def each_once(strings: Sequence[str]) -> tuple[list[str], Rows]:
    """The strings, each once, and the number among them of each string given, int64 (n,)."""
    number = {string: place for place, string in enumerate(dict.fromkeys(strings))}
    if len(number) == len(strings):
        return list(strings), np.arange(len(strings))
    return list(number), np.fromiter(map(number.__getitem__, strings), dtype=np.int64, count=len(strings))


def _pieces(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts, those of like length together, the shortest first."""
    piece, chars = list[str](), 0
    for text in sorted(texts, key=len):
        if piece and (len(piece) == _PIECE_TEXTS or chars + len(text) > _PIECE_CHARS):
            yield piece
            piece, chars = [], 0
        piece.append(text)
        chars += len(text)
    if piece:
        yield piece


def _found(version: OpenVersion, texts: Sequence[str], vectors: Sequence[Vectors]) -> Found:
    prepared = prepare(np.stack(vectors), version.record.metric)
    return prepared, version.segment.find_rows(texts)[:, None], np.ones(len(texts), dtype=bool), {}


class _Model(NamedTuple):
    """What texts have in common that can be embedded together (`batching.Together`)."""

    embedder: SharedEmbedder
    seconds_each: float = 1.0  # however short: the thread that embeds is the place for it
    batch_max: int = _PIECE_TEXTS


def _embed_together(model: _Model, texts: Sequence[str]) -> list[Vectors | Exception]:
    distinct, which = each_once(texts)
    vectors = model.embedder.open().embed(distinct)
    return [vectors[number] for number in which.tolist()]


class _Lookup(NamedTuple):
    """What texts have in common that can be looked up together (`batching.Together`)."""

    version: OpenVersion
    policy: UnknownWords
    seconds_each: float = 1.0  # a look for near spellings takes milliseconds
    batch_max: int = 64


def _look_up_together(lookup: _Lookup, texts: Sequence[str]) -> list[Found | Exception]:
    """What `_look_up` finds for single texts, for each by itself."""
    distinct, which = each_once(texts)
    try:
        vectors, rows, known, met = _look_up(None, lookup.version, distinct, lookup.policy)
    except Exception as error:
        if len(texts) == 1:
            return [error]
        return [found for text in texts for found in _look_up_together(lookup, [text])]
    return [(vectors[n, None], rows[n, None], known[n, None], {0: met[n]} if n in met else {}) for n in which.tolist()]


def _look_up(times: Times | None, version: OpenVersion, texts: Sequence[str], policy: UnknownWords) -> Found:
    with taking(times, Part.EMBED):
        reading = version.open_embedder().read(texts, policy)
    rows = np.stack([version.segment.find_rows(texts), version.segment.find_rows(reading.forms)], axis=1)
    if reading.known.all():
        return prepare(reading.vectors, version.record.metric), rows, reading.known, reading.unknown_words
    vectors = np.zeros_like(reading.vectors)
    vectors[reading.known] = prepare(reading.vectors[reading.known], version.record.metric)
    return vectors, rows, reading.known, reading.unknown_words
