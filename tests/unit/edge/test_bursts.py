"""Much at once: connections of one turn of the loop, ends of connections, the end of a worker that is handed some."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from edge_server import ECHO, EdgeServer, Strings, edge_server
from http2_peer import Peer, message

from vecinity.service.config import Config
from vecinity.service.edge.nghttp2.edge import Nghttp2Edge
from vecinity.service.edge.sharing import Handed
from vecinity.service.pipeline import Pipeline

HELLO = Strings(values=["hello"]).SerializeToString()


@contextmanager
def held_up(server: EdgeServer) -> Iterator[None]:
    """The server's loop has no turn meanwhile: all that comes, it finds in one."""
    server.loop.call_soon_threadsafe(time.sleep, 0.5)
    time.sleep(0.05)
    yield


@pytest.mark.parametrize("uvloop", [False, True])
def test_connections_that_come_at_once_are_no_more_than_allowed(uvloop: bool) -> None:
    with edge_server(limits={"connections_max": 5}, uvloop=uvloop) as server:
        for _ in range(3):
            with held_up(server):
                made = [socket.create_connection(server.address, timeout=5) for _ in range(40)]
            end = time.monotonic() + 5
            while len(server.edge.connections) != 5:
                assert time.monotonic() < end, len(server.edge.connections)
                time.sleep(0.01)
            for each in made:
                each.close()
        with Peer(server.address) as peer:
            assert peer.wait(peer.call(ECHO, message(HELLO))).status == "0"


def test_what_is_written_long_after_the_last_read_is_written_now() -> None:
    with edge_server() as server, Peer(server.address) as peer:
        assert peer.wait(peer.call(ECHO, message(HELLO))).status == "0"
        time.sleep(0.3)

        async def write() -> float:
            (connection,) = server.edge.connections
            connection.announce_end()
            return float(server.loop.time() - connection.patience.wrote)

        assert server.sync(write()) < 0.2


def test_ends_that_do_not_fit_into_the_line_are_told_later() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    handed = Handed(theirs)
    for _ in range(10_000):
        handed.ended()
    told = 0
    while told < 10_000:
        told += len(ours.recv(1 << 16))
        handed.tell()
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    handed.close()
    ours.close()


async def test_a_worker_that_ends_by_itself_is_handed_no_more_connections() -> None:
    ours, theirs = socket.socketpair()
    edge = Nghttp2Edge(Pipeline({}, calls_max=4), Config(data_dir=Path("unused")), handed=Handed(theirs))
    await edge.tell_stopping()  # before it has begun: as where there is nothing to serve from
    await edge.start([])
    client, server = socket.socketpair()
    socket.send_fds(ours, [b"c"], [server.fileno()])
    server.close()
    await edge.tell_stopping()
    with pytest.raises(OSError):
        socket.send_fds(ours, [b"c"], [ours.fileno()])
    await asyncio.sleep(0.05)
    await edge.stop()
    client.settimeout(5)
    while client.recv(1 << 10):  # told of the end, then closed
        pass
    client.close()
    ours.close()
