"""What a caller may say about the hits of any query: the keyword arguments that searches and analogies share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypedDict

from vecinity.client._convert.attributes import filter_message
from vecinity.client._convert.fields import flag, one_of, parameters, query_pairs, real, string, unsigned
from vecinity.client._convert.unknown_words import policy
from vecinity.client._types import AnalogyMethod, Effort, Query, UnknownWords
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2, search_service_pb2

_METHODS = {
    AnalogyMethod.THREE_COS_ADD: search_service_pb2.ANALOGY_METHOD_THREE_COS_ADD,
    AnalogyMethod.THREE_COS_MUL: search_service_pb2.ANALOGY_METHOD_THREE_COS_MUL,
    AnalogyMethod.PAIR_DIRECTION: search_service_pb2.ANALOGY_METHOD_PAIR_DIRECTION,
    AnalogyMethod.THREE_COS_AVG: search_service_pb2.ANALOGY_METHOD_THREE_COS_AVG,
}

_OF_OTHERS = {
    **dict.fromkeys(("top_k", "topk", "topn", "top_n", "n", "limit", "n_results"), ("k",)),
    **dict.fromkeys(("where", "query_filter"), ("filter",)),
    **dict.fromkeys(("threshold", "score_threshold", "radius"), ("min_score",)),
    **dict.fromkeys(("nprobe", "ef", "ef_search", "efSearch", "k_factor"), ("effort",)),
}
"""What options are called elsewhere, where their names are not near to ours."""


class HitOptions(TypedDict, total=False):
    """Keyword arguments of every method that gives hits.

    Attributes:
        k: How many hits; 10 if not given.
        target_recall: Share of the true nearest items to find, above 0 and below 1; at most one of this, `exact` and
            `effort`. None of them means the server's default.
        exact: Whether to compare with every item.
        effort: What to spend, in the terms of the index, whatever recall it gives.
        version: A version number, to stay with one; None takes the current one.
        include_texts: Whether hits carry the text of their item.
        include_vectors: Whether hits carry the vector of their item.
        min_score: Only items that score at least this (a radius search); `k` is how many at most.
        group_by: Name of an attribute: of the items with the same value at most `hits_per_group` are hits.
        hits_per_group: 1 if not given.
        diversity: From 0 to 1, how much hits should differ from each other (maximal marginal relevance): 0 is the
            closest items whatever they are.
        candidates: With `diversity`: how many of the closest items to choose from; 10 · k if not given.
        farthest: Whether to give the items that score lowest, lowest first. Always exact.
        include_attributes: Whether hits carry the attributes of their item.
        filter: Only items that meet it: a text (see `vecinity.client.filters`), or a `vecinity.v1.Filter`.
        unknown_words: What becomes of ids and words that the collection does not know, an `UnknownWords` or its value;
            ERROR if not given.
        explain: Whether the result says how the hits were found, and where the time went: `plan`.
        timeout: Seconds until the deadline; None takes the client's.
    """

    k: int
    target_recall: float | None
    exact: bool
    effort: Effort | None
    version: int | None
    include_texts: bool
    include_vectors: bool
    min_score: float | None
    group_by: str | None
    hits_per_group: int
    diversity: float | None
    candidates: int
    farthest: bool
    include_attributes: bool
    filter: str | core_pb2.Filter | None
    unknown_words: UnknownWords | str | None
    explain: bool
    timeout: float | None


class AnalogyOptions(HitOptions, total=False):
    """Keyword arguments of the methods that solve analogies, beside those of `HitOptions`.

    Attributes:
        method: How they are solved, an `AnalogyMethod` or its value; THREE_COS_ADD if not given.
        examples: For THREE_COS_AVG: pairs that stand in the relation, from left to right.
        include_inputs: Whether items that are terms may be hits.
    """

    method: AnalogyMethod | str
    examples: Sequence[tuple[Query, Query]]
    include_inputs: bool


def analogy_fields(options: AnalogyOptions) -> dict[str, Any]:
    """The fields that requests for analogies share; errors as in `request_fields`."""
    method = one_of("method", AnalogyMethod, options.get("method", AnalogyMethod.THREE_COS_ADD))
    own = AnalogyOptions.__annotations__.keys() - HitOptions.__annotations__.keys()
    _refuse_unknown(options, AnalogyOptions)
    shared = {name: value for name, value in options.items() if name not in own}
    return {
        **request_fields(shared),  # type: ignore[arg-type]  # what is left are those of HitOptions, or unknown
        "method": _METHODS[method],
        "examples": query_pairs("examples", options.get("examples", ())),
        "include_inputs": flag("include_inputs", options.get("include_inputs", False)),
    }


def request_fields(options: HitOptions) -> dict[str, Any]:
    """The fields that the requests of these methods share.

    Raises:
        InvalidArgumentError: An option is unknown, or contradicts another.
    """
    _refuse_unknown(options, HitOptions)
    return {
        "version": unsigned("version", options.get("version") or 0, 64),
        "k": unsigned("k", options.get("k", 10)),
        "parameters": parameters(options.get("target_recall"), options.get("exact", False), options.get("effort")),
        "include_texts": flag("include_texts", options.get("include_texts", False)),
        "include_vectors": flag("include_vectors", options.get("include_vectors", False)),
        "include_attributes": flag("include_attributes", options.get("include_attributes", False)),
        "explain": flag("explain", options.get("explain", False)),
        "selection": selection(options),
        "unknown_words": policy(options.get("unknown_words")),
    }


def _refuse_unknown(options: Mapping[str, Any], kind: type[HitOptions]) -> None:
    """
    Raises:
        InvalidArgumentError: An option is none of `kind`; it names those that may have been meant.
    """
    known = kind.__annotations__
    if unknown := sorted(options.keys() - known.keys()):
        near = _OF_OTHERS.get(unknown[0]) or get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise InvalidArgumentError(f"there is no option {unknown[0]!r}; {hint}")


def selection(options: HitOptions) -> core_pb2.Selection:
    """Which of the close items become hits."""
    message = core_pb2.Selection(farthest=flag("farthest", options.get("farthest", False)))
    if (min_score := options.get("min_score")) is not None:
        message.min_score = real("min_score", min_score)
    if (condition := options.get("filter")) is not None:
        message.filter.CopyFrom(filter_message(condition))
    if (attribute := options.get("group_by")) is not None:
        if not isinstance(attribute, str):
            raise InvalidArgumentError(f"group_by is {attribute!r}; it must be the name of an attribute")
        message.grouping.attribute = string("group_by", attribute)
        message.grouping.hits_per_group = unsigned("hits_per_group", options.get("hits_per_group", 1))
    elif "hits_per_group" in options:
        raise InvalidArgumentError("hits_per_group goes with group_by")
    if (diversity := options.get("diversity")) is not None:
        if not 0 <= real("diversity", diversity) <= 1:
            raise InvalidArgumentError(f"diversity is {diversity}; it must be from 0 to 1")
        # The service counts the other way: 1 is only close.
        message.diversity.relevance = 1 - diversity
        message.diversity.candidates = unsigned("candidates", options.get("candidates", 0))
    elif "candidates" in options:
        raise InvalidArgumentError("candidates goes with diversity")
    return message
