"""What is said of an answer to analogies: by a scan or through the index."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from vecinity.indexer.ann import EXACT, Effort
from vecinity.indexer.calibration import CalibrationSource
from vecinity.indexer.metric import Metric
from vecinity.service.analogy.terms import Terms
from vecinity.service.finding import ProductFinder, SumFinder
from vecinity.service.planner import Plan, Strategy

ROWS, ANALOGIES = 50, 40
VECTORS = np.eye(ROWS, 8, dtype=np.float32)
VERSION: Any = SimpleNamespace(
    segment=SimpleNamespace(rows=ROWS, vectors=VECTORS), record=SimpleNamespace(metric=Metric.COSINE)
)
TERMS = Terms(VECTORS[:2], np.tile([0, 1], ANALOGIES), np.full(ANALOGIES, 2), np.tile([1.0, -1.0], ANALOGIES))
SUMS = np.repeat(VECTORS[:1], ANALOGIES, axis=0)


def through_the_index(query_us: float) -> Plan:
    return Plan(
        Effort(nprobe=3),
        0.96,
        reasons=("Cheap.",),
        target_recall=0.95,
        source=CalibrationSource.ITEMS,
        items_scanned=7,
        query_us=query_us,
    )


def test_a_scan_in_the_place_of_the_index_rests_on_no_calibration() -> None:
    chosen = SumFinder(VERSION, TERMS, SUMS, may_scan=True, threads=1).plan(through_the_index(1e6))
    assert (chosen.effort, chosen.strategy, chosen.predicted_recall) == (EXACT, Strategy.EXACT, 1.0)
    assert (chosen.items_scanned, chosen.source, chosen.target_recall) == (ROWS, None, 0.95)
    assert len(chosen.reasons) == 1 and "takes less time than the index" in chosen.reasons[0]


def test_the_index_where_it_costs_less() -> None:
    base = through_the_index(1e-9)
    assert SumFinder(VERSION, TERMS, SUMS, may_scan=True, threads=1).plan(base) == base


def test_no_prediction_for_a_score_that_was_not_measured() -> None:
    chosen = ProductFinder(VERSION, TERMS, SUMS, may_scan=False, threads=1).plan(through_the_index(1e6))
    assert (chosen.effort, chosen.predicted_recall, chosen.source) == (Effort(nprobe=3), None, None)
