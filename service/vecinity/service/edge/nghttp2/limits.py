"""Every number of the edge, and the counters that hold clients to them."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from vecinity.service.config import Config


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """What one client may cost.

    Attributes:
        message_bytes_max: One message, in or out, compressed or not.
        header_bytes_max: Names and values of one request's headers, 32 more for each (RFC 9113, 6.5.2).
        streams_max: Calls at once on one connection. Clients are told; those of gRPC wait with what is more.
        connections_max: More are closed as they come.
        connection_held_bytes_max: Of requests not complete and answers not sent, on one connection.
        held_bytes_max: The same on all; where it is passed, the connection that holds most is closed.
        stream_window: Bytes a client may send on a stream ahead of us.
        connection_window: The same on a connection.
        write_bytes_high: Bytes waiting in a socket's buffer above which nothing more is made for it.
        preface_seconds: Until a new connection has sent its SETTINGS.
        request_seconds: For a request to arrive whole, and more as it grows, see `request_bytes_per_second`.
        request_bytes_per_second: What a request must arrive with to get more time.
        stall_seconds: For a client to read something of what waits for it.
        idle_seconds: For a connection without calls.
        linger_seconds: For a client to close a connection on which all has been said.
        silence_seconds: After which a connection is asked with a PING whether it lives.
        pong_seconds: To answer that.
        control_burst, control_rate: Frames that carry nothing (PING, SETTINGS, WINDOW_UPDATE beyond need, empty DATA):
            how many at once, and a second.
        reset_burst, reset_rate: The same for calls that end before their answer, and for requests that HTTP/2 refuses.
        unframed_bytes_max: Bytes in a row of which no frame comes that we know of.
        sweep_seconds: Between looks at every connection.
    """

    message_bytes_max: int = 64 << 20
    header_bytes_max: int = 16 << 10
    streams_max: int = 128
    connections_max: int = 10_000
    connection_held_bytes_max: int = 160 << 20
    held_bytes_max: int = 1 << 30
    stream_window: int = 1 << 20
    connection_window: int = 8 << 20
    write_bytes_high: int = 256 << 10
    preface_seconds: float = 10.0
    request_seconds: float = 30.0
    request_bytes_per_second: int = 16 << 10
    stall_seconds: float = 60.0
    idle_seconds: float = 900.0
    linger_seconds: float = 10.0
    silence_seconds: float = 60.0
    pong_seconds: float = 20.0
    control_burst: int = 10_000
    control_rate: int = 1_000
    reset_burst: int = 4_000
    reset_rate: int = 200
    unframed_bytes_max: int = 16 << 20
    sweep_seconds: float = 1.0

    @classmethod
    def of(cls, config: Config) -> EdgeLimits:
        """The limits that follow from a server's settings and from the process's open files."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        message = config.message_bytes_max
        return cls(
            message_bytes_max=message,
            streams_max=config.calls_each_max,
            connections_max=max(1, min(10_000, files // 2)),
            connection_held_bytes_max=2 * message + (32 << 20),
            held_bytes_max=max(8 * message, 1 << 30),
        )


class Bucket:
    """A token bucket: `burst` at once, `rate` a second."""

    __slots__ = ("_at", "_burst", "_rate", "tokens")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self.tokens = self._burst = burst
        self._rate = rate
        self._at = now

    def take(self, now: float, count: float = 1.0) -> bool:
        """Whether there were that many tokens."""
        self.tokens = min(self._burst, self.tokens + (now - self._at) * self._rate) - count
        self._at = now
        return self.tokens >= 0


class Held:
    """Bytes held for all connections of an edge."""

    __slots__ = ("bytes_max", "total")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.total = 0
