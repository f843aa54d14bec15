"""An embedder in a process of its own; here one of words, which takes no second to open."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from waiting import runs, wait_until

from vecinity.indexer.catalog import Catalog, EmbedderRecord
from vecinity.indexer.embedding import open_embedder
from vecinity.indexer.errors import CorruptError, MissingExtraError, NoSubwordsError, UnknownWordError
from vecinity.indexer.unknown_words import UnknownWords
from vecinity.service import embedder_keeper, embedder_process
from vecinity.service.embedder_keeper import EmbedderKeeper
from vecinity.service.embedder_process import EmbedderProcess
from vecinity.service.embedders import Embedders
from vecinity.service.errors import EmbedderLostError


@pytest.fixture(scope="module")
def record(collections_dir: Path) -> EmbedderRecord:
    catalog = Catalog(collections_dir, create=False)
    found = catalog.version("words").embedder
    catalog.close()
    assert found is not None
    return found


@pytest.fixture
def embedder(record: EmbedderRecord, collections_dir: Path) -> Iterator[EmbedderProcess]:
    made = EmbedderProcess(record, collections_dir, 1)
    yield made
    made.close()


TEXTS = ["the young king", "queen", "a king and a queen", "table"]


def test_vectors_are_those_of_the_embedder_itself(
    embedder: EmbedderProcess, record: EmbedderRecord, collections_dir: Path
) -> None:
    itself = open_embedder(record, collections_dir)
    assert (embedder.kind, embedder.dimension) == ("word2vec", 50) and embedder.fingerprint == itself.fingerprint
    for texts in (TEXTS, TEXTS[::-1], [], ["king"] * 3):
        np.testing.assert_array_equal(embedder.embed(texts), itself.embed(texts))
    reading = embedder.read(TEXTS, UnknownWords.ERROR)
    np.testing.assert_array_equal(reading.vectors, itself.embed(TEXTS))
    assert reading.known.all() and not reading.unknown_words


def test_errors_come_back_as_they_are(embedder: EmbedderProcess, tmp_path: Path) -> None:
    with pytest.raises(UnknownWordError, match="no word of 'kingg' is in the vocabulary; did you mean") as raised:
        embedder.embed(["kingg"])
    assert raised.value.text == "kingg" and "king" in raised.value.suggestions
    with pytest.raises(RuntimeError, match="AttributeError"):  # a fault, with its traceback for the log
        embedder.embed([7])  # type: ignore[list-item]
    with pytest.raises(NoSubwordsError):
        embedder.subword_vector("king")
    assert embedder.embed(["king"]).shape == (1, 50)  # and the process goes on
    with pytest.raises(MissingExtraError, match="is missing: build the collection again"):
        EmbedderProcess(EmbedderRecord("word2vec", "absent"), tmp_path, 1)
    with pytest.raises(CorruptError, match="unknown kind 'horse'") as corrupt:
        EmbedderProcess(EmbedderRecord("horse", "absent"), tmp_path, 1)
    assert corrupt.value.path == tmp_path / "catalog.db"


def test_a_process_that_dies_is_replaced(embedder: EmbedderProcess) -> None:
    before, first = embedder.embed(TEXTS), embedder.pid
    os.kill(first, signal.SIGKILL)
    np.testing.assert_array_equal(embedder.embed(TEXTS), before)
    assert embedder.pid != first and not runs(first)


def test_a_process_that_dies_at_work_is_replaced_once(embedder: EmbedderProcess) -> None:
    long = ["a king and a queen"] * 300_000  # seconds of work
    few = embedder.embed(long[:2])
    with killing_at_work(embedder, times=1):
        np.testing.assert_array_equal(embedder.embed(long)[:2], few)
    with killing_at_work(embedder, times=2), pytest.raises(EmbedderLostError, match="died, twice: try again"):
        embedder.embed(long)
    np.testing.assert_array_equal(embedder.embed(long[:2]), few)


@contextmanager
def killing_at_work(embedder: EmbedderProcess, times: int) -> Iterator[None]:
    """Kill the process that is at work so many times, each soon after it has begun."""

    def kill() -> None:
        for _ in range(times):
            pid = embedder.pid
            time.sleep(0.2)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: embedder.pid != pid)  # type: ignore[misc]

    thread = threading.Thread(target=kill)
    thread.start()
    time.sleep(0.05)
    try:
        yield
    finally:
        if times == 2:
            embedder.embed(["king"])  # a third process: it ends the wait for one
        thread.join()


def test_a_process_that_dies_before_it_is_asked_is_lost(
    record: EmbedderRecord, collections_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder_process, "child_command", lambda line: [sys.executable, "-c", "pass"])
    original = socket.socketpair

    def socketpair() -> tuple[socket.socket, socket.socket]:
        time.sleep(0.3)  # the second, for the connection: meanwhile the process has ended
        return original()

    monkeypatch.setattr(socket, "socketpair", socketpair)
    with pytest.raises(EmbedderLostError):
        EmbedderProcess(record, collections_dir, 1)


def test_signals_to_the_whole_service_do_not_reach_it(embedder: EmbedderProcess) -> None:
    pid = embedder.pid
    embedder.embed(TEXTS)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert len(embedder.embed(TEXTS)) == 4 and embedder.pid == pid


def test_it_ends_when_closed_or_forgotten(record: EmbedderRecord, collections_dir: Path) -> None:
    embedder = EmbedderProcess(record, collections_dir, 1)
    pid = embedder.pid
    embedder.close()
    assert not runs(pid)
    embedder.close()
    with pytest.raises(EmbedderLostError):
        embedder.embed(TEXTS)
    embedder = EmbedderProcess(record, collections_dir, 1)
    pid = embedder.pid
    assert runs(pid)
    del embedder
    gc.collect()
    assert not runs(pid)


def test_closing_tells_who_waits(embedder: EmbedderProcess) -> None:
    os.kill(embedder.pid, signal.SIGSTOP)
    told = list[BaseException]()

    def ask() -> None:
        try:
            embedder.embed(TEXTS)
        except EmbedderLostError as error:
            told.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    embedder.close()
    thread.join(20)
    assert len(told) == 1


ORPHANING = """
import sys, threading
from pathlib import Path
from vecinity.indexer.catalog import EmbedderRecord
from vecinity.service.embedder_process import EmbedderProcess
embedder = EmbedderProcess(EmbedderRecord("word2vec", sys.argv[1]), Path(sys.argv[2]), 1)
print(embedder.pid, flush=True)
while True:
    embedder.embed(["a king and a queen"] * int(sys.argv[3]))
    threading.Event().wait(0.01)
"""


@pytest.mark.parametrize("texts", [1, 2_000_000])
def test_it_ends_with_its_parent_however_that_ends(record: EmbedderRecord, collections_dir: Path, texts: int) -> None:
    arguments = [record.fingerprint, str(collections_dir), str(texts)]
    parent = subprocess.Popen([sys.executable, "-c", ORPHANING, *arguments], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        time.sleep(0.5)
        assert runs(pid)
        parent.kill()
        parent.wait()
    wait_until(lambda: not runs(pid))


def test_versions_of_one_model_share_it(record: EmbedderRecord, collections_dir: Path) -> None:
    embedders = Embedders(collections_dir)
    one, other = embedders.of(record), embedders.of(EmbedderRecord(record.kind, record.fingerprint))
    assert one is other and not one.is_open
    assert one.open() is other.open() and other.is_open
    assert not one.computes and not isinstance(one.open(), EmbedderProcess)
    assert Embedders(collections_dir, apart=True).of(record).open().kind == "word2vec"
    assert not isinstance(Embedders(collections_dir, apart=True).of(record).open(), EmbedderProcess)
    assert Embedders(collections_dir).of(EmbedderRecord("minilm", "x")).computes


class TestOneForSeveral:
    """The process that a supervisor keeps for all of its workers."""

    @pytest.fixture
    async def keeper(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbedderKeeper]:
        monkeypatch.setattr(embedder_keeper, "_LONG_PAUSE_SECONDS", 0.1)
        made = EmbedderKeeper()
        running = asyncio.create_task(made.run())
        yield made
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert made.process is None or not runs(made.process.pid)

    @pytest.fixture
    async def two(
        self, keeper: EmbedderKeeper, record: EmbedderRecord, collections_dir: Path
    ) -> AsyncIterator[list[EmbedderProcess]]:
        def make() -> EmbedderProcess:
            return EmbedderProcess(record, collections_dir, 1, keeper.line)

        assert keeper.process is None  # nobody has asked yet
        made = list(await asyncio.gather(*(asyncio.to_thread(make) for _ in range(2))))
        yield made
        for each in made:
            each.close()

    async def test_it_answers_all(
        self, two: list[EmbedderProcess], keeper: EmbedderKeeper, embedder: EmbedderProcess
    ) -> None:
        expected = embedder.embed(TEXTS)
        found = await asyncio.gather(*(asyncio.to_thread(each.embed, TEXTS) for each in two * 20))
        for vectors in found:
            np.testing.assert_array_equal(vectors, expected)
        assert [each.pid for each in two] == [None, None] and keeper.process is not None

    async def test_an_error_is_that_of_who_asked(self, two: list[EmbedderProcess]) -> None:
        with pytest.raises(UnknownWordError):
            await asyncio.to_thread(two[0].embed, ["kingg"])
        assert (await asyncio.to_thread(two[1].embed, ["king"])).shape == (1, 50)
        assert (await asyncio.to_thread(two[0].embed, ["king"])).shape == (1, 50)

    async def test_what_can_not_be_opened_is_told_and_the_others_go_on(
        self, two: list[EmbedderProcess], keeper: EmbedderKeeper, tmp_path: Path
    ) -> None:
        with pytest.raises(CorruptError, match="unknown kind 'horse'"):
            await asyncio.to_thread(EmbedderProcess, EmbedderRecord("horse", "absent"), tmp_path, 1, keeper.line)
        assert (await asyncio.to_thread(two[0].embed, ["king"])).shape == (1, 50)

    async def test_one_that_dies_is_replaced_for_all(self, two: list[EmbedderProcess], keeper: EmbedderKeeper) -> None:
        assert keeper.process is not None
        first = keeper.process.pid
        before = await asyncio.to_thread(two[0].embed, TEXTS)
        working = asyncio.create_task(asyncio.to_thread(two[0].embed, ["a king and a queen"] * 300_000))
        await asyncio.sleep(0.3)
        os.kill(first, signal.SIGKILL)
        np.testing.assert_array_equal(await asyncio.to_thread(two[1].embed, TEXTS), before)
        assert len(await working) == 300_000
        assert keeper.process.pid != first and not runs(first)

    async def test_it_stays_when_one_leaves(self, two: list[EmbedderProcess], keeper: EmbedderKeeper) -> None:
        assert keeper.process is not None
        pid = keeper.process.pid
        two[0].close()
        with pytest.raises(EmbedderLostError):
            two[0].embed(TEXTS)
        assert len(await asyncio.to_thread(two[1].embed, TEXTS)) == 4
        two[1].close()
        await asyncio.sleep(0.2)
        assert runs(pid)

    async def test_who_waits_is_told_when_it_leaves(self, two: list[EmbedderProcess], keeper: EmbedderKeeper) -> None:
        assert keeper.process is not None
        os.kill(keeper.process.pid, signal.SIGSTOP)
        asking = asyncio.create_task(asyncio.to_thread(two[0].embed, TEXTS))
        await asyncio.sleep(0.2)
        two[0].close()
        with pytest.raises(EmbedderLostError):
            await asyncio.wait_for(asking, 10)

    async def test_one_that_can_not_start_is_started_later(
        self, keeper: EmbedderKeeper, record: EmbedderRecord, collections_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = keeper._started
        starts = 0

        async def started() -> asyncio.subprocess.Process:
            nonlocal starts
            starts += 1
            if starts < 3:
                raise BlockingIOError
            return await right()

        monkeypatch.setattr(keeper, "_started", started)
        for _ in range(2):  # who asks meanwhile is told, and not left to wait
            with pytest.raises(EmbedderLostError):
                await asyncio.wait_for(asyncio.to_thread(EmbedderProcess, record, collections_dir, 1, keeper.line), 20)
        made = await asyncio.to_thread(EmbedderProcess, record, collections_dir, 1, keeper.line)
        assert starts == 3 and len(await asyncio.to_thread(made.embed, TEXTS)) == 4
        made.close()

    async def test_one_that_hangs_is_replaced(
        self, two: list[EmbedderProcess], keeper: EmbedderKeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert keeper.process is not None
        first = keeper.process.pid
        monkeypatch.setattr(keeper, "_timeout_seconds", 2.0)
        os.kill(first, signal.SIGSTOP)
        assert len(await asyncio.wait_for(asyncio.to_thread(two[0].embed, TEXTS), 60)) == 4
        assert keeper.process.pid != first and not runs(first)
