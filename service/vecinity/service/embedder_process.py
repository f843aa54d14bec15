"""An embedder in a process of its own: what it computes takes no time from the event loop and from searches.

A thread would not do: a model is hundreds of short operations, each of which takes the GIL back from the event loop.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.embedding.any_text import AnyTextEmbedder
from vecinity.indexer.metric import Vectors
from vecinity.service.embedder_child import Opened, Start
from vecinity.service.embedder_command import child_command
from vecinity.service.errors import EmbedderLostError

_log = structlog.get_logger()

_ATTEMPTS = 2
"""The second goes to a new process. Texts that end two of them would end a third."""


class EmbedderProcess(AnyTextEmbedder):
    """An `Embedder` for models that read any text. Blocks while it waits: call it in a thread.

    Its process is started at once and again after it has died. It ends with `close`, with this object, and with the
    process that this object is in, however that ends. Where there is one process for several, somebody else starts and
    ends it.

    Args:
        record, data_dir, threads: See `open_embedder`, which the process calls.
        line: To the process that is there for several (see `embedder_child`); None for one of its own.

    Raises:
        MissingExtraError, CorruptError: See `open_embedder`.
        EmbedderLostError: The process died at its start.
    """

    def __init__(self, record: EmbedderRecord, data_dir: Path, threads: int, line: socket.socket | None = None) -> None:
        self._what: Start = (record, data_dir, threads)
        self._line = line
        self._lock = Lock()
        self._closed = False
        self._child, opened = self._start()
        self._finalizer = weakref.finalize(self, self._child.end)
        self.kind, self.dimension, self.fingerprint = opened

    @property
    def pid(self) -> int | None:
        """Of the process that embeds; None if it is not its own."""
        return self._child.process.pid if isinstance(self._child, _Child) else None

    def close(self) -> None:
        """End the process, or leave it to the others; an `embed` under way raises. A second call does nothing."""
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

    def _start(self) -> tuple[_Link, Opened]:
        child = _Child() if self._line is None else _Link(self._line)
        try:
            opened: Opened = child.ask(self._what)
        except BaseException:
            child.end()
            raise
        return child, opened

    def _restart(self) -> None:
        if isinstance(self._child, _Child):
            _log.warning("the process that embeds died: starting another", exit_code=self._child.process.poll())
        self._finalizer.detach()
        self._child, _ = self._start()
        self._finalizer = weakref.finalize(self, self._child.end)
        if self._closed:  # meanwhile
            self._child.end()


class _Link:
    """A connection to a process that embeds. Holds no reference to its `EmbedderProcess`."""

    def __init__(self, line: socket.socket) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._connection = Connection(os.dup(ours.fileno()))
            with contextlib.suppress(ConnectionError):  # who is to read it has died already, as `ask` will find
                socket.send_fds(line, [b"c"], [theirs.fileno()])
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
        """Ask no more; whoever waits for an answer is told."""
        self.alive = False
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)  # closing it would not wake who reads


class _Child(_Link):
    """A process of our own, and the connection to it."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                child_command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a worker's is read by its supervisor
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for us
            )
        super().__init__(self._line)

    def end(self) -> None:
        """End the process. It has nothing to save; whoever waits for it is told."""
        self.alive = False
        self.process.kill()
        self.process.wait()
        self._line.close()
