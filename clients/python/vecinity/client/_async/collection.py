"""Asking about collections, and for vectors of texts.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from vecinity.client._async.caller import AsyncCaller
from vecinity.client._convert import collection as convert
from vecinity.client._convert.fields import string, unsigned
from vecinity.client._types import Collection, Embeddings
from vecinity.v1 import collection_service_pb2


class AsyncCollectionMethods(AsyncCaller):
    """Asking about collections, and for vectors of texts."""

    async def embed(
        self, collection: str, texts: Sequence[str], *, version: int | None = None, timeout: float | None = None
    ) -> Embeddings:
        """The vectors of texts by the collection's embedder, as a search by text would use them."""
        return await self._call(convert.EMBED, convert.embed_request(collection, texts, version), timeout)

    async def get_collection(self, name: str, *, timeout: float | None = None) -> Collection:
        """One collection and its current version."""
        request = collection_service_pb2.GetCollectionRequest(name=string("name", name))
        return await self._call(convert.GET_COLLECTION, request, timeout)

    async def list_collections(
        self, *, page_size: int = 100, timeout: float | None = None
    ) -> AsyncIterator[Collection]:
        """All collections, by name; `page_size` of them are fetched at a time."""
        token, page_size = "", unsigned("page_size", page_size, 31)
        while True:
            request = collection_service_pb2.ListCollectionsRequest(page_size=page_size, page_token=token)
            collections, token = await self._call(convert.LIST_COLLECTIONS, request, timeout)
            for collection in collections:
                yield collection
            if not token:
                return
