"""The end of a server as its clients see it: GOAWAY in two steps, answers under way, then closed."""

from __future__ import annotations

import asyncio
import threading
import time

import hyperframe.frame as frames
import pytest
from edge_server import BIG, ECHO, ENDLESS, SLOW, Strings, edge_server
from http2_peer import Peer, message
from waiting import wait_until

HELLO = Strings(values=["hello"]).SerializeToString()


def goaways(peer: Peer) -> list[frames.GoAwayFrame]:
    return [made for made in peer.frames if isinstance(made, frames.GoAwayFrame)]


def read_until(peer: Peer, condition) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end and not peer.closed
        peer.read(0.5)


def test_goaway_comes_in_two_steps() -> None:
    with edge_server() as server, Peer(server.address) as peer:
        slow = peer.call(SLOW, message(HELLO))
        wait_until(lambda: server.pipeline.calls)
        server.sync(server.edge.tell_stopping())
        read_until(peer, lambda: goaways(peer) and any(isinstance(made, frames.PingFrame) for made in peer.frames))
        assert goaways(peer)[0].last_stream_id == (1 << 31) - 1 and goaways(peer)[0].error_code == 0
        # Sent before the client knew: still answered.
        late = peer.call(ECHO, message(HELLO))
        ping = next(made for made in peer.frames if isinstance(made, frames.PingFrame))
        assert peer.wait(late).data == message(HELLO)
        peer.send(frames.PingFrame(0, ping.opaque_data, flags=("ACK",)))
        read_until(peer, lambda: len(goaways(peer)) == 2)
        assert goaways(peer)[1].last_stream_id == late
        # Sent in spite of it: not answered, and the call under way goes on.
        ignored = peer.call(ECHO, message(HELLO))
        assert not peer.read(0.3)
        assert ignored not in peer.answers or not peer.answers[ignored].headers
        assert server.pipeline.calls == 1
        server.sync(server.edge.stop())
        assert peer.wait(slow).status == "14"
        peer.wait_closed()


def test_a_connection_without_calls_is_closed_when_it_knows() -> None:
    with edge_server() as server, Peer(server.address) as peer:
        assert peer.wait(peer.call(ECHO, message(HELLO))).status == "0"
        server.sync(server.edge.tell_stopping())
        read_until(peer, lambda: any(isinstance(made, frames.PingFrame) for made in peer.frames))
        ping = next(made for made in peer.frames if isinstance(made, frames.PingFrame))
        peer.send(frames.PingFrame(0, ping.opaque_data, flags=("ACK",)))
        peer.wait_closed()


def test_a_client_that_does_not_listen_is_closed_too() -> None:
    with edge_server() as server:
        with Peer(server.address, window=0) as peer:
            peer.call(ENDLESS, message(HELLO))
            wait_until(lambda: server.made)
            began = time.monotonic()
            server.sync(server.edge.tell_stopping())
            server.sync(server.edge.stop())
            assert time.monotonic() - began < 5
            wait_until(lambda: server.cancelled, 5 - (time.monotonic() - began))


@pytest.mark.parametrize("uvloop", [False, True])
def test_an_answer_reaches_a_client_that_goes_on_sending(uvloop: bool) -> None:
    size = 2 << 20
    with edge_server(uvloop=uvloop) as server, Peer(server.address, window=2 * size) as peer:
        peer.send(peer.window(0, 2 * size))
        stream = peer.call(BIG, message(Strings(values=[str(size)]).SerializeToString()))
        while not peer.read(10) or stream not in peer.answers:
            pass
        time.sleep(0.3)  # the rest is in the sockets' buffers
        stopping = asyncio.run_coroutine_threadsafe(server.edge.stop(), server.loop)
        for _ in range(10):
            peer.send(frames.PingFrame(0, b"still on"))
            time.sleep(0.05)
        answer = peer.wait(stream)
        assert answer.status == "0" and len(answer.data) > size
        assert peer.wait_closed() is not None
        peer.socket.close()
        stopping.result(10)


@pytest.mark.parametrize("uvloop", [False, True])
def test_a_server_ends_on_a_connection_that_its_client_has_closed(uvloop: bool) -> None:
    with edge_server(uvloop=uvloop) as server, Peer(server.address) as peer:
        assert peer.wait(peer.call(ECHO, message(HELLO))).status == "0"

        async def end_before_the_loop_knows() -> None:
            peer.socket.close()  # what is sent to it from now on is answered by a reset
            for connection in list(server.edge.connections):
                connection.end()

        server.sync(end_before_the_loop_knows())
        server.sync(server.edge.stop())
        assert not server.edge.connections


def test_a_client_that_never_closes_is_closed_on() -> None:
    with edge_server(limits={"sweep_seconds": 0.05, "linger_seconds": 0.2, "idle_seconds": 0.1}) as server:
        with Peer(server.address) as peer:
            assert peer.wait(peer.call(ECHO, message(HELLO))).status == "0"
            read_until(peer, lambda: any(isinstance(made, frames.PingFrame) for made in peer.frames))
            ping = next(made for made in peer.frames if isinstance(made, frames.PingFrame))
            peer.send(frames.PingFrame(0, ping.opaque_data, flags=("ACK",)))
            peer.wait_closed()
            wait_until(lambda: not server.edge.connections, 5)


@pytest.mark.parametrize("uvloop", [False, True])
def test_a_second_edge_in_the_same_process(uvloop: bool) -> None:
    with edge_server(uvloop=uvloop) as one, edge_server(uvloop=uvloop) as other:

        def ask(address: tuple[str, int]) -> None:
            with Peer(address) as peer:
                for _ in range(100):
                    assert peer.wait(peer.call(ECHO, message(HELLO))).data == message(HELLO)

        threads = [threading.Thread(target=ask, args=(server.address,)) for server in (one, other) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
