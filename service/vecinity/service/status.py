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
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from ulid import ULID

from vecinity.indexer import errors as indexer
from vecinity.service.errors import (
    DeadlineError,
    EmbedderLostError,
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
    EmbedderLostError: _Mapping(code_pb2.UNAVAILABLE, error_reason_pb2.ERROR_REASON_EMBEDDER_LOST),
    ShuttingDownError: _Mapping(code_pb2.UNAVAILABLE, error_reason_pb2.ERROR_REASON_SHUTTING_DOWN),
    UnknownMethodError: _Mapping(
        code_pb2.UNIMPLEMENTED, error_reason_pb2.ERROR_REASON_UNKNOWN_METHOD, lambda e: {"name": _cut(e.method)}
    ),
    indexer.CollectionNotFoundError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_COLLECTION_NOT_FOUND,
        lambda e: {"name": _cut(e.name)},
    ),
    indexer.VersionNotFoundError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_VERSION_NOT_FOUND,
        lambda e: {"collection": e.collection, "name": e.name},
    ),
    indexer.ItemNotFoundError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_ITEM_NOT_FOUND,
        lambda e: {"collection": e.collection, "name": _cut(e.name)},
    ),
    indexer.UnknownWordError: _Mapping(
        code_pb2.NOT_FOUND,
        error_reason_pb2.ERROR_REASON_UNKNOWN_WORD,
        lambda e: {"name": _cut(e.text)},
    ),
    indexer.NoEmbedderError: _Mapping(
        code_pb2.FAILED_PRECONDITION,
        error_reason_pb2.ERROR_REASON_NO_EMBEDDER,
        lambda e: {"collection": e.collection},
    ),
    indexer.NoSubwordsError: _Mapping(code_pb2.FAILED_PRECONDITION, error_reason_pb2.ERROR_REASON_NO_SUBWORDS),
    indexer.MissingExtraError: _Mapping(
        code_pb2.FAILED_PRECONDITION, error_reason_pb2.ERROR_REASON_EMBEDDER_UNAVAILABLE
    ),
    indexer.CorruptError: _Mapping(code_pb2.DATA_LOSS, error_reason_pb2.ERROR_REASON_CORRUPT),
    indexer.StorageError: _Mapping(code_pb2.UNAVAILABLE, error_reason_pb2.ERROR_REASON_STORAGE_UNAVAILABLE),
}


def to_status(error: Exception) -> status_pb2.Status:
    """The status a client gets for an error.

    An exception that is not in the table is a fault of ours: the client gets INTERNAL with an incident number, the
    log gets the rest.
    """
    for kind, mapping in _TABLE.items():
        if isinstance(error, kind):
            # Where files are is for the log, not for clients.
            message = f"{error.path.name}: {error.fault}" if isinstance(error, indexer.CorruptError) else str(error)
            return _status(mapping, message, mapping.metadata(error), _more_details(error))
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
    more_details: Sequence[Message],
) -> status_pb2.Status:
    status = status_pb2.Status(code=mapping.code, message=message)
    info = error_details_pb2.ErrorInfo(
        reason=error_reason_pb2.ErrorReason.Name(mapping.reason), domain=DOMAIN, metadata=metadata
    )
    for detail in (info, *more_details):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _more_details(error: Exception) -> list[Message]:
    if isinstance(error, InvalidArgumentError):
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.fault)
        return [error_details_pb2.BadRequest(field_violations=[violation])]
    if isinstance(error, indexer.NotFoundError | indexer.UnknownWordError) and error.suggestions:
        return [error_reason_pb2.NearSpellings(values=[_cut(word) for word in error.suggestions])]
    return []


def _cut(text: str) -> str:
    """Errors travel in gRPC's trailers, which hold a few kilobytes."""
    return text[: indexer.SHOWN_CHARS_MAX]
