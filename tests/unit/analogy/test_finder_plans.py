"""What is said of an answer to analogies: by a scan or through the index."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import clustered, publish_vectors

from vecinity.client import Client, Term
from vecinity.indexer.ann import EXACT, Effort, Family
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


@pytest.mark.parametrize(
    ("metric", "weights"),
    [
        (Metric.COSINE, [3e38, 3e38, -3e38]),
        (Metric.COSINE, [1e-44, 2e-44, -1e-44]),
        (Metric.COSINE, [3e5, 1.0, -3e5]),
        (Metric.DOT, [1e8, 1.0, -1e8]),
        (Metric.DOT, [1.0, 2.0, -1.0]),
    ],
)
def test_many_analogies_of_few_terms_are_solved_as_each_alone(
    tmp_path: Path, metric: Metric, weights: list[float]
) -> None:
    vectors = clustered(8_000)
    vectors[1] = vectors[0] + np.float32(1e-6) * vectors[2]  # all but cancel
    publish_vectors(
        tmp_path / "data",
        "c",
        vectors,
        tmp_path,
        ids=[f"i{row}" for row in range(8_000)],
        metric=metric,
        family=Family.FLAT,
    )
    asked = [f"i{3 + number % 40}" for number in range(400)]
    with Client.in_process(tmp_path / "data") as client:
        terms = [term for item in asked for term in ("i0", item, "i1")]
        many = client.batch_solve_analogies("c", terms=terms, term_counts=[3] * 400, weights=weights * 400, k=5)
        for item, found in list(zip(asked, many, strict=True))[:20]:
            alone = client.solve_analogy(
                "c", [Term("i0", weights[0]), Term(item, weights[1])], [Term("i1", -weights[2])], k=5
            )
            assert len({*found.ids} & {*alone.ids}) >= 4
            np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-4)
