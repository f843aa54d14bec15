"""What commands print: tables for people, tab-separated lines for pipes, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

_NAME_WIDTH_MIN = 32
_TEXT_WIDTH_MIN = 12
"""Columns that names, and other texts, keep on a narrow terminal as far as they need them; then they are folded."""


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

    On a narrow terminal texts are folded. Numbers are never cut, nor are short names, which the first column holds:
    the table is rather wider than the terminal.

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
    terminal = Console()
    between = 3 * len(columns)  # a space on each side of a column, and one between two
    widths = _widths(columns, rows, numeric, terminal.width - between)
    for position, (column, width) in enumerate(zip(columns, widths, strict=True)):
        right = position >= len(columns) - numeric
        table.add_column(column, justify="right" if right else "left", width=width, overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = max(terminal.width, sum(widths) + between)
    Console(width=width, height=terminal.height, markup=False, emoji=False, highlight=False).print(table)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: int, available: int) -> list[int]:
    """How wide each column is: as it needs, or where there is no room for all, the widest folded first."""
    from rich.cells import cell_len

    widths, least = [], []
    for position, head in enumerate(columns):
        cells = max((cell_len(line) for row in rows for line in row[position].splitlines()), default=0)
        room = cells
        if position < len(columns) - numeric:
            room = min(cells, _TEXT_WIDTH_MIN if position else _NAME_WIDTH_MIN)
        least.append(max(room, *map(cell_len, ("", *head.split()))))
        widths.append(max(cells, cell_len(head)))
    widths = [max(low, min(width, available)) for width, low in zip(widths, least, strict=True)]
    while sum(widths) > available:
        foldable = [position for position, width in enumerate(widths) if width > least[position]]
        if not foldable:
            break
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return widths
