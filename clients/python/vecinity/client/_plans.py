"""How an answer was found, for those who ask."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vecinity.client._types import CalibrationSource, Effort


class Strategy(StrEnum):
    """How items are found."""

    INDEX = "index"
    """Through the index."""
    EXACT = "exact"
    """By comparing with every item."""
    EXACT_MATCHES = "exact-matches"
    """By comparing with every item that meets the filter."""
    INDEX_FILTERED = "index-filtered"
    """Through the index, which passes over items that do not meet the filter."""
    OVER_FETCH = "over-fetch"
    """Through the index, more hits than asked for, of which those that meet the filter are kept."""
    UNKNOWN = "unknown"
    """In a way that this client does not know: the server is newer."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that the server spent, by the clock, summed over its threads; 0 for what did not happen.

    Attributes:
        queue: Waiting for a thread.
        embed: Turning texts into vectors.
        filter: Finding the items that meet the filter.
        search: Searching, the exact re-rank included.
        lookup: Looking up ids, texts, attributes and vectors of the hits.
    """

    queue: float = 0.0
    embed: float = 0.0
    filter: float = 0.0
    search: float = 0.0
    lookup: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How an answer was found.

    Attributes:
        index: In the notation of FAISS's index factory.
        effort: What was spent; None where the strategy is exact.
        target_recall: What was asked for; None for `exact` and for an effort of the caller's.
        predicted_recall: As in `SearchResult`.
        calibration_source: What the prediction rests on; None if on no calibration.
        items: In the version.
        items_matching: That meet the filter; None without one.
        items_scanned: Compared with one query, as expected of the effort.
        reasons: Why this plan, a sentence each.
        texts_remembered: Texts whose vectors were remembered from an earlier request.
    """

    index: str
    strategy: Strategy
    effort: Effort | None
    target_recall: float | None
    predicted_recall: float | None
    calibration_source: CalibrationSource | None
    items: int
    items_matching: int | None
    items_scanned: int
    reasons: tuple[str, ...]
    times: Times
    texts_remembered: int = 0
