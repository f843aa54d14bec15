"""Page tokens made up by hand."""

from __future__ import annotations

import math

import pytest

from vecinity.service.convert.page_token import decoded, encoded
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.query import Position
from vecinity.v1 import search_service_pb2


def asked(after: Position, version: int = 1) -> search_service_pb2.SearchRequest:
    request = search_service_pb2.SearchRequest(collection="mine", k=5)
    request.page_token = encoded(request, version, after)
    return request


def test_what_is_written_is_read() -> None:
    for after in (Position(5, 0.5, 3), Position(1 << 40, -math.inf, (1 << 64) - 1)):
        assert decoded(asked(after, 7)) == (7, after)


def test_so_many_hits_that_no_token_could_follow() -> None:
    for hits in (1 << 63, (1 << 64) - 1):
        with pytest.raises(InvalidArgumentError, match="is damaged"):
            decoded(asked(Position(hits, 0.5, 3)))
