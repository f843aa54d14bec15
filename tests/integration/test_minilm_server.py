"""A server that embeds by MiniLM: its process, and what goes on beside it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, running_server
from waiting import children, is_stopped, processor_seconds, runs, wait_until

from vecinity.cli.demo.corpus import sentences
from vecinity.client import Client, UnavailableError
from vecinity.indexer.build import Build
from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.dataset import Source
from vecinity.indexer.embedding.minilm import MiniLmEmbedder
from vecinity.indexer.metric import Vectors

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(300)]

_numbers = count()


def long_texts() -> list[str]:
    """Seconds of work; never the same, as what was embedded is remembered."""
    return [f"{next(_numbers)} {sentence} " * 10 for sentence in sentences()[:100]]


@pytest.fixture(scope="module")
def embedder() -> MiniLmEmbedder:
    return MiniLmEmbedder()


@pytest.fixture(scope="module")
def data_dir(embedder: MiniLmEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("minilm")
    path = folder / "sentences.txt"
    path.write_text("".join(f"{sentence}\n" for sentence in sentences()[::8]))
    for name in ("sentences", "again"):
        with Build(folder / "data", name) as build:
            build.from_texts(Source(path), embedder, EmbedderRecord(embedder.kind, embedder.fingerprint))
    return folder / "data"


@pytest.fixture(scope="module")
def server(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(data_dir, tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.target) as made:
        made.search("sentences", text="a first text", timeout=60)  # the model is loaded
        yield made


@contextmanager
def at_work(child: int) -> Iterator[None]:
    """Leave when the process that embeds has begun with what is asked for within."""
    before = processor_seconds(child)
    yield
    wait_until(lambda: processor_seconds(child) > before + 0.05, 60)


def cosines(one: Vectors, other: Vectors) -> np.ndarray:
    products = (one * other).sum(axis=1)
    return np.asarray(products / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1))


def test_vectors_and_single_texts_are_answered_while_many_texts_are_embedded(
    client: Client, server: Server, embedder: MiniLmEmbedder
) -> None:
    (child,) = children(server.process.pid)
    vector = np.ones(384, dtype=np.float32)
    texts = long_texts()
    with ThreadPoolExecutor(1) as pool:
        with at_work(child):
            embedding = pool.submit(client.embed, "sentences", texts, timeout=120)
        os.kill(child, signal.SIGSTOP)
        try:
            wait_until(lambda: is_stopped(child))
            for _ in range(10):
                client.search("sentences", vector=vector, k=3)
            assert not embedding.done()
        finally:
            os.kill(child, signal.SIGCONT)
        client.search("sentences", text="the money of Japan", k=3)
        assert not embedding.done()  # of many texts, most are embedded after one that comes meanwhile
        vectors = embedding.result().vectors
    few = [0, 7, 50, 99]
    assert cosines(vectors[few], embedder.embed([texts[place] for place in few])).min() > 0.999


def test_texts_of_all_lengths_come_back_in_the_order_of_the_caller(
    client: Client, embedder: MiniLmEmbedder, rng: np.random.Generator
) -> None:
    words = " ".join(sentences()[:50]).split()
    texts = list(dict.fromkeys(" ".join(rng.choice(words, size)) for size in rng.integers(1, 60, 100)))
    vectors = client.embed("sentences", texts).vectors
    one_by_one = np.vstack([embedder.embed([text]) for text in texts])
    assert cosines(vectors, one_by_one).min() > 0.999
    np.testing.assert_array_equal(
        client.embed("again", texts[:5]).vectors, vectors[:5]
    )  # remembered: it is the model's


def test_explain_tells_what_was_remembered(client: Client) -> None:
    plans = [client.search("sentences", text="the longest river", explain=True).plan for _ in range(2)]
    assert plans[0] is not None and plans[1] is not None
    assert [plan.texts_remembered for plan in plans if plan] == [0, 1]
    assert plans[0].times.embed > 0 and plans[1].times.embed == 0


def test_all_collections_of_a_model_have_one_process_which_survives_signals(client: Client, server: Server) -> None:
    client.search("again", text="something else")
    (child,) = children(server.process.pid)
    os.kill(child, signal.SIGTERM)
    os.kill(child, signal.SIGINT)
    client.search("again", text="once more")
    assert children(server.process.pid) == [child]


def test_a_process_that_dies_at_work_is_replaced(client: Client, server: Server) -> None:
    (child,) = children(server.process.pid)
    before = client.embed("sentences", ["the money of Japan"]).vectors
    with ThreadPoolExecutor(1) as pool:
        with at_work(child):
            embedding = pool.submit(client.embed, "sentences", long_texts(), timeout=120)
        os.kill(child, signal.SIGKILL)
        client.search("sentences", vector=np.ones(384, dtype=np.float32))
        assert embedding.result().vectors.shape == (100, 384)
    assert children(server.process.pid) != [child] and "the process that embeds died" in server.log()
    np.testing.assert_array_equal(client.embed("sentences", ["the money of Japan"]).vectors, before)


def test_a_process_that_dies_again_and_again_is_an_error_of_texts_alone(client: Client, server: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        embedding = pool.submit(client.embed, "sentences", long_texts(), timeout=120)
        while not embedding.done():
            for child in children(server.process.pid):
                os.kill(child, signal.SIGKILL)
            client.search("sentences", vector=np.ones(384, dtype=np.float32))
            time.sleep(0.1)
        with pytest.raises(UnavailableError) as raised:
            embedding.result()
    assert raised.value.reason == "ERROR_REASON_EMBEDDER_LOST"
    assert client.embed("sentences", ["and now it works"]).vectors.shape == (1, 384)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_is_left_behind(data_dir: Path, tmp_path: Path, number: int) -> None:
    with (
        running_server(data_dir, tmp_path / "log") as server,
        Client(server.target) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        client.search("sentences", text="a first text", timeout=60)
        (child,) = children(server.process.pid)
        with at_work(child):
            embedding = pool.submit(client.embed, "sentences", long_texts(), timeout=120)
        server.stop(number)
        wait_until(lambda: not runs(child), 60)
        assert embedding.exception() is not None or number == signal.SIGTERM


def texts_from_all_workers(server: Server, clients: int = 8) -> None:
    """Ask on so many connections, of which each worker has some."""
    with ExitStack() as stack:
        made = [stack.enter_context(Client(server.target)) for _ in range(clients)]
        for client in made:
            client.search("sentences", text=f"{next(_numbers)} of all", timeout=60)


def processes_that_embed(server: Server) -> list[int]:
    found = [pid for child in [server.process.pid, *children(server.process.pid)] for pid in children(child)]
    return [pid for pid in found if b"embedder_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_have_one_process_for_all(data_dir: Path, tmp_path: Path, number: int) -> None:
    with running_server(data_dir, tmp_path / "log", "--workers", "2", "--drain-seconds", "50") as server:
        texts_from_all_workers(server)
        (child,) = processes_that_embed(server)
        wait_until(lambda: server.log().count("embedder ready") == 4, 60)
        workers = [pid for pid in children(server.process.pid) if pid != child]

        os.kill(child, signal.SIGKILL)
        texts_from_all_workers(server)
        (another,) = processes_that_embed(server)
        assert another != child and "the process that embeds died" in server.log()

        os.kill(workers[0], signal.SIGKILL)  # the others keep their process
        wait_until(lambda: server.log().count("embedder ready") == 6, 60)
        texts_from_all_workers(server)
        assert processes_that_embed(server) == [another]

        with Client(server.target) as client, ThreadPoolExecutor(1) as pool:
            embedding = pool.submit(client.embed, "sentences", long_texts(), timeout=120)
            time.sleep(0.3)
            server.stop(number, 60)
            assert embedding.result().vectors.shape == (100, 384)  # workers drain, whatever became of their supervisor
        wait_until(lambda: not runs(another), 60)
