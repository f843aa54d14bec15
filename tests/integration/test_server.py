"""Real server processes: start, health, reflection, publish, damage, drain."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from conftest import clustered, publish_vectors, running_server
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from waiting import wait_until

from vecinity.client import Client, VecinityError, errors
from vecinity.indexer.ann import Family
from vecinity.indexer.catalog import Catalog
from vecinity.indexer.errors import SettingError
from vecinity.service.config import load_config


@pytest.fixture
def _edges(edge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECINITY_EDGE", edge)


over_every_edge = pytest.mark.usefixtures("_edges")
"""For tests that start servers of their own, and are about what differs between edges."""


def refused(call: Future[Any]) -> bool:
    return call.done() and isinstance(call.exception(), errors.ResourceExhaustedError)


def under_way(other: Client, ask: Callable[[], Future[Any]], calls_max: int) -> list[Future[Any]]:
    """As many calls as a server allows, all of them under way: it refuses one that comes by another connection."""
    calls = [ask() for _ in range(calls_max)]
    while True:
        try:
            other.get_collection("mine")  # waits for no other call
        except errors.ResourceExhaustedError:
            return calls
        calls = [ask() if refused(call) else call for call in calls]  # it came while ours was under way
        assert not any(call.done() and call.exception() is None for call in calls), "ask for more"


def version_served(client: Client, name: str = "mine") -> int:
    return client.get_collection(name).version


def health_of(target: str, service: str) -> str:
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            status = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status
        except grpc.RpcError as error:
            return str(error.code().name)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(status)


def test_health_is_told_for_each_collection(server) -> None:  # type: ignore[no-untyped-def]
    assert health_of(server.target, "") == "SERVING"
    assert health_of(server.target, "vecinity.v1.SearchService") == "SERVING"
    assert health_of(server.target, "collections/words") == "SERVING"
    assert health_of(server.target, "collections/absent") == "NOT_FOUND"


@over_every_edge
def test_reflection_is_behind_its_flag(server, collections_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with grpc.insecure_channel(server.target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "vecinity.v1.SearchService" in database.get_services()
        service = DescriptorPool(database).FindServiceByName("vecinity.v1.SearchService")
        assert [method.name for method in service.methods][:2] == ["Search", "BatchSearch"]
    with running_server(collections_dir, tmp_path / "log") as silent, grpc.insecure_channel(silent.target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("method", "payload", "code", "reason"),
    [
        ("/vecinity.v1.SearchService/Find", b"", "UNIMPLEMENTED", "ERROR_REASON_UNKNOWN_METHOD"),
        ("/vecinity.v1.SearchService/Search", b"\xff\xff", "INVALID_ARGUMENT", "ERROR_REASON_INVALID_ARGUMENT"),
        ("/vecinity.v1.SearchService/Search", b"", "INVALID_ARGUMENT", "ERROR_REASON_INVALID_ARGUMENT"),
    ],
)
def test_rich_details_reach_a_bare_caller(server, method: str, payload: bytes, code: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    with grpc.insecure_channel(server.target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(method)(payload, timeout=5)
    assert caught.value.code().name == code
    details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert info.reason == reason


def test_a_call_gone_before_its_answer_costs_nothing(server) -> None:  # type: ignore[no-untyped-def]
    vectors = clustered(5_000, seed=2)
    with Client(server.target) as client:
        for _ in range(5):
            with pytest.raises(errors.DeadlineExceededError):
                client.batch_search("cosine-flat", vectors=vectors, k=100, exact=True, timeout=0.02)
        began = time.monotonic()
        client.search("cosine-flat", id="item-1")
        assert time.monotonic() - began < 5


@over_every_edge
def test_a_publish_reaches_a_running_server_without_interrupting_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    publish_vectors(data_dir, "mine", clustered(500), tmp_path)
    with running_server(data_dir, tmp_path / "log") as server, Client(server.target) as client:
        stop = threading.Event()

        def ask() -> list[int]:
            seen = []
            while not stop.is_set():
                result = client.batch_search("mine", ids=["0", "499"], k=3)
                assert [len(hits) for hits in result] == [3, 3]
                seen.append(result.version)
            return [*seen, version_served(client)]  # a call under way at the swap ends with the version before

        with ThreadPoolExecutor(4) as pool:
            askers = [pool.submit(ask) for _ in range(4)]
            for number in (2, 3, 4):
                publish_vectors(data_dir, "mine", clustered(500 + number), tmp_path)
                began = time.monotonic()
                wait_until(lambda number=number: version_served(client) == number, 10)
                assert time.monotonic() - began < 5
            stop.set()
            for asker in askers:
                seen = asker.result()
                assert seen == sorted(seen) and seen[-1] == 4
        assert client.search("mine", id="0", version=3).version == 3  # kept, and can still be asked
        with pytest.raises(errors.NotFoundError):
            client.search("mine", id="0", version=1)  # pruned
        assert server.stop() == 0
        assert "Traceback" not in server.log()


def test_a_new_collection_is_served_and_healthy(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    Catalog(data_dir).close()
    with running_server(data_dir, tmp_path / "log") as server, Client(server.target) as client:
        assert list(client.list_collections()) == []
        publish_vectors(data_dir, "mine", clustered(50), tmp_path)
        wait_until(lambda: [c.name for c in client.list_collections()] == ["mine"], 10)
        wait_until(lambda: health_of(server.target, "collections/mine") == "SERVING", 10)


@pytest.mark.parametrize("name", ["vectors.npy", "items.arrow", "id_hashes.npy", "index.faiss", "segment.json"])
def test_a_damaged_version_is_refused_and_the_one_before_serves(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / "data"
    for rows in (300, 400):
        publish_vectors(data_dir, "mine", clustered(rows), tmp_path, family=Family.HNSW, target_recall=0)
    catalog = Catalog(data_dir)
    damaged = catalog.segment_folder(catalog.version("mine")) / name
    damaged.write_bytes(damaged.read_bytes()[:-7])
    with running_server(data_dir, tmp_path / "log") as server, Client(server.target) as client:
        assert version_served(client) == 1
        assert len(client.search("mine", id="299", k=5)) == 5
        assert name in server.log()
        with pytest.raises(errors.CorruptError, match=re.escape(name)):
            client.search("mine", id="0", version=2)


def test_nothing_but_damaged_versions(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    publish_vectors(data_dir, "mine", clustered(30), tmp_path)
    publish_vectors(data_dir, "good", clustered(30), tmp_path)
    catalog = Catalog(data_dir)
    (catalog.segment_folder(catalog.version("mine")) / "vectors.npy").unlink()
    with running_server(data_dir, tmp_path / "log") as server, Client(server.target) as client:
        with pytest.raises(errors.CorruptError, match=r"vectors\.npy"):
            client.search("mine", id="0")
        assert client.search("good", id="0")


@over_every_edge
def test_sigterm_lets_calls_under_way_end(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    publish_vectors(data_dir, "mine", clustered(20_000, dimension=256), tmp_path, family=Family.FLAT)
    queries = clustered(10_000, dimension=256, seed=5)
    settings = {"VECINITY_THREADS": "1", "VECINITY_CALLS_MAX": "1", "VECINITY_DRAIN_SECONDS": "60"}
    with (
        running_server(data_dir, tmp_path / "log", **settings) as server,
        Client(server.target) as client,
        Client(server.target) as other,
    ):
        with ThreadPoolExecutor(1) as pool:
            [call] = under_way(other, lambda: pool.submit(client.batch_search, "mine", vectors=queries, k=10), 1)
            server.process.send_signal(signal.SIGTERM)
            assert len(call.result(60)) == 10_000
        assert server.process.wait(30) == 0
        assert re.search(r"stopping +calls=1 ", server.log()), "the call had ended before: ask for more"
        with pytest.raises(VecinityError):
            client.search("mine", id="0", timeout=1)


@over_every_edge
def test_an_idle_health_watch_does_not_hold_up_the_end(collections_dir: Path, tmp_path: Path) -> None:
    with running_server(collections_dir, tmp_path / "log") as server, grpc.insecure_channel(server.target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5  # the drain may take 10


@over_every_edge
def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    publish_vectors(data_dir, "mine", clustered(20_000, dimension=256), tmp_path, family=Family.FLAT)
    queries = clustered(10_000, dimension=256, seed=5)
    settings = {"VECINITY_THREADS": "1", "VECINITY_CALLS_MAX": "2", "VECINITY_DRAIN_SECONDS": "60"}
    with (
        running_server(data_dir, tmp_path / "log", **settings) as server,
        Client(server.target) as client,
        Client(server.target) as other,
    ):
        with ThreadPoolExecutor(2) as pool:
            calls = under_way(other, lambda: pool.submit(client.batch_search, "mine", vectors=queries, k=50), 2)
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: re.search(r"stopping +calls=[12] ", server.log()))
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert server.process.wait(30) == 0
            assert time.monotonic() - began < 8
            assert any(call.exception() is not None for call in calls)


@over_every_edge
def test_sigint_stops_too(collections_dir: Path, tmp_path: Path) -> None:
    with running_server(collections_dir, tmp_path / "log") as server:
        assert server.stop(signal.SIGINT) == 0


@over_every_edge
def test_a_port_taken_is_one_clear_line(collections_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "vecinity.cli", "serve", "--data-dir", str(collections_dir)]
        done = subprocess.run([*command, "--listen", address], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("vecinity: ")]
    assert len(lines) == 1 and f"can't listen on {address}" in lines[0]
    assert "Traceback" not in done.stderr


def test_settings_come_from_environment_and_file(collections_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "vecinity.toml").write_text("k_max = 7\nlog_format = 'json'\n")
    with running_server(
        collections_dir, tmp_path / "log", VECINITY_CONFIG=str(tmp_path / "vecinity.toml"), VECINITY_BATCH_MAX="2"
    ) as server:
        with Client(server.target) as client:
            with pytest.raises(errors.InvalidArgumentError, match="from 1 to 7"):
                client.search("words", id="king", k=8)
            with pytest.raises(errors.InvalidArgumentError, match="from 1 to 2"):
                client.batch_search("words", ids=["a", "b", "c"], k=1)
        assert server.log().startswith("{")


@pytest.mark.parametrize(
    ("toml", "variables", "flags", "message"),
    [
        ("k_maxx = 7", {}, {}, r"in the settings: 'k_maxx' in \S+vecinity\.toml: there is no .* mean 'k_max'\?"),
        ("workers = 'many'", {}, {}, r"in the settings: 'workers' in \S+\.toml: Input should be a valid integer"),
        ("workers = 2", {"VECINITY_WORKERS": "many"}, {}, r"in the settings: VECINITY_WORKERS: Input should be"),
        ("workers = 2", {"VECINITY_WORKERS": "3"}, {"workers": "many"}, r"in the settings: workers: Input should be"),
        ("tls_key = 'k'", {}, {}, r"in the settings: tls_certificate and tls_key go together"),
        ("workers = ", {}, {}, r"vecinity\.toml is no TOML file"),
        ("", {"VECINITY_WORKRES": "2"}, {}, r"there is no setting VECINITY_WORKRES: did you mean VECINITY_WORKERS\?"),
        ("", {"vecinity_k_mx": "2"}, {}, r"there is no setting VECINITY_K_MX: did you mean VECINITY_K_MAX\?"),
        ("", {"vecinity_k_max": "x"}, {}, r"in the settings: VECINITY_K_MAX: Input should be"),
        ("K_MX = 7", {}, {}, r"'K_MX' in \S+\.toml: there is no such setting; did you mean 'k_max'\?"),
        ("", {}, {"metrics": "127.0.0.1:\u0663"}, r"metrics: must be host:port"),
        ("", {"VECINITY_QQQQ": "2"}, {}, r"there is no setting VECINITY_QQQQ: see 'vecinity serve --help'"),
        ("", {"VECINITY_CONFIG": ""}, {}, r"VECINITY_CONFIG is '', which is no file"),
    ],
)
def test_a_setting_at_fault_is_named_as_its_source_calls_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    toml: str,
    variables: dict[str, str],
    flags: dict[str, str],
    message: str,
) -> None:
    (tmp_path / "vecinity.toml").write_text(toml)
    for name, value in {"VECINITY_CONFIG": str(tmp_path / "vecinity.toml"), **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=message):
        load_config(**flags)


def test_many_clients_at_once_get_their_own_answers(server) -> None:  # type: ignore[no-untyped-def]
    vectors = clustered()
    with Client(server.target) as client, ThreadPoolExecutor(16) as pool:
        rows = list(range(0, 2_000, 5))
        found = pool.map(lambda row: client.search("euclidean-flat", vector=vectors[row], k=1).ids[0], rows)
        assert list(found) == [f"item-{row}" for row in rows]


@over_every_edge
def test_more_calls_than_allowed_are_refused_not_queued(collections_dir: Path, tmp_path: Path) -> None:
    queries = np.tile(clustered(), (2, 1))
    with running_server(collections_dir, tmp_path / "log", VECINITY_CALLS_MAX="1") as server:
        with Client(server.target) as client, ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(client.batch_search, "cosine-flat", vectors=queries, k=50) for _ in range(8)]
            outcomes = [call.exception() for call in calls]
        assert any(outcome is None for outcome in outcomes)
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert refused and all(isinstance(outcome, errors.ResourceExhaustedError) for outcome in refused)


@over_every_edge
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("closed", ["0<&-", "0<&- 1>&- 2>&-"])
def test_standard_streams_may_be_closed(tmp_path: Path, closed: str, workers: str) -> None:
    publish_vectors(tmp_path / "data", "mine", clustered(), tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        target = f"127.0.0.1:{free.getsockname()[1]}"
    serve = [sys.executable, "-m", "vecinity.cli", "serve", "--data-dir", str(tmp_path / "data"), "--listen", target]
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *serve, "--workers", workers]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: health_of(target, "") == "SERVING", 20)
        with Client(target) as client:
            assert len(client.search("mine", id="7", k=3)) == 3
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
