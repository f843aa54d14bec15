"""The chain of functions around every handler. Knows no transport.

    edge → serve (errors to statuses) → admit (draining, too many calls) → within the deadline → handler

An edge makes a `Call` from what its transport delivers, gives it to `serve` with the request message, and sends back
the response message or the google.rpc.Status of the `StatusError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

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
from vecinity.service.handlers import Handler, Method
from vecinity.service.status import to_status


class StatusError(Exception):
    """What an edge turns into its transport's form of an error."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Pipeline:
    """Serves the calls of all edges of a server.

    Args:
        methods: By full name.
        calls_max: How many calls may be under way at once.
    """

    def __init__(self, methods: Mapping[str, Method], *, calls_max: int) -> None:
        self.methods = methods
        self.calls_max = calls_max
        self.calls = 0
        self.draining = False

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
                raise InvalidArgumentError("", f"the bytes are no {known.request.DESCRIPTOR.full_name}") from error
        except Exception as error:
            raise StatusError(to_status(error)) from error

    async def serve(self, call: Call, request: Message) -> Message:
        """Answer one call.

        Raises:
            StatusError: Whatever went wrong.
            asyncio.CancelledError: The caller has gone.
        """
        try:
            return await self._admit(call, request)
        except asyncio.CancelledError:
            call.cancelled.set()
            raise
        except Exception as error:
            raise StatusError(to_status(error)) from error

    async def _admit(self, call: Call, request: Message) -> Message:
        method = self.methods.get(call.method)
        if method is None:
            raise UnknownMethodError(call.method)
        if self.draining:
            raise ShuttingDownError("this server is stopping: call another one, or try again")
        if self.calls >= self.calls_max:
            raise TooManyCallsError(self.calls_max)
        self.calls += 1
        try:
            return await self._within_deadline(method.handler, call, request)
        finally:
            self.calls -= 1

    async def _within_deadline(self, handler: Handler, call: Call, request: Message) -> Message:
        call.check()
        try:
            async with asyncio.timeout(call.remaining()):
                return await handler(call, request)
        except TimeoutError as error:
            call.cancelled.set()  # tells the threads that work for this call
            raise DeadlineError("the deadline passed before the answer was ready") from error
