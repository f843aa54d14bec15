"""Metrics of one process, for Prometheus.

Their values lie in this process where it serves alone, and in memory-mapped files where it is one of several workers:
there the supervisor adds up what lies in the files (`metrics_endpoint`). A write to such a file takes 1 µs, and a call
would need half a dozen, so calls are noted by `tally`, and added up here once a second.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter as Counts
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from google.rpc import code_pb2
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, values

from vecinity.service.tally import Tally

SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the buckets of times."""
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""The same for batches, in items."""

_UPDATE_SECONDS = 1.0

_FILES = ("counter", "histogram", "gauge_livesum", "gauge_livemin")
"""What prometheus_client calls its files for the kinds of metric below, before the worker's number."""
_FILE_BYTES = 256 << 10

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class State:
    """What a server is doing now.

    Attributes:
        calls: Under way.
        connections: Open; None if the edge does not know.
        versions: The version served, by collection.
    """

    calls: int
    connections: int | None
    versions: Mapping[str, int]


class Metrics:
    """The metrics of a process.

    Args:
        tally: What `update` takes the numbers from; it is cleared.
        worker: The number of this process among its supervisor's.
        folder: Of the memory-mapped files; None keeps the values in this process.

    Attributes:
        registry: Gives the values of this process to an endpoint, if it has one.

    Raises:
        OSError: There is no room for the files.
    """

    def __init__(self, tally: Tally, *, worker: int = 0, folder: Path | None = None) -> None:
        self.registry = CollectorRegistry()
        self._tally = tally
        self._worker = str(worker)
        _choose_values(worker, folder)
        registry = self.registry
        self._calls = Counter("vecinity_calls", "Calls that ended.", ["method", "code"], registry=registry)
        self._call_seconds = _Histogram(
            "vecinity_call_seconds", "From request to answer.", ["method"], buckets=SECONDS, registry=registry
        )
        self._batch_size = _Histogram(
            "vecinity_batch_size", "Items worked on together.", ["work"], buckets=SIZES, registry=registry
        )
        self._queue_seconds = _Histogram(
            "vecinity_queue_seconds", "Wait for the batch to begin.", ["work"], buckets=SECONDS, registry=registry
        )
        self._under_way = Gauge(
            "vecinity_calls_under_way", "Calls under way.", registry=registry, multiprocess_mode="livesum"
        )
        self._connections = Gauge(
            "vecinity_connections", "Connections open.", registry=registry, multiprocess_mode="livesum"
        )
        # The lowest of all workers: when it changes, the last of them has changed.
        self._version = Gauge(
            "vecinity_collection_version",
            "Version served by every worker.",
            ["collection"],
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._resident = Gauge(
            "vecinity_worker_resident_bytes",
            "Memory in use, with the mapped files that the workers share.",
            ["worker"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._cpu = Counter("vecinity_worker_cpu_seconds", "Processor time.", ["worker"], registry=registry)
        self._cpu_seen = 0.0

    def update(self, state: State) -> None:
        """Take in what has been counted since the last time, and what is now."""
        for method, calls in self._tally.methods.items():
            label = _label(method)
            # Without calls too: rates of what begins at zero include the first one.
            self._calls.labels(label, "OK").inc(len(calls.answered))
            for code, count in Counts(code for code, _ in calls.failed).items():
                self._calls.labels(label, code_pb2.Code.Name(code)).inc(count)
            failed = [seconds for _, seconds in calls.failed if seconds is not None]
            self._call_seconds.labels(label).take(calls.answered + failed)
            calls.clear()
        for work, batches in self._tally.batches.items():
            self._batch_size.labels(work.value).take(batches.sizes)
            self._queue_seconds.labels(work.value).take(batches.waited)
            batches.clear()
        self._under_way.set(state.calls)
        if state.connections is not None:
            self._connections.set(state.connections)
        for collection, number in state.versions.items():
            self._version.labels(collection).set(number)
        if (resident := _resident_bytes()) is not None:
            self._resident.labels(self._worker).set(resident)
        cpu = time.process_time()
        self._cpu.labels(self._worker).inc(cpu - self._cpu_seen)
        self._cpu_seen = cpu

    def try_update(self, look: Callable[[], State]) -> None:
        """Update; what goes wrong is logged: calls must be answered, whatever becomes of their number."""
        try:
            self.update(look())
        except Exception:
            _log.exception("can't update the metrics")

    async def keep_up(self, look: Callable[[], State]) -> None:
        """Update again and again, until cancelled."""
        while True:
            await asyncio.sleep(_UPDATE_SECONDS)
            self.try_update(look)


class _Histogram(Histogram):
    """One that takes in many numbers at once: the library's takes them one by one, with two writes for each."""

    def take(self, numbers: Sequence[float]) -> None:
        if not numbers:
            return
        which = np.searchsorted(self._upper_bounds, numbers)  # an upper end is in its bucket
        for bucket, count in enumerate(np.bincount(which).tolist()):
            if count:
                self._buckets[bucket].inc(count)
        self._sum.inc(sum(numbers))


def _choose_values(worker: int, folder: Path | None) -> None:
    """Say where the values of metrics made from now on lie. The library knows but one place for a whole process."""
    disable_created_metrics()
    if folder is None:
        values.ValueClass = values.MutexValue
        return
    for name in _FILES:
        _allocate(folder / f"{name}_{worker}.db")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # noqa: TID251 - the library reads it from nowhere else
    # By the worker's number, not by its process: who replaces a dead worker goes on counting where that one ended.
    values.ValueClass = values.MultiProcessValue(lambda: worker)


def _allocate(path: Path) -> None:
    """Have room for a file on the disk before it is mapped: a write to a page that has none ends the process."""
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, _FILE_BYTES)


def _label(method: str) -> str:
    return method.removeprefix("/")


def _resident_bytes() -> int | None:
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:  # there is no such file but on Linux
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
