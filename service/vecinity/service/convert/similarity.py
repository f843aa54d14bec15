"""Requests for comparisons to what the engine takes, and back."""

from __future__ import annotations

import numpy as np

from vecinity.service.answer import Answer
from vecinity.service.comparing import Comparison, Similarities
from vecinity.service.convert.answer import hits
from vecinity.service.convert.query import pairs, query
from vecinity.service.convert.unknown_words import policy, unknown_words
from vecinity.service.query import Query, Search
from vecinity.v1 import core_pb2, search_service_pb2

CLOSER_DEFAULT = 10


def comparison(request: search_service_pb2.ComputeSimilarityRequest) -> Comparison:
    return Comparison(
        collection=request.collection,
        version=request.version,
        pairs=pairs(request.pairs, "pairs"),
        sets=[
            (
                [query(member, f"set_pairs[{position}].left[{i}]") for i, member in enumerate(pair.left)],
                [query(member, f"set_pairs[{position}].right[{i}]") for i, member in enumerate(pair.right)],
            )
            for position, pair in enumerate(request.set_pairs)
        ],
        relative_to_top=request.relative_to_top,
        unknown_words=policy(request.unknown_words),
    )


def compute_similarity_response(similarities: Similarities) -> search_service_pb2.ComputeSimilarityResponse:
    return search_service_pb2.ComputeSimilarityResponse(
        scores=similarities.scores.tolist(),
        version=similarities.version,
        unknown_words=unknown_words(similarities.unknown_words),
    )


def odd_queries(request: search_service_pb2.FindOddOneOutRequest) -> list[Query]:
    return [query(message, f"queries[{position}]") for position, message in enumerate(request.queries)]


def find_odd_one_out_response(similarities: Similarities) -> search_service_pb2.FindOddOneOutResponse:
    return search_service_pb2.FindOddOneOutResponse(
        position=int(np.nanargmin(similarities.scores)),
        scores=similarities.scores.tolist(),
        version=similarities.version,
        unknown_words=unknown_words(similarities.unknown_words),
    )


def closer_search(request: search_service_pb2.FindCloserItemsRequest) -> Search:
    return Search(request.collection, request.k or CLOSER_DEFAULT, version=request.version)


def find_closer_items_response(rank: int, answer: Answer, k: int) -> search_service_pb2.FindCloserItemsResponse:
    found = hits(answer, k)
    if found.shortfall:
        found.shortfall = core_pb2.SHORTFALL_FEW_MATCHES
    return search_service_pb2.FindCloserItemsResponse(rank=rank, hits=found, version=answer.version)
