"""Checks of requests that ask every item."""

from __future__ import annotations

import math

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.service.validate.fields import hits_count, name_of_collection, parameters
from vecinity.v1 import search_service_pb2


def stream_neighbours(request: search_service_pb2.StreamNeighboursRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    hits_count(request.k, 1, limits)
    parameters(request.parameters)


def find_duplicates(request: search_service_pb2.FindDuplicatesRequest) -> None:
    name_of_collection(request.collection)
    if not request.HasField("min_score"):
        raise InvalidArgumentError("min_score", "is required: from which score on are two items nearly the same?")
    if math.isnan(request.min_score):
        raise InvalidArgumentError("min_score", "is NaN, which no score is compared with")
    parameters(request.parameters)
