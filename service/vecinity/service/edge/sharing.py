"""Connections shared out among workers: each new one goes to the worker that has fewest.

The kernel would share them out by a hash of the client's address (SO_REUSEPORT): of few connections one worker often
gets most, and a processor is idle. Here one process accepts, and hands the accepted socket over a Unix socket
(`socket.send_fds`); a worker sends a byte back for each connection that has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from vecinity.service.edge.listening import BACKLOG

_ACCEPTED_AT_ONCE = 64
_PAUSE_SECONDS = 0.5
"""Where a connection can't be accepted, for want of open files."""

_TOLD_SECONDS = 5.0
"""Between two lines of the log on connections that are refused."""

_log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Worker:
    line: socket.socket
    connections: int = 0
    passed_over: bool = False


class Sharing:
    """Accepts connections and hands them over.

    Args:
        sockets: Bound, and not listening: they do as soon as there is a worker.
    """

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets
        self._workers: dict[int, _Worker] = {}
        self._listening = False
        self._accepting = False
        self._closed = False
        self._refused = 0
        self._told = -_TOLD_SECONDS

    def join(self, number: int, line: socket.socket) -> None:
        """A worker takes connections from now on, from its end of `line`; `leave` closes ours."""
        line.setblocking(False)
        self._workers[number] = worker = _Worker(line)
        asyncio.get_running_loop().add_reader(line, self._ended, worker)
        self._accept_or_not()

    def leave(self, number: int) -> None:
        """A worker has died. Without any, connections wait in the kernel's queue."""
        worker = self._workers.pop(number, None)
        if worker is not None:
            asyncio.get_running_loop().remove_reader(worker.line)
            worker.line.close()
            self._accept_or_not()

    def pass_over(self, number: int, passed_over: bool) -> None:
        """Hand a worker no connections for now, or do so again. While nobody takes any, they wait in the kernel."""
        worker = self._workers.get(number)
        if worker is not None:
            worker.passed_over = passed_over
            self._accept_or_not()

    def stop(self) -> None:
        """Take no more connections."""
        self._closed = True
        self._accept_or_not()
        for each in self._sockets:
            each.close()

    def _ended(self, worker: _Worker) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                ended = len(worker.line.recv(4_096))
            except OSError:
                ended = 0
            if not ended:  # it is dying, which its process will tell
                asyncio.get_running_loop().remove_reader(worker.line)
            worker.connections -= ended

    def _accept_or_not(self) -> None:
        accept = not self._closed and not all(worker.passed_over for worker in self._workers.values())
        if accept == self._accepting:
            return
        self._accepting = accept
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            if not accept:
                loop.remove_reader(each)
                continue
            if not self._listening:
                # Connections inherit this: closed ones must not keep a server that is started again off the port.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                each.listen(BACKLOG)
            loop.add_reader(each, self._accept, each)
        self._listening = self._listening or accept

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                made, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.warning("connections wait: none can be accepted", reason=str(error))
                self._pause()
                return
            with made:
                self._hand_over(made)

    def _hand_over(self, made: socket.socket) -> None:
        workers = [worker for worker in self._workers.values() if not worker.passed_over]
        for worker in sorted(workers, key=lambda worker: worker.connections):
            # One that takes none in any more, or has died this moment, is passed over.
            with contextlib.suppress(OSError):
                socket.send_fds(worker.line, [b"c"], [made.fileno()])
                worker.connections += 1
                return
        self._refused += 1
        if (now := time.monotonic()) - self._told > _TOLD_SECONDS:
            _log.warning("connections closed: no worker takes them", count=self._refused)
            self._refused, self._told = 0, now

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        self._accepting = False
        for each in self._sockets:
            loop.remove_reader(each)
        loop.call_later(_PAUSE_SECONDS, self._accept_or_not)


class Handed:
    """The worker's end: takes connections that are handed over.

    Args:
        line: See `Sharing.join`.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._untold = 0
        line.setblocking(False)

    def fileno(self) -> int:
        """To wait for connections by."""
        return self._line.fileno()

    def take(self) -> socket.socket | None:
        """The next connection; None if there is none just now.

        Raises:
            EOFError: There will be no more.
        """
        try:
            data, descriptors, _, _ = socket.recv_fds(self._line, 1, 1)
        except BlockingIOError:
            return None
        if not descriptors:
            if data:  # there was one, but no room among our open files
                self.ended()
                return None
            raise EOFError
        return socket.socket(fileno=descriptors[0])

    def ended(self) -> None:
        """Tell that a connection has ended."""
        self._untold += 1
        self.tell()

    def tell(self) -> None:
        """Tell what could not be told yet: where many end at once, the line takes some hundreds."""
        with contextlib.suppress(OSError):
            while self._untold:
                self._untold -= self._line.send(b"e" * self._untold)

    def close(self) -> None:
        self._line.close()
