"""From the plan of a search without a filter to that of one with it. Pure: no input but its arguments.

Costs were measured with 384 numbers a row, by tests/benchmarks/bench_filters.py and of `exact_search`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from vecinity.indexer.ann import EXACT, FEW_QUERIES, GRAPH_DEPTH
from vecinity.indexer.metric import Metric
from vecinity.service.planner import Asked, Plan, Strategy, Wish

_FEW_US_PER_NUMBER = 2.2e-4
"""Microseconds to compare one of few queries with one number of a matching row, where it lies."""

_SHARED_US_PER_NUMBER, _SHARED_BY_BLAS_US_PER_NUMBER = 7e-5, 2.8e-5
_COPIED_US_PER_NUMBER = {True: 9e-4, False: 7e-4}
"""Many queries are compared with rows copied once for all of them; under Euclidean distance not through BLAS."""

_LISTS_FACTOR = 1.8
"""Through a filter that lets the share s pass, a search of inverted lists costs this times s^(-1/4) as much, in batches
and where queries are not far from what passes. Those cost two to five times that, which is not known before."""

_LONE_FACTOR = 0.6
"""n queries at a time cost 1 + this / sqrt(n) of what the calibration measured, in large batches."""


def containing_matches(asked: Asked, density: float) -> Asked:
    """What to ask the planner for lists that hold the k nearest matches: so many rows that those are among them.

    Args:
        density: The share of matches around a match (`FilteredIndex.density`), above 0.

    Returns:
        A k of two digits and zeros, so that filters of much the same density have one plan.
    """
    among = math.ceil(asked.k / density)
    step = 10 ** max(len(str(among)) - 2, 0)
    return replace(asked, k=-(-among // step) * step, filtered=True)


def plan_filtered(
    base: Plan,
    wish: Wish,
    k: int,
    *,
    rows: int,
    dimension: int,
    matches: int,
    queries: int = 1,
    metric: Metric = Metric.COSINE,
    containing: Plan | None = None,
) -> Plan:
    """Choose between comparing with every match and asking the index, whichever costs less.

    Args:
        base: The plan of the same request without its filter.
        wish: What was asked for.
        k: Hits for each query.
        rows: Rows of the index.
        dimension: d.
        matches: Rows that meet the filter.
        queries: How many are asked together, at least 1.
        metric: Of the index.
        containing: For inverted lists, the plan of a search without the filter for so many rows that the k nearest
            matches are among them, `containing_matches`.

    Returns:
        Where the index is asked, a plan with the effort of `base`, in inverted lists to the depth of `containing`. How
        much further each query must look depends on where the matches lie, and is left to
        `vecinity.indexer.ann.FilteredIndex`.
    """
    if base.effort.exact:
        reason = "Each item that meets the filter is compared with, as the search without it is exact too."
        return _exact(base, matches, reason if matches else "No item meets the filter.")
    strategy = Strategy.INDEX_FILTERED if base.effort.nprobe else Strategy.OVER_FETCH
    if wish.effort is not None:
        reason = "The request says what to spend; with a filter the recall of that was not measured."
        return replace(
            base,
            predicted_recall=None,
            source=None,
            strategy=Strategy.INDEX_FILTERED,
            items_matching=matches,
            reasons=(reason,),
        )
    if _exact_us(dimension * matches, queries, metric) <= _index_us(base, k, rows, matches, queries):
        return _exact(
            base, matches, f"{matches} of {rows} items meet the filter: comparing with each costs less than the index."
        )
    effort = base.effort
    if containing is not None and effort.nprobe:
        effort = effort.at_depth(max(effort.nprobe, containing.effort.nprobe))
    deeper = effort.depth / base.effort.depth
    how = (
        f"lists are visited until they held as many of them as nprobe {effort.nprobe}, and on while better ones come."
        if strategy is Strategy.INDEX_FILTERED
        else "more are fetched from the graph, of which those are kept."
    )
    return replace(
        base,
        effort=effort,
        items_scanned=round(base.items_scanned * deeper),
        query_us=base.query_us * deeper,
        strategy=strategy,
        items_matching=matches,
        reasons=(*base.reasons, f"{matches} of {rows} items meet the filter: {how}"),
    )


def _exact(base: Plan, matches: int, reason: str) -> Plan:
    return Plan(
        EXACT,
        1.0,
        Strategy.EXACT_MATCHES,
        matches,
        (reason,),
        target_recall=base.target_recall,
        items_scanned=matches,
    )


def _exact_us(numbers: int, queries: int, metric: Metric) -> float:
    """What one of the queries would cost if all were compared with every match, of so many numbers."""
    if queries <= FEW_QUERIES:
        return numbers * _FEW_US_PER_NUMBER
    blas = metric is not Metric.EUCLIDEAN
    shared = _SHARED_BY_BLAS_US_PER_NUMBER if blas else _SHARED_US_PER_NUMBER
    return numbers * (shared + _COPIED_US_PER_NUMBER[blas] / queries)


def _index_us(base: Plan, k: int, rows: int, matches: int, queries: int) -> float:
    """What one of the queries would cost through the index; 0 for an effort that was not measured."""
    unfiltered_us = base.query_us * (1 + _LONE_FACTOR / math.sqrt(queries))
    if base.effort.nprobe:
        return unfiltered_us * _LISTS_FACTOR * float((rows / max(matches, 1)) ** 0.25)
    fetched = GRAPH_DEPTH * k * rows / max(matches, 1)
    return unfiltered_us * max(1.0, fetched / max(base.effort.ef_search, 1))
