"""Searches for more than the k closest: against the oracle, over both edges."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import EDGES, clustered, publish_vectors, running_server
from oracle import Oracle

from vecinity.client import Client, Effort, InvalidArgumentError, NotFoundError, SearchResult, Term
from vecinity.indexer.ann import Family

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
def query() -> np.ndarray:
    return clustered(1, seed=11)[0]


def assert_same(result: SearchResult, expected: tuple[list[str], np.ndarray]) -> None:
    np.testing.assert_allclose(result.scores, expected[1], rtol=1e-4, atol=1e-4)
    assert result.ids == expected[0]


COPIES, DISTINCT = 40, 30


@pytest.fixture(scope="module", params=["in-process", *EDGES])
def copies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Collections, one of each family, of 30 vectors, each of them 40 times over: no page can avoid ties."""
    folder = tmp_path_factory.mktemp("copies")
    vectors = np.tile(clustered(DISTINCT, seed=5), (COPIES, 1))
    for family in map(Family, FAMILIES):
        publish_vectors(folder / "data", family, vectors, folder, family=family, target_recall=0)
    if request.param == "in-process":
        with Client.in_process(folder / "data") as client:
            yield client
    else:
        over = running_server(folder / "data", folder / "log", "--edge", request.param)
        with over as server, Client(server.target) as client:
            yield client


class TestLeastScore:
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("above", [1, 7, 60, 700])
    def test_exact_pages_hold_each_item_above_it_once(
        self, client: Client, oracle: Oracle, metric: str, family: str, above: int, query: np.ndarray
    ) -> None:
        least = oracle.gap(query, above)
        expected = oracle.above(query, least)
        for k in (3, 50) if above < 100 else (150,):
            hits = list(client.search_all(f"{metric}-{family}", vector=query, min_score=least, k=k, exact=True))
            assert len(hits) == len({hit.id for hit in hits})
            assert {hit.id for hit in hits} == expected
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            np.testing.assert_allclose(
                [hit.score for hit in hits], oracle.scores_of(query, [hit.id for hit in hits]), rtol=1e-4, atol=1e-4
            )

    @pytest.mark.parametrize("family", FAMILIES)
    def test_by_index_pages_keep_the_recall_and_never_repeat(
        self, client: Client, oracle: Oracle, metric: str, family: str
    ) -> None:
        recalls = []
        for query in clustered(40, seed=11):
            least = oracle.gap(query, 45)
            expected = oracle.above(query, least)
            ids = [hit.id for hit in client.search_all(f"{metric}-{family}", vector=query, min_score=least, k=7)]
            assert len(ids) == len({*ids}) and {*ids} <= expected
            recalls.append(len({*ids}) / len(expected))
        # .95 is promised of the mean over all queries; of 40, whose recalls differ by .1, that is within .05.
        assert np.mean(recalls) >= 0.90

    def test_k_caps_and_the_shortfall_says_why(
        self, client: Client, oracle: Oracle, metric: str, query: np.ndarray
    ) -> None:
        least = oracle.gap(query, 20)
        full = client.search(f"{metric}-flat", vector=query, k=5, min_score=least)
        assert_same(full, oracle.search(query, 5))
        assert full.next_page_token and not full.few_matches and not full.few_items
        short = client.search(f"{metric}-flat", vector=query, k=100, min_score=least)
        assert {*short.ids} == oracle.above(query, least)
        assert short.few_matches and not short.few_items and not short.next_page_token
        everything = client.search(f"{metric}-flat", vector=query, k=5_000, min_score=-1e30)
        assert len(everything) == 2_000 and everything.few_items and not everything.few_matches
        nothing = client.search(f"{metric}-flat", vector=query, min_score=1e30)
        assert len(nothing) == 0 and nothing.few_matches and not nothing.next_page_token

    def test_the_last_page_may_be_full(self, client: Client, oracle: Oracle, metric: str, query: np.ndarray) -> None:
        least = oracle.gap(query, 20)
        k = len(oracle.above(query, least))
        assert not client.search(f"{metric}-hnsw", vector=query, k=k, min_score=least, exact=True).next_page_token

    def test_the_items_own_id_is_on_no_page(self, client: Client, oracle: Oracle, metric: str) -> None:
        least = oracle.gap("item-9", 30)
        hits = client.search_all(f"{metric}-ivf-flat", id="item-9", min_score=least, k=4, exact=True)
        assert {hit.id for hit in hits} == oracle.above("item-9", least) - {"item-9"}

    def test_a_batch_and_an_analogy(self, client: Client, oracle: Oracle, metric: str) -> None:
        queries = clustered(100, seed=11)
        least = oracle.gap(queries[0], 20)
        batch = client.batch_search(f"{metric}-flat", vectors=queries, k=30, min_score=least)
        for query, result in zip(queries, batch, strict=True):
            expected = oracle.search(query, 30)
            want = [i for i, score in zip(*expected, strict=True) if score >= least]
            sure = [i for i, score in zip(*expected, strict=True) if score >= least + 1e-3 * max(1, abs(least))]
            assert result.ids[: len(sure)] == sure and abs(len(result) - len(want)) <= 1
        solved = client.solve_analogy(f"{metric}-flat", ["item-1", "item-2"], ["item-3"], k=30)
        least = float(solved.scores[9] + solved.scores[10]) / 2
        some = client.solve_analogy(f"{metric}-flat", ["item-1", "item-2"], ["item-3"], k=30, min_score=least)
        assert some.ids == solved.ids[:10] and some.few_matches

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("k", [1, 7, 40, 55])
    def test_ties_across_pages(self, copies: Client, family: str, k: int) -> None:
        oracle = Oracle([], clustered(DISTINCT, seed=5), "cosine")
        query = clustered(1, seed=6)[0]
        least = oracle.gap(query, 5)
        kinds = {*np.flatnonzero(oracle.scores(oracle.vector(query)) >= least).tolist()}
        ids = [hit.id for hit in copies.search_all(family, vector=query, min_score=least, k=k, exact=True)]
        assert len(ids) == len({*ids}) == COPIES * len(kinds)
        assert {int(item) % DISTINCT for item in ids} == kinds
        by_index = [hit.id for hit in copies.search_all(family, vector=query, min_score=least, k=k)]
        assert len(by_index) == len({*by_index}) and {*by_index} <= {*ids}


class TestPageTokens:
    def first(self, client: Client, **options: object) -> SearchResult:
        asked = {"id": "item-1", "k": 5, "min_score": -1.0, **options}
        return client.search("cosine-flat", **asked)  # type: ignore[arg-type]

    def test_of_another_request(self, client: Client) -> None:
        token = self.first(client).next_page_token
        for options in (dict(k=6), dict(min_score=-0.5), dict(id="item-2"), dict(exact=True), dict(include_texts=True)):
            with pytest.raises(InvalidArgumentError, match="of another request"):
                self.first(client, page_token=token, **options)
        with pytest.raises(InvalidArgumentError, match="of another request"):
            client.search("dot-flat", id="item-1", k=5, min_score=-1.0, page_token=token)
        assert not {*self.first(client, page_token=token).ids} & {*self.first(client).ids}
        assert self.first(client, page_token=token, version=1).ids == self.first(client, page_token=token).ids

    def test_tampered(self, client: Client) -> None:
        token = self.first(client).next_page_token
        raw = bytearray(base64.urlsafe_b64decode(token))
        for place in range(len(raw)):
            changed = raw.copy()
            changed[place] ^= 1
            with pytest.raises(InvalidArgumentError, match="page_token: is damaged"):
                self.first(client, page_token=base64.urlsafe_b64encode(changed).decode())
        for bad in ("x", token[:-4], token + token, "漢" * 50, "=" * 10_000):
            with pytest.raises(InvalidArgumentError, match="page_token: is not a token"):
                self.first(client, page_token=bad)

    def test_without_a_least_score(self, client: Client) -> None:
        with pytest.raises(InvalidArgumentError, match=r"page_token: goes with selection\.min_score"):
            client.search("cosine-flat", id="item-1", page_token="AAAA")
        token = self.first(client).next_page_token
        with pytest.raises(InvalidArgumentError, match="does not go with diversity"):
            self.first(client, page_token=token, diversity=0.5)

    def test_a_page_asks_the_version_of_the_first(self, tmp_path: Path) -> None:
        vectors = clustered(300)
        publish_vectors(tmp_path / "data", "mine", vectors, tmp_path)
        with Client.in_process(tmp_path / "data") as client:
            first = client.search("mine", vector=vectors[0], k=100, min_score=-1.0, exact=True)
            all_of_it = client.search("mine", vector=vectors[0], k=300, exact=True)
        publish_vectors(tmp_path / "data", "mine", clustered(400, seed=8), tmp_path)
        with Client.in_process(tmp_path / "data") as client:  # also: a token outlives the server
            asked = dict(vector=vectors[0], k=100, min_score=-1.0, exact=True)
            second = client.search("mine", **asked, page_token=first.next_page_token)
            third = client.search("mine", **asked, page_token=second.next_page_token)
            assert [first.version, second.version, third.version] == [1, 1, 1]
            assert client.search("mine", vector=vectors[0]).version == 2
            assert {*first.ids, *second.ids, *third.ids} == {*all_of_it.ids} and not third.next_page_token
            with pytest.raises(InvalidArgumentError, match="is of version 1; the request asks version 2"):
                client.search("mine", **asked, version=2, page_token=first.next_page_token)
        for seed in (9, 10):
            publish_vectors(tmp_path / "data", "mine", clustered(50, seed=seed), tmp_path)
        with Client.in_process(tmp_path / "data") as client, pytest.raises(NotFoundError, match="version 1"):
            client.search("mine", **asked, page_token=first.next_page_token)


class TestDiverse:
    def expected(self, oracle: Oracle, query: np.ndarray, k: int, candidates: int, relevance: float) -> list[str]:
        ids, scores = oracle.search(query, candidates)
        rows = [oracle.ids.index(item_id) for item_id in ids]
        chosen: list[int] = []
        for _ in range(k):
            others = [p for p in range(len(ids)) if p not in chosen]
            worth = [
                relevance * scores[p]
                - (1 - relevance) * max(oracle.scores(oracle.vectors[rows[p]])[rows[c]] for c in chosen)
                if chosen
                else scores[p]
                for p in others
            ]
            chosen.append(others[int(np.argmax(worth))])
        return [ids[place] for place in chosen]

    @pytest.mark.parametrize("diversity", [0.0, 0.3, 0.75, 1.0])
    def test_is_mmr(self, client: Client, oracle: Oracle, metric: str, diversity: float, query: np.ndarray) -> None:
        result = client.search(f"{metric}-flat", vector=query, k=8, diversity=diversity, candidates=40)
        assert result.ids == self.expected(oracle, query, 8, 40, 1 - diversity)
        np.testing.assert_allclose(result.scores, oracle.scores_of(query, result.ids), rtol=1e-4, atol=1e-4)
        if not diversity:
            assert_same(result, oracle.search(query, 8))

    def test_takes_ten_candidates_a_hit_unless_told(
        self, client: Client, oracle: Oracle, metric: str, query: np.ndarray
    ) -> None:
        result = client.search(f"{metric}-flat", vector=query, k=5, diversity=0.5)
        assert result.ids == self.expected(oracle, query, 5, 50, 0.5)

    def test_of_items_above_a_score(self, client: Client, oracle: Oracle, metric: str, query: np.ndarray) -> None:
        least = oracle.gap(query, 12)
        above = oracle.above(query, least)
        result = client.search(f"{metric}-flat", vector=query, k=50, diversity=0.5, min_score=least)
        assert {*result.ids} == above and result.few_matches
        assert result.ids == self.expected(oracle, query, len(above), len(above), 0.5)
        assert not result.next_page_token

    def test_a_batch_and_more_hits_than_items(self, client: Client, metric: str) -> None:
        queries = clustered(70, seed=11)
        options = {"k": 5, "diversity": 0.5, "effort": Effort(nprobe=8, k_factor=8)}  # plans of one and of many differ
        batch = client.batch_search(f"{metric}-ivf-pq", vectors=queries, **options)  # type: ignore[arg-type]
        for query, result in zip(queries[::20], list(batch)[::20], strict=True):
            assert result.ids == client.search(f"{metric}-ivf-pq", vector=query, **options).ids  # type: ignore[arg-type]
        everything = client.search(f"{metric}-flat", id="item-1", k=2_500, diversity=0.5)
        assert len({*everything.ids}) == 1_999 and everything.few_items


class TestFarthest:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_by_vector_and_id(
        self, client: Client, oracle: Oracle, metric: str, family: str, query: np.ndarray
    ) -> None:
        result = client.search(f"{metric}-{family}", vector=query, k=10, farthest=True)
        assert_same(result, oracle.farthest(query, 10))
        assert result.predicted_recall == 1.0
        far = oracle.farthest(query, 1)[0][0]
        opposite = -oracle.vector(far)
        assert (
            client.search(f"{metric}-{family}", vector=opposite, k=1, farthest=True).ids
            == (oracle.farthest(opposite, 1)[0])
        )
        by_id = client.search(f"{metric}-{family}", id="item-4", k=3, farthest=True)
        assert_same(by_id, oracle.farthest("item-4", 3, without={"item-4"}))

    def test_all_and_batches(self, client: Client, oracle: Oracle, metric: str) -> None:
        queries = clustered(70, seed=11)
        for query, result in zip(
            queries, client.batch_search(f"{metric}-hnsw", vectors=queries, k=4, farthest=True), strict=True
        ):
            assert_same(result, oracle.farthest(query, 4))
        everything = client.search(f"{metric}-flat", id="item-1", k=3_000, farthest=True)
        assert len(everything) == 1_999 and everything.few_items
        assert list(everything.scores) == sorted(everything.scores)


class TestExamples:
    @pytest.mark.parametrize(
        ("positive", "negative"),
        [
            (["item-1"], []),
            (["item-1", "item-2", "item-3"], ["item-50"]),
            ([Term("item-1", 3.0), "item-9"], [Term("item-4", 0.5), Term("item-8", 2.0)]),
        ],
    )
    def test_are_rocchios_mean(
        self, client: Client, oracle: Oracle, metric: str, positive: list, negative: list
    ) -> None:
        terms = [[t if isinstance(t, Term) else Term(t) for t in side] for side in (positive, negative)]
        result = client.search(f"{metric}-flat", positive=positive, negative=negative, k=10)
        inputs = {str(term.query) for side in terms for term in side}
        scores = oracle.scores(oracle.mean(*terms))
        order = [row for row in np.argsort(-scores, kind="stable") if oracle.ids[row] not in inputs][:10]
        assert_same(result, ([oracle.ids[row] for row in order], scores[order]))

    def test_vectors_and_items_together(self, client: Client, oracle: Oracle, metric: str, query: np.ndarray) -> None:
        result = client.search(f"{metric}-flat", positive=[query, "item-5"], k=5)
        mean = oracle.mean([Term(query), Term("item-5")])
        assert_same(result, oracle.search(mean, 5, without={"item-5"}))

    def test_with_a_selection(self, client: Client, oracle: Oracle, metric: str) -> None:
        mean = oracle.mean([Term("item-1"), Term("item-2")])
        result = client.search(f"{metric}-flat", positive=["item-1", "item-2"], k=5, farthest=True)
        assert_same(result, oracle.farthest(mean, 5, without={"item-1", "item-2"}))
        least = oracle.gap(mean, 30)
        pages = client.search_all(f"{metric}-flat", positive=["item-1", "item-2"], min_score=least, k=4, exact=True)
        assert {hit.id for hit in pages} == oracle.above(mean, least) - {"item-1", "item-2"}

    def test_texts(self, client: Client) -> None:
        from vecinity.client import Text

        by_text = client.search("words", positive=[Text("king"), Text("queen")], k=6)
        by_id = client.search("words", positive=["king", "queen"], k=4)
        assert [item for item in by_text.ids if item not in ("king", "queen")][:4] == by_id.ids

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (dict(positive=[]), r"query.examples.positives: are 0; there must be from 1"),
            (dict(positive=[], negative=["item-1"]), r"query.examples.positives: are 0"),
            (dict(negative=["item-1"]), r"query.examples.positives: are 0"),
            (dict(positive=["item-1"], negative=["item-1"]), "query: the examples cancel to zero"),
            (dict(positive=[Term("item-1", 0.0)]), r"query.examples.positives\[0\].weight: is 0"),
            (dict(positive=["item-1"], negative=[Term("item-2", np.nan)]), r"negatives\[0\].weight: is nan"),
            (dict(positive=["item-1", np.ones(31)]), r"positives\[1\].query: has dimension 31"),
            (dict(positive=["item-1", " "]), r"positives\[1\].query.id: is empty"),
            (dict(positive=["item-1"], id="item-2"), "exactly one of"),
            (dict(positive="item-1"), "must be a list, not a string"),
        ],
    )
    def test_bad_ones(self, client: Client, arguments: dict, message: str) -> None:
        with pytest.raises(InvalidArgumentError, match=message):
            client.search("cosine-flat", **arguments)

    def test_unknown_items(self, client: Client) -> None:
        with pytest.raises(NotFoundError, match="'absent'"):
            client.search("cosine-flat", positive=["item-1", "absent"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(min_score=np.nan), r"selection\.min_score: is NaN"),
        (dict(farthest=True, min_score=0.5), "farthest: does not go with min_score"),
        (dict(farthest=True, diversity=0.5), "farthest: does not go with diversity"),
        (dict(farthest=True, group_by="year"), "farthest: does not go with grouping"),
        (dict(farthest=True, effort=Effort(nprobe=1)), r"parameters\.effort: does not go with farthest"),
        (dict(diversity=1.5), "diversity is 1.5; it must be from 0 to 1"),
        (dict(diversity=-0.5), "from 0 to 1"),
        (dict(diversity=np.nan), "from 0 to 1"),
        (dict(diversity=0.5, candidates=9), r"selection\.diversity\.candidates: is 9; it must be from k, 10, to 10000"),
        (dict(diversity=0.5, candidates=10_001), r"candidates: is 10001"),
        (dict(candidates=50), "candidates goes with diversity"),
        (dict(hits_per_group=2), "hits_per_group goes with group_by"),
        (dict(group_by=""), r"selection\.grouping\.attribute: is required"),
        (dict(min_score=0.5, k=10_001), "k: is 10001"),
        (dict(k=0, min_score=0.5), "k: is 0"),
    ],
)
def test_bad_selections(client: Client, arguments: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        client.search("cosine-flat", id="item-1", **arguments)
    with pytest.raises(InvalidArgumentError, match=message):
        client.batch_search("cosine-flat", ids=["item-1"], **arguments)
    with pytest.raises(InvalidArgumentError, match=message):
        client.solve_analogy("cosine-flat", ["item-1"], **arguments)


def test_candidates_of_many_queries_at_once(client: Client) -> None:
    with pytest.raises(InvalidArgumentError, match="200 queries × 6000 candidates are over 1000000: send fewer"):
        client.batch_search("cosine-flat", vectors=clustered(200), k=2, diversity=0.5, candidates=6_000)


def test_relevance_is_checked_by_the_server_too(server) -> None:  # type: ignore[no-untyped-def]
    import grpc

    from vecinity.v1 import core_pb2, search_service_pb2, search_service_pb2_grpc

    nested = core_pb2.Query(
        examples=core_pb2.Examples(positives=[core_pb2.WeightedQuery(query=core_pb2.Query(id="a"))])
    )
    with grpc.insecure_channel(server.target) as channel:
        stub = search_service_pb2_grpc.SearchServiceStub(channel)
        for relevance in (-0.1, 1.1, np.nan):
            request = search_service_pb2.SearchRequest(collection="cosine-flat", query=core_pb2.Query(id="item-1"), k=1)
            request.selection.diversity.relevance = relevance
            with pytest.raises(grpc.RpcError, match=r"selection\.diversity\.relevance: is"):
                stub.Search(request, timeout=10)
        request = search_service_pb2.SearchRequest(collection="cosine-flat", k=1)
        request.query.examples.positives.add(query=nested)
        with pytest.raises(grpc.RpcError, match=r"query\.examples\.positives\[0\]\.query: is made of examples itself"):
            stub.Search(request, timeout=10)
        for _ in range(20):  # protobuf itself gives up at 100 messages in each other
            request = search_service_pb2.SearchRequest(
                collection="cosine-flat",
                k=1,
                query=core_pb2.Query(
                    examples=core_pb2.Examples(positives=[core_pb2.WeightedQuery(query=request.query)])
                ),
            )
        with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
            stub.Search(request, timeout=10)


def test_pairs_may_be_of_examples(client: Client, metric: str, oracle: Oracle) -> None:
    """Wherever a request takes a query it takes examples; the client offers them in searches."""
    from vecinity.client._convert import search as convert
    from vecinity.v1 import search_service_pb2

    request = search_service_pb2.ComputeSimilarityRequest(collection=f"{metric}-flat")
    pair = request.pairs.add()
    pair.left.CopyFrom(convert._examples(["item-1", Term("item-2", 3.0)], ["item-7"]))
    pair.right.id = "item-3"
    pair = request.pairs.add()
    pair.left.id = "item-4"
    pair.right.CopyFrom(convert._examples(["item-1"], []))
    response = client._transport.call(
        "/vecinity.v1.SearchService/ComputeSimilarity", request, search_service_pb2.ComputeSimilarityResponse, 10
    )
    mean = oracle.mean([Term("item-1"), Term("item-2", 3.0)], [Term("item-7")])
    expected = [oracle.similarity(mean, "item-3"), oracle.similarity("item-4", "item-1")]
    np.testing.assert_allclose(response.scores, expected, rtol=1e-4, atol=1e-4)
