"""How many threads are worth starting."""

from __future__ import annotations

import os

from vecinity.indexer.errors import SettingError


def available_cpus() -> int:
    """Processors that this process may use, which a container can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpus_to_pin() -> list[int]:
    """Numbers of the processors that this process may use, for processes that are to stay on one each.

    Raises:
        SettingError: This system keeps no process on a processor.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise SettingError("pin_workers: this system can't keep a process on one CPU; leave the setting away")
    return sorted(os.sched_getaffinity(0))
