"""``vecinity neighbours`` and ``vecinity duplicates``."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from vecinity.cli.exit_codes import CommandError
from vecinity.cli.progress import ProgressBars
from vecinity.cli.query.options import (
    CollectionName,
    DataDir,
    Exact,
    K,
    Target,
    TargetRecall,
    Version,
    check_effort,
    open_client,
)

_LOOKUP_SECONDS = 30.0
_TERMINAL_PAIRS = 100
_SHOWN_EVERY = 64

Out = Annotated[
    Path | None, typer.Option(help="File to write: .tsv or .jsonl.  [default: tab-separated lines on standard output]")
]
StreamTimeout = Annotated[float | None, typer.Option(help="Seconds for the whole.  [default: no limit]", min=0)]


def neighbours(
    collection: CollectionName,
    k: K = 10,
    out: Out = None,
    target_recall: TargetRecall = None,
    exact: Exact = False,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: StreamTimeout = None,
) -> None:
    """The items closest to each item: the k-nearest-neighbour graph.

    A .tsv file, or standard output, has a line for each item and neighbour; a .jsonl file an object for each item.
    """
    check_effort(target_recall, exact)
    written = _format_of(out)
    number = 0
    with open_client(target, data_dir, _LOOKUP_SECONDS) as client, ProgressBars() as bars:
        found = client.neighbours(
            collection, k=k, target_recall=target_recall, exact=exact, version=version, timeout=timeout
        )
        total = client.get_collection(collection).item_count if version is None else None
        with written(out, ("id", "neighbour", "score")) as write:
            for number, item in enumerate(found, 1):
                pairs = list(zip(item.ids, item.scores.tolist(), strict=True))
                write(
                    [(item.id, other, f"{score:.6g}") for other, score in pairs],
                    {"id": item.id, "neighbours": [{"id": other, "score": score} for other, score in pairs]},
                )
                if not number % _SHOWN_EVERY:
                    bars("neighbours", number, total, "items")
    if out is not None:
        with suppress(OSError):  # the file is complete, whether anybody hears of it or not
            typer.echo(f"The neighbours of {number:,} item{'' if number == 1 else 's'}.", err=True)


def duplicates(
    collection: CollectionName,
    min_score: Annotated[float, typer.Option(help="Pairs that score at least this, under the collection's metric.")],
    out: Out = None,
    limit: Annotated[
        int | None,
        typer.Option(help=f"The first so many pairs.  [default: {_TERMINAL_PAIRS} on a terminal, else all]", min=1),
    ] = None,
    target_recall: TargetRecall = None,
    exact: Exact = False,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: StreamTimeout = None,
) -> None:
    """All pairs of items that are nearly the same, each pair once."""
    check_effort(target_recall, exact)
    written = _format_of(out)
    if limit is None and out is None and sys.stdout.isatty():
        limit = _TERMINAL_PAIRS
    count, is_all = 0, True
    with open_client(target, data_dir, _LOOKUP_SECONDS) as client, ProgressBars() as bars:
        found: Any = client.duplicates(
            collection, min_score, target_recall=target_recall, exact=exact, version=version, timeout=timeout
        )
        with closing(found), written(out, ("left", "right", "score")) as write:
            for count, pair in enumerate(islice(found, limit), 1):
                write(
                    [(pair.left, pair.right, f"{pair.score:.6g}")],
                    {"left": pair.left, "right": pair.right, "score": pair.score},
                )
                if not count % _SHOWN_EVERY:
                    bars("duplicates", count, None, "pairs")
            is_all = count != limit or next(found, None) is None
    told = f"{count:,} pair{'' if count == 1 else 's'}"
    typer.echo(f"{told}." if is_all else f"The first {told}; there are more: raise --limit.", err=True)


Write = Callable[[Sequence[Sequence[str]], Any], None]
"""Takes the lines of a table that an answer is, and the same as a value for JSON."""


def _format_of(out: Path | None) -> Any:
    formats = {".tsv": _tab_separated, ".jsonl": _json_lines}
    suffix = ".tsv" if out is None else out.suffix.lower()
    if suffix not in formats:
        raise CommandError(f"--out {out}: the name must end in .tsv or .jsonl")
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise CommandError(f"--out {out}: " + ("is a folder" if out.is_dir() else f"there is no folder {out.parent}"))
    return formats[suffix]


@contextmanager
def _tab_separated(out: Path | None, columns: Sequence[str]) -> Iterator[Write]:
    with _opened(out) as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(columns)
        yield lambda lines, _: rows.writerows(lines)


@contextmanager
def _json_lines(out: Path | None, _: Sequence[str]) -> Iterator[Write]:
    with _opened(out) as file:
        yield lambda _, value: print(json.dumps(value, ensure_ascii=False), file=file)


@contextmanager
def _opened(out: Path | None) -> Iterator[Any]:
    """What is written, moved to its name when it is complete: a file of that name is never half an answer."""
    if out is None:
        yield sys.stdout
        return
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with partial.open("x", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(out)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk does not say of what
            error.filename = str(out)
        raise
