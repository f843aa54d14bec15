"""The composition root: puts the rooms together, and the life of a server from start to drain.

Service      store, engine, handlers and pipeline, without any edge
run_server   a Service behind a gRPC edge, until SIGTERM or SIGINT; `supervisor` runs several, each in its process
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from threadpoolctl import threadpool_limits

from vecinity.indexer.errors import IndexerError
from vecinity.service.config import Config, load_config
from vecinity.service.edge.choice import Edge, open_edge
from vecinity.service.edge.in_process import InProcessEdge
from vecinity.service.edge.sharing import Handed
from vecinity.service.embedders import Embedders
from vecinity.service.engine import Engine
from vecinity.service.errors import ServiceError
from vecinity.service.handlers import methods
from vecinity.service.log import configure_log
from vecinity.service.metered import MeteredPipeline
from vecinity.service.pipeline import Pipeline
from vecinity.service.store import Store
from vecinity.service.tally import Tally

if TYPE_CHECKING:
    from vecinity.service.metrics import State
    from vecinity.service.metrics_endpoint import ServerMetrics

_COLLECTED_AFTER = 20_000
"""Objects. A call makes some dozens, next to none of them in cycles; by default the collector looks after each 700."""

_log = structlog.get_logger()


class Service:
    """Everything between the edge and the disk.

    Args:
        embeds_apart: Whether texts are embedded by a process of its own; see `Embedders`.
        embed_line: To a process that embeds for several; None for one of its own.
        tally: Where calls and batches are counted; None if nobody wants to know.

    Raises:
        SettingError: The data directory does not exist.
    """

    def __init__(
        self,
        config: Config,
        *,
        embeds_apart: bool,
        embed_line: socket.socket | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.config = config
        threads = config.embed_thread_count if embeds_apart else 0
        embedders = Embedders(config.data_dir, apart=embeds_apart, threads=threads, line=embed_line)
        self.store = Store(config.data_dir, verify=config.verify, embedders=embedders)
        self.engine = Engine(
            self.store,
            threads=config.threads,
            alone=not config.reuse_port,
            default_recall=config.target_recall,
            analogy_recall=config.analogy_recall,
            answer_bytes_max=config.message_bytes_max,
            embeddings_kept=config.embeddings_kept,
            tally=tally,
        )
        served = methods(self.engine, config.limits)
        self.pipeline = (
            Pipeline(served, calls_max=config.calls_max)
            if tally is None
            else MeteredPipeline(served, calls_max=config.calls_max, tally=tally)
        )
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
            except (IndexerError, ServiceError) as error:
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
    # The program around us may go to another folder.
    config = load_config(data_dir=Path(data_dir).absolute(), log_level="warning")
    if not structlog.is_configured():  # or the program around us has its own log
        configure_log(config.log_level, config.log_format)
    # Their own process would import torch once more, and read a model that the program around us may hold already.
    service = Service(config, embeds_apart=False)
    return InProcessEdge(service.start, service.stop)


async def run_server(
    config: Config,
    announce: Callable[[str], None],
    *,
    worker: int | None = None,
    metrics_folder: Path | None = None,
    handed: Handed | None = None,
    embed_line: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        announce: Told the address once, when calls are answered.
        worker: The number of this process, if it is one of several that serve together.
        metrics_folder: Where such a process writes its metrics, if they are wanted.
        handed: Connections that another process accepts for this one.
        embed_line: To the process that embeds for all of them; None for one of its own.

    Raises:
        SettingError: The data directory does not exist, an address is taken, or the edge can't be had.
    """
    configure_log(config.log_level, config.log_format, worker=worker)
    if config.pin_workers and worker is None:
        _log.warning("pin_workers does nothing where one process serves: let --workers be more than 1")
    # Our threads are the parallelism, as `Pools` has it: those that BLAS would start for each product wait in a loop.
    threadpool_limits(limits=1, user_api="blas")
    metrics = None if config.metrics is None else _open_metrics(config.metrics, worker, metrics_folder)
    try:
        await _serve(config, announce, metrics, handed, embed_line)
    finally:
        if metrics is not None:
            await metrics.stop()
    _log.info("stopped")


async def _serve(
    config: Config,
    announce: Callable[[str], None],
    metrics: ServerMetrics | None,
    handed: Handed | None,
    embed_line: socket.socket | None,
) -> None:
    tally = None if metrics is None else metrics.tally
    service = Service(config, embeds_apart=True, embed_line=embed_line, tally=tally)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    hurry = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The second signal ends the wait for calls under way.
        loop.add_signal_handler(number, lambda: (hurry if stopping.is_set() else stopping).set())
    edge = open_edge(service.pipeline, config, handed)
    try:
        service.on_change(lambda: edge.set_collections(service.store.current))
        if config.reuse_port:
            # Connections must not queue up for us while others could answer them.
            await service.start()
            address = edge.bind(config.listen)
        else:
            # The address first, as opening may take long; calls are taken when there is something to answer from.
            address = edge.bind(config.listen)
            await service.start()
        await edge.start(service.store.current)
        if metrics is not None:
            metrics.start(lambda: _state(service, edge))
        gc.collect()
        gc.freeze()  # what is there now stays: the collector need not look at it again and again
        gc.set_threshold(_COLLECTED_AFTER)
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


def _open_metrics(listen: str, worker: int | None, folder: Path | None) -> ServerMetrics | None:
    # Imported where it is wanted: that takes time and memory.
    from vecinity.service.metrics_endpoint import ServerMetrics

    try:
        return ServerMetrics(listen, worker=worker or 0, folder=folder)
    except OSError as error:
        _log.error("no metrics of this worker: there is no room for them", folder=str(folder), reason=str(error))
        return None


def _state(service: Service, edge: Edge) -> State:
    from vecinity.service.metrics import State

    versions = {name: version.record.number for name, version in service.store.current.items()}
    return State(service.pipeline.calls, edge.connection_count(), versions)
