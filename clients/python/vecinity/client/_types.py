"""What goes into a client and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Metric(StrEnum):
    """How closeness is measured; a score is higher for closer items under each."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"


class Text(str):
    """A text for the collection's embedder, where a plain string would be the id of an item."""

    __slots__ = ()


Query = str | Text | ArrayLike
"""The id of an item (a plain string), a `Text`, or a vector of the collection's dimension."""


class Term(NamedTuple):
    """A term of an analogy that weighs more or less than 1."""

    query: Query
    weight: float = 1.0


class Effort(NamedTuple):
    """How much a search spends, in the terms of its family of index; 0 for what the family does not have.

    Attributes:
        nprobe: ivf-flat, ivf-pq: lists to visit.
        ef_search: hnsw: candidates kept on the way through the graph.
        k_factor: ivf-pq: candidates re-ranked exactly, as a multiple of k (of 10 if k is smaller).
    """

    nprobe: int = 0
    ef_search: int = 0
    k_factor: int = 0


class Hit(NamedTuple):
    """One item found.

    Attributes:
        score: Higher is closer.
        text: None if it was not asked for.
        vector: float32 (d,); None if it was not asked for.
    """

    id: str
    score: float
    text: str | None = None
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class SearchResult(Sequence[Hit]):
    """The hits of one query, closest first: a sequence of `Hit`, and the same as columns.

    Attributes:
        ids: Of the items.
        scores: float32 (n,).
        texts: None if they were not asked for.
        vectors: float32 (n, d); None if they were not asked for.
        version: The number of the version that answered.
        predicted_recall: Share of the true nearest items that the search is expected to find; 1.0 if it was exact,
            None if the caller chose an effort that was not measured.
        few_items: Whether there are fewer than k hits because the collection has no more.
    """

    ids: Sequence[str]
    scores: NDArray[np.float32]
    texts: Sequence[str] | None
    vectors: NDArray[np.float32] | None
    version: int
    predicted_recall: float | None
    few_items: bool

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, position: int) -> Hit: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Hit]: ...
    def __getitem__(self, position: int | slice) -> Hit | Sequence[Hit]:
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        return Hit(
            self.ids[position],
            float(self.scores[position]),
            None if self.texts is None else self.texts[position],
            None if self.vectors is None else self.vectors[position],
        )

    def __iter__(self) -> Iterator[Hit]:
        return (self[position] for position in range(len(self)))


@dataclass(frozen=True, eq=False, slots=True)
class BatchSearchResult(Sequence[SearchResult]):
    """The results of many queries, in their order.

    Attributes:
        version: The number of the version that answered all of them.
        predicted_recall: As in `SearchResult`.
    """

    results: Sequence[SearchResult]
    version: int
    predicted_recall: float | None

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, position: int) -> SearchResult: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[SearchResult]: ...
    def __getitem__(self, position: int | slice) -> SearchResult | Sequence[SearchResult]:
        return self.results[position]


@dataclass(frozen=True, eq=False, slots=True)
class Embeddings:
    """Vectors of texts.

    Attributes:
        vectors: float32 (n, d), in the order of the texts; of length 1 under cosine.
        fingerprint: The same fingerprint gives the same vectors.
    """

    vectors: NDArray[np.float32]
    fingerprint: str
    version: int


@dataclass(frozen=True, slots=True)
class Embedder:
    """What turns texts into vectors: "word2vec" or "minilm", and the exact model."""

    kind: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """The recall that one effort reached on held-out queries."""

    k: int
    effort: Effort
    recall: float
    recall_lower_bound: float
    query_us: float


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a version: its family, its settings in FAISS's notation, and what was measured."""

    family: str
    description: str
    calibration: tuple[CalibrationPoint, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """A named vector space and its current version.

    Attributes:
        embedder: None if the collection was built from vectors.
    """

    name: str
    dimension: int
    metric: Metric
    version: int
    item_count: int
    publish_time: datetime
    embedder: Embedder | None
    index: Index
