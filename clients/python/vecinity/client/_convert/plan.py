"""How an answer was found."""

from __future__ import annotations

from typing import Any

from vecinity.client._convert.fields import member
from vecinity.client._plans import Plan, Strategy, Times
from vecinity.client._types import CalibrationSource, Effort
from vecinity.v1 import core_pb2

_TIMES = ("queue", "embed", "filter", "search", "lookup")


def plan(response: Any) -> Plan | None:
    """The plan in a response to a search; None if it was not asked for."""
    if not response.HasField("plan"):
        return None
    message: core_pb2.Plan = response.plan
    return Plan(
        index=message.index,
        strategy=member(Strategy, core_pb2.Strategy, message.strategy),
        effort=effort(message.effort) if message.HasField("effort") else None,
        target_recall=round(message.target_recall, 6) if message.HasField("target_recall") else None,
        predicted_recall=message.predicted_recall if message.HasField("predicted_recall") else None,
        calibration_source=source(message.calibration_source),
        items=message.items,
        items_matching=message.items_matching if message.HasField("items_matching") else None,
        items_scanned=message.items_scanned,
        reasons=tuple(message.reasons),
        times=Times(**{name: getattr(message.times, name).ToNanoseconds() / 1e9 for name in _TIMES}),
        texts_remembered=message.texts_remembered,
    )


def effort(message: core_pb2.Effort) -> Effort:
    return Effort(message.nprobe, message.ef_search, message.k_factor)


def source(value: core_pb2.CalibrationSource) -> CalibrationSource | None:
    return member(CalibrationSource, core_pb2.CalibrationSource, value) if value else None
