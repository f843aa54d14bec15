"""What a search answers, in terms of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.attributes import Value
from vecinity.indexer.metric import Vectors
from vecinity.indexer.stored_vectors import as_float32
from vecinity.indexer.unknown_words import UnknownWord
from vecinity.service.planner import Plan
from vecinity.service.query import Position, Search
from vecinity.service.store import OpenVersion
from vecinity.service.times import Times


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an answer was found.

    Attributes:
        index: In the notation of FAISS's index factory.
        items: In the version.
    """

    plan: Plan
    index: str
    items: int
    times: Times


@dataclass(slots=True)
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
        attributes: Parallel to ids, or None if not asked for.
        selected: Whether, where there are fewer than k hits, there are other items that do not meet the selection.
        following: Where the next page begins, if there is one.
        unknown_words: What was done to each unknown word, and where in the request it stood.
        explanation: How it was found, for a call that asks where its time goes.
    """

    counts: list[int]
    ids: list[str]
    scores: NDArray[np.float32]
    texts: list[str] | None
    vectors: Vectors | None
    version: int
    predicted_recall: float | None
    attributes: list[dict[str, Value]] | None = None
    selected: bool = False
    following: Position | None = None
    unknown_words: Sequence[tuple[str, UnknownWord]] = ()
    explanation: Explanation | None = None


def nothing_found(
    count: int, version: OpenVersion, search: Search, unknown_words: Sequence[tuple[str, UnknownWord]]
) -> Answer:
    """The answer to queries of which none could be asked."""
    return Answer(
        counts=[0] * count,
        ids=[],
        scores=np.empty(0, dtype=np.float32),
        texts=[] if search.include_texts else None,
        vectors=as_float32(version.segment.vectors[:0]) if search.include_vectors else None,
        version=version.record.number,
        predicted_recall=None,
        attributes=[] if search.include_attributes else None,
        unknown_words=unknown_words,
    )
