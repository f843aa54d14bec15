"""The planner as a table."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from vecinity.indexer.ann import EXACT, Effort, Family, IndexSpec
from vecinity.indexer.calibration import Calibration, CalibrationPoint, CalibrationSource
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.planner import Asked, Plan, Strategy, Wish, plan

ITEMS, QUERIES = CalibrationSource.ITEMS, CalibrationSource.QUERIES
IVF = IndexSpec(Family.IVF_FLAT, nlist=64)
PQ = IndexSpec(Family.IVF_PQ, nlist=64, subquantisers=16)
HNSW = IndexSpec(Family.HNSW, m=16, ef_construction=100)
FLAT = IndexSpec(Family.FLAT)
ROWS = 10_000


def point(
    k: int, effort: Effort, recall: float, us: float, source: CalibrationSource = ITEMS, scanned: int = 500
) -> CalibrationPoint:
    return CalibrationPoint(k, effort, recall, recall - 0.01, us, source, scanned)


N4, N8, N16 = Effort(nprobe=4), Effort(nprobe=8), Effort(nprobe=16)
IVF_POINTS = Calibration(
    (
        point(1, N4, 0.97, 10),
        point(1, N8, 0.99, 20),
        point(1, N16, 1.0, 40),
        point(10, N4, 0.92, 10),
        point(10, N8, 0.97, 20),
        point(10, N16, 0.995, 40),
        point(100, N4, 0.85, 11),
        point(100, N8, 0.94, 22),
        point(100, N16, 0.99, 41),
    ),
    1_000,
)
COARSE = Calibration((point(10, Effort(nprobe=1), 0.92, 10), point(10, Effort(nprobe=2), 0.97, 20)), 1_000)
WIDE, DEEP = Effort(nprobe=8, k_factor=4), Effort(nprobe=4, k_factor=16)
PQ_POINTS = Calibration((point(10, WIDE, 0.97, 30), point(10, DEEP, 0.97, 25)), 1_000)
BETWEEN = Calibration((point(10, WIDE, 0.96, 30), point(100, Effort(nprobe=32, k_factor=1), 0.97, 60)))


def planned(
    wish: Wish,
    k: int = 10,
    spec: IndexSpec = IVF,
    calibration: Calibration = IVF_POINTS,
    by_items: bool = False,
    alone: bool = False,
) -> Plan:
    return plan(wish, Asked(k, by_items, alone), spec, calibration, rows=ROWS, default_recall=0.95)


@pytest.mark.parametrize(
    ("wish", "k", "spec", "calibration", "effort", "recall"),
    [
        (Wish(), 10, FLAT, Calibration(), EXACT, 1.0),
        (Wish(target_recall=0.5), 10, FLAT, Calibration(), EXACT, 1.0),
        (Wish(exact=True), 10, IVF, IVF_POINTS, EXACT, 1.0),
        (Wish(), 10, IVF, IVF_POINTS, N8, 0.97),  # the default is .95
        (Wish(target_recall=0.9), 10, IVF, IVF_POINTS, N4, 0.92),
        (Wish(target_recall=0.2), 10, IVF, IVF_POINTS, N4, 0.92),  # there is nothing cheaper
        (Wish(target_recall=0.915), 10, IVF, IVF_POINTS, Effort(nprobe=5), 0.9325),  # .91 for sure at 4, .96 at 8
        (Wish(target_recall=0.915), 10, IVF, COARSE, Effort(nprobe=1), 0.92),  # for sure only 2, which finds far more
        (Wish(target_recall=0.935), 100, IVF, IVF_POINTS, Effort(nprobe=9), 0.94625),
        (Wish(target_recall=0.965), 10, IVF, IVF_POINTS, Effort(nprobe=10), 0.97625),  # N8 reaches it on the mean only
        (Wish(target_recall=0.98), 10, IVF, IVF_POINTS, Effort(nprobe=15), 0.991875),
        (Wish(target_recall=0.99), 10, IVF, IVF_POINTS, EXACT, 1.0),  # only on the mean, by the best there is
        (Wish(target_recall=0.999), 10, IVF, IVF_POINTS, EXACT, 1.0),  # beyond what the index reaches
        (Wish(), 1, IVF, IVF_POINTS, N4, 0.97),
        (Wish(), 100, IVF, IVF_POINTS, Effort(nprobe=12), 0.965),
        (Wish(), 101, IVF, IVF_POINTS, EXACT, 1.0),  # above what was measured nothing is promised
        (Wish(), 10, PQ, PQ_POINTS, DEEP, 0.97),  # of two that keep the promise, the cheaper
        (Wish(effort=N8), 10, IVF, IVF_POINTS, N8, 0.97),
        (Wish(effort=N8), 50, IVF, IVF_POINTS, N8, 0.94),
        (Wish(effort=N8), 1_000, IVF, IVF_POINTS, N8, None),
        (Wish(effort=Effort(nprobe=7)), 10, IVF, IVF_POINTS, Effort(nprobe=7), None),  # not measured
        (Wish(effort=Effort(nprobe=500)), 10, IVF, IVF_POINTS, Effort(nprobe=64), None),
        (Wish(effort=DEEP), 10, PQ, PQ_POINTS, DEEP, 0.97),
        (Wish(effort=N4), 10, PQ, PQ_POINTS, Effort(nprobe=4, k_factor=32), None),
        (Wish(effort=Effort(ef_search=40)), 10, HNSW, Calibration(), Effort(ef_search=40), None),
        (Wish(), 10, HNSW, Calibration(), EXACT, 1.0),  # nothing measured: nothing promised
    ],
)
def test_table(
    wish: Wish, k: int, spec: IndexSpec, calibration: Calibration, effort: Effort, recall: float | None
) -> None:
    chosen = planned(wish, k, spec, calibration)
    assert chosen.effort == effort
    assert chosen.predicted_recall == (None if recall is None else pytest.approx(recall))
    assert chosen.strategy is (Strategy.EXACT if effort.exact else Strategy.INDEX)
    assert chosen.reasons


@pytest.mark.parametrize(
    ("k", "effort", "recall"),
    [
        (2, Effort(nprobe=5), 0.97),  # 4 for k = 1, 8 for k = 10: 4 · 2^log10(2), rounded up
        (5, Effort(nprobe=7), 0.97),
        (30, Effort(nprobe=10), 0.965),
        (99, Effort(nprobe=12), 0.965),
    ],
)
def test_between_two_calibrated_ks_lies_the_effort(k: int, effort: Effort, recall: float) -> None:
    chosen = planned(Wish(target_recall=0.955), k)
    assert (chosen.effort, chosen.predicted_recall) == (effort, recall)


@pytest.mark.parametrize(
    ("k", "effort"),
    [
        (10, WIDE),
        (20, Effort(nprobe=13, k_factor=3)),  # 40 candidates for k = 10, 100 for k = 100: 53 for 20
        (50, Effort(nprobe=22, k_factor=2)),
        (100, Effort(nprobe=32, k_factor=1)),
    ],
)
def test_between_two_ks_lists_and_candidates_are_interpolated(k: int, effort: Effort) -> None:
    assert planned(Wish(), k, PQ, BETWEEN).effort == effort


def test_where_one_side_misses_the_target_the_search_is_exact() -> None:
    assert planned(Wish(target_recall=0.985), 30).effort == EXACT


@pytest.mark.parametrize(
    ("k", "filtered", "effort"),
    [
        (10, False, EXACT),  # which is cheaper here
        (10, True, Effort(nprobe=15)),
        (100, True, N16),
        (400, False, EXACT),  # for want of a calibration
        (400, True, Effort(nprobe=32)),
        (100_000, True, Effort(nprobe=64)),  # all lists
    ],
)
def test_rows_among_which_the_matches_of_a_filter_are(k: int, filtered: bool, effort: Effort) -> None:
    calibration = replace(IVF_POINTS, exact_us=1.0, exact_single_us=1.0)
    chosen = plan(Wish(target_recall=0.98), Asked(k, filtered=filtered), IVF, calibration, rows=ROWS, default_recall=1)
    assert chosen.effort == effort


def test_no_effort_is_known_for_what_was_not_measured() -> None:
    asked = Asked(400, filtered=True)
    assert plan(Wish(), asked, IVF, Calibration(), rows=ROWS, default_recall=0.9).effort == EXACT
    assert plan(Wish(target_recall=0.999), asked, IVF, IVF_POINTS, rows=ROWS, default_recall=0.9).effort == EXACT


def test_lists_for_more_rows_than_an_effort_is_known_for_follow_from_those_for_fewer() -> None:
    asked = Asked(100, filtered=True)  # of which the target can't be reached, but .985 can of 10
    chosen = plan(Wish(target_recall=0.985), asked, IVF, IVF_POINTS, rows=ROWS, default_recall=0.9)
    assert chosen.effort == Effort(nprobe=math.ceil(16 * math.sqrt(10)))


@pytest.mark.parametrize(
    ("exact_us", "exact_single_us", "alone", "effort"),
    [
        (0.0, 0.0, False, N8),  # not measured
        (21.0, 900.0, False, N8),
        (20.0, 900.0, False, EXACT),
        (20.0, 900.0, True, N8),  # alone, an exact search reads all vectors for one query
        (9.0, 15.0, True, EXACT),
    ],
)
def test_the_search_is_exact_where_that_costs_no_more(
    exact_us: float, exact_single_us: float, alone: bool, effort: Effort
) -> None:
    calibration = replace(IVF_POINTS, exact_us=exact_us, exact_single_us=exact_single_us)
    assert planned(Wish(), calibration=calibration, alone=alone).effort == effort


def test_queries_are_planned_by_queries_and_items_by_items() -> None:
    harder = tuple(replace(point, recall=0.5, recall_lower_bound=0.49) for point in IVF_POINTS.of(ITEMS, 10)[:2])
    queries = (*(replace(point, source=QUERIES) for point in harder), point(10, N16, 0.97, 40, QUERIES))
    both = Calibration((*IVF_POINTS.points, *queries), 1_000, given_queries=500)
    assert (planned(Wish(), calibration=both).effort, planned(Wish(), calibration=both).source) == (N16, QUERIES)
    by_items = planned(Wish(), calibration=both, by_items=True)
    assert (by_items.effort, by_items.source) == (N8, ITEMS)
    told = planned(Wish(effort=N8), calibration=both)
    assert (told.predicted_recall, told.source) == (0.5, QUERIES)


def test_a_plan_says_why() -> None:
    reasons = planned(Wish(target_recall=0.94)).reasons
    assert reasons == (
        "For k = 10 the cheapest effort to reach 0.94, between two that were measured, is nprobe 7: recall 0.9575, "
        "surely 0.9475, in 18 µs.",
        "The next below is nprobe 4: recall 0.9200, surely 0.9100, in 10 µs.",
        "Only items were calibrated with: queries of another kind may find less.",
    )
    assert planned(Wish(target_recall=0.94), by_items=True).reasons == reasons[:2]
    assert planned(Wish()).reasons[0] == "No target was given: 0.95 is the default."
    assert "no effort is known to reach 0.999" in planned(Wish(target_recall=0.999)).reasons[0]
    assert planned(Wish(), 5_000).reasons[1] == "5000 is above 100, the largest k that was calibrated."
    chosen = planned(Wish(), 30)
    assert (chosen.target_recall, chosen.items_scanned, chosen.query_us) == (0.95, 500, 31.5)
    assert planned(Wish(exact=True)).items_scanned == ROWS
    assert planned(Wish(effort=Effort(nprobe=16))).target_recall is None
    assert planned(Wish(effort=Effort(nprobe=32))).items_scanned == ROWS // 2


@pytest.mark.parametrize(
    ("effort", "spec", "field"),
    [
        (Effort(nprobe=4), HNSW, "nprobe"),
        (Effort(nprobe=4), FLAT, "nprobe"),
        (Effort(ef_search=4), IVF, "ef_search"),
        (Effort(ef_search=4), FLAT, "ef_search"),
        (Effort(nprobe=4, k_factor=4), IVF, "k_factor"),
        (Effort(k_factor=4), PQ, "nprobe"),
        (Effort(), IVF, "nprobe"),
        (Effort(), HNSW, "ef_search"),
        (Effort(ef_search=4_000_000_000), HNSW, "ef_search"),
        (Effort(nprobe=1 << 31), IVF, "nprobe"),
        (Effort(nprobe=1, k_factor=1_001), PQ, "k_factor"),
        (Effort(), FLAT, ""),
    ],
)
def test_efforts_out_of_range_or_of_another_family(effort: Effort, spec: IndexSpec, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        planned(Wish(effort=effort), spec=spec, calibration=Calibration())
    assert caught.value.field == f"parameters.effort.{field}".rstrip(".")


def test_a_flat_index_has_no_effort() -> None:
    with pytest.raises(InvalidArgumentError, match="a flat index has no nprobe: it is always exact"):
        planned(Wish(effort=Effort(nprobe=5)), spec=FLAT, calibration=Calibration())
