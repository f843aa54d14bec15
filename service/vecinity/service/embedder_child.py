"""The process that embeds for others: for a lone server (`embedder_process`), or for all workers (`embedder_keeper`).

    python -m vecinity.service.embedder_child FD

takes over one end of a Unix socket, the line. Whoever wants something embedded sends one end of a connection of its own
over the other end (`socket.send_fds`, with one byte). The first message on a connection is what to open (`Start`); the
answer says what was opened (`Opened`). Each that follows is a list of texts; the answer is their vectors. An exception
is an answer too. Bytes on standard output say that it lives (`heartbeat`). What several have opened is opened once, and
closed when the last of them has gone. The process ends when the other end of the line is closed, in the middle of its
work if need be: then everybody who could ask is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.embedding import Embedder, open_embedder
from vecinity.indexer.errors import IndexerError
from vecinity.service.heartbeat import BEAT_SECONDS, STDOUT

# Plain tuples: the classes of a module that runs as a program are not those that others import from it.
Start = tuple[EmbedderRecord, Path, int]
"""The arguments of `open_embedder`."""

Opened = tuple[str, int, str]
"""Kind, dimension and fingerprint of an `Embedder`."""

_GONE = object()

_Messages = SimpleQueue[tuple[Connection, Any]]


class _Child:
    """Answers one message after the other."""

    def __init__(self) -> None:
        self._opened: dict[Connection, Start] = {}
        self._embedders: dict[Start, Embedder] = {}

    def answer(self, connection: Connection, message: Any) -> Any:
        start = self._opened.get(connection)
        if start is not None:
            return self._embedders[start].embed(message)
        embedder = self._embedders.get(message)
        if embedder is None:
            embedder = self._embedders[message] = open_embedder(*message)
        self._opened[connection] = message
        return embedder.kind, embedder.dimension, embedder.fingerprint

    def leave(self, connection: Connection) -> None:
        start = self._opened.pop(connection, None)
        if start is not None and start not in self._opened.values():
            del self._embedders[start]
        connection.close()


def _main() -> None:
    # A signal to all processes of a service must not end the answers under way: our parent knows when we are to end.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # By default OpenMP's threads wait for each other by spinning: where other processes want the processors too, a text
    # then takes up to thirty times as long. Read when torch is loaded.
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")
    os.putenv("GOMP_SPINCOUNT", "0")  # which would overrule it
    messages: _Messages = SimpleQueue()
    line = socket.socket(fileno=int(sys.argv[1]))
    line.setblocking(True)  # uvloop, of whoever started us, may have made it something else
    threading.Thread(target=_accept, args=(line, messages), daemon=True).start()
    threading.Thread(target=_beat, daemon=True).start()
    child = _Child()
    while True:
        connection, message = messages.get()
        if message is _GONE:
            child.leave(connection)
            continue
        try:
            answer = child.answer(connection, message)
        except IndexerError as error:
            answer = error
        except Exception:  # of whatever class, which the parent may not have
            answer = RuntimeError(traceback.format_exc())
        try:
            connection.send(answer)
        except OSError:  # it has gone, as its thread will say
            pass


# In threads of their own, so that it is noticed while a model works when the line is closed.


def _beat() -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        while True:
            os.write(STDOUT, b".")
            time.sleep(BEAT_SECONDS)


def _accept(line: socket.socket, messages: _Messages) -> None:
    try:
        while True:
            data, descriptors, _, _ = socket.recv_fds(line, 1, 1)
            if not data:
                break
            for descriptor in descriptors:  # none where we have too many files open: then who asked is told so
                threading.Thread(target=_receive, args=(Connection(descriptor), messages), daemon=True).start()
    finally:
        os._exit(0)


def _receive(connection: Connection, messages: _Messages) -> None:
    try:
        while True:
            messages.put((connection, connection.recv()))
    except (EOFError, OSError):
        pass
    finally:
        messages.put((connection, _GONE))


if __name__ == "__main__":
    _main()
