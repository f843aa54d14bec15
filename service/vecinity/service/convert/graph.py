"""Parts of answers about every item to responses."""

from __future__ import annotations

from vecinity.service.graph import Duplicates, Neighbours
from vecinity.v1 import search_service_pb2


def stream_neighbours_response(part: Neighbours) -> search_service_pb2.StreamNeighboursResponse:
    return search_service_pb2.StreamNeighboursResponse(
        ids=part.ids,
        counts=part.counts,
        neighbour_ids=part.neighbour_ids,
        scores=part.scores.astype("<f4", copy=False).tobytes(),
        version=part.version,
        predicted_recall=part.predicted_recall,
    )


def find_duplicates_response(part: Duplicates) -> search_service_pb2.FindDuplicatesResponse:
    return search_service_pb2.FindDuplicatesResponse(
        left_ids=part.left_ids,
        right_ids=part.right_ids,
        scores=part.scores.astype("<f4", copy=False).tobytes(),
        version=part.version,
        predicted_recall=part.predicted_recall,
    )
