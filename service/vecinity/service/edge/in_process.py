"""The edge without a transport: calls from the same process, for notebooks and batch jobs.

The messages go to the same pipeline as those of a server, on an event loop in a thread of its own, so that it can be
called from plain code, from many threads, and from a notebook that runs a loop already.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from google.protobuf.message import Message

from vecinity.service.call import Call
from vecinity.service.errors import ShuttingDownError
from vecinity.service.pipeline import Pipeline, StatusError
from vecinity.service.status import to_status

_CLOSED = "this client has been closed"


class InProcessEdge:
    """Answers calls of this process.

    Args:
        start: Run on the edge's loop; gives the pipeline.
        stop: Run on the edge's loop when the edge is closed.
    """

    def __init__(
        self,
        start: Callable[[], Coroutine[Any, Any, Pipeline]],
        stop: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._stop = stop
        self._closed = False
        self._lock = threading.Lock()
        self._streams: set[InProcessStream] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vecinity", daemon=True)
        self._thread.start()
        try:
            self._pipeline: Pipeline = self._run(start())
        except BaseException:
            self.close()
            raise

    def submit(self, method: str, request: Message, timeout: float | None) -> Future[Message]:
        """Begin a call.

        Args:
            method: Full name, such as ``/vecinity.v1.SearchService/Search``.
            timeout: Seconds until the deadline; None for none.

        Returns:
            The response; a `StatusError` where a server would send an error. Cancel it to cancel the call.
        """
        return self._begin(self._pipeline.serve(_call(method, timeout), request))

    def stream(self, method: str, request: Message, timeout: float | None) -> InProcessStream:
        """Begin a call of a method that answers in parts. Nothing is done before the first part is asked for."""
        stream = InProcessStream(self._begin, self._pipeline.stream(_call(method, timeout), request))
        with self._lock:
            self._streams = {other for other in self._streams if not other.ended}
            self._streams.add(stream)
        return stream

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        with self._lock:
            if self._closed:
                coroutine.close()
                raise StatusError(to_status(ShuttingDownError(_CLOSED)))
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Let calls under way end, then release everything. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            streams = [stream for stream in self._streams if not stream.ended]
        for stream in streams:  # nobody reads them any more: not worth a wait
            self._run(stream.shut())
        self._run(self._stop())
        self._run(_cancel_others())  # calls that outlasted the drain
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class InProcessStream:
    """The parts of one answer, for readers in any thread. Close it, read to its end or not."""

    def __init__(
        self, begin: Callable[[Coroutine[Any, Any, Any]], Future[Any]], parts: AsyncGenerator[Message, None]
    ) -> None:
        self.ended = False
        self._shut = False
        self._begin = begin
        self._parts = parts
        self._turn = asyncio.Lock()
        self._next: Future[Message | None] | None = None

    def next(self) -> Future[Message | None]:
        """Ask for the next part.

        Returns:
            The part, None after the last one; a `StatusError` where a server would send an error.
        """
        self._next = self._begin(self._take())
        return self._next

    def close(self) -> None:
        """End the call if it has not ended, whether or not a part is being waited for. Does not wait for the end."""
        if self.ended:
            return
        self.ended = True
        if self._next is not None:
            self._next.cancel()
        with contextlib.suppress(StatusError):  # the edge is closed, and its streams with it
            self._begin(self._end())

    async def shut(self) -> None:
        """On the edge's loop: end the call; whoever asks for another part is told why."""
        self._shut = True
        await self._end()

    async def _take(self) -> Message | None:
        async with self._turn:
            if self._shut:
                raise StatusError(to_status(ShuttingDownError(_CLOSED)))
            try:
                part = await anext(self._parts, None)
            except BaseException:
                self.ended = True
                raise
            self.ended = part is None
            return part

    async def _end(self) -> None:
        async with self._turn:
            await self._parts.aclose()
        self.ended = True


def _call(method: str, timeout: float | None) -> Call:
    return Call(method, peer="in-process", deadline=None if timeout is None else time.monotonic() + timeout)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
