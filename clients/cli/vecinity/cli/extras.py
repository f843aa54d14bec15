"""Parts of Vecinity that may not be installed."""

from __future__ import annotations

from importlib.util import find_spec

from vecinity.cli.exit_codes import CommandError, ExitCode


def require_server(what: str) -> None:
    """Raise `CommandError` unless ``vecinity[server]`` is installed, which a command or an option needs."""
    if find_spec("faiss") is None or find_spec("apsw") is None or find_spec("structlog") is None:
        raise CommandError(
            f"{what} needs the server part, which is not installed: in the folder of Vecinity, pip install '.[server]'",
            ExitCode.ERROR,
        )
