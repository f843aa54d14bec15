"""Health and reflection on streams of this edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2
from grpc_health.v1 import health_pb2

from vecinity.service.call import Call
from vecinity.service.edge.nghttp2.dispatch import RawMethod
from vecinity.service.edge.nghttp2.grpc_framing import GrpcFault
from vecinity.service.edge.nghttp2.stream import Stream
from vecinity.service.edge.standard import HEALTH_SERVICE

_REFLECTION_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def health_methods(servicer: Any) -> dict[str, RawMethod]:
    """The methods of grpc.health.v1.Health, by full name.

    Args:
        servicer: grpc_health's, for asyncio. It asks of gRPC only what `_Context` has.
    """

    async def check(call: Call, messages: AsyncIterator[bytes], stream: Stream) -> None:
        request = _parse(health_pb2.HealthCheckRequest, await _one(messages))
        response = await _within(call, servicer.Check(request, _Context(stream)))
        await stream.send(response.SerializeToString())

    async def watch(call: Call, messages: AsyncIterator[bytes], stream: Stream) -> None:
        request = _parse(health_pb2.HealthCheckRequest, await _one(messages))
        await _within(call, servicer.Watch(request, _Context(stream)))

    return {f"/{HEALTH_SERVICE}/Check": check, f"/{HEALTH_SERVICE}/Watch": watch}


def reflection_methods(services: Iterable[str]) -> dict[str, RawMethod]:
    """The methods of grpc.reflection, v1 and v1alpha, whose messages are the same on the wire, by full name.

    Args:
        services: Full names of the services to tell of.
    """
    from grpc_reflection.v1alpha import reflection_pb2
    from grpc_reflection.v1alpha._async import ReflectionServicer

    servicer: Any = ReflectionServicer([*services, HEALTH_SERVICE, *_REFLECTION_SERVICES])

    async def info(call: Call, messages: AsyncIterator[bytes], stream: Stream) -> None:
        async def requests() -> AsyncIterator[Message]:
            async for payload in messages:
                yield _parse(reflection_pb2.ServerReflectionRequest, payload)

        async def answers() -> None:
            async for answer in servicer.ServerReflectionInfo(requests(), None):
                await stream.send(answer.SerializeToString())

        await _within(call, answers())

    return {f"/{service}/ServerReflectionInfo": info for service in _REFLECTION_SERVICES}


class _Context:
    """What the servicers ask of gRPC."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def abort(self, code: Any, details: str = "") -> None:
        raise GrpcFault(code.value[0], details)

    async def write(self, message: Message) -> None:
        await self._stream.send(message.SerializeToString())


async def _one(messages: AsyncIterator[bytes]) -> bytes:
    found: bytes | None = None
    async for payload in messages:
        if found is not None:  # told at once: more of them would be taken in, and held by nobody's count
            raise GrpcFault(code_pb2.UNIMPLEMENTED, "this method takes one message, not several")
        found = payload
    if found is None:
        raise GrpcFault(code_pb2.UNIMPLEMENTED, "this method takes one message, and there was none")
    return found


def _parse(kind: type[Any], payload: bytes) -> Any:
    try:
        return kind.FromString(payload)
    except DecodeError as error:
        raise GrpcFault(code_pb2.INVALID_ARGUMENT, f"the bytes are no {kind.DESCRIPTOR.full_name}") from error


async def _within(call: Call, work: Any) -> Any:
    try:
        async with asyncio.timeout(call.remaining()):
            return await work
    except TimeoutError as error:
        raise GrpcFault(code_pb2.DEADLINE_EXCEEDED, "the deadline passed before the answer was ready") from error
