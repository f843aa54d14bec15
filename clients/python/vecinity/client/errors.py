"""What a client raises.

VecinityError
├── InvalidArgumentError      the request breaks a rule; `violations` names the fields
├── NotFoundError             no such collection, version, item or word; `suggestions` are near spellings
├── FailedPreconditionError   the collection can't do that, such as texts where it has no embedder
├── DeadlineExceededError     the answer was not ready in time
├── ResourceExhaustedError    the server has too many calls under way, or the message is too large
├── UnavailableError          no server there, or it is stopping
├── UnimplementedError        the server does not know the method: it is older than the client
├── CorruptError              stored files of the collection are damaged
└── InternalError             a fault of the server; `metadata["incident"]` names a line of its log
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.rpc import code_pb2, error_details_pb2, status_pb2

from vecinity.v1 import error_reason_pb2


class VecinityError(Exception):
    """The root of the tree above.

    Attributes:
        message: What, where and what to do.
        reason: A name of `vecinity.v1.ErrorReason`, such as "ERROR_REASON_ITEM_NOT_FOUND"; "" if the server sent none.
        metadata: What the documentation of the reason lists.
        violations: Fields of the request that break a rule, with what is wrong.
        suggestions: Near spellings that do exist, closest first, where something was not found.
    """

    def __init__(
        self,
        message: str,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Mapping[str, str] | None = None,
        suggestions: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = dict(violations or {})
        self.suggestions = list(suggestions)


class InvalidArgumentError(VecinityError, ValueError):
    """The request breaks a rule."""


class NotFoundError(VecinityError, LookupError):
    """What was named does not exist."""


class FailedPreconditionError(VecinityError):
    """The collection or the server can't do that as it is."""


class DeadlineExceededError(VecinityError, TimeoutError):
    """The answer was not ready in time."""


class ResourceExhaustedError(VecinityError):
    """Too many calls are under way, or a message is too large."""


class UnavailableError(VecinityError, ConnectionError):
    """There is no server, or it is stopping."""


class UnimplementedError(VecinityError, NotImplementedError):
    """The server does not know the method."""


class CorruptError(VecinityError):
    """Stored files are damaged."""


class InternalError(VecinityError):
    """A fault of the server."""


_CLASSES: Mapping[int, type[VecinityError]] = {
    code_pb2.INVALID_ARGUMENT: InvalidArgumentError,
    code_pb2.OUT_OF_RANGE: InvalidArgumentError,
    code_pb2.NOT_FOUND: NotFoundError,
    code_pb2.FAILED_PRECONDITION: FailedPreconditionError,
    code_pb2.DEADLINE_EXCEEDED: DeadlineExceededError,
    code_pb2.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    code_pb2.UNAVAILABLE: UnavailableError,
    code_pb2.UNIMPLEMENTED: UnimplementedError,
    code_pb2.DATA_LOSS: CorruptError,
}


def from_status(status: status_pb2.Status) -> VecinityError:
    """The exception for a google.rpc.Status."""
    reason, metadata, violations, suggestions = "", {}, {}, []
    for detail in status.details:
        info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        near = error_reason_pb2.NearSpellings()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad_request):
            violations = {violation.field: violation.description for violation in bad_request.field_violations}
        elif detail.Unpack(near):
            suggestions = list(near.values)
    kind = _CLASSES.get(status.code, InternalError)
    return kind(status.message, reason, metadata, violations, suggestions)
