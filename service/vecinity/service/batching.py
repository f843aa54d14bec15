"""Work that calls ask for one by one, done for many at once.

What came while the last batch was worked on is the next batch: there is no timer, so a call that comes alone waits for
nobody, and the busier the service the larger the batches. Work that is expected to be short is done on the event loop,
where a thread would take longer to get going; a turn of the loop lies between two batches, so that sockets are read.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import chain, zip_longest
from typing import Generic, Protocol, TypeVar

from vecinity.service.call import Call
from vecinity.service.errors import DeadlineError, ShuttingDownError
from vecinity.service.pools import Pool, at_once
from vecinity.service.times import Part


class Together(Hashable, Protocol):
    """What items that are worked on together have in common.

    Attributes:
        seconds_each: What the work for an item is expected to take.
        batch_max: How many may be worked on at once.
    """

    @property
    def seconds_each(self) -> float: ...

    @property
    def batch_max(self) -> int: ...


Key = TypeVar("Key", bound=Together)
Item = TypeVar("Item")
Result = TypeVar("Result")


class _Waiting(Generic[Item, Result]):
    """Who waits, and where the result goes: a future, or a function to be told."""

    __slots__ = ("call", "item", "since", "to")

    def __init__(
        self, call: Call, item: Item, to: asyncio.Future[Result] | Callable[[Result | Exception], None], since: float
    ) -> None:
        self.call = call
        self.item = item
        self.to = to
        self.since = since

    def tell(self, result: Result | Exception) -> None:
        to = self.to
        if not isinstance(to, asyncio.Future):
            to(result)
        elif to.done():  # nobody waits any more
            pass
        elif isinstance(result, Exception):
            to.set_exception(result)
        else:
            to.set_result(result)

    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer; tells the call if not."""
        if isinstance(self.to, asyncio.Future) and self.to.done():
            return False
        try:
            self.call.check()
        except DeadlineError as error:
            self.tell(error)
            return False
        return True


class Batches(Generic[Key, Item, Result]):
    """Gathers items that belong together and works on them.

    Args:
        pool: The threads that work.
        work: Does the work for the items of one key; returns as many results, in their order. One that is an exception
            is raised for its call alone.
        part: What its time counts as.
    """

    def __init__(
        self, pool: Pool, work: Callable[[Key, Sequence[Item]], Sequence[Result | Exception]], part: Part
    ) -> None:
        self._pool = pool
        self._work = work
        self._part = part
        self._tally = None if pool.tally is None else pool.tally.batches[part]
        self._waiting: dict[Key, list[_Waiting[Item, Result]]] = {}
        self._in_threads: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def add(
        self,
        call: Call,
        key: Key,
        item: Item,
        to: asyncio.Future[Result] | Callable[[Result | Exception], None],
    ) -> None:
        """As `do`, for who does not want to wait; a function is told on the loop, once."""
        since = 0.0 if call.times is None and self._tally is None else time.perf_counter()
        waiting = _Waiting(call, item, to, since)
        group = self._waiting.get(key)
        if group is None:
            self._waiting[key] = [waiting]
        else:
            group.append(waiting)
        if not self._scheduled:
            self._schedule(asyncio.get_running_loop())

    async def do(self, call: Call, key: Key, item: Item) -> Result:
        """The result for an item.

        Raises:
            DeadlineError: The call is over before its turn has come.
            ShuttingDownError: The threads are gone.
            Exception: Whatever the work raises; then all calls of the batch have it.
        """
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.add(call, key, item, done)
        return await done

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        # After all calls whose turn it is in this round of the loop.
        self._scheduled = True
        loop.call_soon(self._take)

    def _take(self) -> None:
        """Work on the group that has waited longest; the others have the next turn."""
        self._scheduled = False
        loop = asyncio.get_running_loop()
        for key in [*self._waiting]:
            if not self._can_begin(key):
                continue
            short = self._is_short(key)
            batch = self._next_batch(key)
            if batch and self._tally is not None:
                now = time.perf_counter()
                self._tally.sizes.append(len(batch))
                self._tally.waited.extend([now - waiting.since for waiting in batch])
            if batch and short:
                _finish(batch, at_once(partial(self._answered, key, batch)))
                break
            if batch:
                task = loop.create_task(self._in_thread(key, batch))
                self._in_threads.add(task)
                task.add_done_callback(self._thread_done)
        self._schedule_if_needed(loop)

    def _schedule_if_needed(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled and any(map(self._can_begin, self._waiting)):
            self._schedule(loop)

    def _can_begin(self, key: Key) -> bool:
        """Whether there is a thread for a group, or it needs none."""
        return len(self._in_threads) < self._pool.threads or self._is_short(key)

    def _is_short(self, key: Key) -> bool:
        return key.seconds_each * min(len(self._waiting[key]), key.batch_max) <= self._pool.hop_seconds

    def _next_batch(self, key: Key) -> list[_Waiting[Item, Result]]:
        """A group's calls that are not over; each client's in turn where there are too many."""
        group = [waiting for waiting in self._waiting.pop(key) if waiting.is_wanted()]
        if len(group) > key.batch_max:
            group = _by_turns(group)
            self._waiting[key] = group[key.batch_max :]  # behind the other groups
        return group[: key.batch_max]

    async def _in_thread(self, key: Key, batch: list[_Waiting[Item, Result]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._pool.run(lambda: self._answered(key, batch))
        except (RuntimeError, asyncio.CancelledError):  # the threads have been shut down, or soon will be
            stopping = ShuttingDownError("this server is stopping: call another one, or try again")
            results = [stopping] * len(batch)
        _finish(batch, results)

    def _thread_done(self, task: asyncio.Task[None]) -> None:
        self._in_threads.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: whoever waited was told
        self._schedule_if_needed(task.get_loop())

    def _answered(self, key: Key, batch: list[_Waiting[Item, Result]]) -> Sequence[Result | Exception]:
        began = time.perf_counter()
        try:
            return self._work(key, [waiting.item for waiting in batch])
        except Exception as error:
            return [error] * len(batch)
        finally:
            took = time.perf_counter() - began
            for waiting in batch:
                if waiting.call.times is not None:
                    waiting.call.times.add(Part.QUEUE, began - waiting.since)
                    waiting.call.times.add(self._part, took)


def _finish(batch: Sequence[_Waiting[Item, Result]], results: Sequence[Result | Exception]) -> None:
    for waiting, result in zip(batch, results, strict=True):
        waiting.tell(result)


def _by_turns(group: Sequence[_Waiting[Item, Result]]) -> list[_Waiting[Item, Result]]:
    """One of each client's calls, then another of each: who asks much does not keep the others waiting."""
    by_peer: dict[str, list[_Waiting[Item, Result]]] = defaultdict(list)
    for waiting in group:
        by_peer[waiting.call.peer].append(waiting)
    if len(by_peer) == 1:
        return list(group)
    return [waiting for waiting in chain.from_iterable(zip_longest(*by_peer.values())) if waiting is not None]
