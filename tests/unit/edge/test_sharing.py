"""Connections accepted in one place and handed over."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest

from vecinity.service.edge import sharing as sharing_module
from vecinity.service.edge.listening import open_sockets
from vecinity.service.edge.sharing import Handed, Sharing


class Place:
    """An address that is shared, the workers that take part, and clients."""

    def __init__(self) -> None:
        self.sockets, address = open_sockets("127.0.0.1:0", listening=False)
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.sharing = Sharing(self.sockets)
        self.workers: dict[int, Handed] = {}
        self.taken: dict[int, list[socket.socket]] = {}
        self.clients: list[socket.socket] = []

    def join(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        self.workers[number] = Handed(theirs)
        self.taken[number] = []
        self.sharing.join(number, ours)

    def connect(self) -> None:
        self.clients.append(socket.create_connection(self.address, timeout=5))

    async def counts(self, *expected: int) -> None:
        """Wait until the workers have so many connections each."""
        end = time.monotonic() + 5
        while True:
            for number, worker in self.workers.items():
                with contextlib.suppress(EOFError, OSError):
                    while (made := worker.take()) is not None:
                        self.taken[number].append(made)
            counts = [len(taken) for taken in self.taken.values()]
            if counts == list(expected):
                return
            assert time.monotonic() < end, counts
            await asyncio.sleep(0.005)

    def close(self) -> None:
        self.sharing.stop()
        for number in [*self.workers]:
            self.sharing.leave(number)
            self.workers[number].close()
        for made in (*self.clients, *(made for taken in self.taken.values() for made in taken)):
            made.close()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    made.close()


async def test_nobody_listens_before_there_is_a_worker(place: Place) -> None:
    with pytest.raises(ConnectionRefusedError):
        place.connect()
    place.join(0)
    place.connect()
    await place.counts(1)


async def test_who_has_fewest_gets_the_next(place: Place) -> None:
    for number in range(3):
        place.join(number)
    for _ in range(7):
        place.connect()
    await place.counts(3, 2, 2)
    for made in place.taken[1]:
        made.close()
        place.workers[1].ended()
    place.taken[1].clear()
    await asyncio.sleep(0.02)
    for _ in range(2):
        place.connect()
    await place.counts(3, 2, 2)


async def test_the_connection_is_the_clients(place: Place) -> None:
    place.join(0)
    place.connect()
    await place.counts(1)
    place.taken[0][0].sendall(b"hello")
    assert place.clients[0].recv(5) == b"hello"


async def test_the_dead_get_none_and_without_workers_connections_wait(place: Place) -> None:
    place.join(0)
    place.join(1)
    place.workers[0].close()  # killed, and the supervisor does not know yet
    place.connect()
    await place.counts(0, 1)
    place.sharing.leave(0)
    place.sharing.leave(1)
    place.connect()
    await asyncio.sleep(0.05)
    place.join(2)
    await place.counts(0, 1, 1)


async def test_the_silent_get_none_until_they_speak_again(place: Place) -> None:
    place.join(0)
    place.join(1)
    place.sharing.pass_over(0, True)
    for _ in range(3):
        place.connect()
    await place.counts(0, 3)
    place.sharing.pass_over(0, False)
    for _ in range(4):
        place.connect()
    await place.counts(4, 3)


async def test_connections_wait_while_all_are_silent(place: Place) -> None:
    place.join(0)
    place.connect()
    await place.counts(1)
    place.sharing.pass_over(0, True)
    place.sharing.pass_over(7, True)  # one that has left
    place.connect()
    await asyncio.sleep(0.05)
    await place.counts(1)
    place.sharing.pass_over(0, False)
    await place.counts(2)
    place.sharing.pass_over(0, True)
    place.sharing.leave(0)
    place.connect()
    place.join(1)
    await place.counts(2, 1)


async def test_after_the_end_nobody_can_connect(place: Place) -> None:
    place.join(0)
    place.sharing.stop()
    with pytest.raises(ConnectionRefusedError):
        place.connect()


async def test_a_want_of_open_files_passes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Poor:
        """A listener for which there is no file just now."""

        def __init__(self, listener: socket.socket) -> None:
            self.fileno: Callable[[], int] = listener.fileno
            self.listener = listener
            self.asked = 0

        def __getattr__(self, name: str) -> object:
            return getattr(self.listener, name)

        def accept(self) -> object:
            self.asked += 1
            if self.asked == 1:
                raise OSError(errno.EMFILE, "too many open files")
            return self.listener.accept()

    monkeypatch.setattr(sharing_module, "_PAUSE_SECONDS", 0.02)
    poor = Poor(place.sockets[0])
    place.sharing = Sharing([poor])  # type: ignore[list-item]
    place.join(0)
    place.connect()
    await place.counts(1)
    assert poor.asked >= 2
