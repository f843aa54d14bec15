"""How a tournament is shown: by the build that held it, and later of the collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from vecinity.cli.output import print_table


class TournamentRow(NamedTuple):
    """One candidate; times and sizes are those expected of all rows.

    Attributes:
        rows: Of the sample that it was measured on; 0 if it was not.
        effort: nprobe, ef_search, k_factor.
        excluded: Why it can't win; empty if it can.
    """

    description: str
    rows: int
    effort: tuple[int, int, int]
    recall: float
    single_us: float
    batch_us: float
    build_seconds: float
    index_bytes: int
    excluded: str


class _Costs(Protocol):
    """What an entry of the indexer's and one of the client's have in common."""

    @property
    def rows(self) -> int: ...
    @property
    def recall(self) -> float: ...
    @property
    def single_us(self) -> float: ...
    @property
    def batch_us(self) -> float: ...
    @property
    def build_seconds(self) -> float: ...
    @property
    def index_bytes(self) -> int: ...
    @property
    def excluded(self) -> str: ...


class _Effort(Protocol):
    @property
    def nprobe(self) -> int: ...
    @property
    def ef_search(self) -> int: ...
    @property
    def k_factor(self) -> int: ...


class _Tournament(Protocol):
    @property
    def reason(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def target_recall(self) -> float: ...


def row_of(description: str, costs: _Costs, effort: _Effort) -> TournamentRow:
    """The line of one candidate."""
    return TournamentRow(
        description,
        costs.rows,
        (effort.nprobe, effort.ef_search, effort.k_factor),
        costs.recall,
        costs.single_us,
        costs.batch_us,
        costs.build_seconds,
        costs.index_bytes,
        costs.excluded,
    )


def print_tournament(rows: Sequence[TournamentRow], reason: str) -> None:
    """The table, best candidate first, and the sentence."""
    print_table(
        ("index", "", "effort", "rows", "µs alone", "µs batch", "build s", "MB"),
        [
            (
                row.description,
                row.excluded,
                _effort(row.effort),
                f"{row.rows:,}" if row.rows else "-",
                f"{row.single_us:.0f}" if row.recall else "-",
                f"{row.batch_us:.0f}" if row.recall else "-",
                f"{row.build_seconds:.1f}" if row.recall else "-",
                f"{row.index_bytes / 1e6:.1f}",
            )
            for row in rows
        ],
        title="tournament: what each index is expected to cost at the target recall",
        numeric=5,
    )
    print_table(("why", reason), [])


def as_json_value(rows: Sequence[TournamentRow], tournament: _Tournament | None) -> dict[str, Any] | None:
    """All that was measured, and why the first won; None without a tournament."""
    if tournament is None:
        return None
    names = ("nprobe", "ef_search", "k_factor")
    return {
        "reason": tournament.reason,
        "seconds": tournament.seconds,
        "target_recall": tournament.target_recall,
        "entries": [{**row._asdict(), "effort": dict(zip(names, row.effort, strict=True))} for row in rows],
    }


def _effort(effort: tuple[int, int, int]) -> str:
    nprobe, ef_search, k_factor = effort
    parts = [f"nprobe {nprobe}" if nprobe else "", f"ef_search {ef_search}" if ef_search else ""]
    parts.append(f"k_factor {k_factor}" if k_factor else "")
    return ", ".join(part for part in parts if part) or "-"
