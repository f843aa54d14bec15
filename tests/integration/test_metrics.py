"""Metrics of real servers, added up over their workers, and workers that stay on their CPU."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Server, clustered, publish_vectors, running_server
from prometheus_client.parser import text_string_to_metric_families
from waiting import children, wait_until

from vecinity.client import AsyncClient, Client, NotFoundError, UnavailableError

SEARCH = "vecinity.v1.SearchService/Search"
NEIGHBOURS = "vecinity.v1.SearchService/StreamNeighbours"


def fetch(server: Server) -> dict[tuple[str, ...], float]:
    """Values by name and values of the labels, in the order of their names."""
    (url,) = re.findall(r"http://\S+/metrics", server.log())
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def calls(server: Server, code: str = "OK", method: str = SEARCH) -> float:
    return fetch(server).get(("vecinity_calls_total", code, method), 0.0)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    folder = tmp_path_factory.mktemp("data")
    publish_vectors(folder, "mine", clustered(), source, ids=[f"item-{n}" for n in range(len(clustered()))])
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def server(data_dir: Path, tmp_path: Path, temporary: Path, edge: str) -> Iterator[Server]:
    arguments = ("--workers", "2", "--edge", edge, "--metrics", "127.0.0.1:0")
    with running_server(data_dir, tmp_path / "log", *arguments, TMPDIR=str(temporary)) as server:
        yield server


def ask(server: Server, times: int) -> None:
    with Client(server.target) as client:
        for _ in range(times):
            client.search("mine", id="item-7", k=3)


def test_the_sum_is_what_was_asked(server: Server, edge: str, temporary: Path) -> None:
    wait_until(lambda: fetch(server).get(("vecinity_collection_version", "mine")) == 1)
    for times in range(1, 21):  # the workers get some of the connections each
        ask(server, times)
    with Client(server.target) as client:
        for _ in range(3):
            with pytest.raises(NotFoundError):
                client.search("mine", id="nobody")
        assert len(list(client.neighbours("mine", k=2))) == len(clustered())
        if edge == "nghttp2":
            wait_until(lambda: fetch(server)["vecinity_connections",] >= 1)
    wait_until(lambda: calls(server) == 210)
    wait_until(lambda: calls(server, "NOT_FOUND") == 3)
    wait_until(lambda: calls(server, "OK", NEIGHBOURS) == 1)
    wait_until(lambda: fetch(server).get(("vecinity_connections",), 0) == 0)
    found = fetch(server)
    assert found["vecinity_call_seconds_count", SEARCH] == 213
    assert 0 < found["vecinity_call_seconds_sum", SEARCH] < 60
    assert found["vecinity_batch_size_sum", "search"] == found["vecinity_queue_seconds_count", "search"] == 210
    assert found["vecinity_calls_under_way",] == 0
    assert found["vecinity_workers",] == 2
    assert found["vecinity_worker_restarts_total",] == 0
    for worker in "01":
        assert found["vecinity_worker_resident_bytes", worker] > 10e6
        assert found["vecinity_worker_cpu_seconds_total", worker] > 0
    assert len(list(temporary.glob("vecinity-metrics-*"))) == 1
    assert server.stop() == 0
    assert list(temporary.glob("vecinity-metrics-*")) == []


def test_no_count_goes_backwards_when_a_worker_dies(server: Server) -> None:
    for _ in range(20):
        ask(server, 5)
    wait_until(lambda: calls(server) == 100)
    seen = [100.0]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(calls(server))

    watching = threading.Thread(target=watch)
    watching.start()
    victim = children(server.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: fetch(server)["vecinity_worker_restarts_total",] == 1)
    wait_until(lambda: fetch(server)["vecinity_workers",] == 2)
    for _ in range(20):
        try:
            ask(server, 5)
        except UnavailableError:
            pass
    wait_until(lambda: calls(server) >= 180)
    wait_until(lambda: fetch(server).get(("vecinity_collection_version", "mine")) == 1)
    done.set()
    watching.join()
    assert seen == sorted(seen)
    assert fetch(server)["vecinity_worker_restarts_total",] == 1


def test_workers_that_hang_are_counted(data_dir: Path, tmp_path: Path, temporary: Path) -> None:
    arguments = ("--workers", "2", "--metrics", "127.0.0.1:0")
    environment = {"TMPDIR": str(temporary), "VECINITY_WORKER_TIMEOUT_SECONDS": "2"}
    with running_server(data_dir, tmp_path / "log", *arguments, **environment) as server:
        assert fetch(server)["vecinity_worker_hangs_total",] == 0
        os.kill(children(server.process.pid)[0], signal.SIGSTOP)
        wait_until(lambda: fetch(server)["vecinity_worker_hangs_total",] == 1)
        wait_until(lambda: fetch(server)["vecinity_worker_restarts_total",] == 1)
        wait_until(lambda: fetch(server)["vecinity_workers",] == 2)


def test_files_do_not_outlive_a_supervisor_that_was_killed(server: Server, temporary: Path) -> None:
    assert list(temporary.glob("vecinity-metrics-*"))
    server.stop(signal.SIGKILL)
    wait_until(lambda: not list(temporary.glob("vecinity-metrics-*")))


async def test_one_process_serves_its_own(data_dir: Path, tmp_path: Path, temporary: Path, edge: str) -> None:
    arguments = ("--workers", "1", "--edge", edge, "--metrics", "127.0.0.1:0")
    with running_server(data_dir, tmp_path / "log", *arguments, TMPDIR=str(temporary)) as server:
        async with AsyncClient(server.target) as client:
            for _ in range(7):
                await client.search("mine", id="item-7", k=3)
        wait_until(lambda: calls(server) == 7)
        assert ("vecinity_workers",) not in fetch(server)
        assert list(temporary.glob("vecinity-metrics-*")) == []
        assert server.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken(data_dir: Path, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [
            sys.executable,
            "-m",
            "vecinity.cli",
            "serve",
            "--data-dir",
            str(data_dir),
            "--listen",
            "127.0.0.1:0",
        ]
        done = subprocess.run(
            [*command, "--workers", workers, "--metrics", metrics],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"can't serve metrics on {metrics}" in done.stderr and "--metrics" in done.stderr
    assert "Traceback" not in done.stderr and "listening" not in done.stdout


def threads(pid: int) -> set[frozenset[int]]:
    """The CPUs of each thread of a process."""
    return {frozenset(os.sched_getaffinity(int(task.name))) for task in Path(f"/proc/{pid}/task").iterdir()}


def test_pinned_workers_stay_on_a_cpu_each(data_dir: Path, tmp_path: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    with running_server(data_dir, tmp_path / "log", "--workers", "3", "--pin-workers") as server:
        ask(server, 10)
        expected = [{cpus[number % len(cpus)]} for number in range(3)]
        assert sorted((os.sched_getaffinity(pid) for pid in children(server.process.pid)), key=min) == sorted(
            expected, key=min
        )
        for pid in children(server.process.pid):
            assert threads(pid) == {frozenset(os.sched_getaffinity(pid))}
        assert os.sched_getaffinity(server.process.pid) == set(cpus)


def test_one_process_is_not_pinned(data_dir: Path, tmp_path: Path) -> None:
    with running_server(data_dir, tmp_path / "log", "--pin-workers") as server:
        assert os.sched_getaffinity(server.process.pid) == os.sched_getaffinity(0)
        assert "pin_workers does nothing" in server.log()


def test_workers_go_where_they_like_by_default(data_dir: Path, tmp_path: Path) -> None:
    with running_server(data_dir, tmp_path / "log", "--workers", "2") as server:
        for pid in children(server.process.pid):
            assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
        assert "metrics" not in server.log()


def test_lines_of_the_log_say_which_worker_wrote_them(data_dir: Path, tmp_path: Path) -> None:
    with running_server(data_dir, tmp_path / "log", "--workers", "2", "--log-format", "json") as server:
        assert server.stop() == 0
        opened = [line for line in server.log().splitlines() if '"version opened"' in line]
        stopped = [line for line in server.log().splitlines() if '"stopped"' in line]
    assert sorted(re.findall(r'"worker": (\d+)', "".join(opened))) == ["0", "1"]
    assert sorted(re.findall(r'"worker": (\d+)', "".join(stopped))) == ["0", "1"]
    assert len(stopped) == 3  # the supervisor has no number
