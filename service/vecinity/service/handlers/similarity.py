"""The methods that compare items with each other. Each: validate → engine → convert."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from google.protobuf.message import Message

from vecinity.service.call import Call
from vecinity.service.convert import query as of
from vecinity.service.convert import similarity as convert
from vecinity.service.convert.unknown_words import policy
from vecinity.service.engine import Engine
from vecinity.service.handlers.method import Method, made
from vecinity.service.limits import Limits
from vecinity.service.validate import similarity as validate
from vecinity.v1 import search_service_pb2 as search_pb


class SimilarityHandlers:
    """The methods that compare items with each other."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits

    def methods(self) -> Mapping[str, Method]:
        """The methods, by full name."""
        return {
            "/vecinity.v1.SearchService/ComputeSimilarity": Method(
                search_pb.ComputeSimilarityRequest, self.compute_similarity
            ),
            "/vecinity.v1.SearchService/FindOddOneOut": Method(search_pb.FindOddOneOutRequest, self.find_odd_one_out),
            "/vecinity.v1.SearchService/FindCloserItems": Method(
                search_pb.FindCloserItemsRequest, self.find_closer_items
            ),
        }

    async def compute_similarity(self, call: Call, request: search_pb.ComputeSimilarityRequest) -> Message:
        validate.compute_similarity(request, self.limits)
        similarities = await self.engine.similarity(call, convert.comparison(request))
        return convert.compute_similarity_response(similarities)

    async def find_odd_one_out(self, call: Call, request: search_pb.FindOddOneOutRequest) -> Message:
        validate.find_odd_one_out(request, self.limits)
        queries, unknown_words = convert.odd_queries(request), policy(request.unknown_words)
        similarities = await self.engine.odd_one_out(call, request.collection, request.version, queries, unknown_words)
        return convert.find_odd_one_out_response(similarities)

    async def find_closer_items(self, call: Call, request: search_pb.FindCloserItemsRequest) -> Message:
        validate.find_closer_items(request, self.limits)
        search = convert.closer_search(request)
        query, than = of.query(request.query, "query"), of.query(request.than, "than")
        rank, answer = await self.engine.closer_items(call, search, query, than)
        return await made(
            partial(convert.find_closer_items_response, rank, answer, search.k), len(answer.attributes or ())
        )
