"""gRPC's own client over every edge: the same answers, errors, health, reflection, TLS and drain."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from edge_server import (
    BIDI,
    BIG,
    BROKEN,
    COLLECT,
    ECHO,
    ENDLESS,
    LATE_FAULT,
    NAP,
    PARTS,
    SLOW,
    WHO,
    EdgeServer,
    Strings,
    edge_server,
)  # fmt: skip
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from http2_peer import Peer, message
from waiting import wait_until

from vecinity.indexer.errors import SettingError

KINDS = ("grpcio", "nghttp2")


@pytest.fixture(scope="module", params=[*KINDS, "nghttp2 on uvloop"])
def server(request: pytest.FixtureRequest) -> Iterator[EdgeServer]:
    kind, *loop = request.param.split(" on ")
    with edge_server(kind, uvloop=bool(loop), message_bytes_max=8 << 20) as running:
        yield running


@pytest.fixture
def channel(server: EdgeServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.target) as made:
        yield made


def unary(channel: grpc.Channel, method: str) -> Any:
    return channel.unary_unary(
        method, request_serializer=Strings.SerializeToString, response_deserializer=Strings.FromString
    )


def test_a_connection_with_more_calls_than_it_may_have_at_once_gets_all_answers(channel: grpc.Channel) -> None:
    # calls_max is 64, half of them for one connection: gRPC's client keeps the rest until there is room.
    calls = [unary(channel, NAP).future(Strings(values=[str(number)]), timeout=20) for number in range(256)]
    assert [call.result().values[0] for call in calls] == [str(number) for number in range(256)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_will_send_no_more_has_gone(kind: str) -> None:
    with edge_server(kind) as server, Peer(server.address) as peer:
        body = message(Strings(values=["a"]).SerializeToString())
        assert peer.wait(peer.call(ECHO, body)).status == "0"
        peer.call(SLOW, body)
        end = time.monotonic() + 10
        while server.pipeline.calls < 1:
            assert time.monotonic() < end
            time.sleep(0.01)
        peer.socket.shutdown(socket.SHUT_WR)
        peer.wait_closed()
        while server.pipeline.calls:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert server.cancelled == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_has_all_it_may_have_leaves_places_for_others(kind: str) -> None:
    alone = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
    with (
        edge_server(kind, calls_max=16) as server,
        grpc.insecure_channel(server.target, options=alone) as greedy,
        grpc.insecure_channel(server.target, options=alone) as modest,
    ):
        calls = [unary(greedy, SLOW).future(Strings(values=["a"])) for _ in range(64)]
        end = time.monotonic() + 10
        while server.pipeline.calls < 8:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.2)
        assert server.pipeline.calls == 8
        naps = [unary(modest, NAP).future(Strings(values=["b"]), timeout=10) for _ in range(32)]
        assert all(nap.result().values == ["b"] for nap in naps)
        for call in calls:
            call.cancel()


def stream(channel: grpc.Channel, method: str) -> Any:
    return channel.unary_stream(
        method, request_serializer=Strings.SerializeToString, response_deserializer=Strings.FromString
    )


def code_of(call: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return str(caught.value.code().name)


def test_calls(channel: grpc.Channel) -> None:
    for size in (0, 1, 100, 16_379, 65_535, 3_000_000):
        request = Strings(values=["x" * size])
        assert unary(channel, ECHO)(request, timeout=10) == request


def test_many_at_once(channel: grpc.Channel) -> None:
    with ThreadPoolExecutor(16) as pool:
        requests = [Strings(values=[str(number) * 50]) for number in range(400)]
        assert list(pool.map(lambda request: unary(channel, ECHO)(request, timeout=20), requests)) == requests


def test_streams(channel: grpc.Channel) -> None:
    found = [part.values[0] for part in stream(channel, PARTS)(Strings(values=["500"]), timeout=10)]
    assert found == [str(number) for number in range(500)]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.NoCompression])
def test_compression(channel: grpc.Channel, compression: grpc.Compression) -> None:
    request = Strings(values=["ab" * 100_000])
    assert unary(channel, ECHO)(request, timeout=10, compression=compression) == request


def test_deflate(server: EdgeServer, channel: grpc.Channel) -> None:
    def call() -> Any:
        request = Strings(values=["ab" * 10_000])
        return unary(channel, ECHO)(request, timeout=5, compression=grpc.Compression.Deflate)

    if server.kind == "grpcio":
        call()
    else:
        assert code_of(call) == "UNIMPLEMENTED"


def test_errors(channel: grpc.Channel) -> None:
    request = Strings(values=["a"])
    assert code_of(lambda: unary(channel, BROKEN)(request, timeout=5)) == "INTERNAL"
    assert code_of(lambda: unary(channel, "/vecinity.test.Edge/None")(request, timeout=5)) == "UNIMPLEMENTED"
    assert code_of(lambda: unary(channel, "/other.Service/None")(request, timeout=5)) == "UNIMPLEMENTED"
    assert code_of(lambda: unary(channel, SLOW)(request, timeout=0.05)) == "DEADLINE_EXCEEDED"
    assert code_of(lambda: channel.unary_unary(ECHO)(b"\xff\xff", timeout=5)) == "INVALID_ARGUMENT"
    assert code_of(lambda: unary(channel, ECHO)(Strings(values=["x" * (9 << 20)]), timeout=5)) == "RESOURCE_EXHAUSTED"
    assert code_of(lambda: unary(channel, BIG)(Strings(values=[str(9 << 20)]), timeout=5)) == "RESOURCE_EXHAUSTED"


def test_errors_carry_details(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(ECHO)(b"\xff\xff", timeout=5)
    details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert info.reason == "ERROR_REASON_INVALID_ARGUMENT"


def test_a_fault_after_the_first_part(channel: grpc.Channel) -> None:
    parts = stream(channel, LATE_FAULT)(Strings(values=["a"]), timeout=5)
    assert next(parts).values == ["a"]
    assert code_of(lambda: next(parts)) == "INTERNAL"


def test_the_caller_as_a_method_sees_it(channel: grpc.Channel) -> None:
    metadata = (("x-one", "1"), ("x-two-bin", b"\0\xff"), ("x-three", "a"), ("x-three", "b"))
    found = list(unary(channel, WHO)(Strings(), timeout=5, metadata=metadata).values)
    assert found[0] == WHO and "127.0.0.1:" in found[1].replace("%3A", ":") and 4 < float(found[2]) <= 5.1
    assert {"x-one='1'", r"x-two-bin=b'\x00\xff'", "x-three='b'"} <= set(found)


def test_cancelling(server: EdgeServer, channel: grpc.Channel) -> None:
    before = server.cancelled
    call = unary(channel, SLOW).future(Strings(), timeout=30)
    wait_until(lambda: server.pipeline.calls)
    call.cancel()
    endless = stream(channel, ENDLESS)(Strings(), timeout=30)
    next(endless)
    endless.cancel()
    wait_until(lambda: server.cancelled >= before + 2 and not server.pipeline.calls, 10)


def test_a_deadline_within_a_stream(server: EdgeServer, channel: grpc.Channel) -> None:
    parts = stream(channel, ENDLESS)(Strings(), timeout=0.3)
    assert code_of(lambda: [None for _ in parts]) == "DEADLINE_EXCEEDED"


def test_health(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", "vecinity.test.Edge", "collections/words"):
        found = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert found.status == health_pb2.HealthCheckResponse.SERVING
    assert code_of(lambda: stub.Check(health_pb2.HealthCheckRequest(service="no"), timeout=5)) == "NOT_FOUND"
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="no"), timeout=5)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert code_of(lambda: check(b"\xff", timeout=5)) in ("INVALID_ARGUMENT", "UNKNOWN")


def test_health_follows_the_collections(server: EdgeServer, channel: grpc.Channel) -> None:
    watch = health_pb2_grpc.HealthStub(channel).Watch(
        health_pb2.HealthCheckRequest(service="collections/more"), timeout=10
    )
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    server.loop.call_soon_threadsafe(server.edge.set_collections, ["words", "more"])
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    server.loop.call_soon_threadsafe(server.edge.set_collections, ["words"])
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def test_reflection(server: EdgeServer, channel: grpc.Channel) -> None:
    names = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert "vecinity.test.Edge" in names and "grpc.health.v1.Health" in names
    if server.kind == "nghttp2":  # v1 has the messages of v1alpha under another name
        from grpc_reflection.v1alpha import reflection_pb2

        ask = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health")
        (answer,) = ask(iter([asked]), timeout=5)
        assert answer.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize("kind", KINDS)
def test_reflection_is_off_unless_asked_for(kind: str) -> None:
    with edge_server(kind, reflection=False) as server, grpc.insecure_channel(server.target) as channel:
        assert code_of(lambda: ProtoReflectionDescriptorDatabase(channel).get_services()) == "UNIMPLEMENTED"


def test_streams_of_requests() -> None:
    options = [("grpc.max_receive_message_length", 64 << 20)]
    with edge_server() as server, grpc.insecure_channel(server.target, options=options) as channel:
        collect = channel.stream_unary(
            COLLECT, request_serializer=Strings.SerializeToString, response_deserializer=Strings.FromString
        )
        values = [str(number) for number in range(2_000)]
        assert collect((Strings(values=[value]) for value in values), timeout=20).values == values
        big = "z" * 3_000_000  # longer than a stream's window
        assert collect(iter([Strings(values=[big])] * 3), timeout=20).values == [big] * 3

        bidi = channel.stream_stream(BIDI)
        turn = threading.Semaphore(1)

        def asks() -> Iterator[bytes]:
            for number in range(100):
                turn.acquire()
                yield b"%d" % number

        for number, answer in enumerate(bidi(asks(), timeout=20)):
            assert answer == b"%d" % number
            turn.release()


async def test_a_client_for_asyncio(server: EdgeServer) -> None:
    async with grpc.aio.insecure_channel(server.target) as channel:
        echo = channel.unary_unary(ECHO)
        answers = await asyncio.gather(*(echo(Strings(values=[str(n)]).SerializeToString()) for n in range(60)))
        assert [Strings.FromString(answer).values[0] for answer in answers] == [str(n) for n in range(60)]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and server and client (.pem, .key) signed by it; other.pem, other.key signed by nobody."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-days", "2", "-subj", f"/CN={name}",
        )  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", "csr", "-subj", f"/CN={name}")
        openssl(
            "x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-out", f"{name}.pem", "-extfile", "names",
        )  # fmt: skip
    return folder


def secure(server: EdgeServer, certificates: Path, client: str | None = None) -> grpc.Channel:
    key = chain = None
    if client is not None:
        key, chain = (certificates / f"{client}.key").read_bytes(), (certificates / f"{client}.pem").read_bytes()
    credentials = grpc.ssl_channel_credentials((certificates / "ca.pem").read_bytes(), key, chain)
    return grpc.secure_channel(f"localhost:{server.address[1]}", credentials)


TLS = [("grpcio", False), ("nghttp2", False), ("nghttp2", True)]


@pytest.mark.parametrize(("kind", "uvloop"), TLS)
def test_tls(kind: str, uvloop: bool, certificates: Path) -> None:
    files = {"tls_certificate": certificates / "server.pem", "tls_key": certificates / "server.key"}
    with edge_server(kind, uvloop=uvloop, **files) as server:
        with secure(server, certificates) as channel:
            for size in (10, 300_000, 3_000_000):
                request = Strings(values=["x" * size])
                assert unary(channel, ECHO)(request, timeout=20) == request
            assert len(list(stream(channel, PARTS)(Strings(values=["50"]), timeout=10))) == 50
        with grpc.insecure_channel(server.target) as channel:  # plain to TLS
            assert code_of(lambda: unary(channel, ECHO)(Strings(), timeout=3)) == "UNAVAILABLE"
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        context.set_alpn_protocols(["http/1.1"])
        with socket.create_connection(server.address, timeout=5) as raw:
            try:
                with context.wrap_socket(raw, server_hostname="localhost") as other:
                    assert other.recv(100) == b""
            except OSError:
                pass
        with secure(server, certificates) as channel:
            assert unary(channel, ECHO)(Strings(values=["a"]), timeout=10).values == ["a"]


@pytest.mark.parametrize(("kind", "uvloop"), TLS)
def test_tls_of_both_sides(kind: str, uvloop: bool, certificates: Path) -> None:
    with edge_server(
        kind,
        uvloop=uvloop,
        tls_certificate=certificates / "server.pem",
        tls_key=certificates / "server.key",
        tls_client_ca=certificates / "ca.pem",
    ) as server:
        with secure(server, certificates, "client") as channel:
            assert unary(channel, ECHO)(Strings(values=["a"]), timeout=10).values == ["a"]
        for stranger in (None, "other"):
            with secure(server, certificates, stranger) as channel:
                assert code_of(lambda channel=channel: unary(channel, ECHO)(Strings(), timeout=3)) == "UNAVAILABLE"


@pytest.mark.parametrize("kind", KINDS)
def test_tls_to_a_plain_server(kind: str, certificates: Path) -> None:
    with edge_server(kind) as server:
        with secure(server, certificates) as channel:
            assert code_of(lambda: unary(channel, ECHO)(Strings(), timeout=3)) == "UNAVAILABLE"
        with grpc.insecure_channel(server.target) as channel:
            assert unary(channel, ECHO)(Strings(values=["a"]), timeout=10).values == ["a"]


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_no_certificates(kind: str, certificates: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    good = {"tls_certificate": certificates / "server.pem", "tls_key": certificates / "server.key"}
    for wrong in (
        {"tls_certificate": tmp_path / "absent"},
        {"tls_key": certificates / "other.key"},
        {"tls_certificate": tmp_path / "text"},
        {"tls_client_ca": tmp_path / "text"},
    ):
        with pytest.raises(SettingError, match=r"tls_certificate|tls_client_ca"):
            with edge_server(kind, **{**good, **wrong}):
                pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_drain_lets_calls_end_and_sends_new_ones_away(kind: str) -> None:
    with edge_server(kind) as server, grpc.insecure_channel(server.target) as channel:
        unary(channel, ECHO)(Strings(), timeout=5)
        endless = stream(channel, ENDLESS)(Strings(), timeout=30)
        next(endless)
        server.sync(server.edge.tell_stopping())
        for _ in range(50):
            assert next(endless).values  # goes on
        if kind == "nghttp2":  # takes no new connections either
            time.sleep(0.1)
            assert code_of(lambda: unary(channel, ECHO)(Strings(), timeout=3)) == "UNAVAILABLE"
        server.sync(server.edge.stop())
        with pytest.raises(grpc.RpcError):
            for _ in range(1_000):
                next(endless)


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_can_be_shared_if_asked(kind: str) -> None:
    with edge_server(kind, reuse_port=True) as server:
        other = server.another_edge()
        assert other.bind(server.target) == server.target
        server.sync(other.tell_stopping())
        server.sync(other.stop())
    with edge_server(kind) as server:
        other = server.another_edge()
        with pytest.raises(SettingError, match="can't listen on"):
            other.bind(server.target)
        server.sync(other.stop())
