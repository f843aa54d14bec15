"""The threads that work for calls: some that search, one that embeds, one that looks words up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vecinity.indexer.ann import set_threads
from vecinity.indexer.cpus import available_cpus
from vecinity.service.call import Call
from vecinity.service.tally import Tally
from vecinity.service.times import Part

T = TypeVar("T")

_HOP_SECONDS = 0.001
"""A hop to a thread and back takes a tenth of that; longer on the loop, and other calls would notice."""

_BEARABLE_SECONDS = 0.010


class Pool:
    """Some threads. Each has one OpenMP thread: the pool is the parallelism, two levels of it would fight over the
    cores.

    Attributes:
        hop_seconds: Work that takes less is better done on the event loop.
        tally: Where batches are counted; None if nobody wants to know.
    """

    def __init__(self, threads: int, name: str, hop_seconds: float = _HOP_SECONDS, tally: Tally | None = None) -> None:
        self.threads = threads
        self.hop_seconds = hop_seconds
        self.tally = tally
        self._executor = ThreadPoolExecutor(threads, name, initializer=set_threads, initargs=(1,))

    def close(self) -> None:
        # Not waited for: a chunk or a model that is still under way is of use to nobody any more.
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[[], T]) -> T:
        """Do work in a thread, for a call that need not be over when it is done."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def run_for(self, call: Call, work: Callable[[], T]) -> T:
        """Do work in a thread, unless the call is over by the time its turn comes."""
        submitted = 0.0 if call.times is None else time.perf_counter()

        def unless_too_late() -> T:
            if call.times is not None:
                call.times.add(Part.QUEUE, time.perf_counter() - submitted)
            call.check()
            return work()

        return await self.run(unless_too_late)


class Pools:
    """Threads for work that takes longer than the hop to one: FAISS frees the GIL.

    Args:
        threads: Search threads; 0 is one for each CPU this process may use.
        alone: Whether no other process serves the same callers. Where others do, the processors are busy with their
            event loops, and a thread of ours gains nothing for work that the loop can bear.
        tally: Where batches are counted; None if nobody wants to know.
    """

    def __init__(self, threads: int, *, alone: bool = True, tally: Tally | None = None) -> None:
        self.threads = threads or available_cpus()
        self.searchers = Pool(self.threads, "search", _HOP_SECONDS if alone else _BEARABLE_SECONDS, tally)
        # A thread of their own: texts take milliseconds to embed, and neither vectors nor words must wait for them.
        self.embedders = Pool(1, "embed", tally=tally)
        self.readers = Pool(1, "read", tally=tally)

    def close(self) -> None:
        self.searchers.close()
        self.embedders.close()
        self.readers.close()

    async def search(self, call: Call, work: Callable[[], T]) -> T:
        """Do work in a search thread, unless the call is over by the time its turn comes."""
        return await self.searchers.run_for(call, work)

    async def search_if(self, large: bool, call: Call, work: Callable[[], T]) -> T:
        """Do large work in a search thread, and small work, for which the hop would take longer, at once."""
        return await self.search(call, work) if large else work()

    async def shared(self, work: Callable[[], T]) -> T:
        """Do work in a search thread for several calls, of which any may be over before it is done."""
        return await self.searchers.run(work)

    async def in_order(self, call: Call, works: Iterable[Callable[[], T]]) -> AsyncGenerator[T, None]:
        """Do works in search threads and give their results in order.

        As many are under way, or done and not yet asked for, as there are threads.
        """
        under_way: deque[asyncio.Task[T]] = deque()
        try:
            for work in works:
                under_way.append(asyncio.create_task(self.search(call, work)))
                if len(under_way) >= self.threads:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


_thread = threading.local()


def at_once(work: Callable[[], T]) -> T:
    """Do short work for which FAISS is asked on the event loop's thread, which it uses alone from then on."""
    if not getattr(_thread, "alone", False):
        set_threads(1)
        _thread.alone = True
    return work()
