"""The edge over gRPC's own Python server (grpc.aio).

Requests come as bytes and are parsed by the pipeline, so that malformed ones get the same error as any other fault
of a request. Health and reflection are the standard services of grpcio-health-checking and grpcio-reflection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from vecinity.indexer.errors import SettingError
from vecinity.service.call import Call
from vecinity.service.config import Config
from vecinity.service.pipeline import Pipeline, StatusError

COLLECTION_HEALTH = "collections/"
"""Prefix of a collection's name in the health service: ``collections/words``."""

_SEND_SECONDS = 0.5
_DETAILS_KEY = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcEdge:
    """Answers gRPC calls with a service's pipeline."""

    def __init__(self, pipeline: Pipeline, config: Config) -> None:
        self._pipeline = pipeline
        self._health = HealthServicer()
        self._serving: set[str] = set()
        self._updates: set[asyncio.Task[None]] = set()
        bytes_max = config.message_bytes_max
        self._server = grpc.aio.server(
            options=[
                # Otherwise a second server on the same port would silently take half of the calls.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", bytes_max),
                ("grpc.max_send_message_length", bytes_max),
                ("grpc.max_metadata_size", 16 << 10),
            ],
            # The pipeline refuses calls with a reason, but only when their message has been received and is in memory.
            maximum_concurrent_rpcs=2 * config.calls_max + 16,
        )
        self._server.add_generic_rpc_handlers((_AnyMethod(self._unary),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._services = sorted({method.split("/")[1] for method in pipeline.methods})
        if config.reflection:
            names = [*self._services, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
            reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self._server)

    def bind(self, listen: str) -> str:
        """Take the address, without taking calls yet; returns it with the real port.

        Raises:
            SettingError: The address can't be bound.
        """
        host, _, _ = listen.rpartition(":")
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise SettingError(
                f"can't listen on {listen}: the port is taken or the address is not of this machine; "
                "choose another with --listen, or port 0 for a free one"
            ) from error
        return f"{host}:{port}"

    async def start(self, collections: Iterable[str]) -> None:
        """Take calls, and tell health checks so, and about which collections."""
        for name in ("", *self._services):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._update_health(set(collections))
        await self._server.start()

    def set_collections(self, collections: Iterable[str]) -> None:
        """Tell health checks that these collections are served now."""
        task = asyncio.create_task(self._update_health(set(collections)))
        self._updates.add(task)
        task.add_done_callback(self._updates.discard)

    async def tell_stopping(self) -> None:
        """Tell health checks to send callers elsewhere."""
        await self._health.enter_graceful_shutdown()

    async def stop(self) -> None:
        """Let the answers of calls that have ended reach their callers, and end the rest."""
        await self._server.stop(_SEND_SECONDS)

    async def _update_health(self, serving: set[str]) -> None:
        for name in serving - self._serving:
            await self._health.set(COLLECTION_HEALTH + name, health_pb2.HealthCheckResponse.SERVING)
        for name in self._serving - serving:
            await self._health.set(COLLECTION_HEALTH + name, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
        self._serving = serving

    async def _unary(self, method: str, payload: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        remaining = context.time_remaining()
        call = Call(
            method=method,
            metadata={key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)},
            peer=context.peer(),
            deadline=None if remaining is None else time.monotonic() + remaining,
        )
        try:
            request = self._pipeline.decode(method, payload)
            response = await self._pipeline.serve(call, request)
        except StatusError as error:
            await _abort(context, error.status)
        return response.SerializeToString()


class _AnyMethod(grpc.GenericRpcHandler):
    """Sends every method of ours to one function; unknown methods too, for an error with a reason."""

    def __init__(self, unary: Callable[[str, bytes, Any], Awaitable[bytes]]) -> None:
        self._unary = unary

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = handler_call_details.method
        if not method.startswith("/vecinity."):
            return None

        async def behaviour(payload: bytes, context: Any) -> bytes:
            return await self._unary(method, payload, context)

        return grpc.unary_unary_rpc_method_handler(behaviour)


async def _abort(context: grpc.aio.ServicerContext[bytes, bytes], status: status_pb2.Status) -> None:
    await context.abort(
        _CODES[status.code], status.message, trailing_metadata=((_DETAILS_KEY, status.SerializeToString()),)
    )
