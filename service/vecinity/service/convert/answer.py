"""Answers to responses."""

from __future__ import annotations

from typing import Any

from vecinity.indexer.metric import Vectors
from vecinity.service.answer import Answer
from vecinity.service.convert.attributes import attributes
from vecinity.service.convert.page_token import encoded
from vecinity.service.convert.plan import plan
from vecinity.service.convert.unknown_words import unknown_words
from vecinity.v1 import core_pb2, search_service_pb2


def search_response(answer: Answer, request: search_service_pb2.SearchRequest) -> search_service_pb2.SearchResponse:
    # Field by field: a message made by itself would be copied, and empty fields cost as much as others.
    response = search_service_pb2.SearchResponse(version=answer.version, predicted_recall=answer.predicted_recall)
    response.hits.SetInParent()  # also where there are none
    _fill(response.hits, answer, request.k)
    if (explained := plan(answer)) is not None:
        response.plan.CopyFrom(explained)
    if answer.unknown_words:
        response.unknown_words.extend(unknown_words(answer.unknown_words))
    if answer.following is not None:
        response.next_page_token = encoded(request, answer.version, answer.following)
    return response


def batch_search_response(answer: Answer, k: int) -> search_service_pb2.BatchSearchResponse:
    return search_service_pb2.BatchSearchResponse(**batch_fields(answer, k))


def batch_fields(answer: Answer, k: int) -> dict[str, Any]:
    """The fields that the responses to batches share."""
    return dict(
        counts=answer.counts,
        ids=answer.ids,
        scores=answer.scores.astype("<f4", copy=False).tobytes(),
        texts=answer.texts,
        vectors=None if answer.vectors is None else block(answer.vectors),
        attributes=attributes_of(answer),
        shortfall=shortfall(answer, k),
        version=answer.version,
        predicted_recall=answer.predicted_recall,
        plan=plan(answer),
        unknown_words=unknown_words(answer.unknown_words),
    )


def hits(answer: Answer, k: int) -> core_pb2.Hits:
    """The hits of an answer to one query."""
    message = core_pb2.Hits()
    _fill(message, answer, k)
    return message


def _fill(message: core_pb2.Hits, answer: Answer, k: int) -> None:
    message.ids.extend(answer.ids)
    message.scores.extend(answer.scores.tolist())
    if answer.texts is not None:
        message.texts.extend(answer.texts)
    if answer.vectors is not None:
        message.vectors.CopyFrom(block(answer.vectors))
    if answer.attributes is not None:
        message.attributes.extend(attributes_of(answer))
    if len(answer.ids) < k:
        message.shortfall = shortfall(answer, k)


def attributes_of(answer: Answer) -> list[core_pb2.Attributes]:
    """Parallel to the hits; empty if not asked for."""
    return [attributes(values) for values in answer.attributes or ()]


def block(vectors: Vectors) -> core_pb2.VectorBlock:
    return core_pb2.VectorBlock(count=len(vectors), packed=vectors.astype("<f4", copy=False).tobytes())


def shortfall(answer: Answer, k: int) -> core_pb2.Shortfall:
    if min(answer.counts, default=0) >= k:
        return core_pb2.SHORTFALL_UNSPECIFIED
    return core_pb2.SHORTFALL_FEW_MATCHES if answer.selected else core_pb2.SHORTFALL_FEW_ITEMS
