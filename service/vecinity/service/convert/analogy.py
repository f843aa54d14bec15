"""Requests for analogies to what the engine takes, and back."""

from __future__ import annotations

import numpy as np

from vecinity.service.analogy.terms import AnalogyMethod
from vecinity.service.answer import Answer
from vecinity.service.convert.answer import batch_fields, hits
from vecinity.service.convert.plan import plan
from vecinity.service.convert.query import pairs, queries, query
from vecinity.service.convert.unknown_words import unknown_words
from vecinity.service.query import Query
from vecinity.service.solving import Analogies
from vecinity.v1 import search_service_pb2

_METHODS = {
    search_service_pb2.ANALOGY_METHOD_UNSPECIFIED: AnalogyMethod.THREE_COS_ADD,
    search_service_pb2.ANALOGY_METHOD_THREE_COS_ADD: AnalogyMethod.THREE_COS_ADD,
    search_service_pb2.ANALOGY_METHOD_THREE_COS_MUL: AnalogyMethod.THREE_COS_MUL,
    search_service_pb2.ANALOGY_METHOD_PAIR_DIRECTION: AnalogyMethod.PAIR_DIRECTION,
    search_service_pb2.ANALOGY_METHOD_THREE_COS_AVG: AnalogyMethod.THREE_COS_AVG,
}


def analogy(request: search_service_pb2.SolveAnalogyRequest) -> Analogies:
    terms = _terms(request)
    return Analogies(
        terms=[term for term, _ in terms],
        counts=np.array([len(terms)]),
        weights=np.array([weight for _, weight in terms]),
        method=_METHODS[request.method],
        examples=pairs(request.examples, "examples"),
        include_inputs=request.include_inputs,
        field="positives, negatives",
    )


def analogies(request: search_service_pb2.BatchSolveAnalogiesRequest) -> Analogies:
    return Analogies(
        terms=queries(request.terms, "terms"),
        counts=np.array(request.term_counts, dtype=np.int64),
        weights=np.array(request.weights, dtype=np.float64),
        method=_METHODS[request.method],
        examples=pairs(request.examples, "examples"),
        include_inputs=request.include_inputs,
    )


def _terms(request: search_service_pb2.SolveAnalogyRequest) -> list[tuple[Query, float]]:
    sides = (("positives", 1, request.positives), ("negatives", -1, request.negatives))
    return [
        (query(term.query, f"{side}[{position}].query"), sign * (term.weight if term.HasField("weight") else 1.0))
        for side, sign, given in sides
        for position, term in enumerate(given)
    ]


def solve_analogy_response(answer: Answer, k: int) -> search_service_pb2.SolveAnalogyResponse:
    return search_service_pb2.SolveAnalogyResponse(
        hits=hits(answer, k),
        version=answer.version,
        predicted_recall=answer.predicted_recall,
        plan=plan(answer),
        unknown_words=unknown_words(answer.unknown_words),
    )


def batch_solve_analogies_response(answer: Answer, k: int) -> search_service_pb2.BatchSolveAnalogiesResponse:
    return search_service_pb2.BatchSolveAnalogiesResponse(**batch_fields(answer, k))
