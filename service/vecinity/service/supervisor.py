"""Several processes behind one address: Python runs on one processor at a time, a server with all of them.

The supervisor takes the address and keeps it. It accepts connections and hands them to its workers (`worker`,
`edge.sharing`); where their edge can't take them so (grpcio), they listen themselves, and the kernel shares connections
out among them (SO_REUSEPORT). Memory-mapped files of a version are in memory once. A worker that dies is replaced;
meanwhile new connections go to the others. So they do while a worker is silent: its event loop, which tells us so, does
not turn. One that stays silent is killed, and has then died. Texts are embedded by one process for all workers
(`embedder_keeper`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog

from vecinity.indexer.cpus import cpus_to_pin
from vecinity.indexer.errors import SettingError
from vecinity.service.config import Config
from vecinity.service.edge.choice import takes_handed
from vecinity.service.edge.listening import open_sockets
from vecinity.service.edge.sharing import Sharing
from vecinity.service.embedder_keeper import EmbedderKeeper
from vecinity.service.heartbeat import silences
from vecinity.service.log import configure_log
from vecinity.service.worker import Orders

if TYPE_CHECKING:
    from vecinity.service.metrics_endpoint import WorkersMetrics

_START_SECONDS = 600.0
_KILL_SECONDS = 5.0
"""What a worker gets beyond `drain_seconds` before it is killed."""

_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 5.0
_STEADY_SECONDS = 10.0
"""A worker that lived so long did not die of its start: the next one follows at once."""

_SILENT_SECONDS = 2.0
"""A worker that says nothing for so long gets no connections."""

_log = structlog.get_logger()


class Supervisor:
    """Keeps workers running.

    Args:
        config: For all of them.
        address: Where they listen.
        metrics: Adds up theirs; None if nobody wants them.
        sharing: Hands them connections; None if they listen themselves.
        embedder: Starts the process that embeds for all; None if each has its own.

    Raises:
        SettingError: Workers can't be pinned here.
    """

    def __init__(
        self,
        config: Config,
        address: str,
        metrics: WorkersMetrics | None = None,
        sharing: Sharing | None = None,
        embedder: EmbedderKeeper | None = None,
    ) -> None:
        # Threads that embed are counted here: workers that are pinned see but one CPU.
        settings = {"listen": address, "reuse_port": True, "embed_threads": config.embed_thread_count}
        self._config = config.model_copy(update=settings)
        self._processes: dict[int, Process] = {}
        self._stopping = False
        self._metrics = metrics
        self._sharing = sharing
        self._embedder = embedder
        self._cpus = cpus_to_pin() if config.pin_workers else []

    async def run(self, announce: Callable[[], None], stop: asyncio.Event, hurry: asyncio.Event) -> None:
        """Start workers, and keep them, until told to stop.

        Args:
            announce: Told once, when all are ready.
            stop, hurry: Set to stop, and to end calls under way at once.

        Raises:
            SettingError: A worker can't start.
        """
        loop = asyncio.get_running_loop()
        ready: list[asyncio.Future[None]] = [loop.create_future() for _ in range(self._config.worker_count)]
        keepers = [asyncio.create_task(self._keep(number, each)) for number, each in enumerate(ready)]
        embedding = None if self._embedder is None else asyncio.create_task(self._embedder.run())
        stopped = asyncio.create_task(stop.wait())
        started = asyncio.gather(*ready)
        try:
            await asyncio.wait((stopped, started), return_when=asyncio.FIRST_COMPLETED)
            if not stopped.done():
                await started
                announce()
                await stopped
        finally:
            self._stopping = True
            if self._sharing is not None:
                self._sharing.stop()
            started.cancel()
            stopped.cancel()
            await self._stop(keepers, hurry)
            if embedding is not None:
                embedding.cancel()
                await asyncio.gather(embedding, return_exceptions=True)
            await asyncio.gather(started, *ready, return_exceptions=True)

    async def _keep(self, number: int, ready: asyncio.Future[None]) -> None:
        """Start a worker again and again."""
        pause = _PAUSE_SECONDS
        while not self._stopping:
            began = time.monotonic()
            line, theirs = (None, None) if self._sharing is None else socket.socketpair()
            try:
                process = await self._start(number, theirs)
            except OSError as error:  # no memory, or too many processes: later there may be room
                if not ready.done():
                    ready.set_exception(SettingError(f"a worker can't start: {error}"))
                _log.warning("worker can't start", worker=number, reason=str(error))
                if line is not None:
                    line.close()
                pause = min(2 * pause, _PAUSE_SECONDS_MAX)
                await asyncio.sleep(pause)
                continue
            finally:
                if theirs is not None:
                    theirs.close()
            fault = await self._first_words(process)
            if fault and not ready.done():  # then the others can't start either
                ready.set_exception(SettingError(f"a worker can't start: {fault}"))
            elif not fault and not ready.done():
                ready.set_result(None)
            was_ready = not fault
            if self._metrics is not None and was_ready:
                self._metrics.worker_ready()
            if self._sharing is not None and line is not None:
                if fault:
                    line.close()
                else:
                    self._sharing.join(number, line)
            fault = await self._attend(number, process) or fault
            code = await process.wait()
            if self._sharing is not None:
                self._sharing.leave(number)
            del self._processes[number]
            if self._stopping:
                return
            _log.warning("worker died", worker=number, exit_code=code, reason=fault or "unknown")
            if self._metrics is not None:
                self._metrics.worker_died(number, was_ready=was_ready)
            pause = _PAUSE_SECONDS if time.monotonic() - began > _STEADY_SECONDS else min(2 * pause, _PAUSE_SECONDS_MAX)
            await asyncio.sleep(pause)

    async def _start(self, number: int, line: socket.socket | None) -> Process:
        number_of_line = None if line is None else line.fileno()
        embed_line = None if self._embedder is None else self._embedder.line.fileno()
        process = await self._spawned([each for each in (number_of_line, embed_line) if each is not None])
        self._processes[number] = process
        if self._stopping:  # the others have been told already
            process.terminate()
        folder = None if self._metrics is None else self._metrics.folder
        cpu = self._cpus[number % len(self._cpus)] if self._cpus else None
        orders = Orders(
            number=number,
            cpu=cpu,
            metrics_folder=folder,
            line=number_of_line,
            embed_line=embed_line,
            config=self._config,
        )
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):  # then its exit code tells
            process.stdin.write(orders.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        return process

    async def _spawned(self, inherited: Sequence[int]) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "vecinity.service.worker",
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,  # Ctrl-C is for us, who pass it on
            pass_fds=inherited,
        )

    @staticmethod
    async def _first_words(process: Process) -> str:
        """Why a worker is not ready; "" when it is."""
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                line = await process.stdout.readline()
            return str(json.loads(line).get("error", "")) if line else "it ended before it was ready: see its log"
        except TimeoutError:
            process.kill()
            return f"it was not ready after {_START_SECONDS:.0f} s"
        except ValueError as error:
            process.kill()
            return f"it wrote what is no answer ({error})"

    async def _attend(self, number: int, process: Process) -> str:
        """Listen to a worker until it ends. Why it does, if that is known: one that stays silent is killed."""
        assert process.stdout is not None
        passed_over = False
        async with aclosing(silences(process.stdout)) as looks:
            async for silent in looks:
                if passed_over and not silent:
                    passed_over = False
                    self._pass_over(number, False)
                    _log.info("worker speaks again", worker=number)
                if self._stopping:
                    continue
                if not passed_over and silent >= _SILENT_SECONDS:
                    passed_over = True
                    self._pass_over(number, True)
                    what = "worker silent" if self._sharing is None else "worker silent: it gets no connections for now"
                    _log.warning(what, worker=number)
                if silent >= self._config.worker_timeout_seconds:
                    _log.warning("worker killed, as it stays silent", worker=number)
                    if self._metrics is not None:
                        self._metrics.worker_hangs()
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    return f"nothing was heard of it for {silent:.0f} s"
        return ""

    def _pass_over(self, number: int, passed_over: bool) -> None:
        if self._sharing is not None:
            self._sharing.pass_over(number, passed_over)

    async def _stop(self, keepers: Sequence[asyncio.Task[None]], hurry: asyncio.Event) -> None:
        self._signal(signal.SIGTERM)
        hurrying = asyncio.create_task(hurry.wait())
        hurrying.add_done_callback(lambda task: None if task.cancelled() else self._signal(signal.SIGTERM))
        _, late = await asyncio.wait(keepers, timeout=self._config.drain_seconds + _KILL_SECONDS)
        hurrying.cancel()
        if late:
            _log.warning("workers killed, as they did not stop", workers=sorted(self._processes))
            self._signal(signal.SIGKILL)
        await asyncio.gather(*keepers, return_exceptions=True)

    def _signal(self, number: int) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


async def run_supervisor(config: Config, announce: Callable[[str], None]) -> None:
    """Serve from several processes until SIGTERM or SIGINT, then drain.

    Args:
        announce: Told the address once, when all workers answer calls.

    Raises:
        SettingError: An address is taken, a worker can't start, or workers can't be pinned.
    """
    configure_log(config.log_level, config.log_format)
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The second signal ends the wait for calls under way.
        loop.add_signal_handler(number, lambda: (hurry if stop.is_set() else stop).set())
    if takes_handed(config):
        sockets, address = open_sockets(config.listen, reuse_port=config.reuse_port, listening=False)
        sharing = Sharing(sockets)
    else:
        if not config.reuse_port:
            _check_free(config.listen)
        sockets, address = open_sockets(config.listen, reuse_port=True, listening=False)
        sharing = None
    if not config.reuse_port:
        for kept in sockets:
            # Until somebody listens, only this keeps servers off that do not say they share the address.
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    metrics = None
    try:
        if config.metrics is not None:
            # Imported where it is wanted: that takes time and memory.
            from vecinity.service.metrics_endpoint import WorkersMetrics

            metrics = WorkersMetrics(config.metrics)
        supervisor = Supervisor(config, address, metrics, sharing, EmbedderKeeper(config.worker_timeout_seconds))
        await supervisor.run(lambda: announce(address), stop, hurry)
    finally:
        if metrics is not None:
            metrics.close()
        for kept in sockets:
            kept.close()
    _log.info("stopped")


def _check_free(listen: str) -> None:
    """Refuse an address on which another server of this user listens, which SO_REUSEPORT would share."""
    for probe in open_sockets(listen)[0]:
        probe.close()
