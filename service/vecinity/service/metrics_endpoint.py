"""Where Prometheus fetches metrics: over HTTP, from a thread of the one process that serves, or of the supervisor.

The supervisor's are those of its workers, added up. They lie in files, so that a worker that dies takes nothing along.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, make_wsgi_app, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from vecinity.indexer.errors import SettingError
from vecinity.service.metrics import Metrics, State
from vecinity.service.tally import Tally

_READ_SECONDS = 10.0
"""For a client to say what it wants."""
_POLL_SECONDS = 0.05
"""How long closing may wait for the thread to notice."""

_log = structlog.get_logger()


class Endpoint:
    """Answers HTTP with what a registry has.

    Args:
        listen: host:port; port 0 takes a free one.

    Raises:
        SettingError: The address can't be bound.
    """

    def __init__(self, listen: str, registry: CollectorRegistry) -> None:
        host, _, port = listen.rpartition(":")
        try:
            self._server = _Server(host.removeprefix("[").removesuffix("]"), int(port))
        except OSError as error:
            raise SettingError(
                f"can't serve metrics on {listen}: the port is taken or the address is not of this machine; "
                "choose another with --metrics, or port 0 for a free one"
            ) from error
        self._server.set_app(make_wsgi_app(registry))
        self._thread = Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name="metrics", daemon=True)
        self._thread.start()
        self.address = f"{host}:{self._server.server_port}"
        _log.info("metrics", url=f"http://{self.address}/metrics")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request, which must not keep the process from ending."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, _, _, _, address = found[0]
        super().__init__((str(address[0]), port), _Handler)

    def server_bind(self) -> None:
        # The library's looks the host's name up, which can take seconds where no name server answers.
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("metrics: a client has gone", peer=str(client_address), exc_info=True)


class _Handler(WSGIRequestHandler):
    timeout = _READ_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the log is about our own calls."""


class ServerMetrics:
    """The metrics of a process that answers calls: served by itself, or, of one of several workers, by the supervisor.

    Args:
        listen: Where a process that is alone serves them.
        worker: The number of this process among several.
        folder: Where the supervisor looks for its metrics; None for a process that is alone.

    Attributes:
        tally: What happens is to be noted here, from `start` on.
        address: Where they are served; None by the supervisor.

    Raises:
        SettingError: The address can't be bound.
        OSError: There is no room in the folder.
    """

    def __init__(self, listen: str, *, worker: int = 0, folder: Path | None = None) -> None:
        self.tally = Tally()
        self._metrics = Metrics(self.tally, worker=worker, folder=folder)
        self._endpoint = Endpoint(listen, self._metrics.registry) if folder is None else None
        self.address = None if self._endpoint is None else self._endpoint.address
        self._look: Callable[[], State] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, look: Callable[[], State]) -> None:
        """Keep the metrics up to date from now on.

        Args:
            look: Says what the server is doing.
        """
        self._look = look
        self._metrics.try_update(look)
        self._task = asyncio.create_task(self._metrics.keep_up(look))

    async def stop(self) -> None:
        """Count what there was since the last time, too."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._look is not None:
            self._metrics.try_update(self._look)
        if self._endpoint is not None:
            await asyncio.to_thread(self._endpoint.close)


class WorkersMetrics:
    """The metrics of a supervisor: those of its workers added up, and how the workers fare.

    Args:
        listen: Where they are served.

    Attributes:
        folder: Where each worker writes its own.
        address: Where they are served.

    Raises:
        SettingError: The address can't be bound, or there is no place for temporary files.
    """

    def __init__(self, listen: str) -> None:
        disable_created_metrics()
        values.ValueClass = values.MutexValue  # whatever the environment says: the files are the workers'
        registry = CollectorRegistry()
        self._restarts = Counter("vecinity_worker_restarts", "Workers that died and were replaced.", registry=registry)
        self._hangs = Counter("vecinity_worker_hangs", "Workers killed as they did not react.", registry=registry)
        self._workers = Gauge("vecinity_workers", "Workers that answer.", registry=registry)
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="vecinity-metrics-"))
        except OSError as error:
            raise SettingError(f"no place for the files of --metrics ({error}): set TMPDIR to a folder") from error
        try:
            MultiProcessCollector(registry, str(self.folder))
            self._endpoint = Endpoint(listen, registry)
        except BaseException:
            self._remove()
            raise
        self.address = self._endpoint.address

    def worker_ready(self) -> None:
        self._workers.inc()

    def worker_hangs(self) -> None:
        """A worker is killed, as nothing is heard of it."""
        self._hangs.inc()

    def worker_died(self, number: int, *, was_ready: bool) -> None:
        """A worker is gone, and another takes its place: what it had open no longer counts, what it has done does."""
        mark_process_dead(number, str(self.folder))
        self._restarts.inc()
        if was_ready:
            self._workers.dec()

    def close(self) -> None:
        self._endpoint.close()
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)
