"""A client whose methods ask a server, or a service in this process.

`_sync/client.py` is generated from `_async/client.py`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from google.protobuf.message import Message
from numpy.typing import ArrayLike, NDArray

from vecinity.client import _convert
from vecinity.client._transport import GrpcTransport, InProcessTransport, Transport
from vecinity.client._types import BatchSearchResult, Collection, Effort, Embeddings, Query, SearchResult, Term
from vecinity.v1 import collection_service_pb2

R = TypeVar("R")


class Client:
    """Asks a Vecinity server.

    One client serves many calls at once; the one for asyncio is made and used on one event loop, the blocking one may
    be shared between threads. Every method raises the errors of `vecinity.client.errors`.

    Args:
        target: Address of the server, ``host:port``; gRPC's other forms (``dns:///…``, ``unix:…``) work too.
        timeout: Seconds until the deadline of calls that give none; None for no deadline.
    """

    def __init__(self, target: str = "127.0.0.1:50051", *, timeout: float | None = 30.0) -> None:
        self._transport: Transport = GrpcTransport(target)
        self._timeout = timeout

    @classmethod
    def in_process(cls, data_dir: str | Path, *, timeout: float | None = None) -> Client:
        """A client that answers from a data directory in this process, without a server.

        For notebooks and batch jobs. Needs ``vecinity[server]``. Opening takes as long as it takes to compare the
        checksums of all collections.

        Raises:
            VecinityError: The server part is not installed, or `data_dir` is not a data directory.
        """
        client = cls.__new__(cls)
        client._transport = InProcessTransport(data_dir)
        client._timeout = timeout
        return client

    def search(
        self,
        collection: str,
        *,
        vector: ArrayLike | None = None,
        id: str | None = None,
        text: str | None = None,
        k: int = 10,
        target_recall: float | None = None,
        exact: bool = False,
        effort: Effort | None = None,
        version: int | None = None,
        include_texts: bool = False,
        include_vectors: bool = False,
        timeout: float | None = None,
    ) -> SearchResult:
        """The k items closest to one query: exactly one of `vector`, `id` and `text`.

        Args:
            vector: d numbers.
            id: An item, which is left out of its own hits.
            text: A text for the collection's embedder.
            k: How many hits.
            exact: Whether to compare with every item.
            effort: What to spend, in the terms of the index, whatever recall it gives.
            include_texts: Whether hits carry the text of their item.
            include_vectors: Whether hits carry the vector of their item.
            target_recall: Share of the true nearest items to find, above 0 and below 1; at most one of this, `exact`
                and `effort`. None of them means the server's default.
            version: A version number, to stay with one; None takes the current one.
            timeout: Seconds until the deadline; None takes the client's.
        """
        request = _convert.search_request(
            collection,
            vector,
            id,
            text,
            k,
            _convert.parameters(target_recall, exact, effort),
            version,
            include_texts,
            include_vectors,
        )
        return self._call(_convert.SEARCH, request, timeout)

    def batch_search(
        self,
        collection: str,
        *,
        vectors: ArrayLike | None = None,
        ids: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        k: int = 10,
        target_recall: float | None = None,
        exact: bool = False,
        effort: Effort | None = None,
        version: int | None = None,
        include_texts: bool = False,
        include_vectors: bool = False,
        timeout: float | None = None,
    ) -> BatchSearchResult:
        """The k items closest to each of n queries: exactly one of `vectors` (n, d), `ids` and `texts`.

        The other arguments are those of `search`.
        """
        request = _convert.batch_search_request(
            collection,
            vectors,
            ids,
            texts,
            k,
            _convert.parameters(target_recall, exact, effort),
            version,
            include_texts,
            include_vectors,
        )
        return self._call(_convert.BATCH_SEARCH, request, timeout)

    def solve_analogy(
        self,
        collection: str,
        positive: Sequence[Query | Term],
        negative: Sequence[Query | Term] = (),
        *,
        k: int = 10,
        target_recall: float | None = None,
        exact: bool = False,
        effort: Effort | None = None,
        version: int | None = None,
        include_texts: bool = False,
        include_vectors: bool = False,
        timeout: float | None = None,
    ) -> SearchResult:
        """The k items closest to the sum of `positive` less `negative` (3CosAdd), the terms themselves left out.

        Each term is an id, a `Text`, a vector, or a `Term` with a weight. king - man + woman is
        ``solve_analogy("words", ["king", "woman"], ["man"])``. The other arguments are those of `search`.
        """
        request = _convert.solve_analogy_request(
            collection,
            positive,
            negative,
            k,
            _convert.parameters(target_recall, exact, effort),
            version,
            include_texts,
            include_vectors,
        )
        return self._call(_convert.SOLVE_ANALOGY, request, timeout)

    def similarity(
        self, collection: str, left: Query, right: Query, *, version: int | None = None, timeout: float | None = None
    ) -> float:
        """The score of two items, texts or vectors with each other, under the collection's metric."""
        scores = self.similarities(collection, [(left, right)], version=version, timeout=timeout)
        return float(scores[0])

    def similarities(
        self,
        collection: str,
        pairs: Sequence[tuple[Query, Query]],
        *,
        version: int | None = None,
        timeout: float | None = None,
    ) -> NDArray[np.float32]:
        """The scores of n pairs in one call, float32 (n,)."""
        request = _convert.similarity_request(collection, pairs, version)
        return self._call(_convert.COMPUTE_SIMILARITY, request, timeout)

    def embed(
        self, collection: str, texts: Sequence[str], *, version: int | None = None, timeout: float | None = None
    ) -> Embeddings:
        """The vectors of texts by the collection's embedder, as a search by text would use them."""
        return self._call(_convert.EMBED, _convert.embed_request(collection, texts, version), timeout)

    def get_collection(self, name: str, *, timeout: float | None = None) -> Collection:
        """One collection and its current version."""
        request = collection_service_pb2.GetCollectionRequest(name=name)
        return self._call(_convert.GET_COLLECTION, request, timeout)

    def list_collections(self, *, page_size: int = 100, timeout: float | None = None) -> Iterator[Collection]:
        """All collections, by name; `page_size` of them are fetched at a time."""
        token = ""
        while True:
            request = collection_service_pb2.ListCollectionsRequest(page_size=page_size, page_token=token)
            collections, token = self._call(_convert.LIST_COLLECTIONS, request, timeout)
            for collection in collections:
                yield collection
            if not token:
                return

    def close(self) -> None:
        """Release the connection."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: _convert.Method[R], request: Message, timeout: float | None) -> R:
        response = self._transport.call(
            method.name, request, method.response, self._timeout if timeout is None else timeout
        )
        return method.result(response, request)
