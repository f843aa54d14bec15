"""Searches that differ in nothing but the numbers of their vector, known again by their bytes.

They come by the thousand: same collection, same k, another vector. To parse, check and convert each takes several times
as long as to compare its bytes before and after the vector with those of one that was parsed. What stands between them
is the new vector: in protobuf's encoding the content of a ``bytes`` field has no bearing on what is around it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from vecinity.indexer.metric import Vectors
from vecinity.service.query import Search
from vecinity.v1 import search_service_pb2 as search_pb

_KINDS_MAX = 1_024
_KINDS_OF_A_LENGTH_MAX = 8
_AROUND_BYTES_MAX = 1_024


class Kind(NamedTuple):
    """Searches that are alike.

    Attributes:
        number: Its own, never given to another.
        search: What all of them want.
        example: One of them, but for its query.
        before, after: Their bytes around the vector's.
        dimension: Numbers of the vector.
    """

    number: int
    search: Search
    example: search_pb.SearchRequest
    before: bytes
    after: bytes
    dimension: int


class Kinds:
    """The kinds of searches that came lately, at most 1,024."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[Kind]] = {}
        self._kept = 0
        self._made = 0

    def find(self, payload: bytes) -> tuple[Kind, Vectors] | None:
        """The kind of a request, and its vector, float32 (1, d), which is not copied."""
        for kind in self._by_length.get(len(payload), ()):
            if payload.startswith(kind.before) and payload.endswith(kind.after):
                return kind, np.frombuffer(payload, "<f4", kind.dimension, len(kind.before)).reshape(1, -1)
        return None

    def kind_of(self, payload: bytes, request: search_pb.SearchRequest, search: Search) -> Kind | None:
        """The kind of a request with a packed vector that has been parsed and checked; None if it can't be kept."""
        packed = request.query.vector.packed
        begin = payload.find(packed)
        before, after = payload[:begin], payload[begin + len(packed) :]
        if len(before) + len(after) > _AROUND_BYTES_MAX or not _is_place_of_vector(before, after, request):
            return None
        self._made += 1
        example = search_pb.SearchRequest(collection=request.collection, k=request.k)
        return Kind(self._made, search, example, before, after, len(packed) // 4)

    def keep(self, length: int, kind: Kind) -> None:
        """Know other requests of so many bytes by a kind."""
        if self._kept >= _KINDS_MAX:
            self._by_length.clear()
            self._kept = 0
        kinds = self._by_length.setdefault(length, [])
        if len(kinds) >= _KINDS_OF_A_LENGTH_MAX:
            kinds.pop()
            self._kept -= 1
        kinds.insert(0, kind)
        self._kept += 1


def _is_place_of_vector(before: bytes, after: bytes, request: search_pb.SearchRequest) -> bool:
    """Whether other bytes there are another vector and nothing else: the same bytes may also stand elsewhere."""
    packed = request.query.vector.packed
    other = (np.frombuffer(packed, np.uint8) ^ 0xFF).tobytes()
    try:
        changed = search_pb.SearchRequest.FromString(before + other + after)
    except DecodeError:
        return False
    if changed.query.vector.packed != other:
        return False
    changed.query.vector.packed = packed
    return changed == request
