"""What libnghttp2 calls: for each header field, frame, chunk of data and stream's end, and for data to send.

This is the hot path of the whole server, so the functions only note what came. They find their session by its number,
as that costs less than a cffi handle, and take what they need from around them, not from a module's globals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vecinity.service.edge.nghttp2 import binding
from vecinity.service.edge.nghttp2.binding import Library

if TYPE_CHECKING:
    from vecinity.service.edge.nghttp2.session import Session

_HEADER_OVERHEAD = 32  # RFC 9113, 6.5.2
_DROP_FACTOR = 4  # above so many times the limit a request's headers are not even counted

_HEADER = (
    "int(nghttp2_session *, const nghttp2_frame *, const char *, size_t, const char *, size_t, uint8_t, uintptr_t)"
)
_FRAME = "int(nghttp2_session *, const nghttp2_frame *, uintptr_t)"
_INVALID = "int(nghttp2_session *, const nghttp2_frame *, int, uintptr_t)"
_CHUNK = "int(nghttp2_session *, uint8_t, int32_t, const char *, size_t, uintptr_t)"
_CLOSE = "int(nghttp2_session *, int32_t, uint32_t, uintptr_t)"


def set_callbacks(library: Library, target: Any, sessions: Mapping[int, Session]) -> list[Any]:
    """Give libnghttp2 our functions.

    Args:
        target: The library's table of callbacks.
        sessions: By number.

    Returns:
        What must be kept alive; the function that gives a stream's data last.
    """
    functions = library.functions
    unpack, memmove = library.unpack, library.memmove
    submit_trailer = functions.nghttp2_submit_trailer
    data, headers, ping = binding.FRAME_DATA, binding.FRAME_HEADERS, binding.FRAME_PING

    def on_begin_headers(_session: Any, _frame: Any, number: int) -> int:
        session = sessions[number]
        session.fields = []
        session.header_bytes = 0
        session.in_headers = True
        return 0

    def on_header(
        _session: Any, _frame: Any, name: Any, name_length: int, value: Any, value_length: int, _f: int, number: int
    ) -> int:
        session = sessions[number]
        session.header_bytes += name_length + value_length + _HEADER_OVERHEAD
        if session.header_bytes > session.limits.header_bytes_max:
            if session.header_bytes > _DROP_FACTOR * session.limits.header_bytes_max:
                session.in_headers = False
                if not session.resets.take(session.now):
                    session.unruly = "too many oversized headers"
                return binding.ERR_TEMPORAL_CALLBACK_FAILURE  # resets the stream
            return 0
        session.fields.append((unpack(name, name_length), unpack(value, value_length)))
        return 0

    def on_frame(_session: Any, frame: Any, number: int) -> int:
        session = sessions[number]
        session.frames += 1
        head = frame.hd
        kind = head.type
        if kind == data:
            if head.flags & binding.FLAG_END_STREAM:
                stream = session.streams.get(head.stream_id)
                if stream is not None:
                    stream.ended = True
                    session.completed.append(stream)
            elif head.length == 0:
                _count(session)
        elif kind == headers:
            session.in_headers = False
            stream_id = head.stream_id
            stream = session.streams.get(stream_id)
            if stream is None:  # otherwise these are trailers, of which gRPC's requests have none
                stream = session.owner.open(stream_id, session.fields, session.header_bytes)
                session.streams[stream_id] = stream
            if head.flags & binding.FLAG_END_STREAM:
                stream.ended = True
                session.completed.append(stream)
        elif kind == ping and head.flags & binding.FLAG_ACK:
            session.owner.pong()
        else:
            _count(session)
        return 0

    def on_invalid_frame(_session: Any, _frame: Any, _code: int, number: int) -> int:
        session = sessions[number]
        session.frames += 1
        session.in_headers = False
        if not session.resets.take(session.now):
            session.unruly = "too many invalid frames"
        return 0

    def on_chunk(_session: Any, flags: int, stream_id: int, chunk: Any, length: int, number: int) -> int:
        session = sessions[number]
        session.frames += 1
        session.taken += length
        stream = session.streams.get(stream_id)
        if stream is not None:
            stream.receive(unpack(chunk, length), flags & binding.FLAG_END_STREAM)
        return 0

    def on_close(_session: Any, stream_id: int, _code: int, number: int) -> int:
        session = sessions[number]
        stream = session.streams.pop(stream_id, None)
        if stream is not None:
            # Whether the client resets its streams or makes us reset them: work begun in vain is what to count.
            if not stream.answered and not session.resets.take(session.now):
                session.unruly = "too many calls given up"
            stream.close()
        return 0

    def on_read(session_: Any, stream_id: int, buffer: Any, room: int, flags: Any, _source: Any, number: int) -> int:
        session = sessions[number]
        stream = session.streams[stream_id]
        session.control.tokens += 3  # two WINDOW_UPDATEs for each of our frames are no flood
        out, offset = stream.out, stream.offset
        size = len(out) - offset
        if size > room:
            memmove(buffer, memoryview(out)[offset : offset + room], room)
            stream.offset = offset + room
            if stream.room is not None:
                stream.sent()
            return room
        trailers = stream.trailers
        if size:
            memmove(buffer, memoryview(out)[offset:] if offset else out, size)
            stream.out = b""
            stream.offset = 0
            if stream.room is not None:
                stream.sent()
        elif trailers is None:
            stream.deferred = True
            return binding.ERR_DEFERRED
        if trailers is not None:
            flags[0] = binding.DATA_EOF_BEFORE_TRAILERS
            stream.finished = True
            submit_trailer(session_, stream_id, trailers.array, trailers.length)
        return size

    kept = []
    for name, signature, function in (
        ("on_begin_headers", _FRAME, on_begin_headers),
        ("on_header", _HEADER, on_header),
        ("on_frame_recv", _FRAME, on_frame),
        ("on_invalid_frame_recv", _INVALID, on_invalid_frame),
        ("on_data_chunk_recv", _CHUNK, on_chunk),
        ("on_stream_close", _CLOSE, on_close),
    ):
        made = library.callback(signature, function)
        getattr(functions, f"nghttp2_session_callbacks_set_{name}_callback")(target, made)
        kept.append(made)
    kept.append(library.callback("read_callback", on_read))
    return kept


def _count(session: Session) -> None:
    if not session.control.take(session.now):
        session.unruly = "too many frames that carry nothing"
