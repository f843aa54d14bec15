"""Answers about every item, in parts: against the oracle, over both edges."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import clustered, publish_vectors, running_server
from oracle import Oracle
from waiting import processor_seconds, wait_until

from vecinity.client import AsyncClient, Client, Duplicate, Effort, errors
from vecinity.indexer.ann import Family
from vecinity.indexer.metric import Metric
from vecinity.service import duplicates

METRICS = ("cosine", "dot", "euclidean")
FAMILIES = ("flat", "ivf-flat", "hnsw", "ivf-pq")


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def oracle(metric: str) -> Oracle:
    vectors = clustered()
    return Oracle([f"item-{row}" for row in range(len(vectors))], vectors, metric)


def all_scores(oracle: Oracle) -> np.ndarray:
    """Of every item with every item, itself left out."""
    scores = np.stack([oracle.scores(vector) for vector in oracle.vectors])
    np.fill_diagonal(scores, -np.inf)
    return scores


class TestNeighbours:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_exact(self, client: Client, oracle: Oracle, metric: str, family: str) -> None:
        scores = all_scores(oracle)
        found = list(client.neighbours(f"{metric}-{family}", k=7, exact=True))
        assert [item.id for item in found] == oracle.ids
        for row, item in enumerate(found):
            best = np.sort(scores[row])[::-1][:7]
            np.testing.assert_allclose(item.scores, best, rtol=1e-4, atol=1e-4)
            assert item.id not in item.ids and len({*item.ids}) == 7 and item.version == 1
        rows = np.array([[int(i.removeprefix("item-")) for i in item.ids] for item in found])
        true = np.take_along_axis(scores, rows, axis=1)
        np.testing.assert_allclose([item.scores for item in found], true, rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_by_index_keeps_its_recall(self, client: Client, oracle: Oracle, metric: str, family: str) -> None:
        scores = all_scores(oracle)
        best = np.argsort(-scores, axis=1)[:, :10]
        found = list(client.neighbours(f"{metric}-{family}"))
        hits = [len({*item.ids} & {oracle.ids[other] for other in best[row]}) / 10 for row, item in enumerate(found)]
        assert len(found) == 2_000 and np.mean(hits) >= 0.94

    def test_is_what_searches_by_id_give(self, client: Client, metric: str) -> None:
        some = itertools.islice(client.neighbours(f"{metric}-ivf-flat", k=5), 100)
        for item in list(some)[::25]:
            assert item.ids == client.search(f"{metric}-ivf-flat", id=item.id, k=5).ids

    def test_more_neighbours_than_items(self, client: Client, metric: str) -> None:
        item = next(client.neighbours(f"{metric}-flat", k=5_000))
        assert item.id == "item-0" and len({*item.ids}) == 1_999 and "item-0" not in item.ids

    def test_an_effort_and_a_version(self, client: Client) -> None:
        found = client.neighbours("cosine-ivf-flat", k=3, effort=Effort(nprobe=1), version=1)
        assert len(list(found)) == 2_000


class TestDuplicates:
    def expected(self, oracle: Oracle, pairs: int) -> tuple[float, dict[tuple[str, str], float]]:
        """A least score that about so many pairs reach, and these pairs."""
        scores = all_scores(oracle)
        left, right = np.triu_indices(len(scores), 1)
        values = scores[left, right]
        order = np.argsort(-values)
        while values[order[pairs - 1]] - values[order[pairs]] < 1e-4 * max(1, abs(values[order[pairs]])):
            pairs += 1
        least = float(values[order[pairs - 1]] + values[order[pairs]]) / 2
        best = order[:pairs]
        return least, {(oracle.ids[left[p]], oracle.ids[right[p]]): float(values[p]) for p in best}

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("pairs", [1, 60, 4_000])
    def test_exact(self, client: Client, oracle: Oracle, metric: str, family: str, pairs: int) -> None:
        least, expected = self.expected(oracle, pairs)
        found = list(client.duplicates(f"{metric}-{family}", least, exact=True))
        assert len(found) == len(expected)
        assert {(pair.left, pair.right) for pair in found} == {*expected}
        for pair in found:
            assert pair.score == pytest.approx(expected[pair.left, pair.right], rel=1e-4, abs=1e-4)
            assert pair.version == 1

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("pairs", [60, 4_000])
    def test_by_index(self, client: Client, oracle: Oracle, metric: str, family: str, pairs: int) -> None:
        least, expected = self.expected(oracle, pairs)
        found = [(pair.left, pair.right) for pair in client.duplicates(f"{metric}-{family}", least)]
        assert len(found) == len({*found}) and {*found} <= {*expected}
        # .95 is promised of the mean: three standard errors below it for so few pairs.
        assert len(found) / len(expected) >= 0.95 - 3 * (0.95 * 0.05 / len(expected)) ** 0.5

    def test_all_pairs_and_none(self, client: Client, metric: str) -> None:
        assert list(client.duplicates(f"{metric}-flat", 1e30)) == []
        first = list(itertools.islice(client.duplicates(f"{metric}-flat", -1e30), 1_999))
        assert {pair.left for pair in first} == {"item-0"} and len({pair.right for pair in first}) == 1_999

    @pytest.mark.parametrize("exact", [True, False])
    @pytest.mark.parametrize("family", [Family.FLAT, Family.IVF_FLAT, Family.HNSW, Family.IVF_PQ])
    @pytest.mark.parametrize("metric", [Metric.COSINE, Metric.EUCLIDEAN])
    def test_many_copies(
        self, tmp_path: Path, family: Family, exact: bool, metric: Metric, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """1,200 items of which 200 are the same, spread over all, 100 are pairs, and the rest alone."""
        monkeypatch.setattr(duplicates, "_KEPT", 50)
        vectors = clustered(1_200, seed=4)
        vectors[::6] = vectors[0]
        vectors[1:400:4] = vectors[3:402:4]
        publish_vectors(tmp_path / "data", "mine", vectors, tmp_path, family=family, metric=metric, target_recall=0)
        least = 0.99999 if metric is Metric.COSINE else -1e-6
        same = Counter(map(bytes, vectors))
        expected = sum(count * (count - 1) // 2 for count in same.values())
        with Client.in_process(tmp_path / "data") as client:
            effort = (
                None
                if exact or family is Family.FLAT
                else (Effort(ef_search=50) if family is Family.HNSW else Effort(nprobe=4))
            )
            found = list(client.duplicates("mine", least, exact=exact, effort=effort))
        pairs = {(int(pair.left), int(pair.right)) for pair in found}
        assert len(pairs) == len(found)
        assert all(left < right and (vectors[left] == vectors[right]).all() for left, right in pairs)
        if exact or family is Family.FLAT:
            assert len(pairs) == expected
        elif family is not Family.HNSW:  # so many copies take its graph apart
            assert len(pairs) >= 0.99 * expected


BAD: list[tuple[Callable[[Client], Iterator[Any]], type[Exception], str]] = [
    (lambda c: c.neighbours("nope"), errors.NotFoundError, "no collection 'nope'"),
    (lambda c: c.neighbours(""), errors.InvalidArgumentError, "collection: is required"),
    (lambda c: c.neighbours("words", k=0), errors.InvalidArgumentError, "k: is 0"),
    (lambda c: c.neighbours("words", k=10_001), errors.InvalidArgumentError, "from 1 to 10000"),
    (lambda c: c.neighbours("words", k=-1), errors.InvalidArgumentError, "k is -1"),
    (lambda c: c.neighbours("words", version=9), errors.NotFoundError, "no published version 9"),
    (lambda c: c.neighbours("words", target_recall=1.5), errors.InvalidArgumentError, "above 0 and below 1"),
    (
        lambda c: c.neighbours("cosine-flat", effort=Effort(4)),
        errors.InvalidArgumentError,
        "a flat index has no nprobe",
    ),
    (lambda c: c.duplicates("nope", 0.5), errors.NotFoundError, "no collection 'nope'"),
    (lambda c: c.duplicates("words", float("nan")), errors.InvalidArgumentError, "min_score: is NaN"),
    (lambda c: c.duplicates("words", None), errors.InvalidArgumentError, "min_score is None"),  # type: ignore[arg-type]
    (lambda c: c.duplicates("words", 0.5, version=9), errors.NotFoundError, "no published version 9"),
    (lambda c: c.duplicates("words", 0.5, exact=True, target_recall=0.5), errors.InvalidArgumentError, "at most one"),
    (lambda c: c.duplicates("cosine-hnsw", 0.5, effort=Effort(4)), errors.InvalidArgumentError, "family, hnsw"),
]


@pytest.mark.parametrize(("ask", "error", "message"), BAD)
def test_bad_requests(
    client: Client, ask: Callable[[Client], Iterator[Any]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        next(ask(client))
    assert client.search("cosine-flat", id="item-1", k=1)


def test_a_deadline_between_parts(client: Client) -> None:
    parts = client.neighbours("cosine-flat", exact=True, timeout=0.3)
    assert next(parts).id == "item-0"
    time.sleep(0.35)
    with pytest.raises(errors.DeadlineExceededError):
        list(parts)
    with pytest.raises(errors.DeadlineExceededError):
        list(client.duplicates("cosine-flat", -1.0, timeout=1e-6))
    assert client.search("cosine-flat", id="item-1", k=1)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection whose graph takes many seconds."""
    folder = tmp_path_factory.mktemp("large")
    publish_vectors(folder / "data", "large", clustered(60_000, 64), folder, family=Family.FLAT)
    return folder / "data"


@pytest.mark.parametrize("leave", ["close", "deadline", "kill"])
def test_a_reader_who_leaves_ends_the_work(large: Path, tmp_path: Path, leave: str) -> None:
    with running_server(large, tmp_path / "log", VECINITY_CALLS_MAX="1") as server, Client(server.target) as client:
        if leave == "kill":
            import subprocess
            import sys

            code = (
                "import sys, vecinity.client as c\n"
                "parts = c.Client(sys.argv[1]).neighbours('large', k=100)\n"
                "print(next(parts).id, flush=True); sys.stdin.read()"
            )
            other = subprocess.Popen(
                [sys.executable, "-c", code, server.target], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
            )
            assert other.stdout is not None and other.stdout.readline() == "0\n"
            with pytest.raises(errors.ResourceExhaustedError):  # a stream is one of the calls under way
                client.search("large", id="1")
            other.kill()
            other.communicate()
        else:
            parts = client.neighbours("large", k=100, timeout=1.0 if leave == "deadline" else None)
            assert next(parts).id == "0"
            with pytest.raises(errors.ResourceExhaustedError):
                client.search("large", id="1")
            if leave == "close":
                parts.close()  # type: ignore[attr-defined]
            else:
                time.sleep(1.1)
        end = time.monotonic() + 10
        while True:
            try:
                assert client.search("large", id="1", k=1)
                break
            except errors.ResourceExhaustedError:
                assert time.monotonic() < end, "the stream is still one of the calls under way"
                time.sleep(0.05)
        time.sleep(0.5)
        before = processor_seconds(server.process.pid)
        time.sleep(1)
        assert processor_seconds(server.process.pid) - before < 0.3
        assert server.stop() == 0 and "Traceback" not in server.log()


def test_nothing_is_computed_far_ahead_of_the_reader(large: Path, tmp_path: Path) -> None:
    with running_server(large, tmp_path / "log") as server, Client(server.target) as client:
        parts = client.neighbours("large", k=1_000)
        next(parts)
        # The transport fills up; then the server rests, long before it has gone through 60,000 items.
        end, spent, before = time.monotonic() + 60, 1.0, processor_seconds(server.process.pid)
        while spent > 0.1:
            assert time.monotonic() < end, "the server works ahead of its reader"
            time.sleep(1)
            after = processor_seconds(server.process.pid)
            spent, before = after - before, after
        assert [next(parts).id for _ in range(3)] == ["1", "2", "3"]


def test_a_server_that_dies_between_parts_is_an_error_and_nothing_comes_twice(large: Path, tmp_path: Path) -> None:
    with running_server(large, tmp_path / "log") as server, Client(server.target) as client:
        parts = client.neighbours("large", k=1_000)
        seen = [next(parts).id]
        server.process.kill()
        with pytest.raises(errors.UnavailableError):
            seen += (part.id for part in parts)
        assert len(seen) == len({*seen}) < 60_000


def test_a_stream_survives_a_publish(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    publish_vectors(data_dir, "mine", clustered(5_000), tmp_path)
    with Client.in_process(data_dir) as client:
        parts = client.neighbours("mine", k=3)
        assert next(parts).version == 1
        for seed in range(3):
            publish_vectors(data_dir, "mine", clustered(100, seed=seed), tmp_path)
        wait_until(lambda: client.get_collection("mine").version == 4)
        rest = list(parts)
        assert len(rest) == 4_999 and {part.version for part in rest} == {1}
        assert next(client.neighbours("mine", k=3)).version == 4


def test_a_program_may_go_to_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_vectors(tmp_path / "data", "mine", clustered(500), tmp_path)
    monkeypatch.chdir(tmp_path)
    with Client.in_process("data") as client:
        monkeypatch.chdir("/")
        assert client.search("mine", id="3").ids
        publish_vectors(tmp_path / "data", "mine", clustered(500, seed=1), tmp_path)
        wait_until(lambda: client.search("mine", id="3").version == 2)


def test_closing_a_client_ends_its_streams(large: Path) -> None:
    client = Client.in_process(large)
    parts = client.neighbours("large", k=100)
    next(parts)
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 5
    with pytest.raises(errors.UnavailableError, match="has been closed"):
        list(parts)


async def test_both_edges_for_asyncio(collections_dir: Path, server) -> None:  # type: ignore[no-untyped-def]
    for client in (AsyncClient.in_process(collections_dir), AsyncClient(server.target)):
        async with client:
            ids = [item.id async for item in client.neighbours("dot-hnsw", k=2)]
            assert ids == [f"item-{row}" for row in range(2_000)]
            async for pair in client.duplicates("dot-flat", -1e30):
                assert isinstance(pair, Duplicate)
                break
            with pytest.raises(errors.NotFoundError):
                [item async for item in client.neighbours("nope")]
            assert [hit.id async for hit in client.search_all("dot-flat", id="item-1", k=900, min_score=-1e30)]
