"""How an answer was found, for people and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vecinity.client import Plan

Explain = Annotated[bool, typer.Option("--explain", help="Say how the items were found, and where the time went.")]


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """What JSON can hold; times in milliseconds."""
    effort = None if plan.effort is None else {name: value for name, value in plan.effort._asdict().items() if value}
    times = {name: round(seconds * 1e3, 3) for name, seconds in asdict(plan.times).items() if seconds}
    return {**asdict(plan), "effort": effort, "reasons": list(plan.reasons), "times": times}


def show_plan(plan: Plan) -> None:
    """On standard error: the hits alone are the output."""
    effort = {} if plan.effort is None else plan.effort._asdict()
    spent = ", ".join(f"{name} {value}" for name, value in effort.items() if value)
    lines = [
        ("index", plan.index),
        ("strategy", f"{plan.strategy}{': ' if spent else ''}{spent}"),
        ("target recall", "" if plan.target_recall is None else f"{plan.target_recall:g}"),
        ("predicted recall", _predicted(plan)),
        ("items", f"{plan.items:,}"),
        ("meet the filter", "" if plan.items_matching is None else f"{plan.items_matching:,}"),
        ("compared", f"{plan.items_scanned:,}" if plan.items_scanned else ""),
        ("texts remembered", f"{plan.texts_remembered:,}" if plan.texts_remembered else ""),
        *(("why", reason) for reason in plan.reasons),
        *((name, f"{seconds * 1e3:.3f} ms") for name, seconds in asdict(plan.times).items() if seconds),
    ]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        if value:
            typer.echo(f"{name:{width}}  {value}", err=True)


def _predicted(plan: Plan) -> str:
    if plan.predicted_recall is None:
        return "not measured"
    measured = "" if plan.calibration_source is None else f", as measured with {plan.calibration_source}"
    return f"{plan.predicted_recall:.4f}{measured}"
