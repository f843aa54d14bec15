"""``vecinity collections``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vecinity.cli.output import print_json, print_table

if TYPE_CHECKING:
    from vecinity.client import CalibrationPoint

from vecinity.cli.query.options import AsJson, DataDir, Target, Timeout, open_client
from vecinity.cli.tournament import print_tournament, row_of

_SHOWN_K = (1, 10, 100)
_SHOWN_RECALLS = (0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def collections(
    name: Annotated[str | None, typer.Argument(help="Only this one, with what its calibration measured.")] = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """What collections there are."""
    from dataclasses import asdict

    with open_client(target, data_dir, timeout) as client:
        found = list(client.list_collections()) if name is None else [client.get_collection(name)]
    if as_json:
        values = [{**asdict(c), "publish_time": c.publish_time.isoformat()} for c in found]
        print_json(values if name is None else values[0])
        return
    print_table(
        ("name", "metric", "embedder", "index", "version", "items", "dimension"),
        [
            (
                c.name,
                c.metric.value,
                c.embedder.kind if c.embedder else "none",
                c.index.description,
                str(c.version),
                f"{c.item_count:,}",
                str(c.dimension),
            )
            for c in found
        ],
        numeric=3,
    )
    if name is not None and found[0].attributes:
        print_table(("attribute", "type"), [(n, kind.value) for n, kind in found[0].attributes.items()])
    if name is not None and (tournament := found[0].index.tournament) is not None:
        rows = [row_of(entry.description, entry, entry.effort) for entry in tournament.entries]
        print_tournament(rows, tournament.reason)
    if name is not None and found[0].index.calibration:
        print_table(
            ("measured with", "k", "nprobe", "ef_search", "k_factor", "recall", "at least", "µs a query"),
            [
                (
                    p.source.value if p.source else "-",
                    str(p.k),
                    *(str(number or "-") for number in p.effort),
                    f"{p.recall:.4f}",
                    f"{p.recall_lower_bound:.4f}",
                    f"{p.query_us:.0f}",
                )
                for p in _worth_showing(found[0].index.calibration)
            ],
            title="recall against cost, as the build measured it (--json shows every point)",
            numeric=8,
        )


def _worth_showing(points: Sequence[CalibrationPoint]) -> list[CalibrationPoint]:
    """For each source and shown k, the cheapest point that surely reaches each of some round recalls, and the best."""
    kept: list[CalibrationPoint] = []
    groups: dict[tuple[str, int], list[CalibrationPoint]] = {}
    for point in points:
        if point.k in _SHOWN_K:
            groups.setdefault((str(point.source), point.k), []).append(point)
    for group in groups.values():
        best = max(group, key=lambda p: p.recall_lower_bound)
        reaching = [[p for p in group if p.recall_lower_bound >= recall] for recall in _SHOWN_RECALLS]
        chosen = [min(reached, key=lambda p: p.query_us) for reached in reaching if reached]
        kept += dict.fromkeys([*chosen, best])
    return kept
