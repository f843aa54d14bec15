"""Checks of what a request says about which of the close items become hits."""

from __future__ import annotations

import math

from vecinity.service.errors import InvalidArgumentError
from vecinity.service.limits import Limits
from vecinity.service.query import Diversity
from vecinity.service.validate.filter import filter_tree
from vecinity.v1 import core_pb2


def selection(
    selection: core_pb2.Selection, parameters: core_pb2.SearchParameters, k: int, queries: int, limits: Limits
) -> None:
    if selection.HasField("filter"):
        filter_tree("selection.filter", selection.filter)
    if selection.HasField("min_score") and math.isnan(selection.min_score):
        raise InvalidArgumentError("selection.min_score", "is NaN, which no score is compared with")
    if selection.HasField("grouping"):
        _grouping(selection.grouping, limits)
    if selection.HasField("diversity"):
        _diversity(selection.diversity, k, queries, limits)
    if not selection.farthest:
        return
    for other in ("min_score", "grouping", "diversity"):
        if selection.HasField(other):
            raise InvalidArgumentError("selection.farthest", f"does not go with {other}: leave one of them out")
    if parameters.HasField("effort"):
        raise InvalidArgumentError("parameters.effort", "does not go with farthest, which compares with every item")


def page_token(token: str, selection: core_pb2.Selection) -> None:
    if not token:
        return
    if not selection.HasField("min_score"):
        raise InvalidArgumentError("page_token", "goes with selection.min_score: other searches have no pages")
    for other in ("grouping", "diversity"):
        if selection.HasField(other):
            raise InvalidArgumentError("page_token", f"does not go with {other}: such searches have no pages")


def _grouping(grouping: core_pb2.Grouping, limits: Limits) -> None:
    if not grouping.attribute:
        raise InvalidArgumentError("selection.grouping.attribute", "is required")
    if len(grouping.attribute) > limits.text_chars_max:
        raise InvalidArgumentError("selection.grouping.attribute", f"has {len(grouping.attribute)} characters")


def _diversity(diversity: core_pb2.Diversity, k: int, queries: int, limits: Limits) -> None:
    if diversity.HasField("relevance") and not 0 <= diversity.relevance <= 1:
        raise InvalidArgumentError(
            "selection.diversity.relevance", f"is {diversity.relevance:g}; it must be from 0 to 1"
        )
    field, candidates = "selection.diversity.candidates", diversity.candidates
    if candidates and not k <= candidates <= limits.k_max:
        raise InvalidArgumentError(field, f"is {candidates}; it must be from k, {k}, to {limits.k_max}, or 0")
    candidates = Diversity(candidates=candidates).candidates_for(k)
    if candidates * queries > limits.hits_max:
        raise InvalidArgumentError(
            field,
            f"{queries} queries × {candidates} candidates are over {limits.hits_max}: "
            "send fewer at once, or say fewer candidates",
        )
