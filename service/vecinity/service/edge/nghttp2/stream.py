"""One call: its request as it arrives, its answer as it leaves.

Memory is bounded from both sides. What has come of a request, and what has not left of an answer, counts as held by
the connection; a streaming request is taken in no faster than its handler reads, by HTTP/2's flow control; a
streaming answer is asked for no faster than the client reads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from google.rpc import code_pb2

from vecinity.service.call import Call
from vecinity.service.edge.nghttp2.binding import HeaderBlock
from vecinity.service.edge.nghttp2.grpc_framing import (
    PREFIX_BYTES,
    GrpcFault,
    MessageReader,
    compress,
    decompress,
    frame,
)
from vecinity.service.edge.nghttp2.headers import Replies, Request

if TYPE_CHECKING:
    from vecinity.service.edge.nghttp2.session import Session

_AHEAD_BYTES = 64 << 10  # of a streaming answer that the client has not taken yet
_INLINE_BYTES = 64 << 10  # more is packed and unpacked in a thread
_COMPRESS_MIN = 1 << 10


class Channel(Protocol):
    """The connection, as far as a stream needs it."""

    session: Session
    replies: Replies

    def hold(self, size: int) -> bool:
        """Count bytes as held; False if that is more than the client may."""
        ...

    def wake(self) -> None:
        """Have what is there to be written written, soon."""
        ...


class Stream:
    """One call on one connection.

    Attributes:
        request: What the headers said; None if they were refused.
        streaming: Whether messages are handed over as they come, not one when it has come whole.
        message: A unary call's message, with its prefix, when it has come.
        ended: Whether the client has sent all.
        out: What has not left, from `offset` on.
        trailers: Sent when all of `out` has left.
        deferred: Whether HTTP/2 waits for us to have something to send.
        room: Set when `out` has almost left.
        finished: Whether everything has been given to HTTP/2.
        closed: Whether the stream has gone.
        task: What answers, if that is a task.
        call: What is answered without one.
        since: When the stream began, in the loop's time.
        received: Bytes of the request.
    """

    __slots__ = (
        "_channel", "_held", "_left", "_messages", "_owed", "_reader", "_responded", "_stuck", "_unconsumed", "_waiter",
        "answered", "call", "closed", "deferred", "ended", "fault", "finished", "id", "message", "offset", "out",
        "received", "request", "room", "since", "streaming", "task", "trailers",
    )  # fmt: skip

    def __init__(
        self, channel: Channel, stream_id: int, request: Request | None, now: float, *, streaming: bool = False
    ) -> None:
        self._channel = channel
        self.id = stream_id
        self.request = request
        self.streaming = streaming
        self.message: bytes | None = None
        self.fault: GrpcFault | None = None
        self.ended = False
        self.answered = False
        self.out: bytes = b""
        self.offset = 0
        self.trailers: HeaderBlock | None = None
        self.deferred = False
        self.room: asyncio.Future[None] | None = None
        self.finished = False
        self.closed = False
        self.task: asyncio.Task[None] | None = None
        self.call: Call | None = None
        self.since = now
        self.received = 0
        self._left = (0, 0)
        self._stuck = now
        self._held = 0
        self._owed = 0
        self._reader: MessageReader | None = None
        self._responded = False
        self._messages: deque[bytes] | None = None
        self._unconsumed = 0
        self._waiter: asyncio.Future[None] | None = None

    # ---- the request

    def receive(self, chunk: bytes, last: int) -> None:
        """Take in bytes of the request; `last` is not 0 where their frame ends it."""
        if self.answered or self.fault is not None or self.request is None:
            return
        size = len(chunk)
        limit = self._channel.session.limits.message_bytes_max
        if last and self.received == 0 and size >= PREFIX_BYTES and not chunk[0] and not self.streaming:
            # Almost every request: one message in one piece. It is handed on at once, so it does not count as held.
            if int.from_bytes(chunk[1:PREFIX_BYTES], "big") + PREFIX_BYTES == size <= limit:
                self.message = chunk
                self.received = size
                return
        self.received += size
        self._held += size
        try:
            if not self._channel.hold(size):
                raise GrpcFault(code_pb2.RESOURCE_EXHAUSTED, "this client has more under way than a server can hold")
            if self._reader is None:
                self._reader = MessageReader(limit)
            messages = self._reader.feed(chunk)
            if self.streaming:
                self._queue(messages, size)
                return
            for message in messages:
                if self.message is not None:
                    raise GrpcFault(code_pb2.UNIMPLEMENTED, "this method takes one message, not several")
                self.message = message
        except GrpcFault as fault:
            self._fail(fault)
            return
        self._channel.session.consumed(self.id, size)

    def take(self) -> bytes:
        """A unary call's message with its prefix, when the request has ended.

        Raises:
            GrpcFault: There is none.
        """
        if self.fault is not None:
            raise self.fault.again()
        self._release()
        if self._reader is not None and self._reader.pending:
            raise GrpcFault(code_pb2.INTERNAL, "the request ended within a message")
        if self.message is None:
            raise GrpcFault(code_pb2.UNIMPLEMENTED, "this method takes one message, and there was none")
        message, self.message = self.message, None
        return message

    async def messages(self) -> AsyncIterator[bytes]:
        """A streaming call's payloads as they come.

        Raises:
            GrpcFault: One breaks the rules.
        """
        if self._messages is None:
            self._messages = deque()
        while True:
            while self._messages:
                message = self._messages.popleft()
                self._held -= len(message)
                self._channel.hold(-len(message))
                if not self._messages and self._unconsumed and not self.closed:
                    self._channel.session.consumed(self.id, self._unconsumed)
                    self._unconsumed = 0
                    self._channel.wake()
                yield await self.payload(message)
            if self.fault is not None:
                raise self.fault.again()
            if self.ended:
                if self._reader is not None and self._reader.pending:
                    raise GrpcFault(code_pb2.INTERNAL, "the request ended within a message")
                return
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def payload(self, message: bytes) -> bytes:
        """A message without its prefix, and unpacked.

        Raises:
            GrpcFault: It is compressed and should not be, or is not what it says.
        """
        if message[0] == 0:
            return message[PREFIX_BYTES:]
        if self.request is None or not self.request.head.gzipped:
            raise GrpcFault(code_pb2.INTERNAL, "a message says it is compressed, and grpc-encoding says by nothing")
        limit = self._channel.session.limits.message_bytes_max
        if len(message) < _INLINE_BYTES:
            return decompress(message[PREFIX_BYTES:], limit)
        return await asyncio.to_thread(decompress, message[PREFIX_BYTES:], limit)

    def news(self) -> None:
        """Something about the request has changed: whoever reads it is to look."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _queue(self, messages: list[bytes], size: int) -> None:
        if self._messages is None:
            self._messages = deque()
        self._messages.extend(messages)
        if self._messages:
            self._unconsumed += size
            self.news()
        else:  # part of a message, which may be longer than the window
            self._channel.session.consumed(self.id, size)

    def _fail(self, fault: GrpcFault) -> None:
        # Without its traceback: that holds the frames of the read under way, and with them this stream, a cycle.
        self.fault = fault.again()
        if self.task is None:
            self.refuse(fault)
        else:
            self.news()

    # ---- the answer

    def answer(self, payload: bytes) -> None:
        """Send a unary call's answer."""
        if self.closed or self.answered:
            return
        self._push(frame(payload))
        self.trailers = self._channel.replies.done
        self._end_answer()

    async def answer_compressed(self, payload: bytes) -> None:
        """As `answer`, by gzip where that is worth it."""
        if len(payload) < _COMPRESS_MIN:
            self.answer(payload)
            return
        inline = len(payload) < _INLINE_BYTES
        packed = compress(payload) if inline else await asyncio.to_thread(compress, payload)
        if self.closed or self.answered:
            return
        self._push(frame(packed, compressed=True), self._channel.replies.gzip)
        self.trailers = self._channel.replies.done
        self._end_answer()

    async def send(self, payload: bytes) -> None:
        """Send one of a streaming call's answers; returns when the client has taken almost all."""
        if self.closed:
            raise asyncio.CancelledError
        self._push(frame(payload))
        self._channel.wake()
        while len(self.out) - self.offset > _AHEAD_BYTES and not self.closed:
            self.room = asyncio.get_running_loop().create_future()
            await self.room

    def sent(self) -> None:
        """Data has left: whoever waits to send more may."""
        if self.room is not None and len(self.out) - self.offset <= _AHEAD_BYTES:
            if not self.room.done():
                self.room.set_result(None)
            self.room = None

    def finish(self, code: int = 0, message: str = "", details: bytes = b"") -> None:
        """End the answer with a status."""
        if self.closed or self.answered:
            return
        replies = self._channel.replies
        if not self._responded:
            self._responded = self.finished = True
            block = replies.status(code, message, details, alone=True)
            self._channel.session.respond(self.id, block, with_data=False)
        else:
            self.trailers = replies.status(code, message, details, alone=False) if code else replies.done
            if self.deferred:
                self.deferred = False
                self._channel.session.resume(self.id)
        self._end_answer()

    def refuse(self, fault: GrpcFault) -> None:
        """End the answer with a fault of the call's own."""
        self.finish(fault.code, fault.message)

    def refuse_http(self, status: int) -> None:
        """Answer what is no gRPC with a status of HTTP."""
        self._responded = self.finished = True
        self._channel.session.respond(self.id, self._channel.replies.http[status], with_data=False)
        self._end_answer()

    def stalled(self, now: float) -> float:
        """For how many seconds, seen from the last such question, nothing has left though something waits."""
        left = (len(self.out), self.offset)
        if not self.out or left != self._left:
            self._left = left
            self._stuck = now
        return now - self._stuck

    def close(self) -> None:
        """The stream has gone: nobody waits for the answer, if there is none yet."""
        self.closed = True
        if self._held or self._owed:
            self._channel.hold(-self._held - self._owed)
            self._held = self._owed = 0
        self.out = b""
        self.give_up()

    def give_up(self) -> None:
        """End the work for the answer: nobody waits for it any more."""
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
        if self.call is not None:
            self.call.cancelled.set()

    def _push(self, data: bytes, head: HeaderBlock | None = None) -> None:
        channel = self._channel
        self.out = self.out[self.offset :] + data if self.out else data
        self.offset = 0
        size = len(self.out)
        channel.hold(size - self._owed)
        self._owed = size
        if not self._responded:
            self._responded = True
            channel.session.respond(self.id, head or channel.replies.plain, with_data=True)
        elif self.deferred:
            self.deferred = False
            channel.session.resume(self.id)

    def _end_answer(self) -> None:
        self.answered = True
        if not self.ended:
            self._channel.session.early.append(self)
        self._channel.wake()

    def _release(self) -> None:
        if self._held:
            self._channel.hold(-self._held)
            self._held = 0
