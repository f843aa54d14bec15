"""What a build tells of the version it published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecinity.cli.output import print_json, print_report
from vecinity.cli.tournament import as_json_value, print_tournament, row_of

if TYPE_CHECKING:
    from vecinity.indexer.build import BuildReport


_SHOWN_AS = {"recall_at_10_reached": "recall at 10, at most"}
"""What a name of the summary does not say to people: searches reach so much if they spend as much as they can."""


def show(report: BuildReport, as_json: bool) -> None:
    rows = [row_of(e.spec.description, e, e.effort) for e in report.tournament.entries] if report.tournament else []
    summary = _summary(report)
    if as_json:
        print_json({**summary, "tournament": as_json_value(rows, report.tournament)})
        return
    if report.tournament is not None:
        print_tournament(rows, report.tournament.reason)
    print_report("published", {_SHOWN_AS.get(name, name): value for name, value in summary.items()})


def _summary(report: BuildReport) -> dict[str, object]:
    """What was published, for people and machines."""
    version = report.version
    return {
        "collection": version.collection,
        "version": version.number,
        "items": version.item_count,
        "dimension": version.dimension,
        "metric": version.metric.value,
        "embedder": version.embedder.kind if version.embedder else None,
        "index": report.spec.description,
        # None: the index is flat, so every answer is exact.
        "recall_at_10_reached": round(report.calibration.best_recall(10), 4) if report.calibration.points else None,
    }
