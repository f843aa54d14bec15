"""What one client can't do to a server: floods, bombs, and waiting for ever. The others are answered meanwhile."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hyperframe.frame as frames
import pytest
from edge_server import BIG, ECHO, ENDLESS, SLOW, EdgeProcess, EdgeServer, Strings, edge_process, edge_server
from http2_peer import PREFACE, Peer, message, request_headers
from waiting import resident_bytes, resident_bytes_peak, wait_until

HELLO = Strings(values=["hello"]).SerializeToString()
ENHANCE_YOUR_CALM = 11


@contextmanager
def watched(**limits: Any) -> Iterator[EdgeServer]:
    """A server that must answer a good client before and after, and hold nothing in the end."""
    with edge_server(limits={"sweep_seconds": 0.05, **limits}) as server:
        good(server)
        yield server
        good(server)
        wait_until(lambda: not server.held() and not server.pipeline.calls, 5)


@contextmanager
def watched_apart(**limits: Any) -> Iterator[EdgeProcess]:
    """The same in a process of its own, whose memory is that of the edge alone."""
    with edge_process(**{"sweep_seconds": 0.05, **limits}) as server:
        good(server)
        yield server
        good(server)
        wait_until(lambda: server.holds() == (0, 0), 5)


def good(server: EdgeServer | EdgeProcess) -> None:
    with Peer(server.address) as peer:
        assert peer.wait(peer.call(ECHO, message(HELLO))).data == message(HELLO)


def flood(peer: Peer, piece: bytes, bytes_max: int = 64 << 20) -> frames.GoAwayFrame | None:
    """Send the same again and again until the server has had enough; returns its GOAWAY."""
    sent = 0
    try:
        while sent < bytes_max:
            peer.send(piece)
            sent += len(piece)
            peer.read(0)
            if peer.closed:
                return peer.goaway
    except OSError:
        peer.wait_closed()
        return peer.goaway
    raise AssertionError(f"the server took {sent} bytes of it")


def ping() -> bytes:
    return frames.PingFrame(0, b"12345678").serialize()


def settings() -> bytes:
    return frames.SettingsFrame(0, settings={4: 65_535}).serialize()


def window_update() -> bytes:
    made = frames.WindowUpdateFrame(0)
    made.window_increment = 1
    return made.serialize()


def priority() -> bytes:
    return frames.PriorityFrame(1, depends_on=0, stream_weight=1).serialize()


def unknown() -> bytes:
    return b"\x00\x00\x64\xfa\x00\x00\x00\x00\x00" + b"x" * 100  # by hand: hyperframe writes its length wrong


@pytest.mark.parametrize("piece", [ping, settings, window_update, unknown])
def test_floods_of_frames_that_carry_nothing(piece: Any) -> None:
    with watched(control_burst=2_000, control_rate=100, unframed_bytes_max=1 << 20) as server:
        with Peer(server.address) as peer:
            goaway = flood(peer, piece() * 500)
            assert goaway is None or goaway.error_code in (ENHANCE_YOUR_CALM, 0)


def test_a_few_pings_are_answered() -> None:
    with watched() as server, Peer(server.address) as peer:
        peer.send(ping() * 50)
        while sum(isinstance(made, frames.PingFrame) and "ACK" in made.flags for made in peer.frames) < 50:
            assert peer.read(5)


def test_floods_of_empty_data() -> None:
    with watched(control_burst=2_000, control_rate=100) as server, Peer(server.address) as peer:
        stream = peer.call(ECHO, None, end=False)
        assert flood(peer, frames.DataFrame(stream, b"").serialize() * 500)


def test_rapid_reset() -> None:
    with watched(reset_burst=300, reset_rate=10) as server, Peer(server.address) as peer:
        reset = frames.RstStreamFrame(1)
        reset.error_code = 8
        try:
            for _ in range(2_000):
                head = peer.headers_frame(request_headers(SLOW))
                data = frames.DataFrame(head.stream_id, message(HELLO), flags=("END_STREAM",))
                reset.stream_id = head.stream_id
                peer.send(head, data, reset)
        except OSError:
            pass
        goaway = peer.wait_closed()
        assert goaway is None or goaway.error_code in (ENHANCE_YOUR_CALM, 2)


def test_streams_that_the_client_makes_us_reset() -> None:
    with watched(reset_burst=300, reset_rate=10) as server, Peer(server.address) as peer:
        try:
            for _ in range(2_000):
                stream = peer.call(SLOW, message(HELLO))
                peer.send(peer.window(stream, (1 << 31) - 1))  # more than a window can hold
        except OSError:
            pass
        assert peer.wait_closed() is not None


def test_an_error_longer_than_trailers_can_be() -> None:
    with watched() as server, Peer(server.address) as peer:
        answer = peer.wait(peer.call("/x/" + "%" * 3_000, message(HELLO)))
        assert answer.status == "12" and len(answer.message) <= 3_000


def test_continuations_without_end() -> None:
    with watched(unframed_bytes_max=1 << 20) as server, Peer(server.address) as peer:
        head = peer.headers_frame(request_headers(ECHO))
        head.flags.discard("END_HEADERS")
        peer.send(head)
        block = peer.encoder.encode([("x-thing", "y")] * 100)
        flood(peer, frames.ContinuationFrame(1, block).serialize() * 20)


def test_a_bomb_of_indexed_headers() -> None:
    with watched_apart(reset_burst=20, reset_rate=1) as server, Peer(server.address) as peer:
        # One entry of 4,000 bytes in the dynamic table, then thousands of references, a byte each.
        first = peer.headers_frame([*request_headers(ECHO), ("bomb", "x" * 3_900)], end=False)
        first.data += b"\xbe" * 10_000
        before = resident_bytes_peak(server.pid)
        peer.send(first)
        answer = peer.wait(first.stream_id)
        assert answer.reset is not None or answer.status == "8"
        assert resident_bytes_peak(server.pid) - before < 8 << 20


def test_ten_thousand_streams_at_once() -> None:
    with watched(streams_max=100) as server, Peer(server.address, seconds=30) as peer:
        try:
            for _ in range(10_000):
                peer.call(SLOW, None, end=False)
        except OSError:
            pass
        peer.wait_closed(20)


def test_as_many_calls_as_are_allowed_are_under_way_and_the_rest_refused() -> None:
    with watched(streams_max=528) as server, Peer(server.address) as peer:
        streams = [peer.call(SLOW, message(HELLO)) for _ in range(100)]  # calls_max is 64
        refused = [peer.wait(stream).status for stream in streams[64:]]
        assert refused == ["8"] * 36
        assert server.pipeline.calls == 64


def test_one_connection_gets_half_of_the_places_and_leaves_the_others_theirs() -> None:
    with edge_server(calls_max=8) as server, Peer(server.address) as greedy:
        (told,) = [
            made.settings[3] for made in greedy.frames if isinstance(made, frames.SettingsFrame) and made.settings
        ]
        assert told == 4
        for _ in range(4):
            greedy.call(SLOW, message(HELLO))
        with Peer(server.address) as modest:
            for _ in range(3):
                modest.call(SLOW, message(HELLO))
            assert modest.wait(modest.call(ECHO, message(HELLO))).data == message(HELLO)
        greedy.call(SLOW, message(HELLO))  # one too many, as it has been told
        goaway = greedy.wait_closed()
        assert goaway is not None and goaway.error_code == 1
        good(server)


def test_calls_sent_before_the_limit_is_known_are_refused_so_that_they_can_be_tried_again() -> None:
    with edge_server(calls_max=8) as server, Peer(server.address, preface=False) as peer:
        calls = b""
        for _ in range(6):
            head = peer.headers_frame(request_headers(SLOW))
            calls += (
                head.serialize() + frames.DataFrame(head.stream_id, message(HELLO), flags=("END_STREAM",)).serialize()
            )
        peer.send(PREFACE, frames.SettingsFrame(0), calls)
        assert [peer.wait(stream).reset for stream in (9, 11)] == [7, 7]  # REFUSED_STREAM
        time.sleep(0.1)
        assert server.pipeline.calls == 4


def test_a_message_that_never_ends_is_given_up() -> None:
    with watched(request_seconds=0.3) as server, Peer(server.address) as peer:
        stream = peer.call(ECHO, message(HELLO)[:-1], end=False)
        assert peer.wait(stream, 5).status == "4"


def test_headers_that_never_end_are_given_up() -> None:
    with watched(request_seconds=0.3) as server, Peer(server.address) as peer:
        head = peer.headers_frame(request_headers(ECHO))
        head.flags.discard("END_HEADERS")
        peer.send(head)
        peer.wait_closed(5)


def test_a_connection_that_says_nothing_is_closed() -> None:
    with watched(preface_seconds=0.3) as server, socket.create_connection(server.address, timeout=5) as raw:
        while raw.recv(1_000):
            pass


def test_an_idle_connection_is_asked_to_go() -> None:
    with watched(idle_seconds=0.3) as server, Peer(server.address) as peer:
        assert peer.wait(peer.call(ECHO, message(HELLO))).status == "0"
        while peer.goaway is None:
            assert peer.read(5)
        assert peer.goaway.error_code == 0


def test_a_silent_client_is_pinged_and_a_dead_one_closed() -> None:
    with watched(silence_seconds=0.2, pong_seconds=0.5) as server, Peer(server.address) as peer:
        peer.call(SLOW, message(HELLO))
        while not any(isinstance(made, frames.PingFrame) for made in peer.frames):
            assert peer.read(5)
        asked = next(made for made in peer.frames if isinstance(made, frames.PingFrame))
        peer.send(frames.PingFrame(0, asked.opaque_data, flags=("ACK",)))
        peer.wait_closed(5)  # does not answer the next one
        wait_until(lambda: not server.pipeline.calls, 5)


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    with watched(stall_seconds=0.3) as server, Peer(server.address, window=0) as peer:
        stream = peer.call(BIG, message(Strings(values=["1000000"]).SerializeToString()))
        assert peer.wait(stream, 5).reset is not None


def sockets_hold(peer: Peer) -> int:
    """The most that the sockets of a connection can hold on its way to the peer: differs between machines."""
    ours = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
    return ours + peer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def stands_still(server: EdgeServer) -> bool:
    made = server.made
    time.sleep(0.3)
    return 0 < made == server.made


def test_a_slow_reader_of_a_stream_costs_little() -> None:
    with watched() as server, Peer(server.address, window=1 << 30) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        peer.send(peer.window(0, 1 << 30))
        peer.call(ENDLESS, message(HELLO))
        wait_until(lambda: stands_still(server))
        made = server.made
        assert 2 <= made < (sockets_hold(peer) + (1 << 20)) / (64 << 10)
        wait_until(lambda: peer.read(1) and server.made > made)  # it goes on when it is read
    wait_until(lambda: server.cancelled, 5)


def test_answers_that_nobody_reads_are_bounded() -> None:
    with watched(connection_held_bytes_max=4 << 20) as server, Peer(server.address, window=0) as peer:
        streams = [peer.call(BIG, message(Strings(values=["1000000"]).SerializeToString())) for _ in range(6)]
        wait_until(lambda: server.held() > 4 << 20, 5)
        streams += [peer.call(BIG, message(Strings(values=["1000000"]).SerializeToString())) for _ in range(6)]
        assert [peer.wait(stream).status for stream in streams[6:]] == ["8"] * 6
        assert server.held() < 8 << 20


def test_requests_that_never_end_are_bounded_on_one_connection() -> None:
    with watched(connection_held_bytes_max=1 << 20, message_bytes_max=1 << 20) as server:
        with Peer(server.address) as peer:
            body = message(b"x" * 500_000)[:-1]
            streams = [peer.call(ECHO, body, end=False) for _ in range(3)]
            assert peer.wait(streams[-1]).status == "8"
            assert server.held() <= 2 << 20


def test_the_one_who_holds_most_goes_when_all_hold_too_much() -> None:
    with watched(held_bytes_max=2 << 20) as server:
        with Peer(server.address) as greedy, Peer(server.address) as modest:
            stream = modest.call(ECHO, message(HELLO)[:-1], end=False)
            try:
                for _ in range(8):
                    greedy.call(ECHO, message(b"x" * 500_000)[:-1], end=False)
            except OSError:
                pass
            greedy.wait_closed()
            modest.data(stream, message(HELLO)[-1:], end=True)
            assert modest.wait(stream).data == message(HELLO)


def test_more_connections_than_allowed_are_closed() -> None:
    with edge_server(limits={"connections_max": 3}) as server:
        peers = [Peer(server.address) for _ in range(3)]
        streams = [peer.call(ECHO, message(HELLO)[:-1], end=False) for peer in peers]
        wait_until(lambda: server.streams() == 3, 5)
        with socket.create_connection(server.address, timeout=5) as raw, pytest.raises(OSError):
            raw.sendall(b"x")
            if raw.recv(1) == b"":
                raise ConnectionResetError
        for peer, stream in zip(peers, streams, strict=True):
            peer.data(stream, message(HELLO)[-1:], end=True)
            assert peer.wait(stream).status == "0"
            peer.socket.close()


def test_connections_without_calls_make_way() -> None:
    with edge_server(limits={"connections_max": 3}) as server:
        idle = [Peer(server.address) for _ in range(3)]
        for _ in range(5):
            good(server)
        idle[0].wait_closed()
        for peer in idle:
            peer.socket.close()


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    with (
        watched(write_bytes_high=1 << 14, stall_seconds=3.0) as server,
        Peer(server.address, window=1 << 30, seconds=0.5) as peer,
    ):
        peer.send(peer.window(0, 1 << 30))
        body = message(Strings(values=["x" * 10_000]).SerializeToString())
        sent = 0
        with pytest.raises(OSError):
            while sent < 200 << 20:
                peer.call(ECHO, body)
                sent += len(body)
        assert sent < 100 << 20


def test_memory_is_flat_over_many_connections_and_faults() -> None:
    with watched_apart() as server:

        def one_round() -> None:
            for _ in range(50):
                with Peer(server.address) as peer:
                    peer.wait(peer.call(ECHO, message(HELLO)))
                    peer.call(SLOW, message(HELLO))
                    peer.call(ECHO, message(b"x" * 100_000)[:-1], end=False)
                    peer.wait(peer.call(ECHO, message(b"", length=1 << 31)))

        one_round()
        before = resident_bytes(server.pid)
        for _ in range(4):
            one_round()
        assert resident_bytes(server.pid) - before < 2 << 20


def test_garbage_lengths(rng: Any) -> None:
    with watched() as server:
        for length in (0, 1, 16_384, 16_385, (1 << 24) - 1):
            with Peer(server.address) as peer:
                try:
                    peer.send(
                        struct.pack(">I", length)[1:] + b"\x00\x00" + struct.pack(">I", 1) + rng.bytes(min(length, 99))
                    )
                    peer.send(ping())
                    peer.read(0.2)
                except OSError:
                    pass


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_a_health_check_takes_no_second_message(method: str) -> None:
    with watched() as server, Peer(server.address) as peer:
        answer = peer.wait(peer.call(f"/grpc.health.v1.Health/{method}", 2 * message(b""), end=False))
        assert answer.status == "12" and "one message, not several" in answer.message
