"""How a process that embeds is started; apart from `embedder_process`, so that a supervisor imports nothing large."""

from __future__ import annotations

import sys


def child_command(line: int) -> list[str]:
    """What starts a process that embeds, whose end of the line has this number."""
    return [sys.executable, "-m", "vecinity.service.embedder_child", str(line)]
