"""The order of candidates under the user's limits, and the sentence that says why the first is first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vecinity.indexer.ann import GRAPHS, INVERTED_LISTS, Family
from vecinity.indexer.errors import SettingError
from vecinity.indexer.tournament.report import Entry

_AS_FAST = 1.03
"""Differences up to this are noise, so that the smaller index is the better one."""
_SURELY_FASTER = 1.15
"""What a graph is expected to cost is less sure than what lists are (docs/index-choice.md), and it takes several times
their build time: it must beat them by more."""
_OVER_MEMORY = "over --max-memory"
_OVER_TIME = "over --max-build-time"
_NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user asks of the index.

    Attributes:
        target_recall: Of recall@10.
        max_memory_bytes: Of the index file; the vectors themselves are not counted. None: no limit.
        max_build_seconds: Of tournament, training and adding together. None: no limit.
    """

    target_recall: float = 0.95
    max_memory_bytes: int | None = None
    max_build_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.max_memory_bytes is not None and self.max_memory_bytes <= 0:
            raise SettingError(f"max_memory is {self.max_memory_bytes} bytes; it must be more than 0")
        if self.max_build_seconds is not None and not self.max_build_seconds > 0:
            raise SettingError(f"max_build_time is {self.max_build_seconds} s; it must be more than 0")


def too_large(entry: Entry, limits: Limits) -> bool:
    return limits.max_memory_bytes is not None and entry.index_bytes > limits.max_memory_bytes


def ranked(entries: Sequence[Entry], limits: Limits, spent_seconds: float) -> tuple[Entry, ...]:
    """All entries: first those that can win, best first, then the rest with the reason that excludes each.

    Args:
        spent_seconds: What the tournament took of the build time.

    Raises:
        SettingError: The limits on memory and time leave none.
    """
    judged = [_judge(entry, limits, spent_seconds) for entry in entries]
    # What was measured on more rows is surer, and reached the later round by being among the best of the one before.
    able = sorted((e for e in judged if not e.excluded), key=lambda e: (-e.rows, e.query_us))
    unable = sorted((e for e in judged if e.excluded), key=lambda e: (not e.rows, e.query_us, e.index_bytes))
    if not able and {e.excluded for e in unable} <= {_OVER_MEMORY, _OVER_TIME, _NOT_MEASURED}:
        raise SettingError(_impossible(judged, limits, spent_seconds))
    if able:
        rows, quickest = able[0].rows, able[0]
        if quickest.spec.family in GRAPHS:
            enough = _SURELY_FASTER * quickest.query_us
            lists = (e for e in able if e.spec.family in INVERTED_LISTS and e.rows == rows and e.query_us <= enough)
            quickest = min(lists, key=lambda e: e.query_us, default=quickest)
        kind = GRAPHS if quickest.spec.family in GRAPHS else INVERTED_LISTS
        near = [
            e for e in able if e.rows == rows and e.spec.family in kind and e.query_us <= _AS_FAST * quickest.query_us
        ]
        winner = min(near, key=lambda e: (e.index_bytes, e.query_us))
        able.remove(winner)
        able.insert(0, winner)
    return (*able, *unable)


def _judge(entry: Entry, limits: Limits, spent_seconds: float) -> Entry:
    if entry.excluded:
        return entry
    if too_large(entry, limits):
        return replace(entry, excluded=_OVER_MEMORY)
    if not entry.rows:
        return replace(entry, excluded=_NOT_MEASURED)
    if not entry.recall:
        return replace(entry, excluded="misses --target-recall")
    if limits.max_build_seconds is not None and entry.build_seconds + spent_seconds > limits.max_build_seconds:
        return replace(entry, excluded=_OVER_TIME)
    return entry


def _impossible(judged: Sequence[Entry], limits: Limits, spent_seconds: float) -> str:
    fitting = [e for e in judged if not too_large(e, limits)]
    if not fitting:
        least = min(judged, key=lambda e: e.index_bytes)
        return (
            f"no index fits into --max-memory {in_units(limits.max_memory_bytes or 0)}: the smallest, "
            f"{least.spec.description}, needs {in_units(least.index_bytes)}; "
            "allow that, or take --index flat, which scans all"
        )
    least = min((e for e in fitting if e.rows), key=lambda e: e.build_seconds)
    return (
        f"no index that fits is built within --max-build-time {limits.max_build_seconds:g} s: the quickest measured, "
        f"{least.spec.description}, needs about {_about(least.build_seconds + spent_seconds)} s; "
        "allow that, or take --index flat, which needs none"
    )


def _about(seconds: float) -> str:
    """Rounded up, so that it is enough."""
    step = 10.0 ** math.floor(math.log10(max(seconds, 1e-3)))
    return f"{math.ceil(seconds if seconds >= 10 else seconds / step) * (1 if seconds >= 10 else step):g}"


def reason(entries: Sequence[Entry], limits: Limits) -> str:
    """One sentence on the first of `ranked` entries."""
    if not entries or entries[0].excluded:
        return _nothing_reached(entries, limits)
    winner, others = entries[0], [e for e in entries[1:] if not e.excluded]
    why = (
        f"{winner.spec.description} reached recall@10 {limits.target_recall:g} on a sample, "
        f"and is expected to take {winner.query_us:.0f} µs with all items"
    )
    rival = next((e for e in others if e.spec.family is not winner.spec.family), None)
    faster = min((e for e in others if e.rows == winner.rows), key=lambda e: e.query_us, default=winner)
    if faster.query_us < winner.query_us:
        why += f", {_compared(winner, faster)}"
    elif others:
        why += f", {_compared(winner, rival or others[0])}"
    if any(e.spec.family in GRAPHS and e.query_us * _AS_FAST < winner.query_us for e in others):
        why += f" (a graph, whose cost is less sure, must be {_SURELY_FASTER:g} times as fast)"
    out = [e.spec.family for e in entries if e.excluded in (_OVER_MEMORY, _OVER_TIME)]
    if rival is None:
        limited = ", ".join(dict.fromkeys(family.value for family in out if family is not winner.spec.family))
        why += f"; within the limits none was found of {limited}" if limited else ""
    return why


def _compared(winner: Entry, other: Entry) -> str:
    times = other.query_us / winner.query_us
    speed = "practically" if 1 / _AS_FAST <= times <= _AS_FAST else f"{times:.2f} times"
    share = winner.index_bytes / max(other.index_bytes, 1)
    return f"{speed} as fast as {other.spec.description} and {share:.2g} times its size"


def _nothing_reached(entries: Sequence[Entry], limits: Limits) -> str:
    over = [e for e in entries if e.excluded in (_OVER_MEMORY, _OVER_TIME)]
    target = f"recall@10 {limits.target_recall:g}"
    if reaching := min((e for e in over if e.recall), key=lambda e: e.query_us, default=None):
        return f"{reaching.spec.description} reaches {target} but is {reaching.excluded}, so every search scans all"
    if over:
        why = ", ".join(dict.fromkeys(e.excluded for e in over))
        within = len(entries) - len(over)
        return f"of {within} indexes that are not {why}, none reached {target}, so every search scans all"
    return f"no index reached {target} on a sample at any effort, so every search scans all"


def in_units(size: int) -> str:
    """Bytes as people write them, in powers of 1,000."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"


def fallbacks(entries: Sequence[Entry]) -> list[Entry]:
    """What to build, in turn, until one passes the gate.

    The first entry; the best one of its family that keeps more of each vector, since codes too coarse are what a sample
    shows least; and the best of each other family.
    """
    able = [entry for entry in entries if not entry.excluded]
    if not able:
        return []
    winner = able[0]
    finer = [e for e in able if e.spec.family is winner.spec.family and e.index_bytes > winner.index_bytes]
    others: dict[Family, Entry] = {}
    for entry in able:
        if entry.spec.family is not winner.spec.family:
            others.setdefault(entry.spec.family, entry)
    return [winner, *finer[:1], *others.values()]
