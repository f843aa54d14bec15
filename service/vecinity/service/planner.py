"""From what a request asks to what the index does. Pure: no input but its arguments, no side effect."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from vecinity.indexer.ann import (
    CANDIDATES_K_MIN,
    EF_SEARCH,
    EXACT,
    K_FACTOR,
    NPROBE,
    Effort,
    Family,
    IndexSpec,
    effort_settings,
)
from vecinity.indexer.calibration import Calibration, CalibrationPoint, CalibrationSource
from vecinity.service.errors import InvalidArgumentError

_FAR_ABOVE = 0.03
"""More recall than this above the target is time spent for nothing."""


class Strategy(StrEnum):
    """How the items are found."""

    INDEX = "index"
    EXACT = "exact"
    EXACT_MATCHES = "exact-matches"
    INDEX_FILTERED = "index-filtered"
    OVER_FETCH = "over-fetch"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for: at most one of these; none means the default recall."""

    target_recall: float | None = None
    exact: bool = False
    effort: Effort | None = None


ANY_EFFORT = Wish()
EXACTLY = Wish(exact=True)

_EFFORT_SETTINGS = (("nprobe", NPROBE), ("ef_search", EF_SEARCH), ("k_factor", K_FACTOR))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of the queries of a request before they are searched.

    Attributes:
        k: Hits for each.
        by_items: Whether they are items of the collection, asked by their ids.
        alone: Whether there is just one.
        filtered: Whether k is that of `filter_planner.containing`: it is the lists of the k nearest that matter. To
            search exactly costs no less, and an effort is found even where none was measured for so many.
    """

    k: int
    by_items: bool = False
    alone: bool = False
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done.

    Attributes:
        effort: `EXACT` where all items, or all that meet a filter, are compared with.
        predicted_recall: The recall it is expected to reach; None if that was not measured.
        items_matching: Items that meet the filter; None without one.
        reasons: Why this, a sentence each.
        target_recall: What was asked for; None for an exact search and for an effort of the caller's.
        source: The calibration that the prediction rests on; None if it rests on none.
        items_scanned: Items compared with one query, by codes or exactly; 0 if that was not counted.
        query_us: What a query was measured to take in a batch, in microseconds, without a filter; 0 if not measured.
    """

    effort: Effort
    predicted_recall: float | None
    strategy: Strategy = Strategy.INDEX
    items_matching: int | None = None
    reasons: tuple[str, ...] = ()
    target_recall: float | None = None
    source: CalibrationSource | None = None
    items_scanned: int = 0
    query_us: float = 0.0


def plan(
    wish: Wish, asked: Asked, spec: IndexSpec, calibration: Calibration, *, rows: int, default_recall: float
) -> Plan:
    """Choose the cheapest effort that keeps the promise.

    For a target, each effort is judged by the *lower bound* of its measured recall. For a k between two that were
    calibrated, an effort between what the two need is spent. The search is exact where no effort is known to reach the
    target, for a k above all calibrated ones, and where that costs no more.

    Args:
        rows: Items in the version.
        default_recall: The target of a request that wishes nothing.

    Raises:
        InvalidArgumentError: The request names an effort out of range or of another family of index.
    """
    source = _source(calibration, asked)
    if wish.effort is not None:
        return _as_told(_checked(wish.effort, spec), asked.k, spec, calibration, source, rows)
    if wish.exact:
        return exactly(rows, "The request asks for an exact search.")
    target = default_recall if wish.target_recall is None else wish.target_recall
    if spec.family is Family.FLAT:
        return exactly(rows, "The index is flat: every search is exact.", target)
    chosen = _cheapest(target, asked, calibration, source, rows)
    if chosen.effort.nprobe > spec.nlist:
        chosen = replace(chosen, effort=chosen.effort.at_depth(spec.nlist))
    if wish.target_recall is None:
        chosen = replace(chosen, reasons=(f"No target was given: {target:g} is the default.", *chosen.reasons))
    return chosen


def _cheapest(target: float, asked: Asked, calibration: Calibration, source: CalibrationSource, rows: int) -> Plan:
    around = _calibrated_around(asked.k, calibration, source)
    largest = max(calibration.calibrated_k(source), default=0)
    if asked.filtered and largest and not around:
        return _beyond(asked, largest, _cheapest(target, replace(asked, k=largest), calibration, source, rows))
    if not around:
        why = (
            f"{asked.k} is above {largest}, the largest k that was calibrated." if largest else "Nothing was measured."
        )
        return exactly(rows, why, target)
    chosen: list[CalibrationPoint] = []
    reasons: list[str] = []
    for k in around:
        points = calibration.of(source, k)
        cheapest = _cheapest_point(target, points)
        lower = [measured for measured in calibration.calibrated_k(source) if measured < k]
        if cheapest is None and asked.filtered and lower:
            return _beyond(asked, lower[-1], _cheapest(target, replace(asked, k=lower[-1]), calibration, source, rows))
        if cheapest is None:
            best = max(points, key=lambda point: point.recall_lower_bound)
            return exactly(rows, f"For k = {k} no effort is known to reach {target:g}: {_measured(best)}.", target)
        chosen.append(cheapest)
        cheaper = [point for point in points if point.query_us < cheapest.query_us]
        how = "" if cheapest in points else ", between two that were measured,"
        reasons.append(f"For k = {k} the cheapest effort to reach {target:g}{how} is {_measured(cheapest)}.")
        if cheaper:
            below = max(cheaper, key=lambda point: point.recall_lower_bound)
            reasons.append(f"The next below is {_measured(below)}.")
    exact_us = calibration.exact_single_us if asked.alone else calibration.exact_us
    cost_us = max(point.query_us for point in chosen)
    if 0 < exact_us <= cost_us and not asked.filtered:
        why = f"Comparing with all items takes {exact_us:.0f} µs a query, the cheapest effort that holds {cost_us:.0f}."
        return exactly(rows, why, target)
    if len(chosen) > 1:
        reasons.append(f"For k = {asked.k}, between the two, so is the effort.")
    if source is CalibrationSource.ITEMS and not asked.by_items:
        reasons.append("Only items were calibrated with: queries of another kind may find less.")
    return Plan(
        _between(asked.k, chosen),
        min(point.recall for point in chosen),
        reasons=tuple(reasons),
        target_recall=target,
        source=source,
        items_scanned=max(point.items_scanned for point in chosen),
        query_us=cost_us,
    )


def _beyond(asked: Asked, largest: int, chosen: Plan) -> Plan:
    """For a k above the largest that was calibrated, or for which an effort is known, from the plan for that.

    Lists grow with a power of k: from 10 to 100 with k^.16 of word vectors, k^.45 of sentence vectors of unlike length.
    """
    deep = math.ceil(chosen.effort.nprobe * math.sqrt(asked.k / largest))
    return chosen if chosen.effort.exact else replace(chosen, effort=chosen.effort.at_depth(deep))


def _as_told(
    effort: Effort, k: int, spec: IndexSpec, calibration: Calibration, source: CalibrationSource, rows: int
) -> Plan:
    """The plan of an effort that the caller chose."""
    around = _calibrated_around(k, calibration, source)
    points = [point for at in around for point in calibration.of(source, at) if point.effort == effort]
    if around and len(points) == len(around):
        return Plan(
            effort,
            min(point.recall for point in points),
            reasons=("The request says what to spend, and that was measured.",),
            source=source,
            items_scanned=max(point.items_scanned for point in points),
            query_us=max(point.query_us for point in points),
        )
    scanned = rows * effort.nprobe // spec.nlist if spec.nlist else 0
    reason = "The request says what to spend; the recall of that was not measured."
    return Plan(effort, None, reasons=(reason,), items_scanned=scanned)


def exactly(rows: int, reason: str, target: float | None = None) -> Plan:
    """The plan that compares with every row."""
    return Plan(EXACT, 1.0, Strategy.EXACT, reasons=(reason,), target_recall=target, items_scanned=rows)


def _source(calibration: Calibration, asked: Asked) -> CalibrationSource:
    """Queries that the build was given stand for all but items, which held-out items stand for."""
    given = CalibrationSource.QUERIES in calibration.sources and not asked.by_items
    return CalibrationSource.QUERIES if given else CalibrationSource.ITEMS


def _calibrated_around(k: int, calibration: Calibration, source: CalibrationSource) -> list[int]:
    """The calibrated k itself, or the nearest below and above it; none for a k above all."""
    measured = calibration.calibrated_k(source)
    if k in measured:
        return [k]
    above = [m for m in measured if m > k]
    return [m for m in measured if m < k][-1:] + above[:1] if above else []


def _cheapest_point(target: float, points: list[CalibrationPoint]) -> CalibrationPoint | None:
    """What surely reaches the target at the least cost: one of the points, or an effort between two.

    Where the steps are so coarse that this finds far more than asked, a cheaper point is taken that reaches the target
    on the mean.
    """
    ordered = sorted(points, key=lambda point: point.query_us)
    place = next((i for i, point in enumerate(ordered) if point.recall_lower_bound >= target), None)
    if place is None:
        return None
    sure = _interpolated(target, ordered[place - 1], ordered[place]) if place else ordered[0]
    if sure.recall <= target + _FAR_ABOVE:
        return sure
    return next(point for point in ordered if point.recall >= target)


def _interpolated(target: float, below: CalibrationPoint, above: CalibrationPoint) -> CalibrationPoint:
    """The least depth between two points of which the second surely reaches the target, that does so too.

    Recall grows ever more slowly with depth, so between two depths it is at least what a straight line says.
    """
    if below.effort.k_factor != above.effort.k_factor or below.recall_lower_bound >= above.recall_lower_bound:
        return above
    share = (target - below.recall_lower_bound) / (above.recall_lower_bound - below.recall_lower_bound)
    first, last = below.effort.depth, above.effort.depth
    if first >= last:
        return above
    depth = min(first + math.ceil(share * (last - first) - 1e-9), last)
    share = (depth - first) / (last - first)

    def between(field: str) -> float:
        return float(getattr(below, field) + share * (getattr(above, field) - getattr(below, field)))

    return replace(
        above,
        effort=above.effort.at_depth(depth),
        recall=between("recall"),
        recall_lower_bound=between("recall_lower_bound"),
        query_us=between("query_us"),
        items_scanned=round(between("items_scanned")),
    )


def _between(k: int, points: list[CalibrationPoint]) -> Effort:
    """The effort of the one point, or one between two for a k between theirs.

    Lists and candidates (not k_factor, which counts them in k's) grow with k nearly as its powers do, so each is
    interpolated by the logarithms, and rounded up.
    """
    if len(points) == 1:
        return points[0].effort
    low, high = points
    share = math.log(k / low.k) / math.log(high.k / low.k)

    def at(first: int, second: int) -> float:
        # Less than nothing above a whole number is that number.
        return float(first) ** (1 - share) * float(second) ** share - 1e-9 if first and second else 0

    candidates = at(*(point.effort.k_factor * max(point.k, CANDIDATES_K_MIN) for point in points))
    return Effort(
        nprobe=math.ceil(at(low.effort.nprobe, high.effort.nprobe)),
        ef_search=math.ceil(at(low.effort.ef_search, high.effort.ef_search)),
        k_factor=math.ceil(candidates / max(k, CANDIDATES_K_MIN)),
    )


def _measured(point: CalibrationPoint) -> str:
    """A point in words."""
    spent = ((name, getattr(point.effort, name)) for name, _ in _EFFORT_SETTINGS)
    effort = ", ".join(f"{name} {value}" for name, value in spent if value)
    return f"{effort}: recall {point.recall:.4f}, surely {point.recall_lower_bound:.4f}, in {point.query_us:.0f} µs"


def _checked(effort: Effort, spec: IndexSpec) -> Effort:
    """The effort that a request names, if it is one of the index's family."""
    settings = effort_settings(spec)
    numbers = tuple((name, tunable, name in settings) for name, tunable in _EFFORT_SETTINGS)
    for name, _, fits in numbers:
        if getattr(effort, name) and not fits:
            why = f"is not of the index's family, {spec.family}"
            if spec.family is Family.FLAT:
                why = f"a flat index has no {name}: it is always exact"
            raise InvalidArgumentError(f"parameters.effort.{name}", why)
    for name, tunable, fits in numbers:
        value = getattr(effort, name) or tunable.default
        if fits and not tunable.minimum <= value <= tunable.maximum:
            raise InvalidArgumentError(
                f"parameters.effort.{name}", f"is {value}; it must be from {tunable.minimum} to {tunable.maximum}"
            )
    if spec.family is Family.FLAT:
        raise InvalidArgumentError("parameters.effort", "the index is flat: it is always searched exactly")
    chosen: dict[str, Any] = {name: getattr(effort, name) or tunable.default for name, tunable in settings.items()}
    if spec.nlist:
        chosen["nprobe"] = min(chosen["nprobe"], spec.nlist)
    return Effort(**chosen)
