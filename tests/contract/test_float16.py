"""Collections whose vectors are stored as float16, over both edges: the oracle holds the rounded vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from conftest import clustered, publish_vectors, running_server
from oracle import Oracle
from tagged import items, meets, write_json_lines

from vecinity.client import Client, Term
from vecinity.client.filters import parse_filter
from vecinity.indexer.ann import Family
from vecinity.indexer.metric import Metric, prepare
from vecinity.indexer.stored_vectors import VectorType

ROWS = 2_000
IDS = [f"item-{row}" for row in range(ROWS)]
FAMILIES = {Metric.COSINE: Family.HNSW, Metric.DOT: Family.IVF_FLAT, Metric.EUCLIDEAN: Family.IVF_PQ}
DIMENSION = 36  # no multiple of 8
HALF = "sold == true"


@pytest.fixture(scope="module", params=["in-process", "grpc"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("float16")
    records = write_json_lines(folder / "attributes.jsonl", items(ROWS))
    for metric, family in FAMILIES.items():
        settings = {"metric": metric, "family": family, "vector_type": VectorType.FLOAT16}
        vectors = clustered(ROWS, DIMENSION)
        publish_vectors(folder / "data", metric, vectors, folder, ids=IDS, attributes=records, **settings)
    if request.param == "grpc":
        with running_server(folder / "data", folder / "log") as server, Client(server.target) as made:
            yield made
    else:
        with Client.in_process(folder / "data") as made:
            yield made


@pytest.fixture(params=list(Metric))
def metric(request: pytest.FixtureRequest) -> Metric:
    return request.param


@pytest.fixture
def oracle(metric: Metric) -> Oracle:
    made = Oracle(IDS, clustered(ROWS, DIMENSION), metric)
    made.vectors = prepare(clustered(ROWS, DIMENSION), metric).astype(np.float16).astype(np.float64)
    return made


@pytest.fixture
def queries() -> np.ndarray:
    return clustered(60, DIMENSION, seed=11)


CLOSE = {"rtol": 2e-6, "atol": 2e-5}
"""Far below what rounding to float16 does to a score."""


def test_vectors_come_as_they_are_stored(client: Client, oracle: Oracle, metric: Metric) -> None:
    found = client.search(metric, id="item-3", k=5, include_vectors=True, exact=True)
    np.testing.assert_array_equal(found.vectors, [oracle.vectors[oracle.ids.index(i)] for i in found.ids])
    ids, _ = oracle.search(oracle.vectors[3], 5, without={"item-3"})
    assert found.ids == ids
    # The query is the item's vector as it is stored, not brought to length 1 again.
    np.testing.assert_allclose(found.scores, oracle.scores(oracle.vectors[3])[[IDS.index(i) for i in ids]], **CLOSE)


def test_exact_search_and_farthest(client: Client, oracle: Oracle, metric: Metric, queries: np.ndarray) -> None:
    batch = client.batch_search(metric, vectors=queries, k=10, exact=True)
    for query, found in zip(queries, batch, strict=True):
        for result in (found, client.search(metric, vector=query, k=10, exact=True)):
            ids, scores = oracle.search(query, 10)
            assert result.ids == ids
            np.testing.assert_allclose(result.scores, scores, **CLOSE)
    ids, scores = oracle.farthest(queries[0], 10)
    result = client.search(metric, vector=queries[0], k=10, farthest=True)
    assert result.ids == ids
    np.testing.assert_allclose(result.scores, scores, **CLOSE)


@pytest.mark.parametrize("k", [1, 10, 100])
def test_default_search_keeps_its_recall(client: Client, oracle: Oracle, metric: Metric, k: int) -> None:
    queries = clustered(200, DIMENSION, seed=11)
    recalls = []
    for query, found in zip(queries, client.batch_search(metric, vectors=queries, k=k), strict=True):
        recalls.append(len({*found.ids} & {*oracle.search(query, k)[0]}) / k)
        np.testing.assert_allclose(found.scores, oracle.scores_of(query, found.ids), **CLOSE)
    assert np.mean(recalls) >= 0.93  # .95 is promised; 200 queries leave some chance


def test_filtered_searches(client: Client, oracle: Oracle, metric: Metric, queries: np.ndarray) -> None:
    tree = parse_filter(HALF)
    outside = {item_id for item_id, item in zip(IDS, items(ROWS), strict=True) if not meets(item, tree)}
    recalls = []
    for query, found in zip(queries, client.batch_search(metric, vectors=queries, k=10, filter=HALF), strict=True):
        ids, scores = oracle.search(query, 10, without=outside)
        recalls.append(len({*found.ids} & {*ids}) / 10)
        exact = client.search(metric, vector=query, k=10, filter=HALF, exact=True)
        assert exact.ids == ids
        np.testing.assert_allclose(exact.scores, scores, **CLOSE)
    assert np.mean(recalls) >= 0.9


def test_radius(client: Client, oracle: Oracle, metric: Metric, queries: np.ndarray) -> None:
    least = oracle.gap(queries[0], 70)
    found = [hit.id for hit in client.search_all(metric, vector=queries[0], k=20, min_score=least, exact=True)]
    assert {*found} == oracle.above(queries[0], least) and len(found) == len({*found})


def test_diverse_hits(client: Client, metric: Metric, queries: np.ndarray) -> None:
    found = client.search(metric, vector=queries[0], k=10, diversity=0.5)
    assert len({*found.ids}) == 10


@pytest.mark.parametrize("count", [1, 40])
def test_analogies(client: Client, oracle: Oracle, metric: Metric, count: int) -> None:
    rng = np.random.default_rng(1)
    asked = [[f"item-{row}" for row in rng.choice(ROWS, 3, replace=False)] for _ in range(count)]
    batch = client.batch_solve_analogies(metric, [([b, c], [a]) for a, b, c in asked], k=5, exact=True)
    for (a, b, c), result in zip(asked, batch, strict=True):
        ids, scores = oracle.analogy([Term(b), Term(c)], [Term(a)], k=5)
        assert result.ids == ids
        np.testing.assert_allclose(result.scores, scores, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("method", ["3cosmul", "pair-direction"])
def test_the_index_finds_what_a_scan_finds(client: Client, method: str) -> None:
    asked = [(["item-1", "item-2"], ["item-3"]), (["item-9", "item-40"], ["item-7"])] * 10
    by_scan = client.batch_solve_analogies("cosine", asked, k=10, method=method, exact=True)
    by_index = client.batch_solve_analogies("cosine", asked, k=10, method=method, target_recall=0.99)
    same = [len({*one.ids} & {*other.ids}) / 10 for one, other in zip(by_scan, by_index, strict=True)]
    assert np.mean(same) >= 0.8


def test_pairs_and_neighbours(client: Client, oracle: Oracle, metric: Metric) -> None:
    scores = np.stack([oracle.scores(vector) for vector in oracle.vectors])
    left, right = np.triu_indices(ROWS, 1)
    values = np.sort(scores[left, right])[::-1]
    cut = 300 + int((values[300:320] - values[301:321]).argmax())
    least = float(values[cut] + values[cut + 1]) / 2
    expected = {(IDS[a], IDS[b]) for a, b in zip(left, right, strict=True) if scores[a, b] >= least}
    pairs = list(client.duplicates(metric, least, exact=True))
    assert {(pair.left, pair.right) for pair in pairs} == expected and len(pairs) == len(expected)
    by_index = {(pair.left, pair.right) for pair in client.duplicates(metric, least)}
    assert by_index <= expected and len(by_index) >= 0.95 * len(expected)
    np.fill_diagonal(scores, -np.inf)
    for item in client.neighbours(metric, k=3, exact=True):
        np.testing.assert_allclose(item.scores, np.sort(scores[IDS.index(item.id)])[::-1][:3], **CLOSE)


def test_similarity_and_rank(client: Client, oracle: Oracle, metric: Metric) -> None:
    stored = oracle.vectors
    scores = oracle.scores(stored[1])
    assert client.similarity(metric, "item-1", "item-2") == pytest.approx(scores[2], rel=1e-5, abs=1e-5)
    above = {IDS[row] for row in np.flatnonzero(scores > scores[2])} - {"item-1"}
    assert client.rank(metric, "item-1", "item-2") == len(above) + 1
    assert {*client.closer_than(metric, "item-1", "item-2", k=10_000).hits.ids} == above


def test_queries_stay_float32(client: Client, metric: Metric) -> None:
    """One that float16 can't hold is as good as any."""
    large = np.full(DIMENSION, 1e6, dtype=np.float32)
    assert len(client.search(metric, vector=large, k=3).ids) == 3
