"""The methods that ask every item and answer in parts. Each: validate → engine → convert."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from google.protobuf.message import Message

from vecinity.service.call import Call
from vecinity.service.convert import graph as convert
from vecinity.service.convert import query as of
from vecinity.service.engine import Engine
from vecinity.service.handlers.method import StreamMethod
from vecinity.service.limits import Limits
from vecinity.service.validate import graph as validate
from vecinity.v1 import search_service_pb2 as search_pb


class GraphHandlers:
    """The methods that ask every item."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits

    def methods(self) -> Mapping[str, StreamMethod]:
        """The methods, by full name."""
        return {
            "/vecinity.v1.SearchService/StreamNeighbours": StreamMethod(
                search_pb.StreamNeighboursRequest, self.stream_neighbours
            ),
            "/vecinity.v1.SearchService/FindDuplicates": StreamMethod(
                search_pb.FindDuplicatesRequest, self.find_duplicates
            ),
        }

    async def stream_neighbours(
        self, call: Call, request: search_pb.StreamNeighboursRequest
    ) -> AsyncGenerator[Message, None]:
        validate.stream_neighbours(request, self.limits)
        wish = of.wish(request.parameters)
        found = self.engine.neighbours(call, request.collection, request.version, request.k, wish)
        async with aclosing(found) as parts:
            async for part in parts:
                yield convert.stream_neighbours_response(part)

    async def find_duplicates(
        self, call: Call, request: search_pb.FindDuplicatesRequest
    ) -> AsyncGenerator[Message, None]:
        validate.find_duplicates(request)
        wish = of.wish(request.parameters)
        found = self.engine.duplicates(call, request.collection, request.version, request.min_score, wish)
        async with aclosing(found) as parts:
            async for part in parts:
                yield convert.find_duplicates_response(part)
