"""Checks of analogies."""

from __future__ import annotations

import numpy as np

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.service.validate.fields import (
    hits_count,
    in_range,
    name_of_collection,
    one_query,
    parameters,
    queries_in,
    query_pairs,
    unknown_words,
    weight,
)
from vecinity.service.validate.search import query_batch
from vecinity.service.validate.selection import selection
from vecinity.v1 import core_pb2, search_service_pb2

TERMS_MAX = 100
"""Terms of one analogy of a batch, and examples: a hit is fetched for each that may have to be left out."""

_ADD = search_service_pb2.ANALOGY_METHOD_THREE_COS_ADD
_MUL = search_service_pb2.ANALOGY_METHOD_THREE_COS_MUL
_PAIR = search_service_pb2.ANALOGY_METHOD_PAIR_DIRECTION
_AVG = search_service_pb2.ANALOGY_METHOD_THREE_COS_AVG
_METHODS = (search_service_pb2.ANALOGY_METHOD_UNSPECIFIED, _ADD, _MUL, _PAIR, _AVG)


def solve_analogy(request: search_service_pb2.SolveAnalogyRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    positives, negatives = list(request.positives), list(request.negatives)
    terms = [(f"positives[{i}]", term) for i, term in enumerate(positives)]
    terms += [(f"negatives[{i}]", term) for i, term in enumerate(negatives)]
    in_range("positives, negatives", len(terms), limits.batch_max)
    for field, term in terms:
        one_query(f"{field}.query", term.query, limits)
        weight(f"{field}.weight", term)
    examples = _of_method(request, limits)
    field = "positives, negatives, examples" if examples else "positives, negatives"
    queries_in([*(term.query for _, term in terms), *examples], field, limits)
    if request.method == _MUL and not positives:
        raise InvalidArgumentError("positives", "are none; 3CosMul multiplies at least one")
    if request.method == _PAIR and (len(positives), len(negatives)) != (2, 1):
        raise InvalidArgumentError(
            "positives, negatives", f"are {len(positives)} and {len(negatives)}; PairDirection takes two and one"
        )
    if request.method == _PAIR:
        for field, term in terms:
            if term.HasField("weight") and term.weight != 1:
                raise InvalidArgumentError(f"{field}.weight", "has no meaning for PairDirection: leave it out")
    if request.method == _AVG and (len(positives), len(negatives)) != (1, 0):
        raise InvalidArgumentError(
            "positives, negatives",
            f"are {len(positives)} and {len(negatives)}; 3CosAvg takes one and none: the pairs go to examples",
        )
    hits_count(request.k, 1, limits)
    parameters(request.parameters)
    selection(request.selection, request.parameters, request.k, 1, limits)


def batch_solve_analogies(request: search_service_pb2.BatchSolveAnalogiesRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    analogies = len(request.term_counts)
    in_range("term_counts", analogies, limits.batch_max)
    terms = query_batch("terms", request.terms, limits, limits.batch_max * TERMS_MAX, count_distinct_texts=True)
    counts = np.array(request.term_counts, dtype=np.int64)
    if (wrong := (counts < 1) | (counts > TERMS_MAX)).any():
        number = int(np.flatnonzero(wrong)[0])
        raise InvalidArgumentError(
            f"term_counts[{number}]", f"is {counts[number]}; an analogy of a batch has from 1 to {TERMS_MAX} terms"
        )
    if int(counts.sum()) != terms:
        raise InvalidArgumentError("term_counts", f"add up to {counts.sum()}; there are {terms} terms")
    if len(request.weights) != terms:
        raise InvalidArgumentError("weights", f"are {len(request.weights)}; there are {terms} terms, each with one")
    weights = np.array(request.weights)
    if (wrong := ~np.isfinite(weights) | (weights == 0)).any():
        number = int(np.flatnonzero(wrong)[0])
        raise InvalidArgumentError(
            f"weights[{number}]", f"is {weights[number]:g}; it must be finite, above 0 or below 0"
        )
    if examples := _of_method(request, limits):
        queries_in(examples, "terms, examples", limits, other_texts=len({*request.terms.texts.values}))
    _terms_of_each(request.method, counts, weights)
    hits_count(request.k, analogies, limits)
    parameters(request.parameters)
    selection(request.selection, request.parameters, request.k, analogies, limits)


def _terms_of_each(method: int, counts: np.ndarray, weights: np.ndarray) -> None:
    """Whether every analogy of a batch has the terms that the method takes."""
    positives = np.add.reduceat((weights > 0).astype(np.int64), np.cumsum(counts) - counts)
    if method == _MUL:
        _refuse(positives < 1, "has no positive term; 3CosMul multiplies at least one")
    if method == _PAIR:
        _refuse((counts != 3) | (positives != 2), "must have two positive terms and a negative one for PairDirection")
        if (np.abs(weights) != 1).any():
            number = int(np.flatnonzero(np.abs(weights) != 1)[0])
            raise InvalidArgumentError(f"weights[{number}]", "must be 1 or -1 for PairDirection, which weighs nothing")
    if method == _AVG:
        _refuse((counts != 1) | (positives != 1), "must have one positive term for 3CosAvg: the pairs go to examples")


def _refuse(wrong: np.ndarray, fault: str) -> None:
    if wrong.any():
        raise InvalidArgumentError("terms", f"analogy {int(np.flatnonzero(wrong)[0])} {fault}")


def _of_method(
    request: search_service_pb2.SolveAnalogyRequest | search_service_pb2.BatchSolveAnalogiesRequest, limits: Limits
) -> list[core_pb2.Query]:
    """Checks what all requests for analogies share; the queries of the examples, if there are any."""
    if request.method not in _METHODS:
        raise InvalidArgumentError("method", f"is {request.method}, which this server does not know")
    unknown_words(request.unknown_words)
    if request.selection != core_pb2.Selection() and request.method in (_MUL, _PAIR):
        raise InvalidArgumentError("selection", "goes with 3CosAdd and 3CosAvg only")
    if request.method != _AVG:
        if request.examples:
            raise InvalidArgumentError("examples", "go with 3CosAvg only")
        return []
    if not 1 <= len(request.examples) <= TERMS_MAX:
        raise InvalidArgumentError(
            "examples", f"are {len(request.examples)}; 3CosAvg takes from 1 to {TERMS_MAX} pairs"
        )
    return query_pairs("examples", request.examples, limits)
