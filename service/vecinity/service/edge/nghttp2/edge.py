"""The edge over libnghttp2 as a whole: listen, look after connections, drain."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Mapping

import structlog

from vecinity.service.config import Config
from vecinity.service.edge.listening import BACKLOG, open_sockets, tls_context
from vecinity.service.edge.nghttp2.binding import Library, LibraryError, load
from vecinity.service.edge.nghttp2.connection import Connection, make_buffer
from vecinity.service.edge.nghttp2.dispatch import Dispatch, RawMethod
from vecinity.service.edge.nghttp2.headers import Replies
from vecinity.service.edge.nghttp2.limits import EdgeLimits, Held
from vecinity.service.edge.nghttp2.session import Http2
from vecinity.service.edge.nghttp2.standard import health_methods, reflection_methods
from vecinity.service.edge.sharing import Handed
from vecinity.service.edge.standard import Health
from vecinity.service.pipeline import Pipeline

__all__ = ["LibraryError", "Nghttp2Edge"]

_SEND_SECONDS = 2.0
"""For clients to read what is under way to them when the server ends."""
_HANDSHAKE_SECONDS = 10.0

_log = structlog.get_logger()


class Nghttp2Edge:
    """Answers gRPC calls with a service's pipeline.

    Args:
        limits: Instead of those that follow from the settings.
        raw: More methods beside the pipeline's, by full name.
        handed: Connections that another process accepts; None if this edge takes an address itself.

    Raises:
        LibraryError: There is no libnghttp2, or one too old.
        SettingError: The files for TLS are none.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        config: Config,
        *,
        limits: EdgeLimits | None = None,
        raw: Mapping[str, RawMethod] | None = None,
        handed: Handed | None = None,
    ) -> None:
        library: Library = load()
        self.limits = limits or EdgeLimits.of(config)
        self.http2 = Http2(library, self.limits)
        self.replies = Replies(library)
        self.held = Held(self.limits.held_bytes_max)
        self.buffer = make_buffer()
        self.view = memoryview(self.buffer)
        self.c_buffer = library.ffi.from_buffer(self.buffer)
        self.connections: set[Connection] = set()
        services = sorted({method.split("/")[1] for method in pipeline.methods})
        self._health = Health(services)
        methods = {**health_methods(self._health.servicer), **(raw or {})}
        if config.reflection:
            methods |= reflection_methods(services)
        self.dispatch = Dispatch(pipeline, methods, self.limits)
        self._tls = None
        if config.tls_certificate is not None and config.tls_key is not None:
            self._tls = tls_context(config.tls_certificate, config.tls_key, config.tls_client_ca)
        self._reuse_port = config.reuse_port
        self._handed = handed
        self._adopting: set[asyncio.Task[None]] = set()
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self.loop: asyncio.AbstractEventLoop

    def bind(self, listen: str) -> str:
        """Take the address, without taking calls yet; returns it with the real port.

        Raises:
            SettingError: The address can't be bound.
        """
        if self._handed is not None:
            return listen
        self._sockets, address = open_sockets(listen, reuse_port=self._reuse_port)
        return address

    async def start(self, collections: Iterable[str]) -> None:
        """Take calls, and tell health checks so, and about which collections."""
        self.loop = asyncio.get_running_loop()
        await self._health.start(collections)
        for bound in self._sockets:
            self._servers.append(
                await self.loop.create_server(
                    lambda: Connection(self),
                    sock=bound,
                    backlog=BACKLOG,
                    ssl=self._tls,
                    ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
                )
            )
        if self._handed is not None:
            self.loop.add_reader(self._handed, self._take, self._handed)
        self._sweeper = asyncio.create_task(self._sweep())
        _log.debug("edge", library="libnghttp2", version=self.http2.library.version)

    def set_collections(self, collections: Iterable[str]) -> None:
        """Tell health checks that these collections are served now."""
        self._health.set_collections(collections)

    def connection_count(self) -> int:
        """How many are open."""
        return len(self.connections)

    async def tell_stopping(self) -> None:
        """Take no more connections, and ask the clients we have to go elsewhere with new calls."""
        await self._health.tell_stopping()
        for server in self._servers:
            server.close()
        for bound in self._sockets:
            bound.close()
        if self._handed is not None and self._sweeper is not None:
            self.loop.remove_reader(self._handed)
            self._take(self._handed)  # what has been handed over already
            self._handed.close()  # which tells who hands them over to ask another
        for connection in list(self.connections):
            connection.announce_end()

    async def stop(self) -> None:
        """Let the answers of calls that have ended reach their callers, and end the rest."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        for connection in list(self.connections):
            connection.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SEND_SECONDS):
                await self._gone()
        for connection in list(self.connections):
            connection.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SEND_SECONDS):
                await self._gone()

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if self._handed is not None:
            self._handed.ended()

    def relieve(self) -> None:
        """Too much is held: close the connection that holds most."""
        most = max((c for c in self.connections), key=lambda connection: connection.held, default=None)
        if most is not None and most.held > 0:
            _log.warning("connection closed, as too much waits for it", peer=most.peer, bytes=most.held)
            most.abort()

    def make_way(self, newcomer: Connection) -> bool:
        """There are too many connections: close the one that has been without a call for longest, if one is."""
        # Those that are closed already are told so in a later turn of the loop; many may come in this one.
        there = [c for c in self.connections if not c.aborted]
        if len(there) <= self.limits.connections_max:
            return True
        unused = (c for c in there if c is not newcomer and (c.leaving or not c.session.streams))
        oldest = min(unused, key=lambda c: (not c.leaving, c.patience.busy), default=None)
        if oldest is not None:
            oldest.abort()
        return oldest is not None

    def _take(self, handed: Handed) -> None:
        try:
            while (made := handed.take()) is not None:
                task = self.loop.create_task(self._adopt(made, handed))
                self._adopting.add(task)
                task.add_done_callback(self._adopting.discard)
        except (EOFError, OSError):  # whoever handed them over has gone, and this process will be told
            self.loop.remove_reader(handed)

    async def _adopt(self, made: socket.socket, handed: Handed) -> None:
        made.setblocking(False)
        begun = Connection(self)
        try:
            await self.loop.connect_accepted_socket(
                lambda: begun,
                made,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
            )
        except OSError:  # it has gone already, or speaks no TLS
            if not begun.made:
                handed.ended()
            made.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.limits.sweep_seconds)
            now = self.loop.time()
            for connection in list(self.connections):
                connection.check(now)
            if self._handed is not None:
                self._handed.tell()

    async def _gone(self) -> None:
        while self.connections:
            await asyncio.sleep(0.005)
