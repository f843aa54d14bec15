"""Parts of Vecinity that may not be installed."""

from __future__ import annotations

from importlib.util import find_spec

from vecinity.cli.exit_codes import CommandError, ExitCode


def require_server(command: str) -> None:
    """Raise `CommandError` unless ``vecinity[server]`` is installed."""
    if find_spec("faiss") is None or find_spec("apsw") is None or find_spec("structlog") is None:
        raise CommandError(
            f"'vecinity {command}' needs the server part: pip install 'vecinity[server]'", ExitCode.ERROR
        )
