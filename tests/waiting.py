"""Waiting for what a test is about, instead of for a time, and looking at processes meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

_GONE = (FileNotFoundError, ProcessLookupError)


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Return when the condition holds; fail if it doesn't within that time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """The same for what happens on this loop."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.001)


def children(pid: int) -> list[int]:
    """Processes that a process has started and that have not been waited for, the first one first."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except _GONE:  # a thread that has ended
            pass
    return sorted(found)


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return _fields(pid)[0] not in ("Z", "X")
    except _GONE:
        return False


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has reached it."""
    return _fields(pid)[0] == "T"


def processor_seconds(pid: int) -> float:
    """What a process has spent, in all its threads."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """The memory of a process now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def resident_bytes_peak(pid: int) -> int:
    """The most it has ever been."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) << 10


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, those after the name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
