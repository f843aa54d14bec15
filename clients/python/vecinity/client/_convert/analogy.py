"""Analogies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf.message import Message
from numpy.typing import ArrayLike

from vecinity.client._convert.fields import Method, block, listed, numbers, query, real, string, string_list, unsigned
from vecinity.client._convert.search import batch_search_result, search_result
from vecinity.client._options import AnalogyOptions, analogy_fields
from vecinity.client._types import Query, Term, Text
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2, search_service_pb2

Analogy = tuple[Sequence[Query | Term], Sequence[Query | Term]]
"""The terms added and the terms subtracted."""

GensimTerms = str | ArrayLike | Sequence[str | ArrayLike | tuple[Query, float]]
"""A key, a vector, or a list of keys, vectors and pairs of either with a weight."""


def solve_analogy_request(
    collection: str,
    positive: Sequence[Query | Term],
    negative: Sequence[Query | Term],
    options: AnalogyOptions,
) -> search_service_pb2.SolveAnalogyRequest:
    return search_service_pb2.SolveAnalogyRequest(
        collection=string("collection", collection),
        positives=[_term(term) for term in listed("positive", positive)],
        negatives=[_term(term) for term in listed("negative", negative)],
        **analogy_fields(options),
    )


def batch_solve_analogies_request(
    collection: str, analogies: Sequence[Analogy], options: AnalogyOptions
) -> search_service_pb2.BatchSolveAnalogiesRequest:
    terms: list[Query] = []
    weights: list[float] = []
    counts: list[int] = []
    for number, analogy in enumerate(listed("analogies", analogies)):
        try:
            positive, negative = analogy
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(
                f"analogies[{number}] must be a pair of lists, the terms added and the terms subtracted"
            ) from error
        before = len(terms)
        for sign, name, side in ((1.0, "positive", positive), (-1.0, "negative", negative)):
            # Most sides are lists; of thousands, none is given a name in vain.
            for term in side if type(side) is list else listed(f"analogies[{number}], {name},", side):
                if not isinstance(term, Term):
                    terms.append(term)
                    weights.append(sign)
                    continue
                weight = real("weight", term.weight)
                if not weight > 0:
                    raise InvalidArgumentError(f"analogies[{number}], {name}: a weight is {weight}, not above 0")
                terms.append(term.query)
                weights.append(sign * weight)
        counts.append(len(terms) - before)
    return columnar_request(collection, terms, counts, weights, options)


def columnar_request(
    collection: str,
    terms: Sequence[Query] | ArrayLike,
    term_counts: Sequence[int],
    weights: Sequence[float] | ArrayLike,
    options: AnalogyOptions,
) -> search_service_pb2.BatchSolveAnalogiesRequest:
    counts = term_counts.tolist() if isinstance(term_counts, np.ndarray) else listed("term_counts", term_counts)
    return search_service_pb2.BatchSolveAnalogiesRequest(
        collection=string("collection", collection),
        terms=_terms(terms),
        term_counts=[unsigned("term_counts", count) for count in counts],
        weights=numbers(weights, 1).tolist() if len(counts) else [],
        **analogy_fields(options),
    )


def most_similar_request(
    collection: str, positive: GensimTerms | None, negative: GensimTerms | None, topn: int, options: AnalogyOptions
) -> search_service_pb2.SolveAnalogyRequest:
    """With gensim's meaning of the arguments of ``KeyedVectors.most_similar``."""
    added: list[Query | Term] = []
    subtracted: list[Query | Term] = []
    for default, given in ((1.0, positive), (-1.0, negative)):
        for item in _as_list(given):
            key, weight = item if isinstance(item, tuple) and len(item) == 2 else (item, default)
            if not isinstance(key, str | int | np.integer):
                # gensim takes vectors as they are, and keys at length 1: the length goes into the weight.
                vector = numbers(key, 1).astype(np.float64)
                length = float(np.linalg.norm(vector))
                if length == 0:
                    continue
                key, weight = vector / length, weight * length
            (subtracted if weight < 0 else added).append(Term(key, abs(float(weight))))
    return solve_analogy_request(collection, added, subtracted, {**options, "k": topn})


def _as_list(given: GensimTerms | None) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, str) or (isinstance(given, np.ndarray) and given.ndim == 1):
        return [given]
    return list(given)  # type: ignore[arg-type]


def _terms(terms: Sequence[Query] | ArrayLike) -> core_pb2.QueryBatch:
    if isinstance(terms, np.ndarray) and terms.ndim == 2:
        return core_pb2.QueryBatch(vectors=block(terms))
    values: list[Any] = list(listed("terms", terms))  # type: ignore[arg-type]
    kinds = {*map(type, values)}  # a few, where there may be thousands of terms
    if all(issubclass(kind, Text) for kind in kinds):
        return core_pb2.QueryBatch(texts=string_list(values))
    if all(issubclass(kind, str) and not issubclass(kind, Text) for kind in kinds):
        return core_pb2.QueryBatch(ids=string_list(values))
    if any(issubclass(kind, str | int | np.integer) for kind in kinds):
        raise InvalidArgumentError("the terms of a batch must all be ids, all be texts, or all be vectors")
    return core_pb2.QueryBatch(vectors=block([numbers(term, 1) for term in values]))


def _term(value: Query | Term) -> search_service_pb2.AnalogyTerm:
    if isinstance(value, Term):
        return search_service_pb2.AnalogyTerm(query=query(value.query), weight=real("weight", value.weight))
    return search_service_pb2.AnalogyTerm(query=query(value))


def _most_similar(response: search_service_pb2.SolveAnalogyResponse, _: Message) -> list[tuple[str, float]]:
    return list(zip(response.hits.ids, response.hits.scores, strict=True))


SOLVE_ANALOGY = Method(
    "/vecinity.v1.SearchService/SolveAnalogy", search_service_pb2.SolveAnalogyResponse, search_result
)
MOST_SIMILAR = Method(SOLVE_ANALOGY.name, search_service_pb2.SolveAnalogyResponse, _most_similar)
BATCH_SOLVE_ANALOGIES = Method(
    "/vecinity.v1.SearchService/BatchSolveAnalogies",
    search_service_pb2.BatchSolveAnalogiesResponse,
    batch_search_result,
)
