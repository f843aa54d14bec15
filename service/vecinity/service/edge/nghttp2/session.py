"""HTTP/2 of one connection: bytes in, streams and their events out; answers in, bytes out. No socket, no gRPC.

What libnghttp2 finds in the bytes it tells `callbacks`, which notes it here; the connection acts on it when a read has
been taken in.
"""

from __future__ import annotations

import itertools
from typing import Any, Protocol

from vecinity.service.edge.nghttp2 import binding
from vecinity.service.edge.nghttp2.binding import HeaderBlock, Library
from vecinity.service.edge.nghttp2.callbacks import set_callbacks
from vecinity.service.edge.nghttp2.grpc_framing import Fields
from vecinity.service.edge.nghttp2.limits import Bucket, EdgeLimits
from vecinity.service.edge.nghttp2.stream import Stream

_numbers = itertools.count(1)
_sessions: dict[int, Session] = {}


class SessionError(Exception):
    """The client broke HTTP/2 so that the connection can't go on.

    Args:
        code: One of libnghttp2's.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Owner(Protocol):
    """Who acts on what a session finds."""

    def open(self, stream_id: int, fields: Fields, header_bytes: int) -> Stream:
        """A request's headers have come."""
        ...

    def pong(self) -> None:
        """Our PING has been answered."""
        ...


class Http2:
    """What all sessions of an edge share: the library, its callbacks and options, and the settings we announce."""

    def __init__(self, library: Library, limits: EdgeLimits) -> None:
        self.library = library
        self.limits = limits
        ffi, functions = library.ffi, library.functions
        pointer = ffi.new("nghttp2_session_callbacks **")
        functions.nghttp2_session_callbacks_new(pointer)
        self.callbacks = pointer[0]
        self._keep = set_callbacks(library, self.callbacks, _sessions)
        self.provider = ffi.new("nghttp2_data_provider *")
        self.provider.read = self._keep[-1]
        option = ffi.new("nghttp2_option **")
        functions.nghttp2_option_new(option)
        self.option = option[0]
        functions.nghttp2_option_set_no_auto_window_update(self.option, 1)
        functions.nghttp2_option_set_no_closed_streams(self.option, 1)
        if library.limits_resets:
            # Ours closes with a better reason; the library's stands behind it.
            functions.nghttp2_option_set_stream_reset_rate_limit(
                self.option, 2 * limits.reset_burst, 2 * limits.reset_rate
            )
        settings = {
            binding.SETTING_MAX_CONCURRENT_STREAMS: limits.streams_max,
            binding.SETTING_INITIAL_WINDOW_SIZE: limits.stream_window,
            binding.SETTING_MAX_HEADER_LIST_SIZE: limits.header_bytes_max,
            binding.SETTING_NO_RFC7540_PRIORITIES: 1,
        }
        self.settings = ffi.new("nghttp2_settings_entry[]", len(settings))
        for entry, (number, value) in zip(self.settings, settings.items(), strict=True):
            entry.settings_id, entry.value = number, value


class Session:
    """One connection's HTTP/2.

    Attributes:
        streams: Those that are open, by id.
        completed: Streams whose request has come whole since the connection last looked.
        fields: The header fields of the block that is arriving.
        header_bytes: Their size.
        in_headers: Whether a block is arriving.
        frames: Counts frames taken in, data chunks too.
        control: What is left to the client of frames that carry nothing.
        resets: What is left to it of streams it opens in vain.
        unruly: Why the client is to be sent away, or empty.
        taken: Bytes of requests that came since the last read.
        early: Streams answered before their request had ended.
    """

    __slots__ = (
        "_consume", "_out", "_recv", "_send", "_session", "completed", "control", "early", "fields", "frames",
        "functions", "header_bytes", "http2", "in_headers", "limits", "now", "number", "owner", "resets", "streams",
        "taken", "unruly",
    )  # fmt: skip

    def __init__(self, http2: Http2, owner: Owner, now: float) -> None:
        self.http2 = http2
        self.owner = owner
        self.limits = limits = http2.limits
        self.functions = functions = http2.library.functions
        self.now = now
        self.streams: dict[int, Stream] = {}
        self.completed: list[Stream] = []
        self.fields: Fields = []
        self.header_bytes = 0
        self.in_headers = False
        self.frames = 0
        self.control = Bucket(limits.control_burst, limits.control_rate, now)
        self.resets = Bucket(limits.reset_burst, limits.reset_rate, now)
        self.unruly = ""
        self.early: list[Stream] = []
        self.taken = 0
        self._consume = functions.nghttp2_session_consume_connection
        self._recv = functions.nghttp2_session_mem_recv
        self._send = functions.nghttp2_session_mem_send
        ffi = http2.library.ffi
        self._out = ffi.new("const char **")
        pointer = ffi.new("nghttp2_session **")
        self.number = next(_numbers)
        if functions.nghttp2_session_server_new2(pointer, http2.callbacks, self.number, http2.option) != 0:
            raise MemoryError("libnghttp2 has no memory for a session")
        self._session = pointer[0]
        _sessions[self.number] = self
        functions.nghttp2_submit_settings(self._session, 0, http2.settings, len(http2.settings))
        functions.nghttp2_session_set_local_window_size(self._session, 0, 0, limits.connection_window)

    def receive(self, data: Any, length: int, now: float) -> None:
        """Take in bytes, a cffi buffer.

        Raises:
            SessionError: The connection can't go on.
        """
        self.now = now
        taken = self._recv(self._session, data, length)
        if taken < 0:
            raise SessionError(taken, self.http2.library.error(taken))
        if self.taken:
            # The connection's window is for all its streams: one that is held up must not hold up the others.
            self._consume(self._session, self.taken)
            self.taken = 0

    def send(self) -> bytes:
        """The next frame to be written, or nothing.

        Raises:
            SessionError: The connection can't go on.
        """
        length = self._send(self._session, self._out)
        if length > 0:
            return self.http2.library.unpack(self._out[0], length)
        if length < 0:
            raise SessionError(length, self.http2.library.error(length))
        return b""

    def alive(self) -> bool:
        """Whether anything is still to be read or written."""
        functions, session = self.functions, self._session
        return bool(functions.nghttp2_session_want_read(session) or functions.nghttp2_session_want_write(session))

    def respond(self, stream_id: int, block: HeaderBlock, *, with_data: bool) -> bool:
        """Begin a response, or make one of headers alone; False if the stream has gone."""
        provider = self.http2.provider if with_data else self.http2.library.ffi.NULL
        code = self.functions.nghttp2_submit_response(self._session, stream_id, block.array, block.length, provider)
        return bool(code == 0)

    def resume(self, stream_id: int) -> None:
        """Ask for the data of a stream again, which had none."""
        self.functions.nghttp2_session_resume_data(self._session, stream_id)

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream."""
        self.functions.nghttp2_submit_rst_stream(self._session, 0, stream_id, code)

    def consumed(self, stream_id: int, length: int) -> None:
        """Let the client send so much more on a stream."""
        self.functions.nghttp2_session_consume_stream(self._session, stream_id, length)

    def ping(self) -> None:
        """Ask whether the client lives."""
        self.functions.nghttp2_submit_ping(self._session, 0, self.http2.library.ffi.NULL)

    def announce_end(self) -> None:
        """First step of a graceful end: ask the client to open no more streams here."""
        self.functions.nghttp2_submit_shutdown_notice(self._session)

    def end(self) -> None:
        """Second step, when what the client had sent before it knew has come: take no more streams."""
        last = self.functions.nghttp2_session_get_last_proc_stream_id(self._session)
        null = self.http2.library.ffi.NULL
        self.functions.nghttp2_submit_goaway(self._session, 0, last, binding.NO_ERROR, null, 0)

    def terminate(self, code: int, reason: bytes) -> None:
        """Tell the client why it is sent away; what is under way ends when the connection is closed."""
        last = self.functions.nghttp2_session_get_last_proc_stream_id(self._session)
        self.functions.nghttp2_submit_goaway(self._session, 0, last, code, reason, len(reason))

    def close(self) -> None:
        """Release the library's memory. Call it once, and not from a callback."""
        del _sessions[self.number]
        self.functions.nghttp2_session_del(self._session)
        for stream in list(self.streams.values()):
            stream.close()
        self.streams.clear()
