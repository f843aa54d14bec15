"""The edge over gRPC's own Python server (grpc.aio).

Requests come as bytes and are parsed by the pipeline, so that malformed ones get the same error as any other fault
of a request. Health and reflection are the standard services of grpcio-health-checking and grpcio-reflection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from vecinity.indexer.errors import SettingError
from vecinity.service.call import Call
from vecinity.service.config import Config
from vecinity.service.edge.listening import tls_context
from vecinity.service.edge.standard import HEALTH_SERVICE, Health
from vecinity.service.pipeline import Pipeline, StatusError

_SEND_SECONDS = 0.5
_DETAILS_KEY = "grpc-status-details-bin"
_Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcEdge:
    """Answers gRPC calls with a service's pipeline."""

    def __init__(self, pipeline: Pipeline, config: Config) -> None:
        self.pipeline = pipeline
        services = sorted({method.split("/")[1] for method in pipeline.methods})
        self._health = Health(services)
        self._tls = _credentials(config)
        bytes_max = config.message_bytes_max
        self._server = grpc.aio.server(
            options=[
                # If it were always on, a second server on the same port would silently take half of the calls.
                ("grpc.so_reuseport", int(config.reuse_port)),
                ("grpc.max_receive_message_length", bytes_max),
                ("grpc.max_send_message_length", bytes_max),
                ("grpc.max_metadata_size", 16 << 10),
                ("grpc.max_concurrent_streams", config.calls_each_max),
                # Else it also refuses calls of clients that keep to that, while it clears up after those before.
                ("grpc.http.overload_protection", 0),
            ],
            # The pipeline refuses calls with a reason, but only when their message has been received and is in memory.
            maximum_concurrent_rpcs=2 * config.calls_max + 16,
        )
        self._server.add_generic_rpc_handlers((_AnyMethod(self),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, self._server)
        if config.reflection:
            reflection.enable_server_reflection([*services, HEALTH_SERVICE, reflection.SERVICE_NAME], self._server)

    def bind(self, listen: str) -> str:
        """Take the address, without taking calls yet; returns it with the real port.

        Raises:
            SettingError: The address can't be bound.
        """
        host, _, _ = listen.rpartition(":")
        try:
            if self._tls is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, self._tls)
        except RuntimeError as error:
            raise SettingError(
                f"can't listen on {listen}: the port is taken or the address is not of this machine; "
                "choose another with --listen, or port 0 for a free one"
            ) from error
        return f"{host}:{port}"

    async def start(self, collections: Iterable[str]) -> None:
        """Take calls, and tell health checks so, and about which collections."""
        await self._health.start(collections)
        await self._server.start()

    def set_collections(self, collections: Iterable[str]) -> None:
        """Tell health checks that these collections are served now."""
        self._health.set_collections(collections)

    def connection_count(self) -> None:
        """gRPC does not say how many are open."""
        return None

    async def tell_stopping(self) -> None:
        """Tell health checks to send callers elsewhere."""
        await self._health.tell_stopping()

    async def stop(self) -> None:
        """Let the answers of calls that have ended reach their callers, and end the rest."""
        await self._server.stop(_SEND_SECONDS)

    async def unary(self, method: str, payload: bytes, context: _Context) -> bytes:
        call = _call(method, context)
        told: asyncio.Future[Message | StatusError] = asyncio.get_running_loop().create_future()
        result: Message | StatusError
        try:
            if self.pipeline.begin(call, payload, lambda result: None if told.done() else told.set_result(result)):
                result = await told
            else:
                result = await self.pipeline.serve(call, self.pipeline.decode(method, payload))
        except StatusError as error:
            result = error
        except asyncio.CancelledError:
            call.cancelled.set()
            raise
        if isinstance(result, StatusError):
            await _abort(context, result.status)
            raise result  # never: `abort` raises what gRPC wants
        return result.SerializeToString()

    async def stream(self, method: str, payload: bytes, context: _Context) -> None:
        try:
            request = self.pipeline.decode(method, payload)
            async with aclosing(self.pipeline.stream(_call(method, context), request)) as parts:
                async for part in parts:
                    # Returns when gRPC has room for more, so a slow reader holds up the work for this call only.
                    await context.write(part.SerializeToString())
        except StatusError as error:
            await _abort(context, error.status)


class _AnyMethod(grpc.GenericRpcHandler):
    """Sends every method of ours to two functions; unknown methods too, for an error with a reason."""

    def __init__(self, edge: GrpcEdge) -> None:
        self._edge = edge

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = handler_call_details.method
        if not method.startswith("/vecinity."):
            return None
        if self._edge.pipeline.streams(method):

            async def parts(payload: bytes, context: Any) -> None:
                await self._edge.stream(method, payload, context)

            return grpc.unary_stream_rpc_method_handler(parts)

        async def behaviour(payload: bytes, context: Any) -> bytes:
            return await self._edge.unary(method, payload, context)

        return grpc.unary_unary_rpc_method_handler(behaviour)


def _call(method: str, context: _Context) -> Call:
    remaining = context.time_remaining()
    return Call(
        method=method,
        metadata={str(key): value for key, value in context.invocation_metadata() or ()},
        peer=context.peer(),
        deadline=None if remaining is None else time.monotonic() + remaining,
    )


async def _abort(context: _Context, status: status_pb2.Status) -> None:
    await context.abort(
        _CODES[status.code], status.message, trailing_metadata=((_DETAILS_KEY, status.SerializeToString()),)
    )


def _credentials(config: Config) -> grpc.ServerCredentials | None:
    if config.tls_certificate is None or config.tls_key is None:
        return None
    # gRPC does not say what is wrong with a file, and this does.
    tls_context(config.tls_certificate, config.tls_key, config.tls_client_ca)
    return grpc.ssl_server_credentials(
        [(config.tls_key.read_bytes(), config.tls_certificate.read_bytes())],
        None if config.tls_client_ca is None else config.tls_client_ca.read_bytes(),
        config.tls_client_ca is not None,
    )
