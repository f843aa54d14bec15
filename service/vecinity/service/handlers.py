"""The methods of the API. Each: validate → engine → convert."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from vecinity.service import convert, validate
from vecinity.service.call import Call
from vecinity.service.engine import Engine
from vecinity.service.limits import Limits
from vecinity.v1 import collection_service_pb2 as collections_pb
from vecinity.v1 import embedding_service_pb2 as embedding_pb
from vecinity.v1 import search_service_pb2 as search_pb

Handler = Callable[[Call, Any], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Method:
    """A handler and the type of its request."""

    request: type[Message]
    handler: Handler


class Handlers:
    """What answers each method, over one engine."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits

    def methods(self) -> Mapping[str, Method]:
        """All methods, by full name."""
        return {
            "/vecinity.v1.SearchService/Search": Method(search_pb.SearchRequest, self.search),
            "/vecinity.v1.SearchService/BatchSearch": Method(search_pb.BatchSearchRequest, self.batch_search),
            "/vecinity.v1.SearchService/SolveAnalogy": Method(search_pb.SolveAnalogyRequest, self.solve_analogy),
            "/vecinity.v1.SearchService/ComputeSimilarity": Method(
                search_pb.ComputeSimilarityRequest, self.compute_similarity
            ),
            "/vecinity.v1.CollectionService/GetCollection": Method(
                collections_pb.GetCollectionRequest, self.get_collection
            ),
            "/vecinity.v1.CollectionService/ListCollections": Method(
                collections_pb.ListCollectionsRequest, self.list_collections
            ),
            "/vecinity.v1.EmbeddingService/Embed": Method(embedding_pb.EmbedRequest, self.embed),
        }

    async def search(self, call: Call, request: search_pb.SearchRequest) -> Message:
        validate.search(request, self.limits)
        answer = await self.engine.search(call, convert.search(request), convert.one_query(request.query))
        return convert.search_response(answer, request.k)

    async def batch_search(self, call: Call, request: search_pb.BatchSearchRequest) -> Message:
        validate.batch_search(request, self.limits)
        answer = await self.engine.search(call, convert.search(request), convert.queries(request.queries))
        return convert.batch_search_response(answer, request.k)

    async def solve_analogy(self, call: Call, request: search_pb.SolveAnalogyRequest) -> Message:
        validate.solve_analogy(request, self.limits)
        answer = await self.engine.solve_analogy(call, convert.search(request), convert.terms(request))
        return convert.solve_analogy_response(answer, request.k)

    async def compute_similarity(self, call: Call, request: search_pb.ComputeSimilarityRequest) -> Message:
        validate.compute_similarity(request, self.limits)
        scores, version = await self.engine.similarity(
            call, request.collection, request.version, convert.pairs(request)
        )
        return search_pb.ComputeSimilarityResponse(scores=scores.tolist(), version=version)

    async def embed(self, call: Call, request: embedding_pb.EmbedRequest) -> Message:
        validate.embed(request, self.limits)
        embedding = await self.engine.embed(call, request.collection, request.version, request.texts)
        return convert.embed_response(embedding)

    async def get_collection(self, call: Call, request: collections_pb.GetCollectionRequest) -> Message:
        validate.get_collection(request)
        version = await self.engine.store.get(request.name)
        return collections_pb.GetCollectionResponse(collection=convert.collection(version))

    async def list_collections(self, call: Call, request: collections_pb.ListCollectionsRequest) -> Message:
        size = validate.page_size(request)
        # The token is the last name of the page before, so a page stays right while collections come and go.
        current = self.engine.store.current
        following = sorted(name for name in current if name > request.page_token)
        return collections_pb.ListCollectionsResponse(
            collections=[convert.collection(current[name]) for name in following[:size]],
            next_page_token=following[size - 1] if len(following) > size else "",
        )
