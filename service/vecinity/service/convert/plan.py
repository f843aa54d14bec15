"""How an answer was found, to the response."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from vecinity.indexer.ann import Effort
from vecinity.indexer.calibration import CalibrationSource
from vecinity.service.answer import Answer
from vecinity.service.planner import Strategy
from vecinity.service.times import Times
from vecinity.v1 import core_pb2

_STRATEGIES = {
    Strategy.INDEX: core_pb2.STRATEGY_INDEX,
    Strategy.EXACT: core_pb2.STRATEGY_EXACT,
    Strategy.EXACT_MATCHES: core_pb2.STRATEGY_EXACT_MATCHES,
    Strategy.INDEX_FILTERED: core_pb2.STRATEGY_INDEX_FILTERED,
    Strategy.OVER_FETCH: core_pb2.STRATEGY_OVER_FETCH,
}
SOURCES = {
    None: core_pb2.CALIBRATION_SOURCE_UNSPECIFIED,
    CalibrationSource.ITEMS: core_pb2.CALIBRATION_SOURCE_ITEMS,
    CalibrationSource.QUERIES: core_pb2.CALIBRATION_SOURCE_QUERIES,
}


def plan(answer: Answer) -> core_pb2.Plan | None:
    """The plan and the times of an answer; None if nobody asked for them."""
    if answer.explanation is None:
        return None
    explanation, chosen = answer.explanation, answer.explanation.plan
    return core_pb2.Plan(
        index=explanation.index,
        strategy=_STRATEGIES[chosen.strategy],
        effort=None if chosen.effort.exact else effort(chosen.effort),
        target_recall=chosen.target_recall,
        predicted_recall=chosen.predicted_recall,
        calibration_source=SOURCES[chosen.source],
        items=explanation.items,
        items_matching=chosen.items_matching,
        items_scanned=chosen.items_scanned,
        reasons=chosen.reasons,
        times=_times(explanation.times),
        texts_remembered=explanation.times.texts_remembered,
    )


def effort(effort: Effort) -> core_pb2.Effort:
    return core_pb2.Effort(nprobe=effort.nprobe, ef_search=effort.ef_search, k_factor=effort.k_factor)


def _times(times: Times) -> core_pb2.Times:
    message = core_pb2.Times()
    for part, seconds in times.seconds.items():
        duration: Duration = getattr(message, part.value)
        duration.FromNanoseconds(round(seconds * 1e9))
    return message
