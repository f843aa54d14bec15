"""From what a request asks to what the index does. Pure: no input but its arguments, no side effect."""

from __future__ import annotations

from dataclasses import dataclass

from vecinity.indexer.ann import EXACT, Effort, Family, IndexSpec
from vecinity.indexer.calibration import CALIBRATED_K, Calibration, CalibrationPoint
from vecinity.service.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Wish:
    """The effort a request asks for: at most one of these; none means the default recall."""

    target_recall: float | None = None
    exact: bool = False
    nprobe: int | None = None
    ef_search: int | None = None


ANY_EFFORT = Wish()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, and the recall it is expected to reach (0: not measured)."""

    effort: Effort
    predicted_recall: float


def plan(wish: Wish, k: int, spec: IndexSpec, calibration: Calibration, default_recall: float) -> Plan:
    """Choose the cheapest effort that keeps the promise.

    For a target, each effort is judged by the *lower bound* of its measured recall at the calibrated k's on both
    sides of the request's (with few candidates re-ranked a small k is the harder one, with few lists visited a
    large k is). Where no effort reaches the target, the search is exact.

    Raises:
        InvalidArgumentError: The request names an effort of another family of index.
    """
    if spec.family is Family.FLAT and wish.nprobe is None and wish.ef_search is None:
        return Plan(EXACT, 1.0)
    if wish.exact:
        return Plan(EXACT, 1.0)
    if wish.nprobe is not None:
        if spec.family not in (Family.IVF_FLAT, Family.IVF_PQ):
            raise InvalidArgumentError("parameters.nprobe", f"the index is {spec.family}, which has no lists")
        k_factor = _largest_k_factor(calibration) if spec.family is Family.IVF_PQ else 0
        effort = Effort(nprobe=min(wish.nprobe, spec.nlist), k_factor=k_factor)
        return Plan(effort, _recall(effort, k, calibration))
    if wish.ef_search is not None:
        if spec.family is not Family.HNSW:
            raise InvalidArgumentError("parameters.ef_search", f"the index is {spec.family}, not hnsw")
        effort = Effort(ef_search=wish.ef_search)
        return Plan(effort, _recall(effort, k, calibration))
    return _cheapest(default_recall if wish.target_recall is None else wish.target_recall, k, calibration)


def _cheapest(target: float, k: int, calibration: Calibration) -> Plan:
    best: tuple[float, Plan] | None = None
    for effort in dict.fromkeys(point.effort for point in calibration.points):
        points = _around(effort, k, calibration)
        if not points or min(point.recall_lower_bound for point in points) < target:
            continue
        cost = max(point.query_us for point in points)
        if best is None or cost < best[0]:
            best = cost, Plan(effort, min(point.recall for point in points))
    return best[1] if best else Plan(EXACT, 1.0)


def _recall(effort: Effort, k: int, calibration: Calibration) -> float:
    return min((point.recall for point in _around(effort, k, calibration)), default=0.0)


def _around(effort: Effort, k: int, calibration: Calibration) -> list[CalibrationPoint]:
    """The points of an effort at the nearest calibrated k's below and above `k`; the largest one for a k above all."""
    below = max((c for c in CALIBRATED_K if c <= k), default=CALIBRATED_K[0])
    above = min((c for c in CALIBRATED_K if c >= k), default=below)
    return [point for point in calibration.points if point.effort == effort and point.k in (below, above)]


def _largest_k_factor(calibration: Calibration) -> int:
    """With nprobe chosen by the caller, re-ranking should not be what limits the recall."""
    return max((point.effort.k_factor for point in calibration.points), default=0) or 32
