"""An embedder in a process of its own: what it computes takes no time from the event loop and from searches.

A thread would not do: a model is hundreds of short operations, each of which takes the GIL back from the event loop.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.embedding.any_text import AnyTextEmbedder
from vecinity.indexer.metric import Vectors
from vecinity.service.embedder_child import Opened, Start
from vecinity.service.errors import EmbedderLostError

_log = structlog.get_logger()

_ATTEMPTS = 2
"""The second goes to a new process. Texts that end two of them would end a third."""


class EmbedderProcess(AnyTextEmbedder):
    """An `Embedder` for models that read any text. Blocks while it waits: call it in a thread.

    Its process is started at once and again after it has died. It ends with `close`, with this object, and with the
    process that this object is in, however that ends.

    Args:
        record, data_dir, threads: See `open_embedder`, which the process calls.

    Raises:
        MissingExtraError, CorruptError: See `open_embedder`.
        EmbedderLostError: The process died at its start.
    """

    def __init__(self, record: EmbedderRecord, data_dir: Path, threads: int) -> None:
        self._what: Start = (record, data_dir, threads)
        self._lock = Lock()
        self._closed = False
        self._child, opened = _start(self._what)
        self._finalizer = weakref.finalize(self, self._child.end)
        self.kind, self.dimension, self.fingerprint = opened

    @property
    def pid(self) -> int:
        """Of the process that embeds."""
        return self._child.process.pid

    def close(self) -> None:
        """End the process; an `embed` under way raises. A second call does nothing."""
        self._closed = True
        self._child.end()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`.

        Raises:
            EmbedderLostError: The process died, and so did a second one.
        """
        with self._lock:
            for _ in range(_ATTEMPTS):
                if self._closed:
                    break
                if not self._child.alive:
                    self._restart()
                with contextlib.suppress(EmbedderLostError):
                    vectors: Vectors = self._child.ask(list(texts))
                    return vectors
            raise EmbedderLostError

    def _restart(self) -> None:
        _log.warning("the process that embeds died: starting another", exit_code=self._child.process.poll())
        self._finalizer.detach()
        self._child, _ = _start(self._what)
        self._finalizer = weakref.finalize(self, self._child.end)
        if self._closed:  # meanwhile
            self._child.end()


class _Child:
    """The process and our end of the socket. Holds no reference to its `EmbedderProcess`."""

    def __init__(self) -> None:
        ours, theirs = Pipe()
        assert isinstance(ours, Connection)
        self._connection = ours
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vecinity.service.embedder_child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a worker's is read by its supervisor
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for us
            )
        self.alive = True

    def ask(self, message: Any) -> Any:
        """The answer to a message.

        Raises:
            EmbedderLostError: The process died.
            Exception: The answer, if it is one.
        """
        try:
            self._connection.send(message)
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self.end()
            raise EmbedderLostError from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """End the process. It has nothing to save; whoever waits for it is told."""
        self.alive = False
        self.process.kill()
        self.process.wait()


def _start(what: Start) -> tuple[_Child, Opened]:
    child = _Child()
    try:
        opened: Opened = child.ask(what)
    except BaseException:
        child.end()
        raise
    return child, opened
