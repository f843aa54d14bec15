"""Asking every item."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from google.protobuf.message import Message

from vecinity.client._convert.fields import Method, parameters, real, string, unsigned
from vecinity.client._types import Duplicate, Effort, Neighbours
from vecinity.v1 import search_service_pb2


def neighbours_request(
    collection: str, k: int, target_recall: float | None, exact: bool, effort: Effort | None, version: int | None
) -> search_service_pb2.StreamNeighboursRequest:
    return search_service_pb2.StreamNeighboursRequest(
        collection=string("collection", collection),
        version=unsigned("version", version or 0, 64),
        k=unsigned("k", k),
        parameters=parameters(target_recall, exact, effort),
    )


def duplicates_request(
    collection: str,
    min_score: float,
    target_recall: float | None,
    exact: bool,
    effort: Effort | None,
    version: int | None,
) -> search_service_pb2.FindDuplicatesRequest:
    return search_service_pb2.FindDuplicatesRequest(
        collection=string("collection", collection),
        version=unsigned("version", version or 0, 64),
        min_score=real("min_score", min_score),
        parameters=parameters(target_recall, exact, effort),
    )


def _neighbours(response: search_service_pb2.StreamNeighboursResponse, _: Message) -> Iterator[Neighbours]:
    ids, scores, begin = list(response.neighbour_ids), np.frombuffer(response.scores, "<f4"), 0
    for item_id, count in zip(response.ids, response.counts, strict=True):
        part = slice(begin, begin + count)
        yield Neighbours(item_id, ids[part], scores[part], response.version)
        begin += count


def _duplicates(response: search_service_pb2.FindDuplicatesResponse, _: Message) -> Iterator[Duplicate]:
    scores = np.frombuffer(response.scores, "<f4").tolist()
    for left, right, score in zip(response.left_ids, response.right_ids, scores, strict=True):
        yield Duplicate(left, right, score, response.version)


STREAM_NEIGHBOURS = Method(
    "/vecinity.v1.SearchService/StreamNeighbours", search_service_pb2.StreamNeighboursResponse, _neighbours
)
FIND_DUPLICATES = Method(
    "/vecinity.v1.SearchService/FindDuplicates", search_service_pb2.FindDuplicatesResponse, _duplicates
)
