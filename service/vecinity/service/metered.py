"""A pipeline whose calls are counted. Where nobody wants metrics there is none of it, and they cost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from time import perf_counter

from google.protobuf.message import Message
from google.rpc import code_pb2

from vecinity.service.call import Call
from vecinity.service.handlers import Method, StreamMethod
from vecinity.service.pipeline import Pipeline, StatusError
from vecinity.service.tally import Tally

UNKNOWN = "unknown"
"""Stands for all methods that there are not: their names are the clients', and may be any number."""


class MeteredPipeline(Pipeline):
    """Counts how calls end, and how long they take from the decoded request to the answer.

    A call whose caller has gone, or who has closed a stream before its end, counts as CANCELLED. What an edge refuses
    by itself, such as bytes that are no gRPC, is not counted.

    Args:
        tally: Where to.
    """

    def __init__(self, methods: Mapping[str, Method | StreamMethod], *, calls_max: int, tally: Tally) -> None:
        super().__init__(methods, calls_max=calls_max)
        self._tallies = {name: tally.methods[name] for name in methods}
        self._unknown = tally.methods[UNKNOWN]

    def decode(self, method: str, payload: bytes) -> Message:
        """See `Pipeline.decode`."""
        try:
            return super().decode(method, payload)
        except StatusError as error:
            self._tallies.get(method, self._unknown).failed.append((error.status.code, None))
            raise

    def begin(self, call: Call, payload: bytes, tell: Callable[[Message | StatusError], None]) -> bool:
        """See `Pipeline.begin`."""
        began = perf_counter()

        def told(result: Message | StatusError) -> None:
            if isinstance(result, StatusError):
                gone = call.cancelled.is_set()  # what came of it then was for nobody
                self._failed(call, asyncio.CancelledError() if gone else result, perf_counter() - began)
            else:
                self._tallies[call.method].answered.append(perf_counter() - began)
            tell(result)

        return Pipeline.begin(self, call, payload, told)

    async def serve(self, call: Call, request: Message) -> Message:
        """See `Pipeline.serve`."""
        began = perf_counter()
        try:
            response = await Pipeline.serve(self, call, request)
        except BaseException as error:
            self._failed(call, error, perf_counter() - began)
            raise
        self._tallies[call.method].answered.append(perf_counter() - began)
        return response

    async def stream(self, call: Call, request: Message) -> AsyncGenerator[Message, None]:
        """See `Pipeline.stream`."""
        began = perf_counter()
        try:
            async with aclosing(super().stream(call, request)) as parts:
                async for part in parts:
                    yield part
        except BaseException as error:
            self._failed(call, error, perf_counter() - began)
            raise
        self._tallies[call.method].answered.append(perf_counter() - began)

    def _failed(self, call: Call, error: BaseException, seconds: float) -> None:
        code = error.status.code if isinstance(error, StatusError) else code_pb2.CANCELLED
        self._tallies.get(call.method, self._unknown).failed.append((code, seconds))
