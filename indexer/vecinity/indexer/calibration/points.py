"""What a calibration says, and how it is written into a segment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from vecinity.indexer.ann import Effort


class CalibrationSource(StrEnum):
    """What the queries of a calibration were. The values are what segments store."""

    ITEMS = "items"
    """Items held out of the index while it was measured."""
    QUERIES = "queries"
    """Queries that the build was given, asked of the complete index."""


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """What one effort gives for one k.

    Attributes:
        recall: Mean over the queries of the share of the true k nearest that were found.
        recall_lower_bound: Lower end of the one-sided 95 % confidence interval of that mean (normal approximation).
        query_us: Processor time of one query in a batch, in microseconds, interpolated between timed searches.
        items_scanned: Rows compared with one query, by codes or exactly, on average; 0 if it was not counted.
    """

    k: int
    effort: Effort
    recall: float
    recall_lower_bound: float
    query_us: float
    source: CalibrationSource = CalibrationSource.ITEMS
    items_scanned: int = 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """All points of an index, for each source and k from cheap to costly; none for a flat one, which is exact.

    Attributes:
        queries: How many items were held out, or queries of `QUERIES` where those were all there was.
        exact_us: Processor time of comparing one query of a batch with every row, in microseconds; 0 if not measured.
        exact_single_us: The same of a query that comes alone: the rows are then read for it alone.
        given_queries: How many queries the build was given; 0 if none.
    """

    points: tuple[CalibrationPoint, ...] = ()
    queries: int = 0
    exact_us: float = 0.0
    exact_single_us: float = 0.0
    given_queries: int = 0

    @property
    def sources(self) -> tuple[CalibrationSource, ...]:
        """What there are points of."""
        return tuple(dict.fromkeys(point.source for point in self.points))

    def of(self, source: CalibrationSource, k: int) -> list[CalibrationPoint]:
        """The points of one source for a calibrated k, cheapest first."""
        return [point for point in self.points if point.source == source and point.k == k]

    def calibrated_k(self, source: CalibrationSource) -> list[int]:
        """Every k that was measured, ascending."""
        return sorted({point.k for point in self.points if point.source == source})

    def best_recall(self, k: int) -> float:
        """The highest recall measured for a calibrated k, by the source that finds least; 1 for a flat index."""
        best = (max((p.recall for p in self.of(source, k)), default=1.0) for source in self.sources)
        return min(best, default=1.0)

    def to_json(self) -> dict[str, Any]:
        """Efforts without their zeros: there are hundreds of points."""
        points = [
            {**asdict(point), "effort": {name: value for name, value in asdict(point.effort).items() if value}}
            for point in self.points
        ]
        return {**asdict(self), "points": points}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Calibration:
        """Read `to_json`'s document, or one written before there were sources."""
        points = tuple(
            CalibrationPoint(
                **{
                    **point,
                    "effort": Effort(**point["effort"]),
                    "source": CalibrationSource(point.get("source", CalibrationSource.ITEMS)),
                }
            )
            for point in value["points"]
        )
        return cls(**{**value, "points": points})
