"""The methods about collections and their embedders. Each: validate → engine → convert."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from vecinity.service.call import Call
from vecinity.service.convert import collection as convert
from vecinity.service.engine import Engine
from vecinity.service.handlers.method import Method
from vecinity.service.limits import Limits
from vecinity.service.validate import collection as validate
from vecinity.v1 import collection_service_pb2 as collections_pb
from vecinity.v1 import embedding_service_pb2 as embedding_pb


class CollectionHandlers:
    """The methods about collections and their embedders."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits

    def methods(self) -> Mapping[str, Method]:
        """The methods, by full name."""
        return {
            "/vecinity.v1.EmbeddingService/Embed": Method(embedding_pb.EmbedRequest, self.embed),
            "/vecinity.v1.CollectionService/GetCollection": Method(
                collections_pb.GetCollectionRequest, self.get_collection
            ),
            "/vecinity.v1.CollectionService/ListCollections": Method(
                collections_pb.ListCollectionsRequest, self.list_collections
            ),
        }

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
