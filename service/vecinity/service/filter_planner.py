"""From the plan of a search without a filter to that of one with it. Pure: no input but its arguments."""

from __future__ import annotations

from dataclasses import replace

from vecinity.indexer.ann import EXACT, GRAPH_DEPTH
from vecinity.service.planner import Plan, Strategy, Wish

_MANY_QUERIES = 16
_EXACT_US_PER_NUMBER = {True: 4e-5, False: 2.4e-4}
"""Microseconds to compare a query with one number of a matching row, among many queries and among few: measured with
384 numbers a row. Many share the reading of the rows, and go through BLAS."""

_INDEX_FACTOR = {True: 1.0, False: 2.0}
"""What a query costs through the index among many and among few, as a multiple of what the calibration measured."""

_LISTS_FACTOR = 2.0
"""What a search of inverted lists costs through a filter that lets the share s pass, as a multiple of the same without:
this times s^(-1/4), as measured by tests/benchmarks/bench_filters.py."""


def plan_filtered(base: Plan, wish: Wish, k: int, *, rows: int, dimension: int, matches: int, queries: int = 1) -> Plan:
    """Choose between comparing with every match and asking the index, whichever costs less.

    Args:
        base: The plan of the same request without its filter.
        wish: What was asked for.
        k: Hits for each query.
        rows: Rows of the index.
        dimension: d.
        matches: Rows that meet the filter.
        queries: How many are asked together.

    Returns:
        A plan whose effort is that of `base` where the index is asked: how much further it must look depends on where
        the matches lie, and is left to `vecinity.indexer.ann.FilteredIndex`.
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
    many = queries >= _MANY_QUERIES
    index_us = _index_us(base, k, rows, matches) * _INDEX_FACTOR[many]
    exact_us = matches * dimension * _EXACT_US_PER_NUMBER[many]
    if exact_us <= index_us:
        return _exact(
            base, matches, f"{matches} of {rows} items meet the filter: comparing with each costs less than the index."
        )
    how = (
        "lists are visited until they held enough of them."
        if strategy is Strategy.INDEX_FILTERED
        else "more are fetched from the graph, of which those are kept."
    )
    return replace(
        base,
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


def _index_us(base: Plan, k: int, rows: int, matches: int) -> float:
    """What a query would cost through the index; 0 for an effort that was not measured."""
    if base.effort.nprobe:
        return base.query_us * _LISTS_FACTOR * float((rows / max(matches, 1)) ** 0.25)
    fetched = GRAPH_DEPTH * k * rows / max(matches, 1)
    return base.query_us * max(1.0, fetched / max(base.effort.ef_search, 1))
