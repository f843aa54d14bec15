"""Several worker processes behind one address: start, death, publish, drain."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import Server, clustered, publish_vectors, running_server
from http2_peer import Peer
from oracle import Oracle
from waiting import children, runs, until, wait_until

from vecinity.client import Client, UnavailableError
from vecinity.indexer.ann import Family
from vecinity.indexer.errors import SettingError
from vecinity.service.config import Config
from vecinity.service.supervisor import Supervisor


def ask(target: str) -> int:
    """The version that answers on a connection of its own."""
    with Client(target) as client:
        result = client.search("mine", id="item-7", k=3)
        assert len(result) == 3
        return result.version


def established(pid: int) -> int:
    """Connections that a process has taken in."""
    sockets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[3] == "01" and f"socket:[{line.split()[9]}]" in sockets for line in lines)


def retried(work):  # type: ignore[no-untyped-def]
    """What work gives when a server answers again."""
    end = time.monotonic() + 20
    while True:
        try:
            return work()
        except UnavailableError:
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    publish_vectors(folder, "mine", clustered(), tmp_path, ids=[f"item-{n}" for n in range(len(clustered()))])
    return folder


@pytest.fixture
def server(data_dir: Path, tmp_path: Path, edge: str) -> Iterator[Server]:
    with running_server(data_dir, tmp_path / "log", "--workers", "2", "--edge", edge) as server:
        assert len(children(server.process.pid)) == 2
        yield server


def test_all_workers_are_ready_when_the_address_is_told(server: Server) -> None:
    assert server.log().count("version opened") == 2
    for _ in range(20):
        ask(server.target)


def test_a_worker_that_dies_is_replaced_while_the_other_answers(server: Server) -> None:
    first = children(server.process.pid)
    faults: list[Exception] = []
    answers = 0
    done = threading.Event()

    def keep_asking() -> None:
        nonlocal answers
        while not done.is_set():
            try:
                ask(server.target)
                answers += 1
            except Exception as error:
                faults.append(error)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    wait_until(lambda: answers > 5)
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(children(server.process.pid)) == 2 and victim not in children(server.process.pid))
    wait_until(lambda: server.log().count("version opened") == 3)
    seen = answers
    wait_until(lambda: answers > seen + 20)
    done.set()
    asking.join()
    # Calls under way in the worker that died are lost, and say so.
    assert all(isinstance(fault, UnavailableError) for fault in faults), faults
    assert len(faults) <= 2
    assert "worker died" in server.log() and f"exit_code=-{int(signal.SIGKILL)}" in server.log()


@pytest.mark.parametrize("edge", ["nghttp2"])
def test_connections_are_shared_out_evenly(server: Server) -> None:
    workers = children(server.process.pid)
    host, _, port = server.target.rpartition(":")
    peers = [Peer((host, int(port))) for _ in range(8)]
    assert [established(worker) for worker in workers] == [4, 4]
    for peer in peers[::2]:  # those of one worker, as each new one goes to the other
        peer.socket.close()
    wait_until(lambda: sorted(map(established, workers)) == [0, 4])
    more = [Peer((host, int(port))) for _ in range(4)]
    assert [established(worker) for worker in workers] == [4, 4]
    for peer in peers + more:
        peer.socket.close()


def test_connections_wait_while_there_is_no_worker(server: Server) -> None:
    for worker in children(server.process.pid):
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: server.log().count("worker died") == 2)
    with Client(server.target) as client:
        wait_until(lambda: len(children(server.process.pid)) == 2)
        assert len(retried(lambda: client.search("mine", id="item-7", k=3))) == 3


def test_a_worker_that_hangs_is_replaced(data_dir: Path, tmp_path: Path, edge: str) -> None:
    options = ("--workers", "2", "--edge", edge)
    with running_server(data_dir, tmp_path / "log", *options, VECINITY_WORKER_TIMEOUT_SECONDS="3") as server:
        time.sleep(1)
        before = children(server.process.pid)
        victim = min(before)
        os.kill(victim, signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: victim not in children(server.process.pid))
        assert 2 < time.monotonic() - began < 8
        wait_until(lambda: server.log().count("version opened") == 3)
        assert "worker killed" in server.log() and "nothing was heard of it for 3 s" in server.log()
        for _ in range(10):
            retried(lambda: ask(server.target))
        assert max(before) in children(server.process.pid)
        assert server.stop() == 0


@pytest.mark.parametrize("edge", ["nghttp2"])
def test_a_silent_worker_gets_no_connections_and_is_given_time(server: Server) -> None:
    workers = children(server.process.pid)
    silent, other = sorted(workers)
    host, _, port = server.target.rpartition(":")
    os.kill(silent, signal.SIGSTOP)
    try:
        wait_until(lambda: "gets no connections" in server.log())
        peers = [Peer((host, int(port))) for _ in range(6)]
        assert established(other) == 6
    finally:
        os.kill(silent, signal.SIGCONT)
    wait_until(lambda: "worker speaks again" in server.log())
    more = [Peer((host, int(port))) for _ in range(6)]
    assert established(silent) == established(other) == 6
    assert children(server.process.pid) == workers
    for peer in peers + more:
        peer.socket.close()


def test_a_stopped_supervisor_takes_nobody_for_silent(data_dir: Path, tmp_path: Path) -> None:
    options = ("--workers", "2")
    with running_server(data_dir, tmp_path / "log", *options, VECINITY_WORKER_TIMEOUT_SECONDS="2") as server:
        time.sleep(1)
        workers = children(server.process.pid)
        for pid in (server.process.pid, *workers):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)  # as when the whole machine is suspended
        os.kill(server.process.pid, signal.SIGCONT)
        time.sleep(0.2)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        time.sleep(3)
        assert children(server.process.pid) == workers
        assert "worker killed" not in server.log()


def test_the_port_is_free_again_at_once(data_dir: Path, tmp_path: Path, edge: str) -> None:
    port = 0
    for _ in range(3):
        options = ("--workers", "2", "--edge", edge, "--listen", f"127.0.0.1:{port}")
        with running_server(data_dir, tmp_path / "log", *options) as server, Client(server.target) as client:
            client.search("mine", id="item-7", k=3)
            port = int(server.target.rpartition(":")[2])
            server.stop()  # closes first, so that what is left of the connection is on its side


def test_a_new_version_reaches_every_worker(server: Server, data_dir: Path, tmp_path: Path) -> None:
    ids = [f"item-{n}" for n in range(len(clustered()))]
    oracles = {1: Oracle(ids, clustered(), "cosine"), 2: Oracle(ids, clustered(seed=5), "cosine")}

    def answering() -> int:
        """The version that answers; all of its answer is of that version."""
        with Client(server.target) as client:
            found = client.search("mine", id="item-7", k=3, exact=True)
        oracle = oracles[found.version]
        assert found.ids == oracle.search(oracle.vector("item-7"), 3, without={"item-7"})[0]
        return found.version

    assert {answering() for _ in range(10)} == {1}
    publish_vectors(data_dir, "mine", clustered(seed=5), tmp_path, ids=ids, family=Family.HNSW)
    wait_until(lambda: {answering() for _ in range(20)} == {2})
    assert server.log().count("version opened") == 4  # two versions, two workers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_stop_together(server: Server, number: int) -> None:
    workers = children(server.process.pid)
    assert server.stop(number) == 0
    assert not any(runs(worker) for worker in workers)


def test_workers_do_not_outlive_their_supervisor(server: Server) -> None:
    workers = children(server.process.pid)
    server.stop(signal.SIGKILL)
    wait_until(lambda: not any(runs(worker) for worker in workers))


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vecinity.cli", "serve", "--workers", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_an_address_that_is_taken_is_not_shared_by_mistake(server: Server, data_dir: Path) -> None:
    done = serve("--data-dir", str(data_dir), "--listen", server.target)
    assert done.returncode == 2
    assert "can't listen on" in done.stderr and "Traceback" not in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = serve("--data-dir", str(data_dir), "--listen", f"127.0.0.1:{other.getsockname()[1]}")
        assert done.returncode == 2 and "can't listen on" in done.stderr


def test_an_address_is_taken_before_workers_listen_on_it(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["--data-dir", str(data_dir), "--listen", f"127.0.0.1:{port}"]
    first = subprocess.Popen(
        [sys.executable, "-m", "vecinity.cli", "serve", "--workers", "2", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: len(children(first.pid)) == 2)
        workers = children(first.pid)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)  # as if they had much to open
        try:
            done = serve(*arguments)
        finally:
            for worker in workers:
                os.kill(worker, signal.SIGCONT)
        assert done.returncode == 2 and "can't listen on" in done.stderr
        assert first.stdout is not None
        assert first.stdout.readline().startswith(b"listening on")
    finally:
        first.kill()  # its workers end with it
        first.communicate()


async def test_a_worker_that_ends_without_a_word_is_not_ready() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdout=asyncio.subprocess.PIPE)
    assert "ended before it was ready" in await Supervisor._first_words(process)
    await process.wait()


async def test_a_worker_that_says_something_else_is_not_ready() -> None:
    script = "import time; print('hello', flush=True); time.sleep(60)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert "no answer" in await Supervisor._first_words(process)
    assert await process.wait() == -signal.SIGKILL


class Poor(Supervisor):
    """Starts what says it is ready and lives until SIGTERM, but for some starts for which there is no memory."""

    def __init__(self, refused: set[int], seconds: float = 60, script: str = "") -> None:
        super().__init__(Config(workers=1, drain_seconds=1, worker_timeout_seconds=2), "127.0.0.1:0")
        self.starts = 0
        self._refused = refused
        self._script = script or f"import sys, time; print('{{}}', flush=True); time.sleep({seconds})"

    async def _spawned(self, inherited: Sequence[int]) -> asyncio.subprocess.Process:
        self.starts += 1
        if self.starts in self._refused:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(sys.executable, "-c", self._script, stdin=pipe, stdout=pipe)


async def test_a_worker_that_finds_no_memory_is_started_later() -> None:
    supervisor = Poor({2, 3}, seconds=0.1)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(lambda: None, stop, asyncio.Event()))
    await until(lambda: supervisor.starts >= 4 or running.done(), 20)
    stop.set()
    await running


async def starts_within(seconds: float, supervisor: Poor) -> int:
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(lambda: None, stop, asyncio.Event()))
    await asyncio.wait((running,), timeout=seconds)
    stop.set()
    await running
    return supervisor.starts


async def test_a_worker_that_falls_silent_is_replaced_and_one_that_speaks_is_not() -> None:
    assert await starts_within(4, Poor(set())) == 2
    script = "import time; print('{}', flush=True)\nwhile True: time.sleep(0.5); print(end='.', flush=True)"
    assert await starts_within(4, Poor(set(), script=script)) == 1


async def test_no_memory_for_the_first_worker_is_told() -> None:
    with pytest.raises(SettingError, match=f"can't start: .*{os.strerror(errno.EAGAIN)}"):
        await Poor({1}).run(lambda: None, asyncio.Event(), asyncio.Event())


def test_what_keeps_workers_from_starting_is_told_once(tmp_path: Path) -> None:
    done = serve("--data-dir", str(tmp_path / "absent"), "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert done.stderr.count("absent") == 1 and "Traceback" not in done.stderr
