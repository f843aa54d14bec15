"""What commands print: tables for people, tab-separated lines for pipes, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer


def print_json(value: Any) -> None:
    """One JSON document on standard output, UTF-8, one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def print_report(title: str, report: Mapping[str, object]) -> None:
    """What was done, a line each; what is None or empty is left out."""
    rows = [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in report.items()
        if value not in (None, "")
    ]
    print_table((title, ""), rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", numeric: int = 0) -> None:
    """A table on a terminal; elsewhere a line of names and a line for each row, with tabs between.

    Args:
        numeric: So many of the last columns hold numbers, which stand at the right.
    """
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            typer.echo("\t".join(" ".join(cell.split()) for cell in row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(columns):
        right = position >= len(columns) - numeric
        table.add_column(column, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, emoji=False, highlight=False).print(table)
