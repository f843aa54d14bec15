"""``vecinity``: the commands, and what every one of them does about errors.

Imports nothing heavy: each command imports what it needs when it runs, so that ``vecinity --help`` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from vecinity.cli import convert, serve, train
from vecinity.cli.building import command as build
from vecinity.cli.demo import command as demo
from vecinity.cli.evaluate import command as evaluate
from vecinity.cli.exit_codes import ExitCode, exit_code_of
from vecinity.cli.naming import Typed
from vecinity.cli.query import analogy, collections, graph, search, similarity

NO_SERVER = ": start one with 'vecinity serve', name another with --target, or ask files with --data-dir"

app = typer.Typer(
    name="vecinity",
    help="Vector similarity search: build collections from texts or vectors, serve them, ask them.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("build")(build.build)
app.command("train")(train.train)
app.command("convert")(convert.convert)
app.command("evaluate")(evaluate.evaluate)
app.command("serve")(serve.serve)
app.command("search")(search.search)
app.command("analogy")(analogy.analogy)
app.command("similarity")(similarity.similarity)
app.command("odd-one-out")(similarity.odd_one_out)
app.command("neighbours")(graph.neighbours)
app.command("duplicates")(graph.duplicates)
app.command("collections")(collections.collections)
app.command("demo")(demo.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"vecinity {version('vecinity')}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done, 1 an error, 2 wrong usage, 3 not found, 4 no server, 5 too late, 130 interrupted."
)
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of all commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; errors become one line on standard error and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result = app(args=list(arguments) or ["--help"], prog_name="vecinity", standalone_mode=False)
        if result == ExitCode.INTERRUPTED:
            _complain("interrupted")
        return int(result or ExitCode.DONE)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        _complain(f"{error.format_message()} (see '{context.command_path if context else 'vecinity'} --help')")
        return ExitCode.USAGE
    except BrokenPipeError:
        # The reader of our output has seen enough, as in "vecinity … | head". What is left of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception as error:
        code = exit_code_of(error)
        if isinstance(error, UnicodeEncodeError):  # from an argument, the shell's bytes being what they are
            _complain("an argument is not UTF-8")
            return ExitCode.USAGE
        if code is None and isinstance(error, OSError):  # what a command reads or writes beside its data
            _complain(f"{error.filename or 'standard output'}: {error.strerror}")
            return ExitCode.ERROR
        if code is None:
            raise
        message = Typed.by(app, arguments).message(error) + (NO_SERVER if code is ExitCode.UNAVAILABLE else "")
        _complain(message, keep_lines=hasattr(error, "column"))  # a caret under a place means nothing on one line
        return code


def _complain(message: str, *, keep_lines: bool = False) -> None:
    typer.echo(f"vecinity: {message if keep_lines else ' '.join(message.split())}", err=True)


def run() -> None:
    """The installed ``vecinity`` script."""
    sys.exit(main())
