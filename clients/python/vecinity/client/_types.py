"""What goes into a client and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vecinity.client.errors import InvalidArgumentError

if TYPE_CHECKING:
    from vecinity.client._plans import Plan


class Metric(StrEnum):
    """How closeness is measured; a score is higher for closer items under each."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    UNKNOWN = "unknown"
    """One that this client does not know: the server is newer."""


class AttributeType(StrEnum):
    """The type of an attribute."""

    BOOL = "bool"
    INT64 = "int64"
    DOUBLE = "double"
    STRING = "string"
    TIMESTAMP = "timestamp"
    STRING_LIST = "string-list"
    UNKNOWN = "unknown"
    """One that this client does not know: the server is newer."""


class Text(str):
    """A text for the collection's embedder, where a plain string would be the id of an item."""

    __slots__ = ()

    def __new__(cls, text: str = "") -> Text:
        if not isinstance(text, str):  # str() makes a string of anything
            raise InvalidArgumentError(f"a text is one string, not {text!r}")
        return super().__new__(cls, text)


Query = str | Text | ArrayLike
"""The id of an item (a plain string), a `Text`, or a vector of the collection's dimension."""


class Term(NamedTuple):
    """A term of an analogy, or an example, that weighs more or less than 1."""

    query: Query
    weight: float = 1.0


class AnalogyMethod(StrEnum):
    """How an analogy is solved: king - man + woman asks what is to woman (b) as king (a*) is to man (a).

    THREE_COS_ADD: the items closest to the weighted sum. Any number of terms, any metric.
    THREE_COS_MUL: the largest product of similarities (Levy and Goldberg 2014). Any number of terms, cosine only.
    PAIR_DIRECTION: the items whose difference from b points as that of a* from a. Two positives, a* and then b, and one
        negative, a; cosine only.
    THREE_COS_AVG: b plus the mean difference of example pairs. One positive, b, and `examples`.
    """

    THREE_COS_ADD = "3cosadd"
    THREE_COS_MUL = "3cosmul"
    PAIR_DIRECTION = "pair-direction"
    THREE_COS_AVG = "3cosavg"


class UnknownWords(StrEnum):
    """What becomes of an id, or a word of a text, that the collection does not know.

    ERROR: `NotFoundError`; of a text of several words only if none is known, the others are left out.
    SKIP: it is left out. A query, analogy or pair of a batch of which nothing is left has no hits, or the score NaN.
    SUBWORD: its vector is made of its character n-grams, where the embedder has such.
    NEAREST_SPELLING: the known word of the nearest spelling stands in.
    """

    ERROR = "error"
    SKIP = "skip"
    SUBWORD = "subword"
    NEAREST_SPELLING = "nearest-spelling"


class UnknownWord(NamedTuple):
    """What was done to a word that the collection did not know.

    Attributes:
        field: Where it stood in the request, such as ``positives[1].query``.
        action: None for one that this client does not know: the server is newer.
        replacement: What stood in for it, "" if nothing did.
    """

    field: str
    word: str
    action: UnknownWords | None
    replacement: str = ""


class Effort(NamedTuple):
    """How much a search spends, in the terms of its family of index; 0 for what the family does not have.

    Attributes:
        nprobe: ivf-…: lists to visit.
        ef_search: hnsw, hnsw-sq8, nsg: candidates kept on the way through the graph.
        k_factor: indexes of codes: candidates re-ranked exactly, as a multiple of k (of 10 if k is smaller).
    """

    nprobe: int = 0
    ef_search: int = 0
    k_factor: int = 0


AttributeValue = bool | int | float | str | datetime | list[str]
"""A value of an attribute; a point in time is of UTC."""


class Hit(NamedTuple):
    """One item found.

    Attributes:
        score: Higher is closer.
        text: None if it was not asked for.
        vector: float32 (d,); None if it was not asked for.
        attributes: By name, those that the item has; None if they were not asked for.
    """

    id: str
    score: float
    text: str | None = None
    vector: NDArray[np.float32] | None = None
    attributes: Mapping[str, AttributeValue] | None = None


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
        few_matches: Whether there are fewer than k hits because no more items meet the selection.
        next_page_token: With `min_score`: what `page_token` must be for the hits that follow; "" if there are none.
        attributes: By name, of each item; None if they were not asked for.
        unknown_words: What was done to each unknown word of the request; of a batch, see `BatchSearchResult`.
        plan: With `explain`: how the hits were found; None if it was not asked for.
    """

    ids: Sequence[str]
    scores: NDArray[np.float32]
    texts: Sequence[str] | None
    vectors: NDArray[np.float32] | None
    version: int
    predicted_recall: float | None
    few_items: bool
    few_matches: bool = False
    next_page_token: str = ""
    attributes: Sequence[Mapping[str, AttributeValue]] | None = None
    unknown_words: Sequence[UnknownWord] = ()
    plan: Plan | None = None

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
            None if self.attributes is None else self.attributes[position],
        )

    def __iter__(self) -> Iterator[Hit]:
        return (self[position] for position in range(len(self)))


@dataclass(frozen=True, eq=False, slots=True)
class BatchSearchResult(Sequence[SearchResult]):
    """The results of many queries, in their order.

    Attributes:
        version: The number of the version that answered all of them.
        predicted_recall: As in `SearchResult`.
        unknown_words: What was done to each unknown word of the request, and where it stood.
        plan: As in `SearchResult`.
    """

    results: Sequence[SearchResult]
    version: int
    predicted_recall: float | None
    unknown_words: Sequence[UnknownWord] = ()
    plan: Plan | None = None

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, position: int) -> SearchResult: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[SearchResult]: ...
    def __getitem__(self, position: int | slice) -> SearchResult | Sequence[SearchResult]:
        return self.results[position]


class Neighbours(NamedTuple):
    """The neighbours of one item.

    Attributes:
        ids: Of the neighbours, closest first.
        scores: float32 (n,), parallel to `ids`.
        version: The number of the version that answered.
    """

    id: str
    ids: Sequence[str]
    scores: NDArray[np.float32]
    version: int


class Duplicate(NamedTuple):
    """Two items that are nearly the same; `left` is the earlier one in the version."""

    left: str
    right: str
    score: float
    version: int


@dataclass(frozen=True, eq=False, slots=True)
class OddOneOut:
    """Which of several queries fits least.

    Attributes:
        position: Its place among them, from 0.
        query: The query at that place.
        scores: float32 (n,), the score of each with the mean of all; NaN for one that was left out.
    """

    position: int
    query: Query
    scores: NDArray[np.float32]
    version: int
    unknown_words: Sequence[UnknownWord] = ()


@dataclass(frozen=True, eq=False, slots=True)
class CloserItems:
    """The items closer to a query than another is.

    Attributes:
        rank: 1 + how many there are.
        hits: The closest of them.
    """

    rank: int
    hits: SearchResult


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


class CalibrationSource(StrEnum):
    """What the queries of a calibration were."""

    ITEMS = "items"
    """Items held out of the index while it was measured. Queries of another kind may find less."""
    QUERIES = "queries"
    """Queries that the build was given."""
    UNKNOWN = "unknown"
    """Something that this client does not know: the server is newer."""


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """The recall that one effort reached on held-out queries.

    Attributes:
        recall_lower_bound: Of the one-sided 95 % confidence interval.
        query_us: Of one query in a batch, on one thread.
    """

    k: int
    effort: Effort
    recall: float
    recall_lower_bound: float
    query_us: float
    source: CalibrationSource | None = CalibrationSource.ITEMS


@dataclass(frozen=True, slots=True)
class TournamentEntry:
    """An index that was tried on a sample before one was built; costs are those expected of all items.

    Attributes:
        rows: Items of the sample; 0 if it was not measured.
        effort: The cheapest that reached the target on the sample.
        recall: Of that effort there; 0 if no effort reached the target.
        single_us: Processor time of a query asked alone, in microseconds.
        batch_us: Processor time of a query in a batch of 64, in microseconds.
        index_bytes: Size without the vectors.
        excluded: Why it could not win; empty if it could.
    """

    description: str
    rows: int
    effort: Effort
    recall: float
    single_us: float
    batch_us: float
    build_seconds: float
    index_bytes: int
    excluded: str


@dataclass(frozen=True, slots=True)
class Tournament:
    """How an index was chosen: the candidates, best first, and why the first is that."""

    entries: tuple[TournamentEntry, ...]
    reason: str
    seconds: float
    target_recall: float


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a version: its family, its settings in FAISS's notation, and what was measured.

    Attributes:
        tournament: None if the family was given, or the collection is small enough to be scanned.
    """

    family: str
    description: str
    calibration: tuple[CalibrationPoint, ...]
    tournament: Tournament | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A named vector space and its current version.

    Attributes:
        embedder: None if the collection was built from vectors.
        attributes: Types of the attributes that items may have, by name.
    """

    name: str
    dimension: int
    metric: Metric
    version: int
    item_count: int
    publish_time: datetime
    embedder: Embedder | None
    index: Index
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)
