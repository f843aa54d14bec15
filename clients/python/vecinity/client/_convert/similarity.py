"""Comparisons of items with each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from vecinity.client._convert.fields import Method, listed, query, query_pairs, string, unsigned
from vecinity.client._convert.unknown_words import policy, unknown_words
from vecinity.client._types import CloserItems, OddOneOut, Query, SearchResult, UnknownWords
from vecinity.v1 import core_pb2, search_service_pb2


def similarity_request(
    collection: str,
    pairs: Sequence[tuple[Query, Query]],
    sets: Sequence[tuple[Sequence[Query], Sequence[Query]]],
    version: int | None,
    relative_to_top: int,
    unknown: UnknownWords | str | None,
) -> search_service_pb2.ComputeSimilarityRequest:
    return search_service_pb2.ComputeSimilarityRequest(
        collection=string("collection", collection),
        version=unsigned("version", version or 0, 64),
        pairs=query_pairs("pairs", pairs),
        set_pairs=[
            search_service_pb2.QuerySetPair(
                left=[query(member) for member in listed("left", left)],
                right=[query(member) for member in listed("right", right)],
            )
            for left, right in sets
        ],
        relative_to_top=unsigned("relative_to_top", relative_to_top),
        unknown_words=policy(unknown),
    )


def odd_one_out_request(
    collection: str, queries: Sequence[Query], version: int | None, unknown: UnknownWords | str | None
) -> search_service_pb2.FindOddOneOutRequest:
    return search_service_pb2.FindOddOneOutRequest(
        collection=string("collection", collection),
        version=unsigned("version", version or 0, 64),
        queries=[query(value) for value in listed("queries", queries)],
        unknown_words=policy(unknown),
    )


def odd_one_out(queries: Sequence[Query], response: search_service_pb2.FindOddOneOutResponse) -> OddOneOut:
    return OddOneOut(
        position=response.position,
        query=queries[response.position],
        scores=np.array(response.scores, dtype=np.float32),
        version=response.version,
        unknown_words=unknown_words(response.unknown_words),
    )


def closer_request(
    collection: str, one: Query, than: Query, k: int, version: int | None
) -> search_service_pb2.FindCloserItemsRequest:
    return search_service_pb2.FindCloserItemsRequest(
        collection=string("collection", collection),
        version=unsigned("version", version or 0, 64),
        query=query(one),
        than=query(than),
        k=unsigned("k", k),
    )


def _similarities(response: search_service_pb2.ComputeSimilarityResponse, _: Message) -> NDArray[np.float32]:
    return np.array(response.scores, dtype=np.float32)


def _closer_items(response: search_service_pb2.FindCloserItemsResponse, _: Message) -> CloserItems:
    hits = SearchResult(
        ids=list(response.hits.ids),
        scores=np.array(response.hits.scores, dtype=np.float32),
        texts=None,
        vectors=None,
        version=response.version,
        predicted_recall=1.0,
        few_items=response.hits.shortfall == core_pb2.SHORTFALL_FEW_ITEMS,
        few_matches=response.hits.shortfall == core_pb2.SHORTFALL_FEW_MATCHES,
    )
    return CloserItems(response.rank, hits)


COMPUTE_SIMILARITY = Method(
    "/vecinity.v1.SearchService/ComputeSimilarity", search_service_pb2.ComputeSimilarityResponse, _similarities
)
FIND_ODD_ONE_OUT = Method(
    "/vecinity.v1.SearchService/FindOddOneOut",
    search_service_pb2.FindOddOneOutResponse,
    lambda response, _: response,
)
FIND_CLOSER_ITEMS = Method(
    "/vecinity.v1.SearchService/FindCloserItems", search_service_pb2.FindCloserItemsResponse, _closer_items
)
