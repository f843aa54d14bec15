"""The tables of ``vecinity evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vecinity.cli.evaluate.report import CORRELATIONS
from vecinity.cli.output import print_table

_MEASURES = {
    "mean_cosine": "mean cosine of two words",
    "hubness": "hubness (skewness of 10-occurrence)",
    "beyond_chance": "words with a neighbour nearer than chance",
}


def print_report(report: dict[str, Any]) -> None:
    """The tables; with a baseline each figure has the baseline's and the difference beside it."""
    for method in report["analogies"] or ():
        _print_analogies(method, report, report["baseline"])
    if report["pairs"]:
        _print_pairs(report, report["baseline"])
    _print_vectors(report, report["baseline"])
    _print_neighbours(report)


def _print_analogies(method: str, report: dict[str, Any], baseline: dict[str, Any] | None) -> None:
    heads = ["analogies", "asked", "unknown", *_heads(method, baseline)]
    theirs = _lines(baseline["analogies"][method]) if baseline else None
    rows = [
        [
            *(line["section"], f"{line['asked']:,}", f"{line['unknown']:,}"),
            *_cells(".1%", line["accuracy"], theirs and theirs[i]["accuracy"]),
        ]
        for i, line in enumerate(_lines(report["analogies"][method]))
    ]
    print_table(heads, rows, title=f"analogies solved by {method}", numeric=len(heads) - 1)


def _lines(solved: dict[str, Any]) -> list[dict[str, Any]]:
    return [*solved["sections"], solved["total"]]


def _print_pairs(report: dict[str, Any], baseline: dict[str, Any] | None) -> None:
    heads = ["word pairs", "figure", "pairs", "unknown", *_heads("value", baseline)]
    rows = [
        [
            *(Path(line["file"]).name, name, f"{line['pairs']:,}", f"{line['unknown']:,}"),
            *_cells(".4f", line[name], baseline and baseline["pairs"][i][name]),
        ]
        for i, line in enumerate(report["pairs"])
        for name in CORRELATIONS
    ]
    print_table(heads, rows, title="agreement with human judgement", numeric=len(heads) - 2)


def _print_vectors(report: dict[str, Any], baseline: dict[str, Any] | None) -> None:
    ours = report["vectors"]
    heads = ["vectors", *_heads("value", baseline)]
    rows = [
        [label, *_cells(".4f", ours[name], baseline and baseline["vectors"][name])] for name, label in _MEASURES.items()
    ]
    title = f"{ours['words']:,} words, {ours['dimension']:,} dimensions"
    print_table(heads, rows, title=title, numeric=len(heads) - 1)


def _print_neighbours(report: dict[str, Any]) -> None:
    rows = [
        [near["word"], f"{near['rank']:,}", ", ".join(f"{hit['word']} {hit['score']:.2f}" for hit in near["nearest"])]
        for near in report["neighbours"]
    ]
    print_table(("word", "rank", "nearest"), rows, title="nearest neighbours of words from frequent to rare")


def _heads(figure: str, baseline: dict[str, Any] | None) -> list[str]:
    return [figure, "baseline", "difference"] if baseline else [figure]


def _cells(form: str, ours: float, theirs: Any) -> list[str]:
    values = [format(ours, form)]
    if theirs is not None:
        values += [format(theirs, form), format(ours - theirs, "+" + form)]
    return ["-" if "nan" in value else value for value in values]
