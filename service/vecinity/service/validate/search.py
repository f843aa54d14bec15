"""Checks of searches."""

from __future__ import annotations

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.service.validate.fields import (
    hits_count,
    in_range,
    name_of_collection,
    one_query,
    parameters,
    queries_in,
    strings,
    unknown_words,
)
from vecinity.service.validate.selection import page_token, selection
from vecinity.v1 import core_pb2, search_service_pb2


def search(request: search_service_pb2.SearchRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    query(request.query, limits)
    hits_count(request.k, 1, limits)
    parameters(request.parameters)
    unknown_words(request.unknown_words)
    selection(request.selection, request.parameters, request.k, 1, limits)
    page_token(request.page_token, request.selection)


def query(query: core_pb2.Query, limits: Limits) -> None:
    """What differs between requests of one kind."""
    one_query("query", query, limits)
    if query.WhichOneof("query") == "examples":
        queries_in([query], "query", limits)


def batch_search(request: search_service_pb2.BatchSearchRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    count = query_batch("queries", request.queries, limits, limits.batch_max)
    hits_count(request.k, count, limits)
    parameters(request.parameters)
    selection(request.selection, request.parameters, request.k, count, limits)
    unknown_words(request.unknown_words)


def query_batch(
    field: str, batch: core_pb2.QueryBatch, limits: Limits, count_max: int, *, count_distinct_texts: bool = False
) -> int:
    """How many queries there are, at most `count_max`; of texts as many as may be embedded in one call."""
    match batch.WhichOneof("queries"):
        case "vectors":
            count = batch.vectors.count
            in_range(f"{field}.vectors.count", count, count_max)
            if not batch.vectors.packed or len(batch.vectors.packed) % (4 * count):
                raise InvalidArgumentError(
                    f"{field}.vectors.packed",
                    f"holds {len(batch.vectors.packed)} bytes, which are not {count} vectors of float32 numbers",
                )
        case "ids":
            count = len(batch.ids.values)
            in_range(f"{field}.ids", count, count_max)
            strings(f"{field}.ids", batch.ids.values, limits)
        case "texts":
            count = len(batch.texts.values)
            in_range(f"{field}.texts", count, count_max)
            to_embed = len(set(batch.texts.values)) if count_distinct_texts else count
            in_range(f"{field}.texts", to_embed, limits.texts_max)
            strings(f"{field}.texts", batch.texts.values, limits)
        case _:
            raise InvalidArgumentError(field, "set one of vectors, ids and texts")
    return count
