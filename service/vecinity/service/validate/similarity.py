"""Checks of comparisons of items with each other."""

from __future__ import annotations

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.service.validate.fields import (
    hits_count,
    in_range,
    name_of_collection,
    one_query,
    queries_in,
    query_pairs,
    unknown_words,
)
from vecinity.v1 import core_pb2, search_service_pb2


def compute_similarity(request: search_service_pb2.ComputeSimilarityRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    in_range("pairs", len(request.pairs) + len(request.set_pairs), limits.batch_max)
    sides = query_pairs("pairs", request.pairs, limits)
    members: list[core_pb2.Query] = []
    for position, pair in enumerate(request.set_pairs):
        for side, queries in (("left", pair.left), ("right", pair.right)):
            field = f"set_pairs[{position}].{side}"
            in_range(field, len(queries), limits.batch_max)
            for number, query in enumerate(queries):
                one_query(f"{field}[{number}]", query, limits)
            members += queries
    if len(members) > limits.batch_max:
        raise InvalidArgumentError("set_pairs", f"hold {len(members)} queries; the limit is {limits.batch_max}")
    lists = ("pairs", sides), ("set_pairs", members)
    queries_in([*sides, *members], ", ".join(name for name, given in lists if given), limits)
    if request.relative_to_top:
        if request.set_pairs:
            raise InvalidArgumentError("relative_to_top", "goes with pairs only, not with set_pairs")
        hits_count(request.relative_to_top, len(request.pairs), limits, "relative_to_top")
    unknown_words(request.unknown_words)


def find_odd_one_out(request: search_service_pb2.FindOddOneOutRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    if not 2 <= len(request.queries) <= limits.batch_max:
        raise InvalidArgumentError("queries", f"are {len(request.queries)}; there must be from 2 to {limits.batch_max}")
    for position, query in enumerate(request.queries):
        one_query(f"queries[{position}]", query, limits)
    queries_in(request.queries, "queries", limits)
    unknown_words(request.unknown_words)


def find_closer_items(request: search_service_pb2.FindCloserItemsRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    one_query("query", request.query, limits)
    one_query("than", request.than, limits)
    queries_in([request.query, request.than], "query, than", limits)
    if request.k:
        hits_count(request.k, 1, limits)
