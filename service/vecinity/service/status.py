"""The one table from errors to what a client sees: gRPC status, reason, metadata.

The domain raises `IndexerError`s and the service `ServiceError`s; `to_status` turns any exception into a
google.rpc.Status, the same for every edge. The reasons are documented, each with an example, in
protos/vecinity/v1/error_reason.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from ulid import ULID

from vecinity.indexer import errors as indexer
from vecinity.service.errors import (
    DeadlineError,
    InvalidArgumentError,
    ShuttingDownError,
    TooManyCallsError,
    UnknownMethodError,
)
from vecinity.v1 import error_reason_pb2

DOMAIN = "vecinity"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Mapping:
    code: int
    reason: int
    metadata: Callable[[Any], dict[str, str]] = lambda _: {}


# From the most special to the most general: the first class that fits decides.
_TABLE: dict[type[Exception], _Mapping] = {
    InvalidArgumentError: _Mapping(
        code_pb2.INVALID_ARGUMENT,
        error_reason_pb2.ERROR_REASON_INVALID_ARGUMENT,
        lambda e: {"field": e.field},
    ),
    DeadlineError: _Mapping(code_pb2.DEADLINE_EXCEEDED, error_reason_pb2.ERROR_REASON_DEADLINE_EXCEEDED),
    TooManyCallsError: _Mapping(
        code_pb2.RESOURCE_EXHAUSTED,
        error_reason_pb2.ERROR_REASON_TOO_MANY_CALLS,
        lambda e: {"limit": str(e.limit)},
    ),
    ShuttingDownError: _Mapping(code_pb2.UNAVAILABLE, error_reason_pb2.ERROR_REASON_SHUTTING_DOWN),
    UnknownMethodError: _Mapping(
        code_pb2.UNIMPLEMENTED, error_reason_pb2.ERROR_REASON_UNKNOWN_METHOD, lambda e: {"name": e.method}
    ),
    indexer.CollectionNotFoundError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_COLLECTION_NOT_FOUND,
        lambda e: {"name": e.name, **_suggestions(e.suggestions)},
    ),
    indexer.VersionNotFoundError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_VERSION_NOT_FOUND,
        lambda e: {"collection": e.collection, "name": e.name},
    ),
    indexer.ItemNotFoundError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_ITEM_NOT_FOUND,
        lambda e: {"collection": e.collection, "name": e.name, **_suggestions(e.suggestions)},
    ),
    indexer.UnknownWordError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_UNKNOWN_WORD,
        lambda e: {"name": e.text, **_suggestions(e.suggestions)},
    ),
    indexer.NoEmbedderError: _Mapping(
        code_pb2.FAILED_PRECONDITION,
        error_reason_pb2.ERROR_REASON_NO_EMBEDDER,
        lambda e: {"collection": e.collection},
    ),
    indexer.MissingExtraError: _Mapping(
        code_pb2.FAILED_PRECONDITION, error_reason_pb2.ERROR_REASON_EMBEDDER_UNAVAILABLE
    ),
    indexer.CorruptError: _Mapping(code_pb2.DATA_LOSS, error_reason_pb2.ERROR_REASON_CORRUPT),
}


def to_status(error: Exception) -> status_pb2.Status:
    """The status a client gets for an error.

    An exception that is not in the table is a fault of ours: the client gets INTERNAL with an incident number, the
    log gets the rest.
    """
    for kind, mapping in _TABLE.items():
        if isinstance(error, kind):
            return _status(mapping, str(error), mapping.metadata(error), _violations(error))
    incident = str(ULID())
    _log.error("internal error", incident=incident, exc_info=error)
    return _status(
        _Mapping(code_pb2.INTERNAL, error_reason_pb2.ERROR_REASON_INTERNAL),
        f"a fault of the server, see incident {incident} in its log",
        {"incident": incident},
        [],
    )


def _status(
    mapping: _Mapping,
    message: str,
    metadata: dict[str, str],
    violations: Sequence[error_details_pb2.BadRequest.FieldViolation],
) -> status_pb2.Status:
    status = status_pb2.Status(code=mapping.code, message=message)
    info = error_details_pb2.ErrorInfo(
        reason=error_reason_pb2.ErrorReason.Name(mapping.reason), domain=DOMAIN, metadata=metadata
    )
    details: list[Any] = [info]
    if violations:
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _violations(error: Exception) -> list[error_details_pb2.BadRequest.FieldViolation]:
    if isinstance(error, InvalidArgumentError):
        return [error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.fault)]
    return []


def _suggestions(words: Sequence[str]) -> dict[str, str]:
    return {"suggestions": " ".join(words)} if words else {}
