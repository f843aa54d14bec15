"""The edge without a transport: calls from the same process, for notebooks and batch jobs.

The messages go to the same pipeline as those of a server, on an event loop in a thread of its own, so that it can be
called from plain code, from many threads, and from a notebook that runs a loop already.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from google.protobuf.message import Message

from vecinity.service.call import Call
from vecinity.service.errors import ShuttingDownError
from vecinity.service.pipeline import Pipeline, StatusError
from vecinity.service.status import to_status


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
        deadline = None if timeout is None else time.monotonic() + timeout
        call = Call(method, peer="in-process", deadline=deadline)
        with self._lock:
            if self._closed:
                raise StatusError(to_status(ShuttingDownError("this client has been closed")))
            return asyncio.run_coroutine_threadsafe(self._pipeline.serve(call, request), self._loop)

    def close(self) -> None:
        """Let calls under way end, then release everything. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._run(self._stop())
        self._run(_cancel_others())  # calls that outlasted the drain
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
