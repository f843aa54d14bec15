"""An HTTP/2 client that does as it is told, right or wrong: frames by hyperframe, headers by hpack."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass, field

import hpack
import hyperframe.frame as frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def message(payload: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """A gRPC message, with another flag or length than its own if told so."""
    return bytes((flag,)) + struct.pack(">I", len(payload) if length is None else length) + payload


def request_headers(path: str, **changes: str | None) -> list[tuple[str, str]]:
    """Those of a good request; each keyword (``content_type``, ``_method`` for ``:method``) changes or removes one."""
    headers: dict[str, str] = {
        ":method": "POST", ":scheme": "http", ":path": path, ":authority": "test",
        "te": "trailers", "content-type": "application/grpc",
    }  # fmt: skip
    for key, value in changes.items():
        name = (":" + key[1:] if key.startswith("_") else key).replace("_", "-")
        if value is None:
            headers.pop(name, None)
        else:
            headers[name] = value
    return list(headers.items())


@dataclass
class Answer:
    """What came on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    reset: int | None = None
    ended: bool = False

    @property
    def status(self) -> str | None:
        return self.trailers.get("grpc-status", self.headers.get("grpc-status"))

    @property
    def message(self) -> str:
        return self.trailers.get("grpc-message", self.headers.get("grpc-message", ""))


class Peer:
    """One connection."""

    def __init__(
        self, address: tuple[str, int], *, preface: bool = True, window: int | None = None, seconds: float = 10
    ) -> None:
        self.socket = socket.create_connection(address, timeout=seconds)
        # Frames go out one by one: each would wait for the server's acknowledgement of the one before, 40 ms.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seconds = seconds
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.answers: dict[int, Answer] = {}
        self.frames: list[frames.Frame] = []
        self.goaway: frames.GoAwayFrame | None = None
        self.closed = False
        self.auto_window = window is None
        self._pending = b""
        self._next = 1
        if preface:
            settings = frames.SettingsFrame(0)
            if window is not None:
                settings.settings = {frames.SettingsFrame.INITIAL_WINDOW_SIZE: window}
            self.socket.sendall(PREFACE + settings.serialize())
            while not any(isinstance(made, frames.SettingsFrame) for made in self.frames):
                assert self.read(seconds), "the server sends no SETTINGS"
            self.send(frames.SettingsFrame(0, flags=("ACK",)))

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *sent: frames.Frame | bytes) -> None:
        self.socket.settimeout(self._seconds)
        self.socket.sendall(b"".join(f if isinstance(f, bytes) else f.serialize() for f in sent))

    def headers_frame(
        self, headers: list[tuple[str, str]], *, end: bool = False, stream: int | None = None
    ) -> frames.Frame:
        """HEADERS of a new stream, or of one that is named."""
        if stream is None:
            stream, self._next = self._next, self._next + 2
        made = frames.HeadersFrame(stream, self.encoder.encode(headers))
        made.flags.add("END_HEADERS")
        if end:
            made.flags.add("END_STREAM")
        return made

    def call(self, path: str, body: bytes | None, *, end: bool = True, **changes: str | None) -> int:
        """Begin a call; returns its stream."""
        head = self.headers_frame(request_headers(path, **changes), end=body is None and end)
        self.send(head)
        if body is not None:
            self.data(head.stream_id, body, end=end)
        return int(head.stream_id)

    def data(self, stream: int, body: bytes, *, end: bool = False) -> None:
        """Send bytes, in frames of 16 KiB, whatever the windows say."""
        for start in range(0, max(len(body), 1), 16_384):
            made = frames.DataFrame(stream, body[start : start + 16_384])
            if end and start + 16_384 >= len(body):
                made.flags.add("END_STREAM")
            self.send(made)

    def reset(self, stream: int, code: int = 8) -> None:
        made = frames.RstStreamFrame(stream)
        made.error_code = code
        self.send(made)

    def window(self, stream: int, size: int) -> frames.Frame:
        made = frames.WindowUpdateFrame(stream)
        made.window_increment = size
        return made

    def wait(self, stream: int, seconds: float = 10) -> Answer:
        """What comes on a stream until it has ended."""
        end = time.monotonic() + seconds
        while not self.closed and time.monotonic() < end:
            answer = self.answers.setdefault(stream, Answer())
            if answer.ended or answer.reset is not None:
                return answer
            self.read(end - time.monotonic())
        answer = self.answers.setdefault(stream, Answer())
        assert answer.ended or answer.reset is not None, f"no end of stream {stream}: {self.goaway or self.frames[-5:]}"
        return answer

    def wait_closed(self, seconds: float = 10) -> frames.GoAwayFrame | None:
        """Read until the server closes; returns its GOAWAY."""
        end = time.monotonic() + seconds
        while not self.closed:
            assert time.monotonic() < end, "the server keeps the connection"
            self.read(end - time.monotonic())
        return self.goaway

    def read(self, seconds: float) -> bool:
        """Take in what comes next; False if nothing does."""
        self.socket.settimeout(max(seconds, 0.0001))
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return False
        self._pending += data
        while len(self._pending) >= 9:
            made, length = frames.Frame.parse_frame_header(memoryview(self._pending)[:9])
            if len(self._pending) < 9 + length:
                break
            made.parse_body(memoryview(self._pending)[9 : 9 + length])
            self._pending = self._pending[9 + length :]
            self._take(made)
        return True

    def _take(self, made: frames.Frame) -> None:
        self.frames.append(made)
        answer = self.answers.setdefault(made.stream_id, Answer())
        if isinstance(made, frames.HeadersFrame):
            fields = dict(self.decoder.decode(made.data))
            if answer.headers:
                answer.trailers = fields
            else:
                answer.headers = fields
        elif isinstance(made, frames.DataFrame):
            answer.data += made.data
            if self.auto_window and made.flow_controlled_length and not self.closed:
                size = made.flow_controlled_length
                try:
                    self.send(self.window(0, size), self.window(made.stream_id, size))
                except OSError:
                    self.closed = True
        elif isinstance(made, frames.RstStreamFrame):
            answer.reset = made.error_code
        elif isinstance(made, frames.GoAwayFrame):
            self.goaway = made
        if "END_STREAM" in made.flags:
            answer.ended = True
