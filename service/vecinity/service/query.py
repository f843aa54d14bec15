"""What is asked, in terms of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.filters import Filter
from vecinity.indexer.metric import Vectors
from vecinity.indexer.unknown_words import UnknownWords
from vecinity.service.planner import ANY_EFFORT, Wish


class Kind(Enum):
    """What a query is given as."""

    VECTOR = "vector"
    ID = "id"
    TEXT = "text"
    EXAMPLES = "examples"


@dataclass(frozen=True, slots=True)
class Query:
    """One query: `vector` is float32 (d,) for `Kind.VECTOR`, `string` the id or text for the others.

    `field` is where it stands in its request, for errors. For `Kind.EXAMPLES`, `examples` are queries of other kinds
    and their weights, negative for what is not wanted.
    """

    kind: Kind
    field: str
    string: str = ""
    vector: NDArray[np.float32] | None = None
    examples: Sequence[tuple[Query, float]] = ()


@dataclass(frozen=True, slots=True)
class Queries:
    """Many queries of one kind: `vectors` is float32 (n, d) for `Kind.VECTOR`, `strings` for the others.

    `field` is where they stand in their request, for errors.
    """

    kind: Kind
    strings: Sequence[str] = ()
    vectors: Vectors | None = None
    field: str = "queries"

    def __len__(self) -> int:
        return len(self.strings) if self.vectors is None else len(self.vectors)

    def place(self, number: int) -> str:
        """Where one of them stands."""
        return self.field if self.field == "query" else f"{self.field}[{number}]"


@dataclass(frozen=True, slots=True)
class Grouping:
    """At most `hits_per_group` hits of each value of an attribute; items without it are a group of their own."""

    attribute: str
    hits_per_group: int = 1


DIVERSE_CANDIDATES_MAX = 10_000
"""Candidates of a diverse search that does not say how many."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """Hits that differ from each other; see `selecting.most_diverse`. 0 candidates means ten for each hit."""

    relevance: float = 0.5
    candidates: int = 0

    def candidates_for(self, k: int) -> int:
        """How many candidates k hits are chosen from."""
        return self.candidates or max(k, min(10 * k, DIVERSE_CANDIDATES_MAX))


@dataclass(frozen=True, slots=True)
class Position:
    """How far the pages of a search have come.

    Attributes:
        hits: Given so far.
        score: Of the last of them.
        row: Of the last of them; of hits that score the same, those of lower rows come first.
    """

    hits: int
    score: float
    row: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the close items become hits; by default the k closest of all.

    Attributes:
        filter: Only items that meet it.
        min_score: Only items that score at least this.
        farthest: The k items that score lowest instead, lowest first. Not with the fields above but the filter.
    """

    filter: Filter | None = None
    min_score: float | None = None
    grouping: Grouping | None = None
    diversity: Diversity | None = None
    farthest: bool = False


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Search:
    """What a search wants beside its queries.

    Attributes:
        pages: Whether the answer says where the next hits begin; for one query.
        after: Only hits that come after this; with `pages`.
    """

    collection: str
    k: int
    version: int = 0
    wish: Wish = ANY_EFFORT
    include_texts: bool = False
    include_vectors: bool = False
    include_attributes: bool = False
    selection: Selection = EVERYTHING
    pages: bool = False
    after: Position | None = None
    unknown_words: UnknownWords = UnknownWords.ERROR
