"""How requests travel: over gRPC, or inside the process. All raise the errors of `vecinity.client.errors`."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc import status_pb2

from vecinity.client.errors import InternalError, InvalidArgumentError, UnavailableError, VecinityError, from_status

_DETAILS_KEY = "grpc-status-details-bin"
_MESSAGE_BYTES_MAX = 256 << 20
_CLOSED = "this client has been closed"

# gRPC itself tries again, with growing pauses, where there is no server or one that is stopping. These services only
# read, so a call that was answered twice does no harm. A stream is tried again only until its first part has come.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": "vecinity.v1.SearchService"},
                {"service": "vecinity.v1.CollectionService"},
                {"service": "vecinity.v1.EmbeddingService"},
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_OPTIONS = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    # A connection for each client, so that several use several of a server's processes; gRPC would share one.
    ("grpc.use_local_subchannel_pool", 1),
]

R = TypeVar("R")
AsyncParts = AsyncGenerator[R, None]
Parts = Generator[R, None, None]
"""The parts of an answer. Closing the generator ends the work for it."""


class Transport(Protocol):
    """Carries one request and waits for its response, or iterates over the parts of it."""

    def call(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Any: ...

    def stream(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Parts[Any]: ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """Carries one request; its response, or each part of it, is awaited."""

    async def call(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Any: ...

    def stream(
        self, method: str, request: Message, response: type[Message], timeout: float | None
    ) -> AsyncParts[Any]: ...

    async def close(self) -> None: ...


class GrpcTransport:
    """A gRPC channel."""

    def __init__(self, target: str) -> None:
        self._target = _checked(target)
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._methods: dict[str, Any] = {}
        self._closed = False

    def call(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Any:
        _refuse_if(self._closed)
        if (stub := self._methods.get(method)) is None:
            stub = self._methods[method] = self._channel.unary_unary(
                method, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
            )
        try:
            return stub(request, timeout=timeout)
        except grpc.RpcError as error:
            raise _from_rpc_error(error, self._target, self._closed) from error
        except ValueError:
            _refuse_if(self._closed)  # by another thread meanwhile
            raise

    def stream(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Parts[Any]:
        _refuse_if(self._closed)
        if (stub := self._methods.get(method)) is None:
            stub = self._methods[method] = self._channel.unary_stream(
                method, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
            )
        call = stub(request, timeout=timeout)
        try:
            yield from call
        except grpc.RpcError as error:
            raise _from_rpc_error(error, self._target, self._closed) from error
        finally:
            call.cancel()  # a reader who leaves ends the work; a call that has ended is not touched

    def close(self) -> None:
        self._closed = True
        self._channel.close()


class AsyncGrpcTransport:
    """A gRPC channel on the running event loop."""

    def __init__(self, target: str) -> None:
        self._target = _checked(target)
        self._channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
        self._methods: dict[str, Any] = {}
        self._closed = False

    async def call(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Any:
        _refuse_if(self._closed)
        if (stub := self._methods.get(method)) is None:
            stub = self._methods[method] = self._channel.unary_unary(
                method, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
            )
        try:
            return await stub(request, timeout=timeout)
        except grpc.RpcError as error:
            raise _from_rpc_error(error, self._target, self._closed) from error

    async def stream(
        self, method: str, request: Message, response: type[Message], timeout: float | None
    ) -> AsyncParts[Any]:
        _refuse_if(self._closed)
        if (stub := self._methods.get(method)) is None:
            stub = self._methods[method] = self._channel.unary_stream(
                method, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
            )
        call = stub(request, timeout=timeout)
        try:
            async for part in call:
                yield part
        except grpc.RpcError as error:
            raise _from_rpc_error(error, self._target, self._closed) from error
        finally:
            call.cancel()  # a reader who leaves ends the work; a call that has ended is not touched

    async def close(self) -> None:
        self._closed = True
        await self._channel.close()


class InProcessTransport:
    """The service itself, in this process. Needs the server part (``pip install .[server]``)."""

    def __init__(self, data_dir: str | Path) -> None:
        self._edge = _open_in_process(data_dir)

    def call(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Any:
        try:
            future = self._edge.submit(method, request, timeout)
            try:
                return future.result()
            finally:
                future.cancel()  # Ctrl-C ends the call too; one that has ended is not touched
        except Exception as error:
            raise _from_in_process(error) from error

    def stream(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Parts[Any]:
        with closing(self._edge.stream(method, request, timeout)) as stream:
            while True:
                try:
                    part = stream.next().result()
                except Exception as error:
                    raise _from_in_process(error) from error
                if part is None:
                    return
                yield part

    def close(self) -> None:
        self._edge.close()


class AsyncInProcessTransport:
    """As `InProcessTransport`, awaited. The service has an event loop of its own."""

    def __init__(self, data_dir: str | Path) -> None:
        self._edge = _open_in_process(data_dir)

    async def call(self, method: str, request: Message, response: type[Message], timeout: float | None) -> Any:
        try:
            return await asyncio.wrap_future(self._edge.submit(method, request, timeout))
        except Exception as error:
            raise _from_in_process(error) from error

    async def stream(
        self, method: str, request: Message, response: type[Message], timeout: float | None
    ) -> AsyncParts[Any]:
        with closing(self._edge.stream(method, request, timeout)) as stream:
            while True:
                try:
                    part = await asyncio.wrap_future(stream.next())
                except Exception as error:
                    raise _from_in_process(error) from error
                if part is None:
                    return
                yield part

    async def close(self) -> None:
        await asyncio.to_thread(self._edge.close)


def _open_in_process(data_dir: str | Path) -> Any:
    # By name: the client must not need the server to be installed, nor be able to reach into it.
    try:
        server = importlib.import_module("vecinity.service.server")
    except ImportError as error:
        raise VecinityError(
            f"in_process needs the server part ({error}): in the folder of Vecinity, pip install '.[server]'"
        ) from None
    try:
        return server.open_in_process(data_dir)
    except server.IndexerError as error:
        raise VecinityError(str(error)) from error


def _checked(target: str) -> str:
    if found := re.match(r"https?://", target):
        raise InvalidArgumentError(f"target is {target!r}; a target is host:port, without {found[0]}")
    return target


def _refuse_if(closed: bool) -> None:
    if closed:
        raise UnavailableError(_CLOSED)


def _from_rpc_error(error: Any, target: str, closed: bool) -> VecinityError:
    """The details that the server sent, or, where gRPC itself failed, its code and what that means."""
    if closed:
        return UnavailableError(_CLOSED)
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            return from_status(status_pb2.Status.FromString(value))
    message = error.details() or error.code().name
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        message = f"no server answers at {target} ({message.rsplit(': ', 1)[-1]})"
    elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"no answer from {target} before the deadline"
    return from_status(status_pb2.Status(code=error.code().value[0], message=message))


def _from_in_process(error: Exception) -> VecinityError:
    """The status that the pipeline raised, or a fault of the edge itself."""
    status = getattr(error, "status", None)
    return from_status(status) if isinstance(status, status_pb2.Status) else InternalError(repr(error))
