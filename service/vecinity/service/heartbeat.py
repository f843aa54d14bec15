"""Signs of life of a process: it writes bytes to its standard output again and again, and who started it listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

BEAT_SECONDS = 0.5
STDOUT = 1
_READ_BYTES = 4_096


async def silences(output: asyncio.StreamReader) -> AsyncGenerator[float, None]:
    """For how many seconds nothing has been heard, after each look: 0 when something has; ends with the process.

    What is counted is looks in vain, not time: the clock also goes on while the whole machine is stopped.
    """
    silent = 0.0
    while True:
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                if not await output.read(_READ_BYTES):
                    return
            silent = 0.0
        except TimeoutError:
            silent += BEAT_SECONDS
        yield silent
