"""Similarities, the odd one out and ranks, against gensim's KeyedVectors on the same vectors, over both edges."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import clustered
from gensim.models import KeyedVectors
from oracle import Oracle

from vecinity.client import Client, InvalidArgumentError, NotFoundError, Text

METRICS = ("cosine", "dot", "euclidean")


@pytest.fixture(scope="module")
def peer() -> KeyedVectors:
    """The vectors as the collection stores them: at length 1."""
    vectors = clustered()
    made = KeyedVectors(32)
    made.add_vectors(
        [f"item-{row}" for row in range(len(vectors))], vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    )
    return made


@pytest.fixture
def groups() -> list[list[str]]:
    rng = np.random.default_rng(9)
    return [[f"item-{row}" for row in rng.choice(2_000, size, replace=False)] for size in (2, 3, 5, 8, 13) * 4]


def test_the_odd_one_out_of_what_comes_one_by_one(client: Client) -> None:
    expected = client.odd_one_out("cosine-flat", ["item-1", "item-2", "item-3"])
    found = client.odd_one_out("cosine-flat", (f"item-{number}" for number in (1, 2, 3)))
    assert (found.position, found.query) == (expected.position, expected.query)


def test_sets(client: Client, peer: KeyedVectors, groups: list[list[str]]) -> None:
    pairs = list(zip(groups[::2], groups[1::2], strict=True))
    scores = client.set_similarities("cosine-hnsw", pairs)
    np.testing.assert_allclose(scores, [peer.n_similarity(a, b) for a, b in pairs], atol=1e-5)
    assert client.set_similarity("cosine-hnsw", *pairs[0]) == pytest.approx(scores[0])
    assert client.set_similarity("cosine-hnsw", ["item-1"], ["item-2"]) == pytest.approx(
        client.similarity("cosine-hnsw", "item-1", "item-2"), abs=1e-6
    )


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_sets_of_other_metrics(client: Client, metric: str, groups: list[list[str]]) -> None:
    oracle = Oracle([f"item-{row}" for row in range(2_000)], clustered(), metric)
    left, right = (np.mean([oracle.vector(i) for i in group], axis=0) for group in groups[:2])
    expected = left @ right if metric == "dot" else -((left - right) ** 2).sum()
    score = client.set_similarity(f"{metric}-flat", groups[0], [*groups[1]])
    assert score == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("top", [1, 10, 100])
def test_relative_similarity(client: Client, peer: KeyedVectors, top: int) -> None:
    pairs = [("item-1", "item-2"), ("item-1", "item-1"), ("item-7", "item-300"), ("item-2", "item-1")]
    scores = client.similarities("cosine-ivf-pq", pairs, relative_to_top=top)
    np.testing.assert_allclose(scores, [peer.relative_cosine_similarity(a, b, top) for a, b in pairs], rtol=1e-4)
    assert client.similarity("cosine-ivf-pq", *pairs[0], relative_to_top=top) == pytest.approx(scores[0])


def test_odd_one_out(client: Client, peer: KeyedVectors, groups: list[list[str]]) -> None:
    for group in groups:
        odd = client.odd_one_out("cosine-flat", group)
        assert odd.query == group[odd.position] == peer.doesnt_match(group) or len(group) == 2
        expected = {word: score for score, word in peer.rank_by_centrality(group)}
        np.testing.assert_allclose(odd.scores, [expected[word] for word in group], atol=1e-5)
        assert odd.version == 1 and odd.unknown_words == ()


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_odd_one_out_of_other_metrics(client: Client, metric: str, groups: list[list[str]]) -> None:
    oracle = Oracle([f"item-{row}" for row in range(2_000)], clustered(), metric)
    vectors = np.array([oracle.vector(i) for i in groups[4]])
    mean = vectors.mean(axis=0)
    expected = vectors @ mean if metric == "dot" else -((vectors - mean) ** 2).sum(axis=1)
    odd = client.odd_one_out(f"{metric}-flat", [*groups[4][:-1], clustered()[int(groups[4][-1][5:])]])
    np.testing.assert_allclose(odd.scores, expected, rtol=1e-4)
    assert odd.position == expected.argmin()


@pytest.mark.parametrize(("one", "than"), [("item-1", "item-2"), ("item-40", "item-41"), ("item-5", "item-5")])
def test_closer_items_and_rank(client: Client, peer: KeyedVectors, one: str, than: str) -> None:
    theirs = peer.closer_than(one, than)
    closer = client.closer_than("cosine-ivf-flat", one, than, k=10_000)
    assert {*closer.hits.ids} == {*theirs}
    assert closer.hits.few_matches and not closer.hits.few_items  # others lie farther off than `than` does
    assert closer.rank == peer.rank(one, than) == len(theirs) + 1
    assert client.rank("cosine-ivf-flat", one, than) == closer.rank
    few = client.closer_than("cosine-ivf-flat", one, than, k=3)
    assert few.rank == closer.rank and few.hits.ids == closer.hits.ids[:3]
    nearest = client.search("cosine-ivf-flat", id=one, k=10_000, exact=True)
    assert closer.hits.ids == nearest.ids[: len(theirs)]


@pytest.mark.parametrize("metric", METRICS)
def test_closer_than_a_vector(client: Client, metric: str) -> None:
    oracle = Oracle([f"item-{row}" for row in range(2_000)], clustered(), metric)
    query, than = clustered(2, seed=11)
    expected = int((oracle.scores(oracle.vector(query)) > oracle.similarity(query, than)).sum())
    closer = client.closer_than(f"{metric}-hnsw", query, than)
    assert closer.rank == expected + 1
    assert closer.hits.ids == oracle.search(query, 10)[0][: min(10, expected)]


def test_the_querys_own_item_is_not_closer(client: Client) -> None:
    by_text = client.closer_than("words", Text("King"), "queen", k=1_000)
    by_id = client.closer_than("words", "king", "queen", k=1_000)
    assert by_text.hits.ids == by_id.hits.ids and "king" not in by_id.hits.ids and by_text.rank == by_id.rank


BAD = [
    ("odd_one_out", dict(queries=["item-1"]), "queries: are 1; there must be from 2 to"),
    ("odd_one_out", dict(queries=["item-1"] * 10_001), "from 2 to 10000"),
    ("odd_one_out", dict(queries="item-1"), "must be a list, not a string"),
    ("odd_one_out", dict(queries=["item-1", np.zeros(32)]), r"queries\[1\]: is zero"),
    ("odd_one_out", dict(queries=[np.ones(32), -np.ones(32)]), "queries: the vectors cancel to zero"),
    ("set_similarity", dict(left=[], right=["item-1"]), r"set_pairs\[0\].left: are 0"),
    ("set_similarity", dict(left=["item-1"], right=[]), r"set_pairs\[0\].right: are 0"),
    ("set_similarity", dict(left=["item-1"], right=[np.ones(32), np.ones(31)]), r"right\[1\]: has dimension 31"),
    ("set_similarity", dict(left=["item-1"], right=[np.ones(32), -np.ones(32)]), r"set_pairs\[0\].right: the vectors"),
    ("set_similarity", dict(left=["item-1"], right="item-1"), "must be a list"),
    ("set_similarity", dict(left=["item-1"] * 6_000, right=["item-1"] * 6_000), "set_pairs: hold 12000 queries"),
    ("similarities", dict(pairs=[]), "pairs: are 0; there must be from 1"),
    ("similarities", dict(pairs=["ab"]), r"pairs\[0\] must be a pair"),
    ("similarities", dict(pairs=[("item-1", "item-2")], relative_to_top=10_001), "relative_to_top: is 10001"),
    ("similarities", dict(pairs=[("item-1", "item-2")], relative_to_top=-1), "relative_to_top is -1"),
    ("closer_than", dict(query="item-1", than=np.ones(31)), "than: has dimension 31"),
    ("closer_than", dict(query="item-1", than=""), "than.id: is empty"),
    ("closer_than", dict(query="item-1", than="item-2", k=10_001), "k: is 10001"),
]


@pytest.mark.parametrize(("method", "arguments", "message"), BAD)
def test_bad_requests(client: Client, method: str, arguments: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        getattr(client, method)("cosine-flat", **arguments)


def test_relative_scores_are_of_cosines(client: Client) -> None:
    with pytest.raises(InvalidArgumentError, match=r"relative_to_top: is for cosine; .* has the metric dot"):
        client.similarities("dot-flat", [("item-1", "item-2")], relative_to_top=3)


def test_what_is_not_there(client: Client) -> None:
    for call in (
        lambda: client.rank("cosine-flat", "absent", "item-1"),
        lambda: client.rank("cosine-flat", "item-1", "absent"),
        lambda: client.odd_one_out("cosine-flat", ["item-1", "absent"]),
        lambda: client.set_similarity("cosine-flat", ["item-1"], ["absent"]),
    ):
        with pytest.raises(NotFoundError, match="no item 'absent'"):
            call()
