"""From what a request asks to what the index does. Pure: no input but its arguments, no side effect."""

from __future__ import annotations

from dataclasses import dataclass

from vecinity.indexer.ann import EF_SEARCH, EXACT, K_FACTOR, NPROBE, Effort, Family, IndexSpec
from vecinity.indexer.calibration import CALIBRATED_K, Calibration, CalibrationPoint
from vecinity.service.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for: at most one of these; none means the default recall."""

    target_recall: float | None = None
    exact: bool = False
    effort: Effort | None = None


ANY_EFFORT = Wish()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, and the recall it is expected to reach; None if that was not measured."""

    effort: Effort
    predicted_recall: float | None


def plan(wish: Wish, k: int, spec: IndexSpec, calibration: Calibration, default_recall: float) -> Plan:
    """Choose the cheapest effort that keeps the promise.

    For a target, each effort is judged by the *lower bound* of its measured recall at the calibrated k's on both
    sides of the request's (with few candidates re-ranked a small k is the harder one, with few lists visited a
    large k is). Where no effort is known to reach the target, and for a k above all calibrated ones, the search is
    exact.

    Raises:
        InvalidArgumentError: The request names an effort out of range or of another family of index.
    """
    if wish.effort is not None:
        effort = _checked(wish.effort, spec)
        return Plan(effort, min((point.recall for point in _around(effort, k, calibration)), default=None))
    if wish.exact or spec.family is Family.FLAT:
        return Plan(EXACT, 1.0)
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


def _around(effort: Effort, k: int, calibration: Calibration) -> list[CalibrationPoint]:
    """The points of an effort at the nearest calibrated k's below and above `k`; none for a k above all."""
    if k > CALIBRATED_K[-1]:
        return []
    below = max(c for c in CALIBRATED_K if c <= k)
    above = min(c for c in CALIBRATED_K if c >= k)
    return [point for point in calibration.points if point.effort == effort and point.k in (below, above)]


def _checked(effort: Effort, spec: IndexSpec) -> Effort:
    """The effort that a request names, if it is one of the index's family."""
    ivf = spec.family in (Family.IVF_FLAT, Family.IVF_PQ)
    numbers = (
        ("nprobe", NPROBE, ivf),
        ("ef_search", EF_SEARCH, spec.family is Family.HNSW),
        ("k_factor", K_FACTOR, spec.family is Family.IVF_PQ),
    )
    for name, _, fits in numbers:
        if getattr(effort, name) and not fits:
            raise InvalidArgumentError(f"parameters.effort.{name}", f"is not of the index's family, {spec.family}")
    for name, tunable, fits in numbers:
        value = getattr(effort, name) or tunable.default
        if fits and not tunable.minimum <= value <= tunable.maximum:
            raise InvalidArgumentError(
                f"parameters.effort.{name}", f"is {value}; it must be from {tunable.minimum} to {tunable.maximum}"
            )
    if spec.family is Family.FLAT:
        raise InvalidArgumentError("parameters.effort", "the index is flat: it is always searched exactly")
    if spec.family is Family.HNSW:
        return Effort(ef_search=effort.ef_search)
    k_factor = (effort.k_factor or K_FACTOR.default) if spec.family is Family.IVF_PQ else 0
    return Effort(nprobe=min(effort.nprobe, spec.nlist), k_factor=k_factor)
