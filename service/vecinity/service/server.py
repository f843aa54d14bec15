"""The composition root: puts the rooms together, and the life of a server from start to drain.

Service      store, engine, handlers and pipeline, without any edge
run_server   a Service behind the gRPC edge, until SIGTERM or SIGINT
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

import structlog

from vecinity.indexer.errors import IndexerError
from vecinity.service.config import Config, load_config
from vecinity.service.edge.grpcio import GrpcEdge
from vecinity.service.edge.in_process import InProcessEdge
from vecinity.service.engine import Engine
from vecinity.service.handlers import Handlers
from vecinity.service.log import configure_log
from vecinity.service.pipeline import Pipeline
from vecinity.service.store import Store

_log = structlog.get_logger()


class Service:
    """Everything between the edge and the disk.

    Raises:
        SettingError: The data directory does not exist.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config.data_dir, verify=config.verify)
        self.engine = Engine(
            self.store,
            threads=config.threads,
            default_recall=config.target_recall,
            answer_bytes_max=config.message_bytes_max,
        )
        self.pipeline = Pipeline(Handlers(self.engine, config.limits).methods(), calls_max=config.calls_max)
        self._watcher: asyncio.Task[None] | None = None
        self._on_change: list[Callable[[], None]] = []

    async def start(self) -> Pipeline:
        """Open what is published, and keep looking for more; returns what edges call."""
        await asyncio.to_thread(self.store.refresh)
        self._watcher = asyncio.create_task(self._watch())
        return self.pipeline

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, on the loop, whenever other versions are served than before."""
        self._on_change.append(tell)

    async def drain(self, hurry: asyncio.Event | None = None) -> None:
        """Refuse new calls; wait for those under way as long as the settings say, or until told to hurry."""
        self.pipeline.draining = True
        loop = asyncio.get_running_loop()
        end = loop.time() + self.config.drain_seconds
        while self.pipeline.calls and loop.time() < end and not (hurry and hurry.is_set()):
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Drain, then release everything."""
        await self.drain()
        try:
            if self._watcher is not None:
                self._watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._watcher
        finally:
            self.engine.close()
            self.store.close()

    async def open_embedders(self) -> None:
        """Load models before the first text asks for them. A model that is missing is logged, not fatal."""
        for version in self.store.current.values():
            if version.record.embedder is None:
                continue
            try:
                await asyncio.to_thread(version.open_embedder)
                _log.info("embedder ready", collection=version.record.collection)
            except IndexerError as error:
                _log.warning("embedder not available", collection=version.record.collection, reason=str(error))

    async def _watch(self) -> None:
        trouble = ""
        while True:
            await asyncio.sleep(self.config.refresh_seconds)
            try:
                changed = await asyncio.to_thread(self.store.refresh)
                trouble = ""
            except Exception as error:
                # Whatever it is, the versions that are open go on serving, and the next look may succeed.
                if trouble != (trouble := str(error)):
                    _log.exception("can't look for new versions")
                continue
            if changed:
                for tell in self._on_change:
                    tell()


def open_in_process(data_dir: str | Path) -> InProcessEdge:
    """A service over a data directory, for callers in this process.

    Raises:
        SettingError: `data_dir` is not a data directory.
    """
    config = load_config(data_dir=Path(data_dir), log_level="warning")
    if not structlog.is_configured():  # or the program around us has its own log
        configure_log(config.log_level, config.log_format)
    service = Service(config)
    return InProcessEdge(service.start, service.stop)


async def run_server(config: Config, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        announce: Told the address once, when calls are answered.

    Raises:
        SettingError: The data directory does not exist, or the address is taken.
    """
    configure_log(config.log_level, config.log_format)
    service = Service(config)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    hurry = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The second signal ends the wait for calls under way.
        loop.add_signal_handler(number, lambda: (hurry if stopping.is_set() else stopping).set())
    edge = GrpcEdge(service.pipeline, config)
    try:
        # The address first, as opening may take long; calls are taken when there is something to answer from.
        address = edge.bind(config.listen)
        service.on_change(lambda: edge.set_collections(service.store.current))
        await service.start()
        await edge.start(service.store.current)
        announce(address)
        warming = asyncio.create_task(service.open_embedders())
        await stopping.wait()
        _log.info("stopping", calls=service.pipeline.calls, drain_seconds=config.drain_seconds)
        warming.cancel()
    finally:
        await edge.tell_stopping()
        await service.drain(hurry)
        await edge.stop()
        await service.stop()
    _log.info("stopped")
