"""Header blocks: what a request's say, and those that answers begin and end with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from google.rpc import code_pb2

from vecinity.service.edge.nghttp2.binding import HeaderBlock, Library
from vecinity.service.edge.nghttp2.grpc_framing import (
    GZIP,
    IDENTITY,
    Fields,
    GrpcFault,
    Metadata,
    encode_binary,
    percent_encode,
    timeout_seconds,
)

# Clients take some 8 KiB of trailers, and libnghttp2 sends 64: an error without details is better than none.
_MESSAGE_CHARS_MAX = 1_000
_DETAILS_BYTES_MAX = 8 << 10
_CONTENT_TYPES = frozenset((b"application/grpc", b"application/grpc+proto"))


class HttpFault(Exception):
    """A request that is no gRPC.

    Args:
        status: Of HTTP, to answer with.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's headers say; the same for all requests with the same headers.

    Attributes:
        path: Such as ``/vecinity.v1.SearchService/Search``.
        metadata: The caller's own fields.
        timeout: In seconds, or None.
        gzipped: Whether messages may be compressed.
        gzip_back: Whether the answer is to be.
        fault: Of the caller's own headers.
    """

    path: str
    metadata: Metadata
    timeout: float | None
    gzipped: bool
    gzip_back: bool
    fault: GrpcFault | None


class Request(NamedTuple):
    """A request's headers, and the deadline that began with them, in seconds of `time.monotonic`, or None."""

    head: Head
    deadline: float | None


def read_head(fields: Fields, header_bytes: int, header_bytes_max: int, paths: Mapping[bytes, str]) -> Head:
    """What a request's headers say.

    Args:
        paths: Known methods, decoded once for all; others may be asked for too.

    Raises:
        HttpFault: They are no gRPC.
        GrpcFault: They break its rules.
    """
    if header_bytes > header_bytes_max:
        raise GrpcFault(
            code_pb2.RESOURCE_EXHAUSTED, f"headers of {header_bytes} bytes, where {header_bytes_max} are allowed"
        )
    values = dict(fields)
    if values.get(b":method") != b"POST":
        raise HttpFault(405)
    kind = values.get(b"content-type", b"")
    if kind not in _CONTENT_TYPES and kind.partition(b";")[0].strip().lower() not in _CONTENT_TYPES:
        raise HttpFault(415)
    raw_path = values[b":path"]
    timeout = values.get(b"grpc-timeout")
    encoding = values.get(b"grpc-encoding", IDENTITY)
    if encoding != IDENTITY and encoding != GZIP:
        shown = encoding[:20].decode("ascii", "replace")
        raise GrpcFault(code_pb2.UNIMPLEMENTED, f"grpc-encoding {shown!r}: this server takes identity and gzip")
    gzipped = encoding == GZIP
    metadata = Metadata(fields)
    return Head(
        path=paths.get(raw_path) or raw_path.decode("ascii", "replace"),
        metadata=metadata,
        timeout=None if timeout is None else timeout_seconds(timeout),
        gzipped=gzipped,
        # A client that compresses has a line worth compressing for; vectors and scores hardly shrink.
        gzip_back=gzipped and GZIP in values.get(b"grpc-accept-encoding", b""),
        fault=metadata.fault(),
    )


class Replies:
    """Header blocks that never change."""

    def __init__(self, library: Library) -> None:
        head = [
            (b":status", b"200"),
            (b"content-type", b"application/grpc"),
            (b"grpc-accept-encoding", b"identity,gzip"),
        ]
        self.ffi = library.ffi
        self.plain = HeaderBlock(library.ffi, head, lasting=True)
        self.gzip = HeaderBlock(library.ffi, [*head, (b"grpc-encoding", b"gzip")], lasting=True)
        self.done = HeaderBlock(library.ffi, [(b"grpc-status", b"0")], lasting=True)
        self.http = {
            405: HeaderBlock(library.ffi, [(b":status", b"405"), (b"allow", b"POST")], lasting=True),
            415: HeaderBlock(library.ffi, [(b":status", b"415")], lasting=True),
        }
        self._head = head

    def status(self, code: int, message: str, details: bytes, *, alone: bool) -> HeaderBlock:
        """An error as trailers, or, alone, as a response of its own."""
        fields = list(self._head) if alone else []
        fields.append((b"grpc-status", b"%d" % code))
        if message:
            fields.append((b"grpc-message", percent_encode(message[:_MESSAGE_CHARS_MAX])))
        if details and len(details) <= _DETAILS_BYTES_MAX:
            fields.append((b"grpc-status-details-bin", encode_binary(details)))
        return HeaderBlock(self.ffi, fields)
