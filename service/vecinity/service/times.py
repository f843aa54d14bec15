"""Where the time of a call goes, for those who ask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum
from threading import Lock


class Part(Enum):
    """What the time of a call goes into."""

    QUEUE = "queue"
    EMBED = "embed"
    FILTER = "filter"
    SEARCH = "search"
    LOOKUP = "lookup"


class Times:
    """Seconds that went into each part of a call, by the clock, summed over the threads that worked for it.

    Attributes:
        texts_remembered: Texts whose vectors were known from before.
    """

    def __init__(self) -> None:
        self.seconds: dict[Part, float] = {}
        self.texts_remembered = 0
        self._lock = Lock()

    def add(self, part: Part, seconds: float) -> None:
        """Safe in any thread."""
        with self._lock:
            self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    @contextmanager
    def _taking(self, part: Part) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(part, time.perf_counter() - began)


def taking(times: Times | None, part: Part) -> AbstractContextManager[None]:
    """Note how long what follows takes, if anybody wants to know."""
    return nullcontext() if times is None else times._taking(part)
