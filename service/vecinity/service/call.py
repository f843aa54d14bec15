"""One call, whatever the transport."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event

from vecinity.service.errors import DeadlineError


@dataclass(slots=True)
class Call:
    """One call as every edge presents it.

    Attributes:
        method: Full name, such as ``/vecinity.v1.SearchService/Search``.
        metadata: What the caller sent beside the message; keys in lower case.
        peer: Who calls, for the log.
        deadline: In seconds of `time.monotonic`; None if the caller set none.
        cancelled: Set when the caller has gone or the deadline has passed; threads look at it between chunks.
    """

    method: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""
    deadline: float | None = None
    cancelled: Event = field(default_factory=Event)

    def remaining(self) -> float | None:
        """Seconds until the deadline, negative if it has passed; None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def check(self) -> None:
        """Raise `DeadlineError` if nobody waits for the answer any more. Safe in any thread."""
        if self.cancelled.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline):
            raise DeadlineError("the deadline passed before the answer was ready")
