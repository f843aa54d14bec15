"""One call, whatever the transport."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from vecinity.service.errors import DeadlineError
from vecinity.service.times import Times


class Flag:
    """Set once, looked at by any thread. What `threading.Event` has beyond that costs more than the rest of a call."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = False

    def set(self) -> None:
        self._value = True

    def is_set(self) -> bool:
        return self._value


@dataclass(slots=True)
class Call:
    """One call as every edge presents it.

    Attributes:
        method: Full name, such as ``/vecinity.v1.SearchService/Search``.
        metadata: What the caller sent beside the message; keys in lower case, those that end in ``-bin`` with bytes. Of
            a key sent twice the last value.
        peer: Who calls, for the log.
        deadline: In seconds of `time.monotonic`; None if the caller set none.
        times: Where the time goes; None unless the request asks for it.
        cancelled: Set when the caller has gone or the deadline has passed; threads look at it between chunks.
    """

    method: str
    metadata: Mapping[str, str | bytes] = field(default_factory=dict)
    peer: str = ""
    deadline: float | None = None
    times: Times | None = None
    cancelled: Flag = field(default_factory=Flag)

    def keep_times(self) -> None:
        """Note from now on where the time goes."""
        self.times = Times()

    def remaining(self) -> float | None:
        """Seconds until the deadline, negative if it has passed; None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    def check(self) -> None:
        """Raise `DeadlineError` if nobody waits for the answer any more. Safe in any thread."""
        if self.cancelled.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline):
            raise DeadlineError("the deadline passed before the answer was ready")
