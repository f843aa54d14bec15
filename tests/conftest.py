"""Fixtures for all tests: seeded data, built collections, real servers on free ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from tagged import SCHEMA, items, write_json_lines

from vecinity.cli.demo.corpus import write_corpus
from vecinity.client import Client
from vecinity.indexer.ann import Family
from vecinity.indexer.attributes import parse_attributes
from vecinity.indexer.build import Build
from vecinity.indexer.dataset import Source
from vecinity.indexer.indexing import IndexSettings
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.word2vec import Word2VecSettings

# In a shell's background job it is ignored, and the processes that tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
ROWS, DIMENSION = 2_000, 32


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def clustered(rows: int = ROWS, dimension: int = DIMENSION, seed: int = 3) -> Vectors:
    """Vectors around 40 centres of different lengths, so that cosine, dot and Euclidean disagree.

    The centres are always the same: queries of another seed are of the same kind as the rows.
    """
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, dimension)) * rng.uniform(0.5, 2.0, size=(40, 1))
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(0, 40, rows)] + 0.5 * rng.normal(size=(rows, dimension))).astype(np.float32)


def publish_vectors(
    data_dir: Path,
    name: str,
    vectors: Vectors,
    folder: Path,
    *,
    ids: list[str] | None = None,
    attributes: Path | None = None,
    **settings: object,
) -> None:
    """Publish a version of a collection of vectors; `attributes` is a file of records with the schema of `tagged`."""
    np.save(folder / "vectors.npy", vectors)
    ids_path = None
    if ids is not None:
        ids_path = folder / "ids.txt"
        ids_path.write_text("".join(f"{item_id}\n" for item_id in ids))
    with Build(data_dir, name, IndexSettings(**settings)) as build:  # type: ignore[arg-type]
        records = None if attributes is None else Source(attributes, attributes=parse_attributes(SCHEMA))
        build.from_vectors(folder / "vectors.npy", ids_path, records)


SERVED_FAMILIES = (Family.FLAT, Family.IVF_FLAT, Family.HNSW, Family.IVF_PQ)
"""What a service answers with; tests/unit/test_ann*.py are about every family."""


@pytest.fixture(scope="session")
def collections_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a collection for each metric and family (``cosine-hnsw``), and two by word2vec:
    ``words`` and ``subwords``."""
    folder = tmp_path_factory.mktemp("source")
    data_dir = tmp_path_factory.mktemp("collections")
    vectors = clustered()
    ids = [f"item-{row}" for row in range(len(vectors))]
    for metric in Metric:
        for family in SERVED_FAMILIES:
            publish_vectors(data_dir, f"{metric}-{family}", vectors, folder, ids=ids, metric=metric, family=family)
    records = write_json_lines(folder / "attributes.jsonl", items(len(vectors)))
    for family in SERVED_FAMILIES:
        publish_vectors(data_dir, f"tagged-{family}", vectors, folder, ids=ids, family=family, attributes=records)
    corpus = folder / "corpus.txt.gz"
    write_corpus(corpus, lines=40_000)
    with Build(data_dir, "words") as build:
        build.from_word2vec(Source(corpus), Word2VecSettings(dimension=50, epochs=3))
    few = folder / "few.txt.gz"
    write_corpus(few, lines=5_000)
    with Build(data_dir, "subwords") as build:
        build.from_word2vec(Source(few), Word2VecSettings(dimension=20, epochs=1, subword_buckets=2_000))
    return data_dir


class Server:
    """A running ``vecinity serve``."""

    def __init__(self, process: subprocess.Popen[str], target: str, log: Path) -> None:
        self.process = process
        self.target = target
        self._log = log

    def log(self) -> str:
        return self._log.read_text()

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@contextmanager
def running_server(data_dir: Path, log: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """A real server in its own process, on a free port of the loopback address."""
    command = [sys.executable, "-m", "vecinity.cli", "serve", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0"]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={"VECINITY_WORKERS": "1", **os.environ, **environment},
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), log.read_text()
        yield Server(process, line.split()[-1], log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


EDGES = ("grpcio", "nghttp2")


@pytest.fixture(scope="session", params=EDGES)
def edge(request: pytest.FixtureRequest) -> str:
    """Every edge that carries gRPC."""
    return str(request.param)


@pytest.fixture(scope="session")
def servers(collections_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """A server for each edge, started when first asked for."""
    running: dict[str, Server] = {}
    with ExitStack() as stack:

        def over(edge: str) -> Server:
            if edge not in running:
                log = tmp_path_factory.mktemp("server") / "log"
                server = running_server(collections_dir, log, "--reflection", "--edge", edge)
                running[edge] = stack.enter_context(server)
            return running[edge]

        yield over


@pytest.fixture(scope="session")
def server(servers: Callable[[str], Server], edge: str) -> Server:
    return servers(edge)


@pytest.fixture(scope="session", params=["in-process", *EDGES])
def client(request: pytest.FixtureRequest, collections_dir: Path) -> Iterator[Client]:
    """The same client over all edges."""
    if request.param == "in-process":
        made = Client.in_process(collections_dir)
    else:
        made = Client(request.getfixturevalue("servers")(request.param).target)
    with made:
        yield made


RunCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def vecinity(tmp_path: Path) -> RunCommand:
    """Run the command line in a folder of the test's own."""

    def run(*arguments: object, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vecinity.cli", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=check,
            env={"VECINITY_WORKERS": "1", **os.environ, **environment},
        )

    return run
