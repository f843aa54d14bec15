"""Requests to what the engine takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Effort
from vecinity.service.convert.page_token import decoded
from vecinity.service.convert.selection import pages, selection
from vecinity.service.convert.unknown_words import policy
from vecinity.service.planner import Wish
from vecinity.service.query import Kind, Queries, Query, Search
from vecinity.v1 import core_pb2, search_service_pb2

SearchLike = (
    search_service_pb2.SearchRequest
    | search_service_pb2.BatchSearchRequest
    | search_service_pb2.SolveAnalogyRequest
    | search_service_pb2.BatchSolveAnalogiesRequest
)


def search(request: SearchLike) -> Search:
    return Search(
        collection=request.collection,
        version=request.version,
        k=request.k,
        wish=wish(request.parameters),
        include_texts=request.include_texts,
        include_vectors=request.include_vectors,
        include_attributes=request.include_attributes,
        unknown_words=policy(request.unknown_words),
        selection=selection(request.selection),
    )


def search_page(request: search_service_pb2.SearchRequest) -> Search:
    """A search whose hits may come in pages."""
    whole = search(request)
    if not pages(request.selection):
        return whole
    page = decoded(request) if request.page_token else None
    if page is None:
        return replace(whole, pages=True)
    version, after = page
    return replace(whole, version=version, pages=True, after=after)


def wish(parameters: core_pb2.SearchParameters) -> Wish:
    match parameters.WhichOneof("choice"):
        case "target_recall":
            return Wish(target_recall=parameters.target_recall)
        case "exact":
            return Wish(exact=parameters.exact)
        case "effort":
            effort = parameters.effort
            return Wish(effort=Effort(effort.nprobe, effort.ef_search, effort.k_factor))
        case _:
            return Wish()


def query(message: core_pb2.Query, field: str) -> Query:
    """One query; `field` is where it stands in its request, for errors."""
    match message.WhichOneof("query"):
        case "vector":
            return Query(Kind.VECTOR, field, vector=numbers(message.vector))
        case "id":
            return Query(Kind.ID, field, message.id)
        case "examples":
            return Query(Kind.EXAMPLES, field, examples=_examples(message.examples, f"{field}.examples"))
        case _:
            return Query(Kind.TEXT, field, message.text)


def _examples(message: core_pb2.Examples, field: str) -> list[tuple[Query, float]]:
    sides = (("positives", 1, message.positives), ("negatives", -1, message.negatives))
    return [
        (
            query(example.query, f"{field}.{side}[{n}].query"),
            sign * (example.weight if example.HasField("weight") else 1),
        )
        for side, sign, given in sides
        for n, example in enumerate(given)
    ]


def one_query(message: core_pb2.Query) -> Queries | Query:
    kind = message.WhichOneof("query")
    if kind == "vector":
        return Queries(Kind.VECTOR, vectors=numbers(message.vector)[None], field="query")
    if kind == "examples":
        return query(message, "query")
    return Queries(Kind(kind), (message.id or message.text,), field="query")


def numbers(message: core_pb2.Vector) -> NDArray[np.float32]:
    """float32 (d,)."""
    return np.frombuffer(message.packed, "<f4") if message.packed else np.array(message.values, "<f4")


def queries(message: core_pb2.QueryBatch, field: str = "queries") -> Queries:
    match message.WhichOneof("queries"):
        case "vectors":
            block = message.vectors
            vectors = np.frombuffer(block.packed, "<f4").reshape(block.count, -1)
            return Queries(Kind.VECTOR, vectors=vectors, field=field)
        case "ids":
            return Queries(Kind.ID, message.ids.values, field=field)
        case _:
            return Queries(Kind.TEXT, message.texts.values, field=field)


def pairs(messages: Sequence[search_service_pb2.QueryPair], field: str) -> list[tuple[Query, Query]]:
    return [
        (query(pair.left, f"{field}[{position}].left"), query(pair.right, f"{field}[{position}].right"))
        for position, pair in enumerate(messages)
    ]
