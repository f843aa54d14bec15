"""How many threads are worth starting."""

from __future__ import annotations

import os


def available_cpus() -> int:
    """Processors that this process may use, which a container can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
