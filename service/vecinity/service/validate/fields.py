"""Checks of the fields that several requests share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.v1 import core_pb2, search_service_pb2

_NAME_CHARS_MAX = 63


def name_of_collection(name: str, field: str = "collection") -> None:
    if not name:
        raise InvalidArgumentError(field, "is required")
    if len(name) > _NAME_CHARS_MAX:
        raise InvalidArgumentError(
            field, f"has {len(name)} characters; no collection's name has over {_NAME_CHARS_MAX}"
        )


def one_query(field: str, query: core_pb2.Query, limits: Limits) -> None:
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
            strings(f"{field}.id", [query.id], limits)
        case "text":
            strings(f"{field}.text", [query.text], limits)
        case "examples":
            _examples(f"{field}.examples", query.examples, limits)
        case _:
            raise InvalidArgumentError(field, "set one of vector, id, text and examples")


def _examples(field: str, examples: core_pb2.Examples, limits: Limits) -> None:
    in_range(f"{field}.positives", len(examples.positives), limits.batch_max)
    for side, given in (("positives", examples.positives), ("negatives", examples.negatives)):
        for position, example in enumerate(given):
            where = f"{field}.{side}[{position}]"
            if example.query.WhichOneof("query") == "examples":
                raise InvalidArgumentError(f"{where}.query", "is made of examples itself: list those instead")
            one_query(f"{where}.query", example.query, limits)
            weight(f"{where}.weight", example)


def weight(field: str, weighted: core_pb2.WeightedQuery | search_service_pb2.AnalogyTerm) -> None:
    if weighted.HasField("weight") and not (math.isfinite(weighted.weight) and weighted.weight > 0):
        raise InvalidArgumentError(field, f"is {weighted.weight:g}; it must be above 0 and finite")


def strings(field: str, strings: Sequence[str], limits: Limits) -> None:
    longest = limits.text_chars_max
    for position, string in enumerate(strings):
        if string.strip() and len(string) <= longest:  # before its place is written: there may be a million
            continue
        where = field if len(strings) == 1 else f"{field}[{position}]"
        fault = "is empty" if not string.strip() else f"has {len(string)} characters; the limit is {longest}"
        raise InvalidArgumentError(where, fault)


def queries_in(queries: Sequence[core_pb2.Query], field: str, limits: Limits, *, other_texts: int = 0) -> None:
    """How many examples all queries of a request are made of, and how many texts there are in all.

    Args:
        other_texts: Of the request, beside those of `queries`.
    """
    examples = [
        example.query
        for query in queries
        if query.WhichOneof("query") == "examples"
        for example in (*query.examples.positives, *query.examples.negatives)
    ]
    if len(examples) > limits.batch_max:
        raise InvalidArgumentError(field, f"hold {len(examples)} examples; the limit is {limits.batch_max}")
    texts = other_texts + sum(query.WhichOneof("query") == "text" for query in (*queries, *examples))
    if texts > limits.texts_max:
        raise InvalidArgumentError(field, f"hold {texts} texts; the limit is {limits.texts_max}")


def query_pairs(field: str, pairs: Sequence[search_service_pb2.QueryPair], limits: Limits) -> list[core_pb2.Query]:
    """The queries of pairs, left and right of each in turn; `queries_in` is for all of the request."""
    for position, pair in enumerate(pairs):
        one_query(f"{field}[{position}].left", pair.left, limits)
        one_query(f"{field}[{position}].right", pair.right, limits)
    return [query for pair in pairs for query in (pair.left, pair.right)]


def in_range(field: str, count: int, maximum: int) -> None:
    if not 1 <= count <= maximum:
        raise InvalidArgumentError(field, f"are {count}; there must be from 1 to {maximum}")


def hits_count(k: int, queries: int, limits: Limits, field: str = "k") -> None:
    if not 1 <= k <= limits.k_max:
        raise InvalidArgumentError(field, f"is {k}; it must be from 1 to {limits.k_max}")
    if k * queries > limits.hits_max:
        raise InvalidArgumentError(
            field, f"{queries} queries × {field} {k} are over {limits.hits_max} hits: send fewer at once"
        )


def unknown_words(policy: int) -> None:
    if policy not in core_pb2.UnknownWords.values():
        raise InvalidArgumentError("unknown_words", f"is {policy}, which this server does not know")


def parameters(parameters: core_pb2.SearchParameters) -> None:
    target = parameters.target_recall
    if parameters.HasField("target_recall") and not 0 < target < 1:
        raise InvalidArgumentError(
            "parameters.target_recall", f"is {target:g}; it must be above 0 and below 1 (for all of it: exact)"
        )
