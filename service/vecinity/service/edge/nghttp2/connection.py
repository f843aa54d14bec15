"""A socket and its session: bytes to and fro, and what keeps one client from hurting the others.

Written once for each turn of the event loop, however many answers there are. A client that reads too little is not
read from either, so that it can't make us pile up answers.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Protocol, cast

import structlog
from google.rpc import code_pb2

from vecinity.service.edge.nghttp2 import binding
from vecinity.service.edge.nghttp2.dispatch import Dispatch, refuse
from vecinity.service.edge.nghttp2.grpc_framing import Fields, GrpcFault
from vecinity.service.edge.nghttp2.headers import HttpFault, Replies
from vecinity.service.edge.nghttp2.limits import EdgeLimits, Held
from vecinity.service.edge.nghttp2.patience import Patience, Verdict, check_stream
from vecinity.service.edge.nghttp2.session import Http2, Session, SessionError
from vecinity.service.edge.nghttp2.stream import Stream
from vecinity.service.pipeline import StatusError

_HTTP1 = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"CONNECT ", b"TRACE ")
_HTTP1_ANSWER = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
    b"this port answers gRPC over HTTP/2, nothing else\r\n"
)
_READ_BYTES = 256 << 10

_log = structlog.get_logger()


class Room(Protocol):
    """What the connections of an edge share.

    Attributes:
        buffer: Reads go here: one for all, as what is read is taken in at once.
        view: A view of it.
        c_buffer: The same, for libnghttp2.
    """

    http2: Http2
    dispatch: Dispatch
    replies: Replies
    limits: EdgeLimits
    held: Held
    loop: asyncio.AbstractEventLoop
    buffer: bytearray
    view: memoryview
    c_buffer: Any
    connections: set[Connection]

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
        ...

    def relieve(self) -> None:
        """Too much is held: close the connection that holds most."""
        ...

    def make_way(self, newcomer: Connection) -> bool:
        """There are too many connections: close the one that has been without a call for longest, if one is."""
        ...


class Connection(asyncio.BufferedProtocol):
    """One client's connection."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.replies = room.replies
        self.held = 0
        self.lost = False
        self.made = False
        self.session: Session
        self._transport: asyncio.Transport
        self._secure = False
        self._paused = False
        self._waking = False
        self.leaving = False
        self.aborted = False
        self._left = 0.0
        self._said_all = False
        self._unframed = 0
        self.patience = Patience(room.limits, room.loop.time())
        self._announced = False

    # ---- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        room = self._room
        self.made = True
        self._transport = cast(asyncio.Transport, transport)
        self.peer = _peer(self._transport)
        self.session = Session(room.http2, self, room.loop.time())
        room.connections.add(self)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self._secure = tls is not None
        full = len(room.connections) > room.limits.connections_max and not room.make_way(self)
        if full or (tls and tls.selected_alpn_protocol() != "h2"):
            self.abort()
            return
        # Our SETTINGS wait for the client's first bytes: one who speaks HTTP/1.1 can then be told what this port is.
        self._transport.set_write_buffer_limits(high=room.limits.write_bytes_high)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self.lost = True
        self._room.left(self)
        self.session.close()

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        # asyncio reads TLS into slices of the buffer, so there it must be a view.
        return self._room.view if self._secure else self._room.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.lost or self.leaving:
            return
        room, session = self._room, self.session
        frames = session.frames
        self.patience.heard = now = room.loop.time()
        try:
            session.receive(room.c_buffer, nbytes, now)
        except SessionError as error:
            self._broken(error)
            return
        if session.frames == frames:
            self._unframed += nbytes
            if self._unframed > room.limits.unframed_bytes_max:
                session.unruly = "too many bytes without a frame"
        else:
            self._unframed = 0
            self.patience.ready = True
        if session.completed:
            completed, session.completed = session.completed, []
            for stream in completed:
                self._begin(stream)
        if session.unruly:
            self._send_away(session.unruly)
        self._flush()

    def eof_received(self) -> bool:
        # A client that will send no more has gone, even if it would still read: no HTTP/2 goes on without its
        # WINDOW_UPDATEs and answers to PINGs, and nobody could tell it from one whose process has ended. gRPC's own
        # server and nginx think so too. What is in the socket's buffer still leaves.
        return False

    def pause_writing(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._flush()

    # ---- the session's side

    def open(self, stream_id: int, fields: Fields, header_bytes: int) -> Stream:
        """A request's headers have come."""
        room = self._room
        self.patience.busy = now = self.session.now
        try:
            if self.held > room.limits.connection_held_bytes_max:
                raise GrpcFault(
                    code_pb2.RESOURCE_EXHAUSTED, "too much waits to be read on this connection: read the answers first"
                )
            request = room.dispatch.request(fields, header_bytes)
            stream = Stream(self, stream_id, request, now, streaming=room.dispatch.streaming(request.head.path))
            if stream.streaming and (work := room.dispatch.begin(stream, request, self.peer)) is not None:
                stream.task = room.loop.create_task(work)
            return stream
        except HttpFault as fault:
            stream = Stream(self, stream_id, None, now)
            stream.refuse_http(fault.status)
        except GrpcFault as fault:
            stream = Stream(self, stream_id, None, now)
            stream.refuse(fault)
        except StatusError as error:
            stream = Stream(self, stream_id, None, now)
            refuse(stream, error)
        return stream

    def pong(self) -> None:
        """Our PING has been answered: the client lives, and knows of all we sent before."""
        self.patience.answered()
        if self._announced:
            self._announced = False
            self.session.end()

    def hold(self, size: int) -> bool:
        """Count bytes as held; False if that is more than the client may."""
        if self.leaving:
            return False
        self.held += size
        held = self._room.held
        held.total += size
        if held.total > held.bytes_max and size > 0:
            self._room.relieve()
        return self.held <= self._room.limits.connection_held_bytes_max

    def wake(self) -> None:
        """Have what is there to be written written, at the end of this turn of the loop."""
        if not self._waking:
            self._waking = True
            self._room.loop.call_soon(self._flush)

    # ---- the edge's side

    def announce_end(self) -> None:
        """Ask the client to open no more streams here, and, when it knows, take no more."""
        if not self.lost and not self.leaving:
            self._announced = True
            self.session.announce_end()
            self.session.ping()
            self._flush()

    def end(self) -> None:
        """End calls that are under way, tell their callers, and close when they know."""
        if self.lost or self.leaving:
            return
        for stream in list(self.session.streams.values()):
            if not stream.answered:
                stream.finish(code_pb2.UNAVAILABLE, "this server is stopping")
                stream.give_up()
        self.session.end()
        self._flush()

    def abort(self) -> None:
        """Close at once."""
        if not self.lost:
            self._leave()
            self.aborted = True
            self._transport.abort()

    def check(self, now: float) -> None:
        """Close a connection that has had its time, or that is dead. Called about once a second."""
        if self.leaving and now - self._left > self._room.limits.linger_seconds:
            self.abort()
        if self.lost or self.leaving:
            return
        session = self.session
        match self.patience.judge(session, now, paused=self._paused):
            case Verdict.CLOSE:
                self.abort()
                return
            case Verdict.RELEASE:
                self.announce_end()
            case Verdict.ASK:
                session.ping()
        for stream in list(session.streams.values()):
            check_stream(session, stream, now)
        self._flush()

    # ---- inside

    def _begin(self, stream: Stream) -> None:
        request = stream.request
        if stream.closed or stream.answered or request is None:
            return
        if stream.streaming:
            stream.news()
        elif stream.task is None and (work := self._room.dispatch.begin(stream, request, self.peer)) is not None:
            stream.task = self._room.loop.create_task(work)

    def _flush(self) -> None:
        self._waking = False
        if self.lost or self._paused or self._said_all or self._transport.is_closing():
            return
        session = self.session
        try:
            self._write_out()
            if session.early and not self._paused:
                self._reset_early()
                self._write_out()
        except SessionError as error:
            self._broken(error)
            return
        if self.leaving or not session.alive():
            self._leave()
            if session.unruly:
                self._transport.close()
            else:
                self._say_all()

    def _say_all(self) -> None:
        """Close our side, and leave it to the client to close the other.

        Were the socket closed while the client still sends, were it only that it has read something, its system would
        be told of a reset, and throw away what has not been read (RFC 9112, 9.6, on the same trouble of HTTP/1.1).
        """
        self._said_all = True
        if not self._transport.can_write_eof():  # TLS: the transport waits for the client's own farewell
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:  # the client has reset the connection, and the loop is about to say so
            self._transport.abort()

    def _write_out(self) -> None:
        send = self.session.send
        high = self._room.limits.write_bytes_high
        while not self._paused:
            parts = []
            size = 0
            while size < high and (part := send()):
                parts.append(part)
                size += len(part)
            if not parts:
                return
            self.patience.wrote = self._room.loop.time()
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def _reset_early(self) -> None:
        """Tell clients whose calls have been answered to stop sending, now that they have the answer."""
        rest = []
        for stream in self.session.early:
            if stream.closed or stream.ended:
                continue
            if stream.finished:
                self.session.reset(stream.id, binding.NO_ERROR)
            else:
                rest.append(stream)
        self.session.early = rest

    def _leave(self) -> None:
        """From now on nothing is taken in, and what is held is as good as gone."""
        if not self.leaving:
            self.leaving = True
            self._left = self._room.loop.time()
            self._room.held.total -= self.held
            self.held = 0

    def _send_away(self, reason: str) -> None:
        _log.warning("client sent away", peer=self.peer, reason=reason)
        self.session.terminate(binding.ENHANCE_YOUR_CALM, reason.encode())
        self._leave()

    def _broken(self, error: SessionError) -> None:
        _log.debug("connection broken", peer=self.peer, reason=str(error))
        self._leave()
        if error.code == binding.ERR_BAD_CLIENT_MAGIC:
            if bytes(self._room.buffer[:8]).startswith(_HTTP1):
                self._transport.write(_HTTP1_ANSWER)
            self._say_all()
        else:
            self._transport.abort()


def make_buffer() -> bytearray:
    """For `Room.buffer`."""
    return bytearray(_READ_BYTES)


def _peer(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    if not isinstance(name, tuple):
        return str(name or "")
    host, port = name[:2]
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
