"""One event a line on standard error, for people or as JSON."""

from __future__ import annotations

import contextlib
import logging
import sys

import structlog
from structlog.typing import EventDict


class _StandardError:
    """Writes to what is standard error now: notebooks and test runners exchange it while we run."""

    def msg(self, message: str) -> None:
        # A log that nobody can read any more must not fail the call that wrote to it.
        with contextlib.suppress(AttributeError, ValueError, OSError):
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    debug = info = warning = error = msg


def configure_log(level: str, format: str, *, worker: int | None = None) -> None:
    """Set up structlog for this process.

    Args:
        level: "debug", "info", "warning" or "error".
        format: "console" or "json".
        worker: Number of this process among several, which each line then has.
    """
    as_json = format == "json"

    def add_worker(_logger: object, _method: str, event: EventDict) -> EventDict:
        # Not as a context variable: the threads of a pool have none.
        if worker is not None:
            event.setdefault("worker", worker)
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            add_worker,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: _StandardError(),
    )
