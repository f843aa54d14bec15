"""The same calls against a NumPy oracle and the service, over both edges: the same answers for all metrics."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest
from conftest import clustered
from oracle import Oracle

from vecinity.client import (
    Client,
    DeadlineExceededError,
    Effort,
    InvalidArgumentError,
    NotFoundError,
    SearchResult,
    Term,
)
from vecinity.v1 import core_pb2, search_service_pb2, search_service_pb2_grpc

METRICS = ("cosine", "dot", "euclidean")
FAMILIES = ("flat", "ivf-flat", "hnsw", "ivf-pq")


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def oracle(metric: str) -> Oracle:
    vectors = clustered()
    return Oracle([f"item-{row}" for row in range(len(vectors))], vectors, metric)


@pytest.fixture
def queries() -> np.ndarray:
    return clustered(50, seed=11)


def assert_same(result: SearchResult, expected: tuple[list[str], np.ndarray]) -> None:
    ids, scores = expected
    np.testing.assert_allclose(result.scores, scores, rtol=1e-4, atol=1e-4)
    for got, want, score in zip(result.ids, ids, scores, strict=True):
        # Ties may come in any order.
        assert got == want or np.isclose(scores, score, rtol=1e-4, atol=1e-4).sum() > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_exact_search_by_vector(client: Client, oracle: Oracle, metric: str, family: str, queries: np.ndarray) -> None:
    for query in queries[:10]:
        result = client.search(f"{metric}-{family}", vector=query, k=10, exact=True)
        assert_same(result, oracle.search(query, 10))
        assert result.predicted_recall == 1.0
        assert not result.few_items


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [1, 10, 100])
def test_default_search_keeps_its_recall(client: Client, oracle: Oracle, metric: str, family: str, k: int) -> None:
    queries = clustered(300, seed=11)
    result = client.batch_search(f"{metric}-{family}", vectors=queries, k=k)
    recalls = [
        len({*found.ids} & {*oracle.search(query, k)[0]}) / k for found, query in zip(result, queries, strict=True)
    ]
    assert np.mean(recalls) >= 0.93  # .95 is promised; 300 queries leave some chance
    assert result.predicted_recall >= 0.95
    for found, query in zip(result, queries, strict=True):  # what is found has its true score
        np.testing.assert_allclose(found.scores, oracle.scores_of(query, found.ids), rtol=1e-4, atol=1e-4)
        assert list(found.scores) == sorted(found.scores, reverse=True)


def test_search_by_id_leaves_the_item_out(client: Client, oracle: Oracle, metric: str) -> None:
    result = client.search(f"{metric}-flat", id="item-5", k=10)
    assert_same(result, oracle.search(oracle.vector("item-5"), 10, without={"item-5"}))


def test_batches_give_what_single_calls_give(client: Client, metric: str, queries: np.ndarray) -> None:
    collection = f"{metric}-ivf-flat"
    batch = client.batch_search(collection, vectors=queries, k=7, include_vectors=True)
    assert len(batch) == len(queries)
    for query, found in zip(queries, batch, strict=True):
        single = client.search(collection, vector=query, k=7, include_vectors=True)
        assert single.ids == found.ids
        np.testing.assert_allclose(single.scores, found.scores, rtol=1e-5)
        np.testing.assert_array_equal(single.vectors, found.vectors)
    by_id = client.batch_search(collection, ids=["item-1", "item-2"], k=3)
    assert [found.ids for found in by_id] == [client.search(collection, id=i, k=3).ids for i in ("item-1", "item-2")]


def test_batch_larger_than_a_chunk(client: Client, oracle: Oracle, metric: str) -> None:
    queries = clustered(1_000, seed=12)
    batch = client.batch_search(f"{metric}-flat", vectors=queries, k=3)
    for position in (0, 63, 64, 500, 999):
        assert_same(batch[position], oracle.search(queries[position], 3))


def test_vectors_come_as_they_are_stored(client: Client, oracle: Oracle, metric: str) -> None:
    result = client.search(f"{metric}-flat", id="item-3", k=2, include_vectors=True)
    assert result.vectors is not None
    np.testing.assert_allclose(result.vectors, [oracle.vector(i) for i in result.ids], rtol=1e-5, atol=1e-6)
    hit = result[0]
    assert hit.id == result.ids[0] and hit.text is None and hit.vector is not None


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        (["item-1", "item-2"], ["item-3"]),
        (["item-1"], []),
        ([Term("item-1", 2.0), "item-9"], [Term("item-4", 0.5)]),
        ([], ["item-8"]),
    ],
)
def test_analogies(client: Client, oracle: Oracle, metric: str, positive: list, negative: list) -> None:
    result = client.solve_analogy(f"{metric}-flat", positive, negative, k=5)
    terms = (
        [Term(*t) if isinstance(t, Term) else Term(t) for t in positive],
        [Term(*t) if isinstance(t, Term) else Term(t) for t in negative],
    )
    assert_same(result, oracle.analogy(*terms, k=5))


def test_analogy_of_vectors_and_ids(client: Client, oracle: Oracle, metric: str, queries: np.ndarray) -> None:
    result = client.solve_analogy(f"{metric}-flat", [queries[0], "item-1"], [queries[1]], k=5)
    expected = oracle.analogy([Term(queries[0]), Term("item-1")], [Term(queries[1])], k=5)
    assert_same(result, expected)


def test_similarities(client: Client, oracle: Oracle, metric: str, queries: np.ndarray) -> None:
    pairs = [("item-1", "item-2"), ("item-1", "item-1"), ("item-7", queries[0]), (queries[1], queries[2])]
    scores = client.similarities(f"{metric}-hnsw", pairs)
    np.testing.assert_allclose(scores, [oracle.similarity(a, b) for a, b in pairs], rtol=1e-4, atol=1e-4)
    assert client.similarity(f"{metric}-hnsw", *pairs[0]) == pytest.approx(scores[0])


def test_more_hits_than_items(client: Client, oracle: Oracle, metric: str, queries: np.ndarray) -> None:
    for family in FAMILIES:
        result = client.search(f"{metric}-{family}", vector=queries[0], k=5_000)
        assert len(result) == len(oracle.ids) == len(set(result.ids))
        assert result.few_items
    by_id = client.search(f"{metric}-flat", id="item-1", k=2_000)
    assert len(by_id) == 1_999 and by_id.few_items


def test_a_plain_stub_can_do_the_same(server, oracle: Oracle, metric: str, queries: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    with grpc.insecure_channel(server.target) as channel:
        stub = search_service_pb2_grpc.SearchServiceStub(channel)
        vector = core_pb2.Vector(values=queries[0].tolist())
        response = stub.Search(
            search_service_pb2.SearchRequest(collection=f"{metric}-flat", query=core_pb2.Query(vector=vector), k=4),
            timeout=10,
        )
        ids, scores = oracle.search(queries[0], 4)
        assert list(response.hits.ids) == ids
        np.testing.assert_allclose(response.hits.scores, scores, rtol=1e-4, atol=1e-4)


class TestWords:
    def test_text_and_id_ask_for_the_same_vector(self, client: Client) -> None:
        by_text = client.search("words", text="King", k=4)
        by_id = client.search("words", id="king", k=3)
        assert by_text.ids == ["king", *by_id.ids]
        assert by_text.scores[0] == pytest.approx(1.0, abs=1e-5)

    def test_embed(self, client: Client) -> None:
        embeddings = client.embed("words", ["king", "the young king"])
        assert embeddings.vectors.shape == (2, 50)
        np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), 1, rtol=1e-5)
        assert embeddings.fingerprint == client.get_collection("words").embedder.fingerprint  # type: ignore[union-attr]
        nearest = client.search("words", vector=embeddings.vectors[0], k=1)
        assert nearest.ids == ["king"]

    def test_a_text_that_is_a_term_is_left_out(self, client: Client) -> None:
        from vecinity.client import Text

        by_id = client.solve_analogy("words", ["king", "woman"], ["man"], k=5)
        by_text = client.solve_analogy("words", [Text("King"), Text("woman")], [Text("man")], k=5)
        assert by_id.ids == by_text.ids
        assert not {"king", "woman", "man"} & {*by_id.ids}

    def test_near_spellings(self, client: Client) -> None:
        with pytest.raises(NotFoundError, match="'kingg'") as caught:
            client.search("words", id="kingg")
        assert "king" in caught.value.suggestions
        with pytest.raises(NotFoundError, match="'quen'") as caught:
            client.search("words", text="quen")
        assert "queen" in caught.value.suggestions


class TestCollections:
    def test_list_in_pages(self, client: Client) -> None:
        names = [collection.name for collection in client.list_collections(page_size=5)]
        assert names == sorted(names)
        assert {"words", "cosine-flat", "euclidean-ivf-pq"} <= {*names}
        assert names == [collection.name for collection in client.list_collections()]

    def test_get(self, client: Client) -> None:
        collection = client.get_collection("dot-hnsw")
        assert (collection.dimension, collection.item_count, collection.version) == (32, 2_000, 1)
        assert collection.metric == "dot"
        assert collection.embedder is None
        assert collection.index.family == "hnsw"
        assert collection.index.description == "HNSW16,Flat"
        assert {point.k for point in collection.index.calibration} == {1, 3, 10, 30, 100}
        words = client.get_collection("words")
        assert words.embedder is not None and words.embedder.kind == "word2vec"


BAD = [
    (dict(collection="nope", id="a"), NotFoundError, "no collection 'nope'"),
    (dict(collection="wrods", id="a"), NotFoundError, "did you mean 'words'"),
    (dict(collection="", id="a"), InvalidArgumentError, "collection: is required"),
    (dict(collection="cosine-flat", id="absent"), NotFoundError, "no item 'absent'"),
    (dict(collection="cosine-flat", id=" "), InvalidArgumentError, "query.id: is empty"),
    (dict(collection="cosine-flat", id="item-1", k=0), InvalidArgumentError, "k: is 0"),
    (dict(collection="cosine-flat", id="item-1", k=10_001), InvalidArgumentError, "from 1 to 10000"),
    (dict(collection="cosine-flat", id="item-1", k=-1), InvalidArgumentError, "k is -1"),
    (dict(collection="cosine-flat", id="item-1", version=9), NotFoundError, "no published version 9"),
    (dict(collection="cosine-flat", vector=[1.0, 2.0]), InvalidArgumentError, "has dimension 2; .* has 32"),
    (dict(collection="cosine-flat", vector=[np.nan] * 32), InvalidArgumentError, "NaN or infinity"),
    (dict(collection="cosine-flat", vector=[np.inf] * 32), InvalidArgumentError, "NaN or infinity"),
    (dict(collection="cosine-flat", vector=[1e300] * 32), InvalidArgumentError, "NaN or infinity"),
    (dict(collection="cosine-flat", vector=[0.0] * 32), InvalidArgumentError, "zero, which has no direction"),
    (dict(collection="euclidean-flat", vector=[1e20] * 32), InvalidArgumentError, "query: has length"),
    (dict(collection="dot-hnsw", vector=[3e38, -3e38] * 16), InvalidArgumentError, "scale the vectors"),
    (dict(collection="cosine-flat", vector=[]), InvalidArgumentError, "not empty"),
    (dict(collection="cosine-flat", id="item-1", k=1.5), InvalidArgumentError, "k is 1.5; it must be a whole number"),
    (dict(collection="cosine-flat", vector=["a"]), InvalidArgumentError, "must be numbers"),
    (dict(collection="cosine-flat"), InvalidArgumentError, "exactly one of vector, id and text"),
    (dict(collection="cosine-flat", id="a", text="b"), InvalidArgumentError, "exactly one of"),
    (dict(collection="words", text="???"), NotFoundError, "vocabulary"),
    (dict(collection="words", text="a" * 40_000), InvalidArgumentError, "limit is 32768"),
    (dict(collection="cosine-flat", id="item-1", target_recall=0.0), InvalidArgumentError, "above 0 and below 1"),
    (dict(collection="cosine-flat", id="item-1", target_recall=1.0), InvalidArgumentError, "exact"),
    (dict(collection="cosine-flat", id="item-1", target_recall=np.nan), InvalidArgumentError, "above 0 and below 1"),
    (
        dict(collection="cosine-flat", id="item-1", effort=Effort(nprobe=4)),
        InvalidArgumentError,
        "a flat index has no nprobe",
    ),
    (
        dict(collection="cosine-hnsw", id="item-1", effort=Effort(ef_search=4_000_000_000)),
        InvalidArgumentError,
        "to 65536",
    ),
    (dict(collection="cosine-ivf-flat", id="item-1", effort=Effort()), InvalidArgumentError, "nprobe: is 0"),
    (dict(collection="cosine-hnsw", id="item-1", exact=True, effort=Effort(1)), InvalidArgumentError, "at most one"),
    (dict(collection="a" * 10_000, id="item-1"), InvalidArgumentError, "no collection's name has over 63"),
    (dict(collection="cosine-flat", id="漢" * 3_000), NotFoundError, "has no item '漢"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_bad_requests_are_refused_by_name_and_the_server_lives_on(
    client: Client, arguments: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        client.search(**arguments)
    assert client.search("cosine-flat", id="item-1", k=1)


def test_zero_is_a_vector_for_other_metrics(client: Client) -> None:
    assert client.search("euclidean-hnsw", vector=[0.0] * 32, k=3)
    assert client.search("dot-flat", vector=[0.0] * 32, k=3)


@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ([], [], "from 1 to"),
        (["item-1"], ["item-1"], "cancel to zero"),
        ([Term("item-1", 0.0)], [], r"positives\[0\].weight"),
        (["item-1"], [Term("item-2", -1.0)], r"negatives\[0\].weight"),
        ([Term("item-1", float("nan"))], [], "weight"),
        ([np.zeros(32)], [], r"positives\[0\].query: is zero"),
        ([np.ones(32), np.ones(31)], [], "dimension 31"),
        ([np.ones(32)], [np.full(32, np.nan)], r"negatives\[0\].query: holds NaN"),
    ],
)
def test_bad_analogies(client: Client, positive: list, negative: list, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        client.solve_analogy("cosine-flat", positive, negative)


def test_weights_out_of_range_are_no_fault_of_the_server(client: Client) -> None:
    terms = [Term(f"item-{i}", 3e38) for i in range(40)]
    assert client.solve_analogy("cosine-flat", terms, k=1)
    with pytest.raises(InvalidArgumentError, match=r"the sum of the terms (holds|has)"):
        client.solve_analogy("dot-flat", terms, k=1)


def test_the_pair_at_fault_is_named(client: Client) -> None:
    with pytest.raises(InvalidArgumentError, match=r"pairs\[1\].right: holds NaN"):
        client.similarities("dot-flat", [("item-1", "item-2"), ("item-1", np.full(32, np.nan))])


@pytest.mark.parametrize(
    ("family", "effort"),
    [("ivf-flat", Effort(nprobe=2)), ("ivf-pq", Effort(nprobe=2, k_factor=3)), ("hnsw", Effort(ef_search=20))],
)
def test_an_effort_of_the_callers_own(client: Client, family: str, effort: Effort) -> None:
    result = client.search(f"cosine-{family}", id="item-1", effort=effort)
    assert len(result) == 10 and result.predicted_recall != 1.0
    for point in client.get_collection(f"cosine-{family}").index.calibration:  # what was measured can be asked for
        result = client.search(f"cosine-{family}", id="item-1", k=point.k, effort=point.effort)
        assert result.predicted_recall == pytest.approx(point.recall)


def test_bad_batches(client: Client) -> None:
    for arguments, message in (
        (dict(ids=[]), "from 1 to"),
        (dict(vectors=np.zeros((0, 32))), "not empty"),
        (dict(vectors=np.zeros(32)), "2-d array"),
        (dict(vectors=np.ones((2, 31))), "dimension 31"),
        (dict(ids="item-1"), "must be a list, not a string"),
        (dict(vectors=np.vstack([np.ones(32), np.full(32, np.inf)])), r"queries\[1\]: holds NaN or infinity"),
        (dict(ids=["item-1", ""]), r"queries.ids\[1\]: is empty"),
        (dict(vectors=np.ones((2_000, 32)), k=1_000), "send fewer"),
        (dict(vectors=np.ones((1_000, 32)), k=900, include_vectors=True), "ask for fewer"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            client.batch_search("cosine-flat", **arguments)
    with pytest.raises(NotFoundError, match="'absent'"):
        client.batch_search("cosine-flat", ids=["item-1", "absent"])


def test_deadlines(client: Client) -> None:
    queries = clustered(10_000)
    with pytest.raises(DeadlineExceededError):
        client.batch_search("cosine-flat", vectors=queries, k=100, exact=True, timeout=0.05)
    assert client.search("cosine-flat", id="item-1", k=1)


def test_pinned_versions(client: Client, collections_dir: Path) -> None:
    assert client.search("dot-flat", id="item-1", version=1).version == 1
