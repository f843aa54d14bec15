"""The process that embeds for another; `embedder_process` starts it.

    python -m vecinity.service.embedder_child FD

takes over one end of a socket. The first message is what to open (`Start`); the answer says what was opened (`Opened`).
Each that follows is a list of texts; the answer is their vectors. An exception is an answer too. The process ends when
the other end of the socket is closed, in the middle of its work if need be: then whoever asked is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.embedding import Embedder, open_embedder
from vecinity.indexer.errors import IndexerError

# Plain tuples: the classes of a module that runs as a program are not those that others import from it.
Start = tuple[EmbedderRecord, Path, int]
"""The arguments of `open_embedder`."""

Opened = tuple[str, int, str]
"""Kind, dimension and fingerprint of an `Embedder`."""


class _Child:
    """Answers one message after the other."""

    def __init__(self) -> None:
        self._embedder: Embedder | None = None

    def answer(self, message: Any) -> Any:
        if self._embedder is not None:
            return self._embedder.embed(message)
        self._embedder = open_embedder(*message)
        return self._embedder.kind, self._embedder.dimension, self._embedder.fingerprint


def _main() -> None:
    # A signal to all processes of a service must not end the answers under way: our parent knows when we are to end.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # By default OpenMP's threads wait for each other by spinning: where other processes want the processors too, a text
    # then takes up to thirty times as long. Read when torch is loaded.
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    connection = Connection(int(sys.argv[1]))
    messages: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, messages), daemon=True).start()
    child = _Child()
    while True:
        try:
            answer = child.answer(messages.get())
        except IndexerError as error:
            answer = error
        except Exception:  # of whatever class, which the parent may not have
            answer = RuntimeError(traceback.format_exc())
        try:
            connection.send(answer)
        except OSError:
            os._exit(0)


def _receive(connection: Connection, messages: SimpleQueue[Any]) -> None:
    """In a thread of its own, so that the end of the connection is noticed while a model works."""
    try:
        while True:
            messages.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    _main()
