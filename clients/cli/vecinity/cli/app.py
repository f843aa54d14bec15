"""``vecinity``: the commands, and what every one of them does about errors.

Imports nothing heavy: of the commands only the one that is asked for, which imports what it needs when it runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from vecinity.cli.exit_codes import ExitCode, exit_code_of
from vecinity.cli.naming import Typed

_STDOUT = 1
NO_SERVER = ": start one with 'vecinity serve', name another with --target, or ask files with --data-dir"

_COMMANDS = {
    "build": "vecinity.cli.building.command:build",
    "train": "vecinity.cli.train:train",
    "convert": "vecinity.cli.convert:convert",
    "evaluate": "vecinity.cli.evaluate.command:evaluate",
    "serve": "vecinity.cli.serve:serve",
    "search": "vecinity.cli.query.search:search",
    "analogy": "vecinity.cli.query.analogy:analogy",
    "similarity": "vecinity.cli.query.similarity:similarity",
    "odd-one-out": "vecinity.cli.query.similarity:odd_one_out",
    "neighbours": "vecinity.cli.query.graph:neighbours",
    "duplicates": "vecinity.cli.query.graph:duplicates",
    "collections": "vecinity.cli.query.collections:collections",
    "demo": "vecinity.cli.demo.command:demo",
}


def app_for(word: str) -> typer.Typer:
    """The app with the command that `word` is; with all commands if it is none."""
    app = typer.Typer(
        name="vecinity",
        help="Vector similarity search: build collections from texts or vectors, serve them, ask them.",
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(
        epilog="Exit codes: 0 done, 1 an error, 2 wrong usage, 3 not found, 4 no server, 5 too late, 130 interrupted, "
        "141 nobody read on."
    )(options)
    for name in [word] if word in _COMMANDS else _COMMANDS:
        module, function = _COMMANDS[name].split(":")
        app.command(name)(getattr(import_module(module), function))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"vecinity {version('vecinity')}")
        raise typer.Exit


def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of all commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; errors become one line on standard error and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    app = app_for(arguments[0] if arguments else "")
    try:
        result = app(args=list(arguments) or ["--help"], prog_name="vecinity", standalone_mode=False)
        sys.stdout.flush()
        if result == ExitCode.INTERRUPTED:
            _complain("interrupted")
        return int(result or ExitCode.DONE)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        _complain(f"{error.format_message()} (see '{context.command_path if context else 'vecinity'} --help')")
        return ExitCode.USAGE
    except (BrokenPipeError, SystemExit) as stop:
        # Typer makes an exit of a BrokenPipeError.
        if not isinstance(stop, BrokenPipeError) and not isinstance(stop.__context__, BrokenPipeError):
            raise
        # The reader of our output has seen enough, as in "vecinity … | head": we end as the system's own tools do. What
        # is left of the output goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
        return ExitCode.UNREAD
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
    # Where that can't be written, the exit code still tells.
    with contextlib.suppress(OSError):
        typer.echo(f"vecinity: {message if keep_lines else ' '.join(message.split())}", err=True)


def run() -> None:
    """The installed ``vecinity`` script."""
    # Read by GNU's OpenMP when FAISS or torch is loaded (docs/performance.md, "Threads that spin").
    if "OMP_WAIT_POLICY" not in os.environ:  # noqa: TID251 - OpenMP's, no setting of ours
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # noqa: TID251
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed from the beginning, as by ">&-": what is said goes nowhere
            nowhere = open(os.devnull, "w")
            os.set_inheritable(nowhere.fileno(), True)
            setattr(sys, name, nowhere)
    sys.exit(main())
