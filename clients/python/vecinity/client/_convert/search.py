"""Searches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from vecinity.client._convert.attributes import attributes
from vecinity.client._convert.fields import Method, array, block, listed, numbers, query, real, string, strings
from vecinity.client._convert.plan import plan
from vecinity.client._convert.unknown_words import unknown_words
from vecinity.client._options import HitOptions, request_fields
from vecinity.client._types import (
    BatchSearchResult,
    Query,
    SearchResult,
    Term,
    Text,
)
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2, search_service_pb2


def search_request(
    collection: str,
    vector: ArrayLike | None,
    id: str | None,
    text: str | None,
    positive: Sequence[Query | Term] | None,
    negative: Sequence[Query | Term] | None,
    page_token: str,
    options: HitOptions,
) -> search_service_pb2.SearchRequest:
    examples = positive is not None or negative is not None
    if (vector is not None) + (id is not None) + (text is not None) + examples != 1:
        raise InvalidArgumentError("give exactly one of vector, id and text, or positive and negative examples")
    request = search_service_pb2.SearchRequest()
    request.CopyFrom(_all_but_query(collection, page_token, options))
    if vector is not None:
        request.query.vector.packed = numbers(vector, 1).tobytes()
    elif id is not None:
        request.query.CopyFrom(_by_id(id))
    elif text is not None:
        request.query.CopyFrom(_by_text(text))
    else:
        request.query.CopyFrom(_examples(positive or (), negative or ()))
    return request


def _all_but_query(collection: str, page_token: str, options: HitOptions) -> search_service_pb2.SearchRequest:
    """Queries come by the thousand that differ in nothing else: what is the same is checked and made once."""
    if "timeout" in options:
        options = {name: value for name, value in options.items() if name != "timeout"}  # type: ignore[assignment]
    if not page_token and _is_plain(collection) and all(map(_is_plain, options.values())):
        return _made_once(collection, page_token, **options)
    return _made(collection, page_token, **options)


def _is_plain(value: object) -> bool:
    """Whether a value is short, never changes, and is told from all that are not to be taken for it."""
    return type(value) in _PLAIN or (type(value) is str and len(value) <= _REMEMBERED_CHARS_MAX)


def _made(collection: str, page_token: str, **options: Unpack[HitOptions]) -> search_service_pb2.SearchRequest:
    return search_service_pb2.SearchRequest(
        collection=string("collection", collection),
        page_token=string("page_token", page_token),
        **request_fields(options),
    )


_made_once = lru_cache(maxsize=256, typed=True)(_made)
_PLAIN = frozenset((int, float, bool, type(None)))
_REMEMBERED_CHARS_MAX = 1_000


def _by_id(id: str) -> core_pb2.Query:
    if not isinstance(id, str | int | np.integer):  # numbers have a message of their own
        raise InvalidArgumentError("id is one string; for several use batch_search(ids=…)")
    return query(id)


def _by_text(text: str) -> core_pb2.Query:
    if not isinstance(text, str):
        raise InvalidArgumentError("text is one string; for several use batch_search(texts=…)")
    return query(Text(text))


def _examples(positive: Sequence[Query | Term], negative: Sequence[Query | Term]) -> core_pb2.Query:
    return core_pb2.Query(
        examples=core_pb2.Examples(
            positives=[_weighted(value) for value in listed("positive", positive)],
            negatives=[_weighted(value) for value in listed("negative", negative)],
        )
    )


def _weighted(value: Query | Term) -> core_pb2.WeightedQuery:
    if isinstance(value, Term):
        return core_pb2.WeightedQuery(query=query(value.query), weight=real("weight", value.weight))
    return core_pb2.WeightedQuery(query=query(value))


def batch_search_request(
    collection: str,
    vectors: ArrayLike | None,
    ids: Sequence[str] | None,
    texts: Sequence[str] | None,
    options: HitOptions,
) -> search_service_pb2.BatchSearchRequest:
    if sum(value is not None for value in (vectors, ids, texts)) != 1:
        raise InvalidArgumentError("give exactly one of vectors, ids and texts")
    if vectors is not None:
        batch = core_pb2.QueryBatch(vectors=block(vectors))
    elif ids is not None:
        batch = core_pb2.QueryBatch(ids=strings("ids", ids))
    else:
        batch = core_pb2.QueryBatch(texts=strings("texts", texts or ()))
    return search_service_pb2.BatchSearchRequest(
        collection=string("collection", collection),
        queries=batch,
        **request_fields(options),
    )


def search_result(
    response: search_service_pb2.SearchResponse | search_service_pb2.SolveAnalogyResponse,
    request: search_service_pb2.SearchRequest | search_service_pb2.SolveAnalogyRequest,
) -> SearchResult:
    hits = response.hits
    return SearchResult(
        ids=list(hits.ids),
        scores=np.array(hits.scores[:], dtype=np.float32),
        texts=list(hits.texts) if hits.texts else None,
        vectors=array(hits.vectors) if hits.HasField("vectors") else None,
        version=response.version,
        predicted_recall=recall_of(response),
        few_items=hits.shortfall == core_pb2.SHORTFALL_FEW_ITEMS,
        few_matches=hits.shortfall == core_pb2.SHORTFALL_FEW_MATCHES,
        next_page_token=getattr(response, "next_page_token", ""),
        attributes=attributes(hits.attributes) if request.include_attributes else None,
        unknown_words=unknown_words(response.unknown_words),
        plan=plan(response),
    )


def batch_search_result(
    response: search_service_pb2.BatchSearchResponse | search_service_pb2.BatchSolveAnalogiesResponse,
    request: search_service_pb2.BatchSearchRequest | search_service_pb2.BatchSolveAnalogiesRequest,
) -> BatchSearchResult:
    chosen = plan(response)
    ids, texts, predicted_recall = list(response.ids), list(response.texts), recall_of(response)
    scores = np.frombuffer(response.scores, "<f4")
    vectors = array(response.vectors) if response.HasField("vectors") else None
    found = attributes(response.attributes) if request.include_attributes else None
    # Read once: each look into a message makes a new object.
    version, k, shortfall = response.version, request.k, response.shortfall
    lacks_items = shortfall == core_pb2.SHORTFALL_FEW_ITEMS
    lacks_matches = shortfall == core_pb2.SHORTFALL_FEW_MATCHES
    results, begin = [], 0
    for count in response.counts:
        part = slice(begin, begin + count)
        begin += count
        results.append(
            SearchResult(
                ids=ids[part],
                scores=scores[part],
                texts=texts[part] if texts else None,
                vectors=None if vectors is None else vectors[part],
                version=version,
                predicted_recall=predicted_recall,
                few_items=lacks_items and count < k,
                few_matches=lacks_matches and count < k,
                attributes=None if found is None else found[part],
                plan=chosen,
            )
        )
    return BatchSearchResult(results, version, predicted_recall, unknown_words(response.unknown_words), plan=chosen)


def recall_of(response: Any) -> float | None:
    return response.predicted_recall if response.HasField("predicted_recall") else None


SEARCH = Method("/vecinity.v1.SearchService/Search", search_service_pb2.SearchResponse, search_result)
BATCH_SEARCH = Method(
    "/vecinity.v1.SearchService/BatchSearch", search_service_pb2.BatchSearchResponse, batch_search_result
)
