"""Nothing that a client can send ends the server, hangs it, or makes it hold on to anything."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import hpack
import pytest
from edge_server import BIDI, COLLECT, ECHO, PARTS, EdgeServer, Strings, edge_server
from http2_peer import PREFACE, Peer, message, request_headers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import wait_until

HELLO = Strings(values=["hello"]).SerializeToString()
FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest) -> Iterator[EdgeServer]:
    limits = {"sweep_seconds": 0.05, "request_seconds": 1.0, "message_bytes_max": 1 << 16}
    with edge_server(limits=limits, uvloop=request.param == "uvloop") as running:
        yield running
        wait_until(lambda: running.held() == 0 and running.pipeline.calls == 0, 5)


def attack(server: EdgeServer, data: bytes, cuts: list[int]) -> None:
    """Send bytes in pieces, take a little of what comes, go; then a good client calls."""
    with socket.create_connection(server.address, timeout=5) as raw:
        try:
            start = 0
            for cut in (*sorted(cut % (len(data) + 1) for cut in cuts), len(data)):
                if cut > start:
                    raw.sendall(data[start:cut])
                    start = cut
            raw.settimeout(0.01)
            raw.recv(1 << 16)
        except OSError:
            pass
    with Peer(server.address) as good:
        assert good.wait(good.call(ECHO, message(HELLO))).data == message(HELLO)


def frame(kind: int, flags: int, stream: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return struct.pack(">I", size)[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + body


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame of any kind: often almost right, sometimes anything."""
    kind = draw(st.integers(0, 10))
    stream = draw(st.sampled_from([0, 1, 1, 1, 2, 3, 3, 5, 7, 99, (1 << 31) - 1]))
    flags = draw(st.one_of(st.sampled_from([0, 1, 4, 5, 8, 0x20]), st.integers(0, 255)))
    length = draw(st.one_of(st.none(), st.none(), st.none(), st.integers(0, 70_000)))
    if kind == 0:
        body = draw(
            st.one_of(st.binary(max_size=40), st.sampled_from([message(HELLO), message(HELLO, length=1 << 30)]))
        )
    elif kind in (1, 9):
        body = draw(st.one_of(st.binary(max_size=40), blocks()))
    elif kind == 4:
        entry = st.tuples(st.integers(0, 10), st.integers(0, (1 << 32) - 1)).map(lambda pair: struct.pack(">HI", *pair))
        body = b"".join(draw(st.lists(entry, max_size=5)))
    elif kind in (3, 8):
        body = struct.pack(">I", draw(st.integers(0, (1 << 32) - 1)))
    elif kind == 6:
        body = draw(st.binary(min_size=8, max_size=8))
    else:
        body = draw(st.binary(max_size=20))
    return frame(kind, flags, stream, body, length)


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """A request's header block, with a field or two changed."""
    path = draw(st.sampled_from([ECHO, COLLECT, BIDI, PARTS, "/", "/x"]))
    changes = draw(
        st.dictionaries(
            st.sampled_from(
                ["_method", "_path", "_scheme", "te", "content_type", "grpc_timeout", "grpc_encoding", "x_bin"]
            ),
            st.one_of(st.none(), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)),
            max_size=2,
        )
    )
    return bytes(hpack.Encoder().encode(request_headers(path, **changes)))


@FUZZ
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=3), preface=st.booleans())
def test_any_bytes(server: EdgeServer, data: bytes, cuts: list[int], preface: bool) -> None:
    attack(server, (PREFACE if preface else b"") + data, cuts)


@FUZZ
@given(sent=st.lists(frames(), min_size=1, max_size=12), cuts=st.lists(st.integers(0, 2_000), max_size=3))
def test_any_frames(server: EdgeServer, sent: list[bytes], cuts: list[int]) -> None:
    attack(server, PREFACE + frame(4, 0, 0, b"") + b"".join(sent), cuts)


@FUZZ
@given(
    path=st.sampled_from([ECHO, PARTS, COLLECT, BIDI]),
    body=st.one_of(
        st.binary(max_size=60),
        st.lists(st.binary(max_size=20), max_size=4).map(lambda payloads: b"".join(map(message, payloads))),
    ),
    cuts=st.lists(st.integers(1, 59), max_size=4),
    end=st.sampled_from(["end", "reset", "gone"]),
)
def test_any_messages(server: EdgeServer, path: str, body: bytes, cuts: list[int], end: str) -> None:
    with Peer(server.address) as peer:
        stream = peer.call(path, None, end=False)
        start = 0
        for cut in sorted(cuts):
            peer.data(stream, body[start:cut])
            start = max(start, cut)
        peer.data(stream, body[start:], end=end == "end")
        if end == "end":
            answer = peer.wait(stream)
            assert answer.status is not None and 0 <= int(answer.status) <= 16
        elif end == "reset":
            peer.reset(stream)
    with Peer(server.address) as good:
        assert good.wait(good.call(ECHO, message(HELLO))).data == message(HELLO)
