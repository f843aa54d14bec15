"""What is counted, how it ends up as metrics, and where they are served."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from google.rpc import code_pb2
from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from vecinity.indexer.cpus import cpus_to_pin
from vecinity.indexer.errors import SettingError
from vecinity.service.batching import Batches
from vecinity.service.call import Call
from vecinity.service.config import Config, load_config
from vecinity.service.handlers import Method, StreamMethod
from vecinity.service.handlers.method import Tell
from vecinity.service.metered import UNKNOWN, MeteredPipeline
from vecinity.service.metrics import SECONDS, Metrics, State
from vecinity.service.metrics_endpoint import Endpoint, ServerMetrics, WorkersMetrics
from vecinity.service.pipeline import StatusError
from vecinity.service.pools import Pool
from vecinity.service.server import _open_metrics
from vecinity.service.tally import Tally
from vecinity.service.times import Part
from vecinity.v1 import core_pb2

ECHO, QUICK, SLOW, BROKEN, COUNT = "/t.T/Echo", "/t.T/Quick", "/t.T/Slow", "/t.T/Broken", "/t.T/Count"
REQUEST = core_pb2.StringList(values=["x"])
STATE = State(calls=3, connections=2, versions={"words": 7})
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _values_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library keeps one place for the values of a process; leave it as it was."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.MutexValue)
    yield
    values.close_all_multiprocess_files()


def read(text: str) -> Values:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(registry: CollectorRegistry) -> Values:
    return read(generate_latest(registry).decode())


def added_up(folder: Path) -> Values:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    return shown(registry)


def of(name: str, found: Values, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


# ---- counting


async def count(call: Call, request: core_pb2.StringList) -> AsyncGenerator[core_pb2.StringList, None]:
    for value in request.values:
        if value == "broken":
            raise ZeroDivisionError
        yield core_pb2.StringList(values=[value])


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def pipeline(tally: Tally) -> MeteredPipeline:
    async def echo(call: Call, request: core_pb2.StringList) -> core_pb2.StringList:
        return request

    async def slow(call: Call, request: core_pb2.StringList) -> core_pb2.StringList:
        await asyncio.sleep(30)
        return request

    async def broken(call: Call, request: core_pb2.StringList) -> core_pb2.StringList:
        raise ZeroDivisionError

    def at_once(call: Call, payload: bytes, tell: Tell) -> bool:
        request = core_pb2.StringList.FromString(payload)
        if "broken" in request.values:
            raise ZeroDivisionError
        if "slow" in request.values:
            return False
        tell(request)
        return True

    methods: dict[str, Method | StreamMethod] = {
        name: Method(core_pb2.StringList, handler) for name, handler in ((ECHO, echo), (SLOW, slow), (BROKEN, broken))
    }
    methods[QUICK] = Method(core_pb2.StringList, echo, at_once)
    return MeteredPipeline({**methods, COUNT: StreamMethod(core_pb2.StringList, count)}, calls_max=2, tally=tally)


def codes(tally: Tally, method: str) -> dict[int, int]:
    ended = tally.methods[method]
    return dict(Counter([code_pb2.OK] * len(ended.answered) + [code for code, _ in ended.failed]))


async def test_calls_count_by_how_they_end(pipeline: MeteredPipeline, tally: Tally) -> None:
    assert await pipeline.serve(Call(ECHO), REQUEST) == REQUEST
    assert await pipeline.serve(Call(ECHO), REQUEST) == REQUEST
    with pytest.raises(StatusError):
        await pipeline.serve(Call(BROKEN), REQUEST)
    with pytest.raises(StatusError):
        await pipeline.serve(Call(SLOW, deadline=time.monotonic() + 0.05), REQUEST)
    task = asyncio.create_task(pipeline.serve(Call(SLOW), REQUEST))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert codes(tally, ECHO) == {code_pb2.OK: 2}
    assert codes(tally, BROKEN) == {code_pb2.INTERNAL: 1}
    assert codes(tally, SLOW) == {code_pb2.DEADLINE_EXCEEDED: 1, code_pb2.CANCELLED: 1}
    assert sum(seconds for _, seconds in tally.methods[SLOW].failed) > 0.05
    assert pipeline.calls == 0


async def test_calls_without_a_task_count_too(pipeline: MeteredPipeline, tally: Tally) -> None:
    told: list[object] = []
    gone = Call(QUICK)
    gone.cancelled.set()

    def begin(call: Call, *given: str) -> bool:
        return pipeline.begin(call, core_pb2.StringList(values=given).SerializeToString(), told.append)

    assert begin(Call(QUICK), "a") and told == [core_pb2.StringList(values=["a"])]
    assert begin(Call(QUICK), "broken") and begin(gone, "a") and begin(Call(QUICK, deadline=0.0), "a")
    assert len(told) == 4 and pipeline.calls == 0
    # What is for `serve` counts there, once.
    assert not begin(Call(QUICK), "slow") and not begin(Call(ECHO), "a")
    await pipeline.serve(Call(QUICK), REQUEST)
    expected = {code_pb2.OK: 2, code_pb2.INTERNAL: 1, code_pb2.CANCELLED: 1, code_pb2.DEADLINE_EXCEEDED: 1}
    assert codes(tally, QUICK) == expected
    assert codes(tally, ECHO) == {}


async def test_names_that_clients_invent_are_one_method(pipeline: MeteredPipeline, tally: Tally) -> None:
    for number in range(5):
        with pytest.raises(StatusError):
            pipeline.decode(f"/t.T/None{number}", b"")
        with pytest.raises(StatusError):
            await pipeline.serve(Call(f"/t.T/None{number}"), REQUEST)
    with pytest.raises(StatusError):
        pipeline.decode(ECHO, b"\xff\xff\xff")
    assert set(tally.methods) == {ECHO, QUICK, SLOW, BROKEN, COUNT, UNKNOWN}
    assert codes(tally, UNKNOWN) == {code_pb2.UNIMPLEMENTED: 10}
    assert codes(tally, ECHO) == {code_pb2.INVALID_ARGUMENT: 1}
    assert tally.methods[ECHO].failed == [(code_pb2.INVALID_ARGUMENT, None)]


async def test_a_stream_is_one_call(pipeline: MeteredPipeline, tally: Tally) -> None:
    async def parts(*given: str) -> list[str]:
        request = core_pb2.StringList(values=given)
        async with aclosing(pipeline.stream(Call(COUNT), request)) as stream:
            return [part.values[0] async for part in stream]

    assert await parts("a", "b", "c") == ["a", "b", "c"]
    with pytest.raises(StatusError):
        await parts("a", "broken")
    async with aclosing(pipeline.stream(Call(COUNT), core_pb2.StringList(values="abc"))) as stream:
        await anext(stream)
    assert pipeline.calls == 0
    assert codes(tally, COUNT) == {code_pb2.OK: 1, code_pb2.INTERNAL: 1, code_pb2.CANCELLED: 1}


async def test_batches_count_with_the_wait_of_each_item(tally: Tally) -> None:
    class Key(tuple[str]):
        seconds_each = 0.0
        batch_max = 4

    pool = Pool(1, "work", tally=tally)
    batches: Batches[Key, int, int] = Batches(pool, lambda key, items: list(items), Part.SEARCH)
    assert await asyncio.gather(*(batches.do(Call("m"), Key("a"), item) for item in range(6))) == list(range(6))
    pool.close()
    counted = tally.batches[Part.SEARCH]
    assert counted.sizes == [4, 2]
    assert len(counted.waited) == 6 and all(0 < seconds < 60 for seconds in counted.waited)


# ---- metrics


def test_times_lie_in_buckets_whose_ends_are_in_them(tally: Tally, rng: np.random.Generator) -> None:
    seconds = [*SECONDS, 0.0, 11.0, *rng.exponential(0.1, 1_000).tolist()]
    tally.methods[ECHO].answered.extend(seconds)
    metrics = Metrics(tally)
    metrics.update(STATE)
    found = shown(metrics.registry)
    for bound in SECONDS:
        expected = sum(number <= bound for number in seconds)
        assert of("vecinity_call_seconds_bucket", found, method="t.T/Echo", le=str(bound)) == expected
    assert of("vecinity_call_seconds_bucket", found, method="t.T/Echo", le="+Inf") == len(seconds)
    assert of("vecinity_call_seconds_sum", found, method="t.T/Echo") == pytest.approx(sum(seconds))


def test_what_is_counted_becomes_metrics(tally: Tally) -> None:
    calls, batches = tally.methods[ECHO], tally.batches[Part.SEARCH]
    metrics = Metrics(tally)
    metrics.update(STATE)
    found = shown(metrics.registry)
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="OK") == 0
    assert of("vecinity_call_seconds_count", found, method="t.T/Echo") == 0
    assert of("vecinity_batch_size_count", found, work="search") == 0
    calls.answered.extend((0.0002, 0.0004, 0.3, 20.0))
    calls.failed.extend([(code_pb2.NOT_FOUND, 0.0004), (code_pb2.INVALID_ARGUMENT, None)])
    batches.sizes.append(3)
    batches.waited.extend([0.001, 0.002, 0.003])
    for _ in range(2):  # what has been taken in is not counted again
        metrics.update(STATE)
    found = shown(metrics.registry)
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="OK") == 4
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="NOT_FOUND") == 1
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="INVALID_ARGUMENT") == 1
    assert of("vecinity_call_seconds_count", found, method="t.T/Echo") == 5
    assert of("vecinity_call_seconds_sum", found, method="t.T/Echo") == pytest.approx(20.3010)
    assert of("vecinity_batch_size_sum", found, work="search") == 3
    assert of("vecinity_batch_size_count", found, work="search") == 1
    assert of("vecinity_queue_seconds_count", found, work="search") == 3
    assert of("vecinity_calls_under_way", found) == 3
    assert of("vecinity_connections", found) == 2
    assert of("vecinity_collection_version", found, collection="words") == 7
    assert of("vecinity_worker_resident_bytes", found, worker="0") > 10e6
    assert of("vecinity_worker_cpu_seconds_total", found, worker="0") > 0
    calls.answered.append(1.0)
    metrics.update(STATE)
    assert of("vecinity_calls_total", shown(metrics.registry), method="t.T/Echo", code="OK") == 5


def worker(folder: Path, number: int, calls: int, version: int) -> None:
    tally = Tally()
    tally.methods[ECHO]
    metrics = Metrics(tally, worker=number, folder=folder)
    for _ in range(calls):
        tally.methods[ECHO].answered.append(0.01)
    metrics.update(State(calls=1, connections=4, versions={"words": version}))


def test_workers_are_added_up(tmp_path: Path) -> None:
    worker(tmp_path, 0, 5, 1)
    worker(tmp_path, 1, 7, 2)
    found = added_up(tmp_path)
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="OK") == 12
    assert of("vecinity_call_seconds_bucket", found, method="t.T/Echo", le="0.01") == 12
    assert of("vecinity_call_seconds_count", found, method="t.T/Echo") == 12
    assert of("vecinity_calls_under_way", found) == 2
    assert of("vecinity_connections", found) == 8
    assert of("vecinity_collection_version", found, collection="words") == 1  # not yet everywhere
    assert of("vecinity_worker_resident_bytes", found, worker="0") > 10e6
    assert of("vecinity_worker_resident_bytes", found, worker="1") > 10e6


def test_the_dead_keep_what_they_did_and_lose_what_they_had(tmp_path: Path) -> None:
    worker(tmp_path, 0, 5, 1)
    worker(tmp_path, 1, 7, 2)
    mark_process_dead(0, str(tmp_path))
    found = added_up(tmp_path)
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="OK") == 12
    assert of("vecinity_connections", found) == 4
    assert of("vecinity_collection_version", found, collection="words") == 2
    files = len(list(tmp_path.iterdir()))
    for _ in range(3):  # those who replace it go on counting, in the same files
        worker(tmp_path, 0, 1, 2)
    found = added_up(tmp_path)
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="OK") == 15
    assert of("vecinity_connections", found) == 8
    assert len(list(tmp_path.iterdir())) == files + 2


def test_files_have_their_room_before_they_are_mapped(tmp_path: Path) -> None:
    worker(tmp_path, 0, 1, 1)
    for path in tmp_path.iterdir():
        assert path.stat().st_blocks * 512 >= path.stat().st_size


def test_a_full_disk_costs_the_metrics_but_not_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with capture_logs() as log:
        assert _open_metrics("127.0.0.1:0", 0, tmp_path) is None
    assert ["no room" in line["event"] for line in log] == [True]


async def test_an_update_that_fails_is_not_the_last(tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecinity.service.metrics._UPDATE_SECONDS", 0.001)
    metrics = Metrics(tally)
    looks = iter([ZeroDivisionError(), STATE])

    def look() -> State:
        found = next(looks, STATE)
        if isinstance(found, Exception):
            raise found
        return found

    keeping = asyncio.create_task(metrics.keep_up(look))
    end = time.monotonic() + 10
    while of("vecinity_connections", shown(metrics.registry)) != 2:
        assert time.monotonic() < end and not keeping.done()
        await asyncio.sleep(0.005)
    keeping.cancel()


# ---- where they are served


def fetch(address: str) -> Values:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return read(answer.read().decode())


def test_workers_metrics_are_served_and_cleared_up() -> None:
    metrics = WorkersMetrics("127.0.0.1:0")
    try:
        metrics.worker_ready()
        metrics.worker_ready()
        worker(metrics.folder, 0, 5, 1)
        metrics.worker_died(0, was_ready=True)
        metrics.worker_died(0, was_ready=False)
        found = fetch(metrics.address)
        assert of("vecinity_worker_restarts_total", found) == 2
        assert of("vecinity_workers", found) == 1
        assert of("vecinity_calls_total", found, method="t.T/Echo", code="OK") == 5
        assert ("vecinity_connections", ()) not in found
        assert metrics.folder.stat().st_mode & 0o077 == 0
    finally:
        metrics.close()
    assert not metrics.folder.exists()
    with pytest.raises(OSError):
        fetch(metrics.address)


async def test_a_server_counts_up_to_its_end() -> None:
    metrics = ServerMetrics("127.0.0.1:0")
    assert metrics.address is not None
    calls = metrics.tally.methods[ECHO]
    calls.answered.append(0.1)
    metrics.start(lambda: STATE)
    found = await asyncio.to_thread(fetch, metrics.address)
    assert of("vecinity_calls_total", found, method="t.T/Echo", code="OK") == 1
    calls.answered.append(0.1)
    await metrics.stop()
    assert codes(metrics.tally, ECHO) == {}
    with pytest.raises(OSError):
        await asyncio.to_thread(fetch, metrics.address)


def test_an_address_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        for make in (lambda: Endpoint(listen, CollectorRegistry()), lambda: WorkersMetrics(listen)):
            with pytest.raises(SettingError, match=r"can't serve metrics on .*--metrics"):
                make()
    with pytest.raises(SettingError, match="can't serve metrics"):
        Endpoint("no.such.host.invalid:0", CollectorRegistry())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(SettingError, match="TMPDIR"):
        WorkersMetrics("127.0.0.1:0")


def test_clients_that_go_away_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = Endpoint("127.0.0.1:0", CollectorRegistry())
    host, _, port = endpoint.address.rpartition(":")
    for said in (b"", b"GET / HT", b"\0\xff\r\n\r\n", b"GET /metrics HTTP/1.0\r\n\r\n"):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(said)
    assert fetch(endpoint.address) == {}
    endpoint.close()
    assert "Traceback" not in capsys.readouterr().err


def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    endpoint = Endpoint("[::1]:0", CollectorRegistry())
    assert endpoint.address.startswith("[::1]:") and fetch(endpoint.address) == {}
    endpoint.close()


# ---- settings


def test_metrics_are_off_and_cost_no_import() -> None:
    assert Config().metrics is None and Config().pin_workers is False
    code = (
        "import sys, vecinity.service.server, vecinity.service.supervisor, vecinity.cli.serve;"
        "assert not [name for name in sys.modules if 'prometheus' in name]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("value", ["9464", "localhost", "localhost:x", ":1", "127.0.0.1:70000"])
def test_metrics_must_be_an_address(value: str) -> None:
    with pytest.raises(SettingError, match="metrics: must be host:port"):
        load_config(metrics=value)


def test_cpus_to_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {7, 2, 3})
    assert cpus_to_pin() == [2, 3, 7]
    monkeypatch.delattr("os.sched_setaffinity")
    with pytest.raises(SettingError, match="pin_workers"):
        cpus_to_pin()
