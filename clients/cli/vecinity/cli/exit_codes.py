"""What a command tells its caller when it ends."""

from __future__ import annotations

import sys
from enum import IntEnum


class ExitCode(IntEnum):
    """Listed in ``vecinity --help`` and in the README."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4
    TOO_LATE = 5
    INTERRUPTED = 130
    UNREAD = 141


class CommandError(Exception):
    """A command can't do what was asked; the message says what to do.

    Args:
        code: USAGE where the command was not given what it needs, ERROR where something else is in the way.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


def exit_code_of(error: Exception) -> ExitCode | None:
    """The exit code for an error that has a message for people; None for a fault of ours, which needs its trace."""
    if isinstance(error, CommandError):
        return error.code
    # Classes of parts that may not be installed: an error of theirs means that they are imported already.
    if (client := sys.modules.get("vecinity.client.errors")) is not None and isinstance(error, client.VecinityError):
        if isinstance(error, client.NotFoundError):
            return ExitCode.NOT_FOUND
        if isinstance(error, client.UnavailableError):
            return ExitCode.UNAVAILABLE
        if isinstance(error, client.InvalidArgumentError):
            return ExitCode.USAGE
        return ExitCode.TOO_LATE if isinstance(error, client.DeadlineExceededError) else ExitCode.ERROR
    if (indexer := sys.modules.get("vecinity.indexer.errors")) is not None and isinstance(error, indexer.IndexerError):
        if isinstance(error, indexer.SettingError):
            return ExitCode.USAGE
        return ExitCode.NOT_FOUND if isinstance(error, indexer.NotFoundError) else ExitCode.ERROR
    return None
