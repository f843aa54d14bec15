"""The planner as a table."""

from __future__ import annotations

import pytest

from vecinity.indexer.ann import EXACT, Effort, Family, IndexSpec
from vecinity.indexer.calibration import Calibration, CalibrationPoint
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.planner import Wish, plan

IVF = IndexSpec(Family.IVF_FLAT, nlist=64)
PQ = IndexSpec(Family.IVF_PQ, nlist=64, subquantisers=16)
HNSW = IndexSpec(Family.HNSW, m=16, ef_construction=100)
FLAT = IndexSpec(Family.FLAT)


def point(k: int, effort: Effort, recall: float, us: float) -> CalibrationPoint:
    return CalibrationPoint(k, effort, recall, recall - 0.01, us)


N4, N8, N16 = Effort(nprobe=4), Effort(nprobe=8), Effort(nprobe=16)
IVF_POINTS = Calibration(
    (
        point(1, N4, 0.97, 10),
        point(10, N4, 0.92, 10),
        point(100, N4, 0.85, 11),
        point(1, N8, 0.99, 20),
        point(10, N8, 0.97, 20),
        point(100, N8, 0.94, 22),
        point(1, N16, 1.0, 40),
        point(10, N16, 0.995, 40),
        point(100, N16, 0.99, 41),
    ),
    1_000,
)
WIDE, DEEP = Effort(nprobe=8, k_factor=4), Effort(nprobe=4, k_factor=16)
PQ_POINTS = Calibration((point(10, WIDE, 0.97, 30), point(10, DEEP, 0.97, 25)), 1_000)


@pytest.mark.parametrize(
    ("wish", "k", "spec", "calibration", "effort", "recall"),
    [
        (Wish(), 10, FLAT, Calibration(), EXACT, 1.0),
        (Wish(target_recall=0.5), 10, FLAT, Calibration(), EXACT, 1.0),
        (Wish(exact=True), 10, IVF, IVF_POINTS, EXACT, 1.0),
        (Wish(), 10, IVF, IVF_POINTS, N8, 0.97),  # the default is .95
        (Wish(target_recall=0.9), 10, IVF, IVF_POINTS, N4, 0.92),
        (Wish(target_recall=0.915), 10, IVF, IVF_POINTS, N8, 0.97),  # .92 is reached on the mean, not for sure
        (Wish(target_recall=0.98), 10, IVF, IVF_POINTS, N16, 0.995),
        (Wish(target_recall=0.999), 10, IVF, IVF_POINTS, EXACT, 1.0),  # beyond what the index reaches
        (Wish(), 1, IVF, IVF_POINTS, N4, 0.97),
        (Wish(), 5, IVF, IVF_POINTS, N8, 0.97),  # between two calibrated k's, both must hold
        (Wish(), 50, IVF, IVF_POINTS, N16, 0.99),
        (Wish(), 100, IVF, IVF_POINTS, N16, 0.99),
        (Wish(), 101, IVF, IVF_POINTS, EXACT, 1.0),  # above what was measured nothing is promised
        (Wish(), 10, PQ, PQ_POINTS, DEEP, 0.97),  # of two that keep the promise, the cheaper
        (Wish(effort=N8), 10, IVF, IVF_POINTS, N8, 0.97),
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
    planned = plan(wish, k, spec, calibration, default_recall=0.95)
    assert planned.effort == effort
    assert planned.predicted_recall == (None if recall is None else pytest.approx(recall))


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
        plan(Wish(effort=effort), 10, spec, Calibration(), 0.95)
    assert caught.value.field == f"parameters.effort.{field}".rstrip(".")
