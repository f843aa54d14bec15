"""What a tournament measured and decided, as the segment keeps it and `vecinity collections` shows it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from vecinity.indexer.ann import Effort, IndexSpec


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate, in the last round that it took part in.

    Attributes:
        spec: Settings for the whole collection; a round uses as many lists as fit its rows.
        rows: Rows of the sample; 0 if the candidate was not measured.
        effort: The cheapest that reached the target on the sample.
        recall: Of that effort there; 0 if no effort reached the target.
        single_us: Processor time of a query asked alone, one thread, in microseconds, as expected of all rows.
        batch_us: The same of a query in a batch of 64.
        build_seconds: Training and adding, as expected of all rows.
        index_bytes: Of the index file of all rows, without the vectors.
        excluded: Why it can't win, in a few words; empty if it can.
    """

    spec: IndexSpec
    rows: int = 0
    effort: Effort = Effort()  # noqa: RUF009
    recall: float = 0.0
    single_us: float = 0.0
    batch_us: float = 0.0
    build_seconds: float = 0.0
    index_bytes: int = 0
    excluded: str = ""

    @property
    def query_us(self) -> float:
        """What decides: the geometric mean of a query alone and one in a batch."""
        return math.sqrt(self.single_us * self.batch_us)


@dataclass(frozen=True, slots=True)
class TournamentReport:
    """The table, best candidate first, and why the first is that.

    Attributes:
        reason: One sentence.
        seconds: What the tournament took.
    """

    entries: tuple[Entry, ...]
    reason: str
    seconds: float
    target_recall: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TournamentReport:
        entries = tuple(
            Entry(**{**e, "spec": IndexSpec.from_json(e["spec"]), "effort": Effort(**e["effort"])})
            for e in value["entries"]
        )
        return cls(entries, str(value["reason"]), float(value["seconds"]), float(value["target_recall"]))
