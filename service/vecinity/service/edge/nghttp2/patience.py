"""How long a client is waited for: to begin, to send a request whole, to read its answer, to show life."""

from __future__ import annotations

from enum import Enum, auto

from google.rpc import code_pb2

from vecinity.service.edge.nghttp2 import binding
from vecinity.service.edge.nghttp2.grpc_framing import GrpcFault
from vecinity.service.edge.nghttp2.limits import EdgeLimits
from vecinity.service.edge.nghttp2.session import Session
from vecinity.service.edge.nghttp2.stream import Stream


class Verdict(Enum):
    """What is to be done about a connection."""

    KEEP = auto()
    ASK = auto()  # with a PING, whether it lives
    RELEASE = auto()  # ask it to go, as it is not used
    CLOSE = auto()


class Patience:
    """The clocks of one connection.

    Args:
        now: As all times here, in the loop's seconds.

    Attributes:
        heard: When something last came.
        wrote: When something last was written.
        busy: When there last was a call.
        ready: Whether HTTP/2 has been spoken.
    """

    __slots__ = ("_asked", "_began", "_headers_since", "_limits", "busy", "heard", "ready", "wrote")

    def __init__(self, limits: EdgeLimits, now: float) -> None:
        self._limits = limits
        self._began = self.heard = self.wrote = self.busy = now
        self._asked: float | None = None
        self._headers_since: float | None = None
        self.ready = False

    def answered(self) -> None:
        """Our PING has been answered."""
        self._asked = None

    def judge(self, session: Session, now: float, *, paused: bool) -> Verdict:
        """What is to be done; `paused` says whether the socket takes no more."""
        limits = self._limits
        if not self.ready:
            return Verdict.CLOSE if now - self._began > limits.preface_seconds else Verdict.KEEP
        if session.in_headers:
            self._headers_since = self._headers_since or now
            if now - self._headers_since > limits.request_seconds:
                return Verdict.CLOSE
        else:
            self._headers_since = None
        if paused and now - self.wrote > limits.stall_seconds:
            return Verdict.CLOSE
        if session.streams:
            self.busy = now
        elif now - self.busy > limits.idle_seconds:
            self.busy = now
            return Verdict.RELEASE
        if self._asked is not None:
            if self.heard >= self._asked:
                self._asked = None
            elif now - self._asked > limits.pong_seconds:
                return Verdict.CLOSE
        elif now - self.heard > limits.silence_seconds and not paused:
            self._asked = now
            return Verdict.ASK
        return Verdict.KEEP


def check_stream(session: Session, stream: Stream, now: float) -> None:
    """End a call whose request does not arrive, or whose answer is not read."""
    limits = session.limits
    if stream.stalled(now) > limits.stall_seconds:
        session.reset(stream.id, binding.CANCEL)
    elif not stream.answered and not stream.ended and stream.task is None:
        allowed = limits.request_seconds + stream.received / limits.request_bytes_per_second
        if now - stream.since > allowed:
            stream.refuse(GrpcFault(code_pb2.DEADLINE_EXCEEDED, "the request did not arrive whole in time"))
