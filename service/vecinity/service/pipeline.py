"""The chain of functions around every handler. Knows no transport.

    edge → serve or stream (errors to statuses) → admit (draining, too many calls) → within the deadline → handler

An edge makes a `Call` from what its transport delivers, gives it to `serve` with the request message, and sends back
the response message or the google.rpc.Status of the `StatusError`. Where `streams` says that the answer of a method
comes in parts, it iterates over `stream` instead. A part is made when it is asked for: an edge that asks for the next
one when its transport has taken the last one needs no other brake for readers who are slower than we are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2

from vecinity.service.call import Call
from vecinity.service.errors import (
    DeadlineError,
    InvalidArgumentError,
    ShuttingDownError,
    TooManyCallsError,
    UnknownMethodError,
)
from vecinity.service.handlers import Method, StreamMethod
from vecinity.service.status import to_status

T = TypeVar("T")


class StatusError(Exception):
    """What an edge turns into its transport's form of an error."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Pipeline:
    """Serves the calls of all edges of a server.

    Args:
        methods: By full name.
        calls_max: How many calls may be under way at once; a stream is one until it ends, and at most half are streams:
            those whose readers are slow must not keep the others out. One connection gets half of those: for these
            places no client waits by itself, as it does for all that a connection may have at once (see the edges).
    """

    def __init__(self, methods: Mapping[str, Method | StreamMethod], *, calls_max: int) -> None:
        self.methods = methods
        self.calls_max = calls_max
        self.calls = 0
        self.streams_under_way = 0
        self.streams_of: dict[str, int] = {}
        self.draining = False

    def streams(self, method: str) -> bool:
        """Whether calls of a method go to `stream`; all others, those of unknown methods too, go to `serve`."""
        return isinstance(self.methods.get(method), StreamMethod)

    def decode(self, method: str, payload: bytes) -> Message:
        """Parse a request.

        Raises:
            StatusError: There is no such method, or the bytes are not its request.
        """
        try:
            known = self.methods.get(method)
            if known is None:
                raise UnknownMethodError(method)
            try:
                return known.request.FromString(payload)
            except DecodeError as error:
                fault = f"the bytes are no {known.request.DESCRIPTOR.full_name}"
                if "MaxDepth" in str(error):  # all that protobuf tells of it
                    fault = "messages are nested deeper than protobuf's limit of 100: write the filter flatter"
                raise InvalidArgumentError("", fault) from error
        except Exception as error:
            raise StatusError(to_status(error)) from error

    def begin(self, call: Call, payload: bytes, tell: Callable[[Message | StatusError], None]) -> bool:
        """Answer one call without a task that waits for it, if it is of a kind that can be.

        A deadline is looked at when the call's turn comes, and not later: what is answered so is answered at once. Who
        calls sets `call.cancelled` when the caller has gone.

        Args:
            tell: Given the answer, or what went wrong, once, on the event loop; perhaps before this returns.

        Returns:
            False, and nothing is told, if it is for `serve`.
        """
        method = self.methods.get(call.method)
        if not isinstance(method, Method) or method.quick is None:
            return False

        def ended(result: Message | Exception) -> None:
            self.calls -= 1
            tell(StatusError(to_status(result)) if isinstance(result, Exception) else result)

        try:
            call.check()
            self._admit()
        except Exception as error:
            tell(StatusError(to_status(error)))
            return True
        try:
            begun = method.quick(call, payload, ended)
        except DecodeError:  # which `decode` will explain
            begun = False
        except Exception as error:
            ended(error)
            return True
        if not begun:
            self.calls -= 1
        return begun

    async def serve(self, call: Call, request: Message) -> Message:
        """Answer one call.

        Raises:
            StatusError: Whatever went wrong.
            asyncio.CancelledError: The caller has gone.
        """
        try:
            method = self.methods.get(call.method)
            if not isinstance(method, Method):
                raise UnknownMethodError(call.method)
            self._admit()
            try:
                return await _within_deadline(call, lambda: method.handler(call, request))
            finally:
                self.calls -= 1
        except asyncio.CancelledError:
            call.cancelled.set()
            raise
        except Exception as error:
            raise StatusError(to_status(error)) from error

    async def stream(self, call: Call, request: Message) -> AsyncGenerator[Message, None]:
        """Answer one call part by part.

        Parts may be asked for in different tasks, one at a time. Close the generator (`contextlib.aclosing`) when the
        reader has gone: that ends the work for the call.

        Raises:
            StatusError: Whatever went wrong, before the first part or between two.
            asyncio.CancelledError: The caller has gone.
        """
        try:
            method = self.methods.get(call.method)
            if not isinstance(method, StreamMethod):
                raise UnknownMethodError(call.method)
            streams_max = max(1, self.calls_max // 2)
            if self.streams_under_way >= streams_max:
                raise TooManyCallsError(streams_max, "streams are under way, as many as this server allows")
            each_max = max(1, streams_max // 2)
            if self.streams_of.get(call.peer, 0) >= each_max:
                raise TooManyCallsError(each_max, "streams are under way on this connection, as many as it may have")
            self._admit()
            self.streams_under_way += 1
            self.streams_of[call.peer] = self.streams_of.get(call.peer, 0) + 1
            parts = method.handler(call, request)
            try:
                while (part := await _within_deadline(call, lambda: anext(parts, None))) is not None:
                    yield part
            finally:
                self.calls -= 1
                self.streams_under_way -= 1
                self.streams_of[call.peer] -= 1
                if not self.streams_of[call.peer]:
                    del self.streams_of[call.peer]
                call.cancelled.set()  # tells the threads that work ahead for this call
                await parts.aclose()
        except Exception as error:
            raise StatusError(to_status(error)) from error

    def _admit(self) -> None:
        if self.draining:
            raise ShuttingDownError("this server is stopping: call another one, or try again")
        if self.calls >= self.calls_max:
            raise TooManyCallsError(self.calls_max)
        self.calls += 1


async def _within_deadline(call: Call, begin: Callable[[], Awaitable[T]]) -> T:
    call.check()
    if call.deadline is None:
        return await begin()
    try:
        async with asyncio.timeout(call.remaining()):
            return await begin()
    except TimeoutError as error:
        call.cancelled.set()  # tells the threads that work for this call
        raise DeadlineError("the deadline passed before the answer was ready") from error
