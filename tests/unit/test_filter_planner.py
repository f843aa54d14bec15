"""The planner of filtered searches as a table."""

from __future__ import annotations

import pytest

from vecinity.indexer.ann import EXACT, Effort
from vecinity.indexer.calibration import CalibrationSource
from vecinity.indexer.metric import Metric
from vecinity.service.filter_planner import containing_matches, plan_filtered
from vecinity.service.planner import ANY_EFFORT, Asked, Plan, Strategy, Wish

LISTS, GRAPH = Effort(nprobe=24, k_factor=8), Effort(ef_search=24)
ROWS, DIMENSION = 100_000, 400


@pytest.mark.parametrize(
    ("effort", "matches", "strategy"),
    [
        (EXACT, 0, Strategy.EXACT_MATCHES),
        (EXACT, 50_000, Strategy.EXACT_MATCHES),
        (LISTS, 0, Strategy.EXACT_MATCHES),
        (LISTS, 9, Strategy.EXACT_MATCHES),
        (LISTS, 1_000, Strategy.EXACT_MATCHES),
        (LISTS, 90_000, Strategy.INDEX_FILTERED),
        (LISTS, 50_000, Strategy.INDEX_FILTERED),
        (LISTS, ROWS, Strategy.INDEX_FILTERED),
        (GRAPH, 1_000, Strategy.EXACT_MATCHES),
        (GRAPH, 10_000, Strategy.EXACT_MATCHES),
        (GRAPH, 50_000, Strategy.OVER_FETCH),
        (GRAPH, ROWS, Strategy.OVER_FETCH),
    ],
)
def test_strategies(effort: Effort, matches: int, strategy: Strategy) -> None:
    base = Plan(effort, 1.0 if effort.exact else 0.96, query_us=0.0 if effort.exact else 100.0)
    planned = plan_filtered(base, ANY_EFFORT, 10, rows=ROWS, dimension=DIMENSION, matches=matches, queries=64)
    assert (planned.strategy, planned.items_matching) == (strategy, matches)
    exact = strategy is Strategy.EXACT_MATCHES
    assert planned.effort == (EXACT if exact else effort)
    assert planned.predicted_recall == (1.0 if exact else 0.96)
    assert len(planned.reasons) == 1


def test_lists_are_searched_as_deep_as_the_rows_need_among_which_the_matches_are() -> None:
    base = Plan(LISTS, 0.96, query_us=100.0, items_scanned=600)
    shape = {"rows": ROWS, "dimension": DIMENSION, "matches": 50_000, "queries": 64}
    planned = plan_filtered(base, ANY_EFFORT, 10, **shape, containing=Plan(Effort(nprobe=40, k_factor=3), 0.96))
    assert planned.effort == Effort(nprobe=40, k_factor=8) and "nprobe 40" in planned.reasons[-1]
    assert (planned.items_scanned, planned.query_us) == (1_000, pytest.approx(100 * 40 / 24))
    shallow = plan_filtered(base, ANY_EFFORT, 10, **shape, containing=Plan(Effort(nprobe=20, k_factor=3), 0.96))
    assert shallow.effort == LISTS
    graph = Plan(GRAPH, 0.96, query_us=100.0)
    assert plan_filtered(graph, ANY_EFFORT, 10, **shape).effort == GRAPH


@pytest.mark.parametrize(
    ("k", "density", "among"), [(10, 1.0, 10), (10, 0.5, 20), (10, 0.33, 31), (10, 0.09, 120), (7, 0.001, 7_000)]
)
def test_so_many_rows_that_the_matches_are_among_them(k: int, density: float, among: int) -> None:
    assert containing_matches(Asked(k, by_items=True), density) == Asked(among, by_items=True, filtered=True)


def test_an_effort_of_the_callers_own_stays_as_it_is() -> None:
    base = Plan(LISTS, 0.96, source=CalibrationSource.ITEMS)
    wish = Wish(effort=LISTS)
    planned = plan_filtered(base, wish, 10, rows=ROWS, dimension=DIMENSION, matches=5)
    assert (planned.effort, planned.predicted_recall, planned.source) == (LISTS, None, None)
    assert planned.strategy is Strategy.INDEX_FILTERED


@pytest.mark.parametrize(
    ("queries", "matches", "strategy"),
    [
        (1, 2_000, Strategy.EXACT_MATCHES),
        (1, 10_000, Strategy.INDEX_FILTERED),
        (8, 7_000, Strategy.INDEX_FILTERED),
        (64, 10_000, Strategy.EXACT_MATCHES),
        (64, 40_000, Strategy.INDEX_FILTERED),
        (1_000, 16_000, Strategy.EXACT_MATCHES),
    ],
)
def test_the_more_queries_share_the_matches_the_cheaper_it_is_to_compare(
    queries: int, matches: int, strategy: Strategy
) -> None:
    base = Plan(LISTS, 0.96, query_us=75.0)
    planned = plan_filtered(base, ANY_EFFORT, 10, rows=ROWS, dimension=DIMENSION, matches=matches, queries=queries)
    assert planned.strategy is strategy


def test_euclidean_distances_do_not_go_through_blas() -> None:
    def strategy(metric: Metric) -> Strategy | None:
        base, shape = Plan(LISTS, 0.96, query_us=75.0), {"rows": ROWS, "dimension": DIMENSION}
        return plan_filtered(base, ANY_EFFORT, 10, **shape, matches=12_000, queries=64, metric=metric).strategy

    assert (strategy(Metric.DOT), strategy(Metric.EUCLIDEAN)) == (Strategy.EXACT_MATCHES, Strategy.INDEX_FILTERED)
