"""gRPC over HTTP/2 as it is on the wire, right and wrong; after each wrong one a good client is answered."""

from __future__ import annotations

import base64
import gzip
import socket
from collections.abc import Iterator

import hyperframe.frame as frames
import pytest
from edge_server import BIDI, BIG, COLLECT, ECHO, PARTS, SLOW, WHO, EdgeServer, Strings, edge_server
from google.rpc import error_details_pb2, status_pb2
from http2_peer import Peer, message, request_headers
from waiting import wait_until

OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = "0", "3", "4", "8", "12", "13"
HELLO = Strings(values=["hello"]).SerializeToString()


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest) -> Iterator[EdgeServer]:
    with edge_server(uvloop=request.param == "uvloop", message_bytes_max=1 << 20) as running:
        yield running


@pytest.fixture
def peer(server: EdgeServer) -> Iterator[Peer]:
    with Peer(server.address) as made:
        yield made
    assert_alive(server)


def assert_alive(server: EdgeServer) -> None:
    with Peer(server.address) as good:
        assert good.wait(good.call(ECHO, message(HELLO))).data == message(HELLO)
    wait_until(lambda: server.held() == 0, 5)


def test_a_call(peer: Peer) -> None:
    answer = peer.wait(peer.call(ECHO, message(HELLO)))
    assert answer.headers[":status"] == "200" and answer.headers["content-type"] == "application/grpc"
    assert answer.data == message(HELLO)
    assert answer.trailers == {"grpc-status": "0"}


def test_many_calls_at_once_in_one_packet(peer: Peer) -> None:
    bodies = [Strings(values=[str(number)]).SerializeToString() for number in range(30)]
    sent: list[frames.Frame] = []
    for body in bodies:
        head = peer.headers_frame(request_headers(ECHO))
        data = frames.DataFrame(head.stream_id, message(body))
        data.flags.add("END_STREAM")
        sent += (head, data)
    peer.send(*sent)
    for number, body in enumerate(bodies):
        assert peer.wait(2 * number + 1).data == message(body)


def test_a_request_in_many_pieces(peer: Peer) -> None:
    stream = peer.call(ECHO, None, end=False)
    body = message(HELLO)
    for at in range(len(body)):
        peer.data(stream, body[at : at + 1])
    peer.data(stream, b"", end=True)
    assert peer.wait(stream).data == body


def test_a_long_message_there_and_back(peer: Peer) -> None:
    body = message(Strings(values=["z" * 1_000_000]).SerializeToString())
    assert peer.wait(peer.call(ECHO, body)).data == body


def test_an_empty_message(peer: Peer) -> None:
    answer = peer.wait(peer.call(ECHO, message(b"")))
    assert answer.data == message(b"") and answer.status == OK


def test_a_stream_of_answers(peer: Peer) -> None:
    answer = peer.wait(peer.call(PARTS, message(Strings(values=["100"]).SerializeToString())))
    expected = b"".join(message(Strings(values=[str(number)]).SerializeToString()) for number in range(100))
    assert answer.data == expected and answer.status == OK
    answer = peer.wait(peer.call(PARTS, message(Strings(values=["0"]).SerializeToString())))
    assert answer.data == b"" and answer.status == OK


def test_streams_of_requests(peer: Peer) -> None:
    values = [str(number) for number in range(50)]
    stream = peer.call(COLLECT, None, end=False)
    joined = b"".join(message(Strings(values=[value]).SerializeToString()) for value in values)
    for at in range(0, len(joined), 7):
        peer.data(stream, joined[at : at + 7])
    peer.data(stream, b"", end=True)
    assert Strings.FromString(peer.wait(stream).data[5:]).values == values

    stream = peer.call(BIDI, message(b"one"), end=False)
    while peer.answers.get(stream) is None or peer.answers[stream].data != message(b"one"):
        assert peer.read(5)
    peer.data(stream, message(b"two") + message(b"three"), end=True)
    answer = peer.wait(stream)
    assert answer.data == message(b"one") + message(b"two") + message(b"three") and answer.status == OK


@pytest.mark.parametrize(
    ("changes", "status", "grpc"),
    [
        ({"content_type": "application/json"}, "415", None),
        ({"content_type": "application/grpc-web"}, "415", None),
        ({"content_type": "application/grpc+json"}, "415", None),
        ({"content_type": None}, "415", None),
        ({"content_type": "application/grpc+proto"}, "200", OK),
        ({"content_type": "application/grpc; charset=utf-8"}, "200", OK),
        ({"_method": "GET"}, "405", None),
        ({"_path": "/vecinity.test.Edge/None"}, "200", UNIMPLEMENTED),
        ({"_path": "/"}, "200", UNIMPLEMENTED),
        ({"_path": "*%ff"}, None, None),
        ({"_path": "/" + "x" * 9_000}, "200", UNIMPLEMENTED),
        ({"te": None}, "200", OK),
        ({"grpc_encoding": "identity"}, "200", OK),
        ({"grpc_encoding": "snappy"}, "200", UNIMPLEMENTED),
        ({"grpc_timeout": "5S"}, "200", OK),
        ({"grpc_timeout": "99999999H"}, "200", OK),
        ({"grpc_timeout": "0m"}, "200", DEADLINE_EXCEEDED),
        ({"grpc_timeout": "-1S"}, "200", DEADLINE_EXCEEDED),
        ({"grpc_timeout": "1n"}, "200", DEADLINE_EXCEEDED),
        ({"grpc_timeout": "soon"}, "200", INVALID_ARGUMENT),
        ({"grpc_timeout": "999999999S"}, "200", INVALID_ARGUMENT),
        ({"grpc_timeout": ""}, "200", INVALID_ARGUMENT),
        ({"thing_bin": "!!!"}, "200", INTERNAL),
        ({"thing": "x" * 17_000}, "200", RESOURCE_EXHAUSTED),
    ],
)
def test_headers(peer: Peer, changes: dict[str, str | None], status: str | None, grpc: str | None) -> None:
    answer = peer.wait(peer.call(ECHO, message(HELLO), **changes))
    if status is None:
        assert answer.reset == 1  # libnghttp2 refuses it as no HTTP
        return
    assert answer.headers[":status"] == status
    assert answer.status == grpc


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", UNIMPLEMENTED),
        (message(HELLO) + message(HELLO), UNIMPLEMENTED),
        (message(HELLO)[:-1], INTERNAL),
        (message(HELLO)[:3], INTERNAL),
        (message(HELLO) + b"\0\0", INTERNAL),
        (message(HELLO, flag=1), INTERNAL),
        (message(HELLO, flag=2), INTERNAL),
        (message(HELLO, flag=255), INTERNAL),
        (message(HELLO, length=(1 << 20) + 1), RESOURCE_EXHAUSTED),
        (message(HELLO, length=(1 << 32) - 1), RESOURCE_EXHAUSTED),
        (message(b"\xff\xff\xff"), INVALID_ARGUMENT),
        (b"GET / HTTP/1.1\r\n\r\n", INTERNAL),
    ],
)
def test_bodies(peer: Peer, body: bytes, status: str) -> None:
    answer = peer.wait(peer.call(ECHO, body))
    assert answer.status == status and answer.message


def test_a_request_of_headers_alone(peer: Peer) -> None:
    assert peer.wait(peer.call(ECHO, None)).status == UNIMPLEMENTED


def test_trailers_of_a_request_are_ignored(peer: Peer) -> None:
    stream = peer.call(ECHO, message(HELLO), end=False)
    peer.send(peer.headers_frame([("x-checksum", "1")], end=True, stream=stream))
    assert peer.wait(stream).data == message(HELLO)


def test_a_length_over_the_limit_is_refused_before_it_has_come(peer: Peer) -> None:
    stream = peer.call(ECHO, message(b"", length=1 << 30), end=False)
    answer = peer.wait(stream)
    assert answer.status == RESOURCE_EXHAUSTED and str(1 << 20) in answer.message
    while answer.reset is None:
        assert peer.read(5)
    assert answer.reset == 0  # NO_ERROR: stop sending, the answer is complete
    peer.data(stream, b"x" * 100_000)  # of a client that has not seen it yet
    assert peer.wait(peer.call(ECHO, message(HELLO))).status == OK


def test_compressed_requests_and_answers(peer: Peer) -> None:
    payload = Strings(values=["z" * 200_000]).SerializeToString()
    packed = message(gzip.compress(payload), flag=1)
    answer = peer.wait(peer.call(ECHO, packed, grpc_encoding="gzip"))
    assert answer.data == message(payload) and "grpc-encoding" not in answer.headers
    answer = peer.wait(peer.call(ECHO, packed, grpc_encoding="gzip", grpc_accept_encoding="identity, gzip"))
    assert answer.headers["grpc-encoding"] == "gzip" and answer.data[0] == 1
    assert gzip.decompress(answer.data[5:]) == payload
    answer = peer.wait(peer.call(ECHO, message(HELLO), grpc_encoding="gzip", grpc_accept_encoding="gzip"))
    assert answer.data == message(HELLO)  # not worth it


@pytest.mark.parametrize(
    ("packed", "status"),
    [
        (b"no gzip", INTERNAL),
        (gzip.compress(HELLO)[:-9], INTERNAL),
        (gzip.compress(HELLO) + b"more", INTERNAL),
        (gzip.compress(b"\0" * (200 << 20)), RESOURCE_EXHAUSTED),  # 200 MiB in 200 KiB
        (b"", INTERNAL),
    ],
)
def test_compressed_messages_that_are_none(peer: Peer, packed: bytes, status: str) -> None:
    assert peer.wait(peer.call(ECHO, message(packed, flag=1), grpc_encoding="gzip")).status == status


def test_the_caller_as_a_method_sees_it(peer: Peer) -> None:
    binary = base64.b64encode(b"\0\xff\x10ab").decode().rstrip("=")
    stream = peer.call(WHO, message(b""), x_one="1", x_two_bin=binary, grpc_timeout="5S", user_agent="me/1")
    method, caller, left, *metadata = Strings.FromString(peer.wait(stream).data[5:]).values
    assert method == WHO and caller.startswith("ipv4:127.0.0.1:") and 4 < float(left) <= 5
    assert metadata == ["user-agent='me/1'", "x-one='1'", r"x-two-bin=b'\x00\xff\x10ab'"]


def test_errors_carry_details(peer: Peer) -> None:
    answer = peer.wait(peer.call(ECHO, message(b"\xff\xff")))
    assert not answer.trailers and answer.ended  # in one block: trailers-only
    packed = answer.headers["grpc-status-details-bin"]
    assert "=" not in packed
    status = status_pb2.Status.FromString(base64.b64decode(packed + "=="))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info) and info.reason == "ERROR_REASON_INVALID_ARGUMENT"
    assert status.message == answer.message


def test_a_message_of_an_error_is_percent_encoded(peer: Peer) -> None:
    answer = peer.wait(peer.call("/a/100%", message(HELLO)))
    assert answer.message == "there is no method /a/100%25"


def test_cancelling(server: EdgeServer, peer: Peer) -> None:
    before = server.cancelled
    stream = peer.call(SLOW, message(HELLO))
    wait_until(lambda: server.pipeline.calls)
    peer.reset(stream)
    wait_until(lambda: server.cancelled != before, 5)
    assert server.pipeline.calls == 0
    assert peer.wait(peer.call(ECHO, message(HELLO))).status == OK


def test_a_client_that_goes_ends_its_calls(server: EdgeServer) -> None:
    before = server.cancelled
    with Peer(server.address) as peer:
        for _ in range(5):
            peer.call(SLOW, message(HELLO))
        wait_until(lambda: server.pipeline.calls >= 5)
    wait_until(lambda: server.cancelled >= before + 5, 5)
    assert_alive(server)


def test_a_deadline_ends_a_call(server: EdgeServer, peer: Peer) -> None:
    assert peer.wait(peer.call(SLOW, message(HELLO), grpc_timeout="50m")).status == DEADLINE_EXCEEDED
    assert server.pipeline.calls == 0


def test_an_answer_waits_for_the_window(server: EdgeServer) -> None:
    with Peer(server.address, window=10) as peer:
        stream = peer.call(BIG, message(Strings(values=["50000"]).SerializeToString()))
        while peer.answers.get(stream) is None or len(peer.answers[stream].data) < 10:
            assert peer.read(5)
        assert not peer.read(0.2)
        peer.send(peer.window(stream, 100_000))
        answer = peer.wait(stream)
        assert len(answer.data) > 50_000 and answer.status == OK
    assert_alive(server)


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,  # TLS
        b"\0" * 100,
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + b"\0" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 5_000,
        b"hello",
    ],
)
def test_what_is_no_http2_is_closed(server: EdgeServer, opening: bytes) -> None:
    with socket.create_connection(server.address, timeout=15) as raw:
        raw.sendall(opening)
        if opening == b"hello":
            raw.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while data := raw.recv(65_536):
                received += data
        except ConnectionResetError:
            pass
    assert (b"HTTP/1.1 505" in received) == opening.startswith(b"GET")
    assert_alive(server)


def test_a_preface_in_pieces(server: EdgeServer) -> None:
    with Peer(server.address, preface=False) as peer:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frames.SettingsFrame(0).serialize():
            peer.send(bytes((byte,)))
        assert peer.wait(peer.call(ECHO, message(HELLO))).status == OK
