"""Analogies by every method, one by one and in batches, against NumPy and gensim, over both edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from conftest import clustered
from gensim.models import KeyedVectors
from oracle import Oracle

from vecinity.client import (
    AnalogyMethod,
    Client,
    Effort,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    Term,
    Text,
)
from vecinity.v1 import core_pb2, search_service_pb2

FAMILIES = ("flat", "ivf-flat", "hnsw", "ivf-pq")
EFFORTS = {"ivf-flat": Effort(nprobe=32), "hnsw": Effort(ef_search=200), "ivf-pq": Effort(nprobe=32, k_factor=32)}
METHODS = ("3cosadd", "3cosmul", "pair-direction")


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle([f"item-{row}" for row in range(2_000)], clustered(), "cosine")


@pytest.fixture(scope="module")
def peer(oracle: Oracle) -> KeyedVectors:
    vectors = KeyedVectors(32)
    vectors.add_vectors(oracle.ids, clustered())
    return vectors


@pytest.fixture(scope="module")
def analogies() -> list[tuple[list[str], list[str]]]:
    rng = np.random.default_rng(5)
    triples = [rng.choice(400, 3, replace=False) for _ in range(300)]
    return [([f"item-{a}", f"item-{b}"], [f"item-{c}"]) for a, b, c in triples]


def scores(oracle: Oracle, method: str, positive: Sequence[str], negative: Sequence[str]) -> np.ndarray:
    """The score of every item, by the formulas of the papers; of the inputs -inf."""
    added, taken = [oracle.vector(i) for i in positive], [oracle.vector(i) for i in negative]
    if method == "3cosmul":
        up = np.prod([(1 + oracle.vectors @ v) / 2 for v in added], axis=0)
        result = up / (np.prod([(1 + oracle.vectors @ v) / 2 for v in taken], axis=0) + 1e-6)
    elif method == "pair-direction":
        from_b, way = oracle.vectors - added[1], added[0] - taken[0]
        lengths = np.linalg.norm(from_b, axis=1) * np.linalg.norm(way)
        result = from_b @ way / np.maximum(lengths, 1e-12)
    else:
        total = sum(added) - sum(taken)
        result = oracle.vectors @ (total / np.linalg.norm(total))
    result[[oracle.ids.index(i) for i in (*positive, *negative)]] = -np.inf
    return result


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_exact_batches_are_the_formulas(
    client: Client, oracle: Oracle, analogies: list, method: str, family: str
) -> None:
    found = client.batch_solve_analogies(f"cosine-{family}", analogies, method=method, exact=True, k=7)
    assert len(found) == 300 and found.predicted_recall == 1.0
    for (positive, negative), hits in zip(analogies, found, strict=True):
        expected = scores(oracle, method, positive, negative)
        np.testing.assert_allclose(hits.scores, np.sort(expected)[::-1][:7], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(hits.scores, [expected[oracle.ids.index(i)] for i in hits.ids], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["ivf-flat", "hnsw", "ivf-pq"])
@pytest.mark.parametrize("method", METHODS)
def test_the_index_finds_what_a_scan_finds(client: Client, analogies: list, method: str, family: str) -> None:
    collection = f"cosine-{family}"
    exact = client.batch_solve_analogies(collection, analogies, method=method, exact=True, k=5)
    found = client.batch_solve_analogies(collection, analogies, method=method, effort=EFFORTS[family], k=5)
    if method != "3cosadd":
        assert found.predicted_recall is None
    shared = [len({*a.ids} & {*b.ids}) / 5 for a, b in zip(found, exact, strict=True)]
    assert np.mean(shared) >= 0.97
    assert np.mean([a.ids[0] == b.ids[0] for a, b in zip(found, exact, strict=True)]) >= 0.97
    for ours, truth in zip(found, exact, strict=True):  # one item has one score, however it was found
        known = dict(zip(truth.ids, truth.scores.tolist(), strict=True))
        for hit in ours:
            assert hit.score == pytest.approx(known.get(hit.id, hit.score), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("options", [{}, {"exact": True}, {"target_recall": 0.9}])
def test_batches_give_what_single_calls_give(client: Client, analogies: list, method: str, options: dict) -> None:
    batch = client.batch_solve_analogies("cosine-flat", analogies[:40], method=method, k=5, **options)
    for (positive, negative), hits in zip(analogies, batch, strict=False):
        single = client.solve_analogy("cosine-flat", positive, negative, method=method, k=5, **options)
        assert single.ids == hits.ids
        np.testing.assert_allclose(single.scores, hits.scores, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # gensim calls it itself
def test_gensim_gives_the_same(client: Client, peer: KeyedVectors, analogies: list) -> None:
    added = client.batch_solve_analogies("cosine-ivf-pq", analogies, exact=True)
    method = AnalogyMethod.THREE_COS_MUL
    multiplied = client.batch_solve_analogies("cosine-ivf-pq", analogies, exact=True, method=method)
    for (positive, negative), ours, ours_mul in zip(analogies, added, multiplied, strict=True):
        theirs = peer.most_similar(positive, negative)
        theirs_mul = peer.most_similar_cosmul(positive, negative)
        np.testing.assert_allclose(ours.scores, [score for _, score in theirs], atol=1e-5)
        np.testing.assert_allclose(ours_mul.scores, [score for _, score in theirs_mul], rtol=1e-4)
        assert ours.ids[0] == theirs[0][0] and ours_mul.ids[0] == theirs_mul[0][0]


def test_most_similar_takes_gensims_arguments(client: Client, peer: KeyedVectors) -> None:
    raw = clustered(2, seed=11)
    for arguments in (
        dict(positive="item-1"),
        dict(positive=["item-1", "item-2"], negative="item-3"),
        dict(negative=["item-3"], topn=3),
        dict(positive=raw[0]),
        dict(positive=[raw[0], "item-2"], negative=[raw[1]]),
        dict(positive=[("item-1", 2.0), "item-2"], negative=[("item-3", -0.5)]),
        dict(positive=[(raw[0], 0.25), ("item-9", -1.0)], negative=[("item-4", 0.75)]),
        dict(positive=[np.zeros(32, dtype=np.float32), "item-5"]),
        dict(positive=["item-1"], topn=0),
    ):
        ours, theirs = client.most_similar("cosine-hnsw", **arguments, exact=True), peer.most_similar(**arguments)
        assert [item_id for item_id, _ in ours] == [key for key, _ in theirs], arguments
        np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], atol=1e-5)
    with pytest.raises(InvalidArgumentError, match="restrict_vocab"):
        client.most_similar("cosine-hnsw", "item-1", restrict_vocab=100)
    with pytest.raises(InvalidArgumentError, match="topn is None"):
        client.most_similar("cosine-hnsw", "item-1", topn=None)
    with pytest.raises(InvalidArgumentError, match="weight"):
        client.most_similar("cosine-hnsw", [("item-1", 0.0)])
    with pytest.raises(LookupError, match="absent"):
        client.most_similar("cosine-hnsw", "absent")
    with pytest.raises(ValueError, match="from 1 to"):
        client.most_similar("cosine-hnsw")


def test_weights_of_products_are_exponents(client: Client, oracle: Oracle) -> None:
    up, down = ((1 + oracle.vectors @ oracle.vector(i)) / 2 for i in ("item-1", "item-2"))
    expected = up**2.5 / (down**0.5 + 1e-6)
    expected[[1, 2]] = -np.inf
    result = client.solve_analogy(
        "cosine-hnsw", [Term("item-1", 2.5)], [Term("item-2", 0.5)], method="3cosmul", exact=True, k=4
    )
    np.testing.assert_allclose(result.scores, np.sort(expected)[::-1][:4], rtol=1e-4)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_3cosavg(client: Client, metric: str) -> None:
    oracle = Oracle([f"item-{row}" for row in range(2_000)], clustered(), metric)
    examples = [("item-10", "item-20"), ("item-11", "item-21"), ("item-12", "item-22")]
    relation = np.mean([oracle.vector(right) - oracle.vector(left) for left, right in examples], axis=0)
    inputs = {"item-3", *(name for pair in examples for name in pair)}
    options = {"method": "3cosavg", "examples": examples, "k": 6, "exact": True}
    for without, include in ((inputs, False), (set(), True)):
        result = client.solve_analogy(f"{metric}-flat", ["item-3"], include_inputs=include, **options)
        ids, expected = oracle.search(oracle.vector("item-3") + relation, 6, without)
        assert result.ids == ids
        np.testing.assert_allclose(result.scores, expected, rtol=1e-4, atol=1e-4)
    batch = client.batch_solve_analogies(f"{metric}-flat", [(["item-3"], []), (["item-4"], [])], **options)
    assert batch[0].ids == client.solve_analogy(f"{metric}-flat", ["item-3"], **options).ids
    assert len(batch[1]) == 6


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
@pytest.mark.parametrize("family", FAMILIES)
def test_batches_of_other_metrics(client: Client, metric: str, family: str, analogies: list) -> None:
    oracle = Oracle([f"item-{row}" for row in range(2_000)], clustered(), metric)
    found = client.batch_solve_analogies(f"{metric}-{family}", analogies[:60], exact=True, k=5)
    for (positive, negative), hits in zip(analogies, found, strict=False):
        expected = oracle.analogy([Term(i) for i in positive], [Term(i) for i in negative], 5)
        assert hits.ids == expected[0]
        np.testing.assert_allclose(hits.scores, expected[1], rtol=1e-4, atol=1e-4)


def test_terms_of_every_kind_in_a_batch(client: Client, oracle: Oracle) -> None:
    ids = [(["item-1", Term("item-2", 0.5)], ["item-3"]), (["item-4"], [])]
    by_id = client.batch_solve_analogies("cosine-flat", ids, k=3, include_inputs=True)
    vectors = oracle.vectors.astype(np.float32)
    by_vector = client.batch_solve_analogies(
        "cosine-flat", [([vectors[1], Term(vectors[2], 0.5)], [vectors[3]]), ([vectors[4]], [])], k=3
    )
    assert [hits.ids for hits in by_vector] == [hits.ids for hits in by_id]
    columns = client.batch_solve_analogies(
        "cosine-flat", terms=vectors[1:5], term_counts=[3, 1], weights=[1, 0.5, -1, 1], k=3, include_vectors=True
    )
    assert [hits.ids for hits in columns] == [hits.ids for hits in by_id]
    assert columns[1].vectors.shape == (3, 32)
    by_text = client.batch_solve_analogies("words", [([Text("King"), Text("woman")], [Text("man")])], k=3)
    assert by_text[0].ids == client.solve_analogy("words", ["king", "woman"], ["man"], k=3).ids


def test_options_reach_the_server(client: Client) -> None:
    terms = (["item-1", "item-2"], ["item-3"])
    result = client.solve_analogy("cosine-hnsw", *terms, k=3, effort=Effort(ef_search=20), include_vectors=True)
    assert len(result) == 3 and result.vectors is not None and result.predicted_recall != 1.0
    assert len(client.batch_solve_analogies("cosine-hnsw", [terms], k=4)[0]) == 4
    with pytest.raises(NotFoundError, match="version 9"):
        client.solve_analogy("cosine-hnsw", *terms, version=9)
    with pytest.raises(InvalidArgumentError, match="no option 'kk'"):
        client.solve_analogy("cosine-hnsw", *terms, kk=3)


def test_inputs_are_left_out_unless_included(client: Client) -> None:
    for method in METHODS:
        options = {"method": method, "k": 2_000, "exact": True}
        without = client.solve_analogy("cosine-flat", ["item-1", "item-2"], ["item-3"], **options)
        assert len(without) == 1_997 and without.few_items
        assert not {"item-1", "item-2", "item-3"} & {*without.ids}
        included = client.solve_analogy("cosine-flat", ["item-1", "item-2"], ["item-3"], include_inputs=True, **options)
        assert {"item-1", "item-2", "item-3"} <= {*included.ids} and len(included) == 2_000
        assert np.isfinite(included.scores).all()


BAD_SINGLE = [
    (dict(positive=[], negative=[]), r"positives, negatives: are 0; there must be from 1 to"),
    (dict(positive=[], negative=["item-1"], method="3cosmul"), "positives: are none"),
    (dict(positive=["item-1"], negative=["item-2"], method="pair-direction"), "are 1 and 1; PairDirection takes two"),
    (dict(positive=["item-1", "item-2"], negative=["item-1"], method="pair-direction"), "there is no direction"),
    (
        dict(positive=["item-1", Term("item-2", 2.0)], negative=["item-3"], method="pair-direction"),
        r"positives\[1\].weight: has no meaning",
    ),
    (dict(positive=["item-1"], method="3cosavg"), "examples: are 0; 3CosAvg takes from 1"),
    (dict(positive=["item-1"], examples=[("item-1", "item-2")]), "examples: go with 3CosAvg only"),
    (
        dict(positive=["item-1"], negative=["item-2"], method="3cosavg", examples=[("item-1", "item-2")]),
        "3CosAvg takes one and none",
    ),
    (
        dict(positive=["item-1"], method="3cosavg", examples=[("item-1", np.full(32, np.nan))]),
        r"examples\[0\].right: holds NaN",
    ),
    (dict(positive=["item-1"], method="3cosavg", examples=["ab"]), r"examples\[0\] must be a pair"),
    (dict(positive=["item-1"], method="4cos"), "method is '4cos'; it must be one of '3cosadd'"),
    (dict(positive=[Term("item-1", float("inf"))]), r"positives\[0\].weight: is inf"),
    (dict(positive=["item-1"], unknown_words="drop"), "unknown_words is 'drop'; it must be one of"),
    (dict(positive=["item-1"] * 10_001), "from 1 to 10000"),
    (dict(positive=3), "positive must be a list, not 3"),
    (dict(positive=["item-1"], method="3cosavg", examples=[3]), r"examples\[0\] must be a pair, not 3"),
    (dict(positive=["item-\ud800"]), "half of a surrogate pair"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_SINGLE)
def test_bad_analogies(client: Client, arguments: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        client.solve_analogy("cosine-flat", **arguments)


BAD_BATCHES = [
    (dict(analogies=[]), r"term_counts: are 0; there must be from 1 to 10000"),
    (dict(analogies=[(["item-1"], [])] * 10_001), r"term_counts: are 10001; there must be from 1 to 10000"),
    (dict(analogies=[(["item-1"], []), ([], [])]), r"term_counts\[1\]: is 0; an analogy of a batch has from 1 to 100"),
    (dict(analogies=[(["item-1"] * 101, [])]), r"term_counts\[0\]: is 101"),
    (dict(analogies=[("item-1", [])]), r"analogies\[0\], positive, must be a list, not a string"),
    (dict(analogies=[["item-1"]]), r"analogies\[0\] must be a pair"),
    (dict(analogies=[(["item-1"], None)]), r"analogies\[0\], negative, must be a list, not None"),
    (dict(analogies=3), r"analogies must be a list, not 3"),
    (dict(analogies=[(["item-\ud800"], [])]), r"'\\ud800' at character 5, half of a surrogate pair"),
    (dict(analogies=[(["item-1", np.ones(32)], [])]), "must all be ids, all be texts, or all be vectors"),
    (dict(analogies=[([Term("item-1", -1.0)], [])]), "a weight is -1.0, not above 0"),
    (dict(terms=["item-1"], term_counts=[1]), "give analogies, or all of terms, term_counts and weights"),
    (dict(terms=["item-1", "item-2"], term_counts=[1], weights=[1, 1]), "term_counts: add up to 1; there are 2 terms"),
    (dict(terms=["item-1", "item-2"], term_counts=[2], weights=[1]), "weights: are 1; there are 2 terms"),
    (dict(terms=["item-1", "item-2"], term_counts=[2], weights=[1, 0]), r"weights\[1\]: is 0"),
    (dict(terms=["item-1", "item-2"], term_counts=[2], weights=[np.nan, 1]), r"weights\[0\]: is nan"),
    (dict(terms=["item-1"], term_counts=[1], weights=[np.inf]), r"weights\[0\]: is inf"),
    (dict(terms=["item-1", " "], term_counts=[2], weights=[1, 1]), r"terms.ids\[1\]: is empty"),
    (dict(terms=np.ones((2, 31)), term_counts=[2], weights=[1, 1]), r"terms\[0\]: has dimension 31"),
    (dict(terms=np.zeros((2, 32)), term_counts=[2], weights=[1, 1]), r"terms\[0\]: is zero"),
    (
        dict(analogies=[(["item-1"], []), (["item-2"], ["item-2"])]),
        "terms, analogy 1: the terms cancel to zero",
    ),
    (dict(analogies=[(["item-1"], []), ([], ["item-2"])], method="3cosmul"), "terms: analogy 1 has no positive term"),
    (dict(analogies=[(["item-1"], ["item-2"])], method="pair-direction"), "terms: analogy 0 must have two positive"),
    (
        dict(analogies=[(["item-1", "item-2"], [Term("item-3", 3.0)])], method="pair-direction"),
        r"weights\[2\]: must be 1 or -1",
    ),
    (dict(analogies=[(["item-1", "item-2"], [])], method="3cosavg", examples=[("item-1", "item-2")]), "analogy 0 must"),
    (dict(analogies=[(["item-1"], [])] * 2_000, k=1_000), "send fewer"),
    (dict(analogies=[(["item-1"], [])], k=0), "k: is 0"),
    (dict(analogies=[(["item-1"], [])], target_recall=2.0), "target_recall"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_BATCHES)
def test_bad_batches(client: Client, arguments: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        client.batch_solve_analogies("cosine-flat", **arguments)


def test_terms_may_come_one_by_one(client: Client) -> None:
    expected = client.solve_analogy("cosine-flat", ["item-1", "item-3"], ["item-2"])
    assert client.solve_analogy("cosine-flat", (f"item-{i}" for i in (1, 3)), iter(["item-2"])).ids == expected.ids
    sides = ((f"item-{i}" for i in (1, 3)), iter(["item-2"]))
    assert client.batch_solve_analogies("cosine-flat", iter([sides]))[0].ids == expected.ids
    with pytest.raises(InvalidArgumentError, match=r"a vector must be numbers \("):
        client.search("cosine-flat", vector=[10**400])
    with pytest.raises(InvalidArgumentError, match="half of a surrogate pair"):
        client.batch_search("cosine-flat", ids=["item-1", "\udcff"])


@pytest.mark.parametrize("method", ["3cosmul", "pair-direction"])
def test_products_and_directions_are_made_of_cosines(client: Client, method: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"method: .* is made of cosines; .* has the metric dot"):
        client.solve_analogy("dot-flat", ["item-1", "item-2"], ["item-3"], method=method)
    with pytest.raises(InvalidArgumentError, match=r"method: .* is made of cosines"):
        client.batch_solve_analogies("euclidean-hnsw", [(["item-1", "item-2"], ["item-3"])], method=method)


def test_what_a_collection_has_not(client: Client) -> None:
    with pytest.raises(NotFoundError, match="no item 'absent'"):
        client.batch_solve_analogies("cosine-flat", [(["item-1"], []), (["absent"], [])])
    with pytest.raises(FailedPreconditionError, match="has no embedder"):
        client.batch_solve_analogies("cosine-flat", [([Text("king")], [])])
    with pytest.raises(NotFoundError, match="no collection 'nope'"):
        client.batch_solve_analogies("nope", [(["item-1"], [])])


def test_a_method_from_the_future(server) -> None:  # type: ignore[no-untyped-def]
    import grpc

    from vecinity.v1 import search_service_pb2_grpc

    with grpc.insecure_channel(server.target) as channel:
        stub = search_service_pb2_grpc.SearchServiceStub(channel)
        term = search_service_pb2.AnalogyTerm(query=core_pb2.Query(id="item-1"))
        for fields, message in (({"method": 9}, "method: is 9"), ({"unknown_words": 9}, "unknown_words: is 9")):
            request = search_service_pb2.SolveAnalogyRequest(collection="cosine-flat", positives=[term], k=1, **fields)
            with pytest.raises(grpc.RpcError, match=message):
                stub.SolveAnalogy(request, timeout=10)
