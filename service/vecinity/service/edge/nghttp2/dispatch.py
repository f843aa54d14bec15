"""From a request to what answers it, and back: the pipeline for our own methods, health and reflection beside it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from google.protobuf.message import Message
from google.rpc import code_pb2

from vecinity.service.call import Call
from vecinity.service.edge.nghttp2.grpc_framing import PREFIX_BYTES, Fields, GrpcFault
from vecinity.service.edge.nghttp2.headers import Head, Request, read_head
from vecinity.service.edge.nghttp2.limits import EdgeLimits
from vecinity.service.edge.nghttp2.stream import Stream
from vecinity.service.pipeline import Pipeline, StatusError
from vecinity.service.status import to_status

RawMethod = Callable[[Call, AsyncIterator[bytes], Stream], Coroutine[Any, Any, None]]
"""Reads payloads, and sends some on the stream, for methods that are not the pipeline's."""

_HEADS_MAX = 1_024
_HEAD_BYTES_MAX = 1_024


class Dispatch:
    """Gives requests to what answers them.

    Args:
        raw: Methods beside the pipeline's, by full name.
    """

    def __init__(self, pipeline: Pipeline, raw: Mapping[str, RawMethod], limits: EdgeLimits) -> None:
        self.pipeline = pipeline
        self._raw = raw
        self._limits = limits
        self._known = {*pipeline.methods, *raw}
        self._paths = {name.encode(): name for name in self._known}
        self._heads: dict[tuple[tuple[bytes, bytes], ...], Head] = {}

    def request(self, fields: Fields, header_bytes: int) -> Request:
        """What the headers of a request say. Most are those of the request before, so they are remembered.

        Raises:
            HttpFault: They are no gRPC.
            GrpcFault: They break its rules.
            StatusError: There is no such method.
        """
        key = tuple(fields)
        # Of headers over the limit the fields are not all there.
        head = self._heads.get(key) if header_bytes <= _HEAD_BYTES_MAX else None
        if head is None:
            head = read_head(fields, header_bytes, self._limits.header_bytes_max, self._paths)
            if head.path not in self._known:
                self.pipeline.decode(head.path, b"")  # refuses it, with a reason
            if header_bytes <= _HEAD_BYTES_MAX:
                if len(self._heads) >= _HEADS_MAX:
                    self._heads.clear()
                self._heads[key] = head
        return Request(head, None if head.timeout is None else time.monotonic() + head.timeout)

    def streaming(self, path: str) -> bool:
        """Whether a method takes messages as they come, not one when it has come whole."""
        return path in self._raw

    def begin(self, stream: Stream, request: Request, peer: str) -> Coroutine[Any, Any, None] | None:
        """Answer a request that has come whole, or, of a streaming method, begins; returns what is left to be run."""
        try:
            head = request.head
            if head.fault is not None:
                raise head.fault.again()
            call = Call(head.path, head.metadata, peer, request.deadline)
            if stream.streaming:
                return self._converse(stream, call)
            message = stream.take()
            if message[0]:
                return self._unpacked(stream, call, message)
            payload = message[PREFIX_BYTES:]
            if not head.gzip_back and self.pipeline.begin(call, payload, partial(self._told, stream)):
                stream.call = call
                return None
            return self._answer(stream, call, self.pipeline.decode(head.path, payload))
        except Exception as error:
            self._refuse(stream, error)
            return None

    def _told(self, stream: Stream, result: Message | StatusError) -> None:
        """Send what a call that needs no task ends with."""
        if isinstance(result, StatusError):
            refuse(stream, result)
            return
        try:
            stream.answer(self._sendable(result.SerializeToString()))
        except Exception as error:
            self._refuse(stream, error)

    async def _converse(self, stream: Stream, call: Call) -> None:
        try:
            await self._raw[call.method](call, stream.messages(), stream)
            stream.finish()
        except Exception as error:
            self._refuse(stream, error)

    async def _unpacked(self, stream: Stream, call: Call, message: bytes) -> None:
        try:
            decoded = self.pipeline.decode(call.method, await stream.payload(message))
        except Exception as error:
            self._refuse(stream, error)
        else:
            await self._answer(stream, call, decoded)

    async def _answer(self, stream: Stream, call: Call, request: Message) -> None:
        try:
            if self.pipeline.streams(call.method):
                async with aclosing(self.pipeline.stream(call, request)) as parts:
                    async for part in parts:
                        await stream.send(self._sendable(part.SerializeToString()))
                stream.finish()
                return
            reply = self._sendable((await self.pipeline.serve(call, request)).SerializeToString())
            if stream.request is not None and stream.request.head.gzip_back:
                await stream.answer_compressed(reply)
            else:
                stream.answer(reply)
        except Exception as error:
            self._refuse(stream, error)

    @staticmethod
    def _refuse(stream: Stream, error: Exception) -> None:
        if isinstance(error, GrpcFault):
            stream.refuse(error)
        else:
            refuse(stream, error if isinstance(error, StatusError) else StatusError(to_status(error)))

    def _sendable(self, payload: bytes) -> bytes:
        if len(payload) > self._limits.message_bytes_max:
            limit = self._limits.message_bytes_max
            raise GrpcFault(
                code_pb2.RESOURCE_EXHAUSTED,
                f"an answer of {len(payload)} bytes, where this server sends {limit}: ask for less at once",
            )
        return payload


def refuse(stream: Stream, error: StatusError) -> None:
    """End a call with the pipeline's status."""
    stream.finish(error.status.code, error.status.message, error.status.SerializeToString())
