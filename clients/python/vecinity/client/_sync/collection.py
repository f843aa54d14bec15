"""Asking about collections, and for vectors of texts.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vecinity.client._convert import collection as convert
from vecinity.client._convert.fields import string, unsigned
from vecinity.client._sync.caller import Caller
from vecinity.client._types import Collection, Embeddings
from vecinity.v1 import collection_service_pb2


class CollectionMethods(Caller):
    """Asking about collections, and for vectors of texts."""

    def embed(
        self, collection: str, texts: Sequence[str], *, version: int | None = None, timeout: float | None = None
    ) -> Embeddings:
        """The vectors of texts by the collection's embedder, as a search by text would use them."""
        return self._call(convert.EMBED, convert.embed_request(collection, texts, version), timeout)

    def get_collection(self, name: str, *, timeout: float | None = None) -> Collection:
        """One collection and its current version."""
        request = collection_service_pb2.GetCollectionRequest(name=string("name", name))
        return self._call(convert.GET_COLLECTION, request, timeout)

    def list_collections(self, *, page_size: int = 100, timeout: float | None = None) -> Iterator[Collection]:
        """All collections, by name; `page_size` of them are fetched at a time."""
        token, page_size = "", unsigned("page_size", page_size, 31)
        while True:
            request = collection_service_pb2.ListCollectionsRequest(page_size=page_size, page_token=token)
            collections, token = self._call(convert.LIST_COLLECTIONS, request, timeout)
            for collection in collections:
                yield collection
            if not token:
                return
