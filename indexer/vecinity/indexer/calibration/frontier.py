"""Which efforts are worth knowing: those that no other beats in both recall and cost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from vecinity.indexer.calibration.points import CalibrationPoint

_STEP_LOW = 0.02
_STEP = 0.004
_STEP_SHARE = 0.1
_HALF = 0.5


def frontier(points: Iterable[CalibrationPoint]) -> list[CalibrationPoint]:
    """Of points of one k and source, those that find more than every cheaper one, thinned out; cheapest first.

    The recalls of two neighbours differ by little: by at most .004 from a half up, and by less towards 1, as far as
    there are such points.
    """
    best: list[CalibrationPoint] = []
    for point in sorted(points, key=lambda p: (p.query_us, -p.recall_lower_bound)):
        if not best or point.recall_lower_bound > best[-1].recall_lower_bound:
            best.append(point)
    kept = best[:1]
    for point, after in pairwise(best[1:]):
        if after.recall - kept[-1].recall > _step(kept[-1].recall):
            kept.append(point)
    return kept + best[1:][-1:]


def _step(recall: float) -> float:
    return _STEP_LOW if recall < _HALF else min(_STEP, (1 - recall) * _STEP_SHARE)
