"""Errors that only a server has; those of the data are in `vecinity.indexer.errors`, the table in `status`.

ServiceError
├── InvalidArgumentError   a field of the request breaks a rule
├── DeadlineError          the deadline of the call has passed
├── TooManyCallsError      as many calls are under way as the server allows
├── EmbedderLostError      the process that embeds died, twice
├── ShuttingDownError      the server takes no new calls
└── UnknownMethodError     there is no such method
"""

from __future__ import annotations


class ServiceError(Exception):
    """The root of errors that only a server has."""


class InvalidArgumentError(ServiceError):
    """A field of the request breaks a rule.

    Args:
        field: Its path, such as ``"queries.vectors.packed"``.
        fault: What is wrong and what to do.
    """

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault


class DeadlineError(ServiceError):
    """The deadline of the call has passed."""


class TooManyCallsError(ServiceError):
    def __init__(self, limit: int, what: str = "calls are under way, as many as this server allows") -> None:
        super().__init__(f"{limit} {what}: try again later")
        self.limit = limit


class EmbedderLostError(ServiceError):
    """The process that embeds died, and so did the one that took its place."""

    def __init__(self) -> None:
        super().__init__("the process that turns texts into vectors died, twice: try again, or see the server's log")


class ShuttingDownError(ServiceError):
    """The server takes no new calls."""


class UnknownMethodError(ServiceError):
    def __init__(self, method: str) -> None:
        super().__init__(f"there is no method {method[:100]}")
        self.method = method
