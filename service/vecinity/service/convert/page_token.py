"""Where the next page of a radius search begins, as a string.

A token holds the version that answered and the last hit given, so a page is the same however many versions have been
published since. Whoever sends it must ask for the same as before: it holds a digest of that too. The digest is no
secret; it finds mistakes. A token made up by hand can do no more than begin somewhere else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.query import Position
from vecinity.v1 import search_service_pb2

_LAYOUT = struct.Struct("<QQfQ")
_DIGEST_BYTES = 12
_HITS_MAX = 1 << 62
"""No collection has so many; above, the token of the page after that could not be written."""
_FIELD = "page_token"


def encoded(request: search_service_pb2.SearchRequest, version: int, after: Position) -> str:
    """The token for what follows a position."""
    fields = _LAYOUT.pack(version, after.hits, after.score, after.row)
    return base64.urlsafe_b64encode(fields + _digest(request, fields)).decode()


def decoded(request: search_service_pb2.SearchRequest) -> tuple[int, Position]:
    """The version and the position that the token of a request names.

    Raises:
        InvalidArgumentError: It is no token of ours, or that of another request.
    """
    try:
        packed = base64.b64decode(request.page_token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        packed = b""
    if len(packed) != _LAYOUT.size + _DIGEST_BYTES:
        raise InvalidArgumentError(_FIELD, "is not a token that a response held: copy it as it was")
    fields, digest = packed[: _LAYOUT.size], packed[_LAYOUT.size :]
    version, hits, score, row = _LAYOUT.unpack(fields)
    if digest != _digest(request, fields) or hits > _HITS_MAX:
        raise InvalidArgumentError(
            _FIELD, "is damaged, or of another request: every other field must be as it was when the token came"
        )
    if request.version not in (0, version):
        raise InvalidArgumentError(_FIELD, f"is of version {version}; the request asks version {request.version}")
    return version, Position(hits, score, row)


def _digest(request: search_service_pb2.SearchRequest, fields: bytes) -> bytes:
    asked = search_service_pb2.SearchRequest()
    asked.CopyFrom(request)
    asked.ClearField("page_token")
    asked.ClearField("version")  # the token names one
    whole = fields + asked.SerializeToString(deterministic=True)
    return hashlib.blake2b(whole, digest_size=_DIGEST_BYTES, person=b"page token").digest()
