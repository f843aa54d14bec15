"""Checks of requests that need nothing but the request and the limits. Pure functions.

What depends on the collection (its dimension, its metric, whether an id exists) is checked by the engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.v1 import collection_service_pb2, core_pb2, embedding_service_pb2, search_service_pb2

_NAME_CHARS_MAX = 63
_PAGE_DEFAULT = 100
_PAGE_MAX = 1_000


def search(request: search_service_pb2.SearchRequest, limits: Limits) -> None:
    _collection(request.collection)
    _query("query", request.query, limits)
    _k(request.k, 1, limits)
    _parameters(request.parameters)


def batch_search(request: search_service_pb2.BatchSearchRequest, limits: Limits) -> None:
    _collection(request.collection)
    batch = request.queries
    match batch.WhichOneof("queries"):
        case "vectors":
            count = batch.vectors.count
            _count("queries.vectors.count", count, limits.batch_max)
            if not batch.vectors.packed or len(batch.vectors.packed) % (4 * count):
                raise InvalidArgumentError(
                    "queries.vectors.packed",
                    f"holds {len(batch.vectors.packed)} bytes, which are not {count} vectors of float32 numbers",
                )
        case "ids":
            count = len(batch.ids.values)
            _count("queries.ids", count, limits.batch_max)
            _strings("queries.ids", batch.ids.values, limits)
        case "texts":
            count = len(batch.texts.values)
            _count("queries.texts", count, limits.texts_max)
            _strings("queries.texts", batch.texts.values, limits)
        case _:
            raise InvalidArgumentError("queries", "set one of vectors, ids and texts")
    _k(request.k, count, limits)
    _parameters(request.parameters)


def solve_analogy(request: search_service_pb2.SolveAnalogyRequest, limits: Limits) -> None:
    _collection(request.collection)
    terms = [("positives", term) for term in request.positives] + [("negatives", term) for term in request.negatives]
    _count("positives, negatives", len(terms), limits.batch_max)
    for position, (side, term) in enumerate(terms):
        field = f"{side}[{position - (len(request.positives) if side == 'negatives' else 0)}]"
        _query(f"{field}.query", term.query, limits)
        if term.HasField("weight") and not (math.isfinite(term.weight) and term.weight > 0):
            raise InvalidArgumentError(f"{field}.weight", f"is {term.weight:g}; it must be above 0 and finite")
    _texts_in([term.query for _, term in terms], "positives, negatives", limits)
    _k(request.k, 1, limits)
    _parameters(request.parameters)


def compute_similarity(request: search_service_pb2.ComputeSimilarityRequest, limits: Limits) -> None:
    _collection(request.collection)
    _count("pairs", len(request.pairs), limits.batch_max)
    for position, pair in enumerate(request.pairs):
        _query(f"pairs[{position}].left", pair.left, limits)
        _query(f"pairs[{position}].right", pair.right, limits)
    _texts_in([query for pair in request.pairs for query in (pair.left, pair.right)], "pairs", limits)


def embed(request: embedding_service_pb2.EmbedRequest, limits: Limits) -> None:
    _collection(request.collection)
    _count("texts", len(request.texts), limits.texts_max)
    _strings("texts", request.texts, limits)


def get_collection(request: collection_service_pb2.GetCollectionRequest) -> None:
    _collection(request.name, "name")


def page_size(request: collection_service_pb2.ListCollectionsRequest) -> int:
    """The number of collections in a page; 0 asks for the default."""
    return min(request.page_size or _PAGE_DEFAULT, _PAGE_MAX)


def _collection(name: str, field: str = "collection") -> None:
    if not name:
        raise InvalidArgumentError(field, "is required")
    if len(name) > _NAME_CHARS_MAX:
        raise InvalidArgumentError(
            field, f"has {len(name)} characters; no collection's name has over {_NAME_CHARS_MAX}"
        )


def _query(field: str, query: core_pb2.Query, limits: Limits) -> None:
    match query.WhichOneof("query"):
        case "vector":
            packed, values = query.vector.packed, query.vector.values
            if bool(packed) == bool(values):
                raise InvalidArgumentError(f"{field}.vector", "set exactly one of packed and values, not empty")
            if len(packed) % 4:
                raise InvalidArgumentError(
                    f"{field}.vector.packed", f"holds {len(packed)} bytes, which are not float32 numbers of 4 each"
                )
        case "id":
            _strings(f"{field}.id", [query.id], limits)
        case "text":
            _strings(f"{field}.text", [query.text], limits)
        case _:
            raise InvalidArgumentError(field, "set one of vector, id and text")


def _strings(field: str, strings: Sequence[str], limits: Limits) -> None:
    for position, string in enumerate(strings):
        where = field if len(strings) == 1 else f"{field}[{position}]"
        if not string.strip():
            raise InvalidArgumentError(where, "is empty")
        if len(string) > limits.text_chars_max:
            raise InvalidArgumentError(where, f"has {len(string)} characters; the limit is {limits.text_chars_max}")


def _texts_in(queries: Sequence[core_pb2.Query], field: str, limits: Limits) -> None:
    texts = sum(query.WhichOneof("query") == "text" for query in queries)
    if texts > limits.texts_max:
        raise InvalidArgumentError(field, f"hold {texts} texts; the limit is {limits.texts_max}")


def _count(field: str, count: int, maximum: int) -> None:
    if not 1 <= count <= maximum:
        raise InvalidArgumentError(field, f"are {count}; there must be from 1 to {maximum}")


def _k(k: int, queries: int, limits: Limits) -> None:
    if not 1 <= k <= limits.k_max:
        raise InvalidArgumentError("k", f"is {k}; it must be from 1 to {limits.k_max}")
    if k * queries > limits.hits_max:
        raise InvalidArgumentError(
            "k", f"{queries} queries × k {k} are over {limits.hits_max} hits: send fewer at once"
        )


def _parameters(parameters: core_pb2.SearchParameters) -> None:
    target = parameters.target_recall
    if parameters.HasField("target_recall") and not 0 < target < 1:
        raise InvalidArgumentError(
            "parameters.target_recall", f"is {target:g}; it must be above 0 and below 1 (for all of it: exact)"
        )
