"""What becomes of words and ids that a collection does not know, over both edges."""

from __future__ import annotations

import numpy as np
import pytest

from vecinity.client import (
    Client,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    Text,
    UnknownWord,
    UnknownWords,
)

SKIP, SUBWORD, NEAREST = UnknownWords.SKIP, UnknownWords.SUBWORD, UnknownWords.NEAREST_SPELLING


def test_an_error_is_the_default(client: Client) -> None:
    for policy in ({}, {"unknown_words": UnknownWords.ERROR}, {"unknown_words": "error"}):
        with pytest.raises(NotFoundError, match="'kingg'"):
            client.search("words", id="kingg", **policy)
        with pytest.raises(NotFoundError, match="'kingg'"):
            client.search("words", text="kingg", **policy)
        with pytest.raises(NotFoundError, match="'kingg'"):
            client.solve_analogy("words", ["kingg", "woman"], ["man"], **policy)


def test_known_words_are_not_spoken_of(client: Client) -> None:
    for policy in UnknownWords:
        assert client.search("words", id="king", unknown_words=policy).unknown_words == ()
        assert client.search("words", text="the king", unknown_words=policy).unknown_words == ()


class TestNearestSpelling:
    def test_search(self, client: Client) -> None:
        for kind in ("id", "text"):
            found = client.search("words", **{kind: "kingg"}, k=4, unknown_words=NEAREST)
            assert found.ids == client.search("words", **{kind: "king"}, k=4).ids
            assert found.unknown_words == (UnknownWord("query", "kingg", NEAREST, "king"),)

    def test_in_a_batch_each_place_is_named(self, client: Client) -> None:
        found = client.batch_search("words", ids=["king", "quen", "kingg", "quen"], k=3, unknown_words=NEAREST)
        right = client.batch_search("words", ids=["king", "queen", "king", "queen"], k=3)
        assert [hits.ids for hits in found] == [hits.ids for hits in right]
        assert found.unknown_words == (
            UnknownWord("queries[1]", "quen", NEAREST, "queen"),
            UnknownWord("queries[2]", "kingg", NEAREST, "king"),
            UnknownWord("queries[3]", "quen", NEAREST, "queen"),
        )

    def test_what_stands_in_is_an_input(self, client: Client) -> None:
        right = client.solve_analogy("words", ["king", "woman"], ["man"], k=5)
        for wrap in (str, Text):
            terms = [wrap("kingg"), wrap("woman")], [wrap("man")]
            found = client.solve_analogy("words", *terms, k=5, unknown_words=NEAREST)
            assert found.ids == right.ids and "king" not in found.ids
            assert found.unknown_words == (UnknownWord("positives[0].query", "kingg", NEAREST, "king"),)
            batch = client.batch_solve_analogies("words", [terms, terms], k=5, unknown_words=NEAREST)
            assert [hits.ids for hits in batch] == [right.ids] * 2
            assert [met.field for met in batch.unknown_words] == ["terms[0]", "terms[3]"]

    def test_comparisons(self, client: Client) -> None:
        right = client.similarity("words", "king", "queen")
        assert client.similarity("words", "kingg", "quen", unknown_words=NEAREST) == pytest.approx(right)
        odd = client.odd_one_out("words", ["kingg", "queen", "table"], unknown_words=NEAREST)
        assert odd.unknown_words == (UnknownWord("queries[0]", "kingg", NEAREST, "king"),)
        np.testing.assert_allclose(
            odd.scores, client.odd_one_out("words", ["king", "queen", "table"]).scores, rtol=1e-5
        )

    def test_nothing_is_near(self, client: Client) -> None:
        for ask in ({"id": "zzzzzzzzzz"}, {"text": "zzzzzzzzzz"}, {"text": "king zzzzzzzzzz"}):
            with pytest.raises(NotFoundError, match="zzzzzzzzzz"):
                client.search("words", **ask, unknown_words=NEAREST)


class TestSkip:
    def test_the_only_query_can_not_be_skipped(self, client: Client) -> None:
        for ask in ({"id": "kingg"}, {"text": "kingg"}, {"text": "?!"}):
            with pytest.raises(NotFoundError):
                client.search("words", **ask, unknown_words=SKIP)

    def test_a_query_of_a_batch_has_no_hits(self, client: Client) -> None:
        for kind in ("ids", "texts"):
            found = client.batch_search(
                "words", **{kind: ["kingg", "king", "zzzz"]}, k=3, unknown_words=SKIP, include_vectors=True
            )
            assert [len(hits) for hits in found] == [0, 3, 0]
            assert found[1].ids == client.batch_search("words", **{kind: ["king"]}, k=3)[0].ids
            assert [(met.field, met.word, met.action) for met in found.unknown_words] == [
                ("queries[0]", "kingg", SKIP),
                ("queries[2]", "zzzz", SKIP),
            ]
        none = client.batch_search("words", ids=["kingg", "zzzz"], k=3, unknown_words=SKIP, include_texts=True)
        assert [len(hits) for hits in none] == [0, 0]

    def test_a_term_is_left_out_of_the_sum(self, client: Client) -> None:
        found = client.solve_analogy("words", ["king", "womann"], ["man"], k=3, unknown_words=SKIP)
        assert found.ids == client.solve_analogy("words", ["king"], ["man"], k=3).ids
        assert found.unknown_words == (UnknownWord("positives[1].query", "womann", SKIP),)

    def test_an_analogy_without_its_terms_has_no_hits(self, client: Client) -> None:
        whole, bare = (["king", "woman"], ["man"]), (["kingg"], ["mann"])
        for method, some in (
            ("3cosadd", (["kingg"], ["mann"])),
            ("3cosmul", (["kingg"], ["man"])),  # no positive is left
            ("pair-direction", (["king", "womann"], ["man"])),
        ):
            second = bare if method != "pair-direction" else (["kingg", "womann"], ["mann"])
            found = client.batch_solve_analogies(
                "words", [some, whole, second], method=method, k=3, unknown_words=SKIP, include_texts=True
            )
            assert [len(hits) for hits in found] == [0, 3, 0]
            assert found[1].ids == client.solve_analogy("words", *whole, method=method, k=3).ids
            with pytest.raises(NotFoundError):
                client.solve_analogy("words", *some, method=method, unknown_words=SKIP)

    def test_a_batch_of_nothing(self, client: Client) -> None:
        found = client.batch_solve_analogies("words", [(["kingg"], []), (["mann"], [])], k=3, unknown_words=SKIP)
        assert [len(hits) for hits in found] == [0, 0]
        assert len(found.unknown_words) == 2

    def test_an_example_is_left_out_whole(self, client: Client) -> None:
        options = {"method": "3cosavg", "k": 3}
        examples = [("man", "woman"), ("king", "quen"), ("boy", "girl")]
        found = client.solve_analogy("words", ["prince"], examples=examples, unknown_words=SKIP, **options)
        right = client.solve_analogy("words", ["prince"], examples=[examples[0], examples[2]], **options)
        np.testing.assert_allclose(found.scores, right.scores, rtol=1e-5)
        assert [met.field for met in found.unknown_words] == ["examples[1].right"]
        with pytest.raises(NotFoundError, match="'quen'"):
            client.solve_analogy("words", ["prince"], examples=[examples[1]], unknown_words=SKIP, **options)

    def test_comparisons(self, client: Client) -> None:
        pairs = [("king", "queen"), ("kingg", "queen")]
        scores = client.similarities("words", pairs, unknown_words=SKIP)
        assert scores[0] == pytest.approx(client.similarity("words", "king", "queen")) and np.isnan(scores[1])
        relative = client.similarities("words", pairs, unknown_words=SKIP, relative_to_top=5)
        assert np.isfinite(relative[0]) and np.isnan(relative[1])
        sets = client.set_similarities(
            "words", [(["king", "kingg"], ["queen"]), (["kingg"], ["queen"])], unknown_words=SKIP
        )
        assert sets[0] == pytest.approx(scores[0]) and np.isnan(sets[1])
        odd = client.odd_one_out("words", ["king", "kingg", "queen", "table"], unknown_words=SKIP)
        expected = client.odd_one_out("words", ["king", "queen", "table"])
        assert np.isnan(odd.scores[1]) and odd.query == expected.query
        with pytest.raises(NotFoundError, match="'kingg'"):
            client.odd_one_out("words", ["kingg", "quen"], unknown_words=SKIP)


class TestSubwords:
    def test_ids_and_texts(self, client: Client) -> None:
        for ask in ({"id": "kingdomly"}, {"text": "kingdomly"}):
            found = client.search("subwords", **ask, k=3, unknown_words=SUBWORD)
            assert len(found) == 3 and found.unknown_words == (UnknownWord("query", "kingdomly", SUBWORD),)
        solved = client.solve_analogy("subwords", ["kingly", "woman"], ["man"], unknown_words=SUBWORD)
        assert len(solved) == 10 and solved.unknown_words[0].action is SUBWORD

    def test_a_text_has_them_by_default_an_id_has_not(self, client: Client) -> None:
        by_text = client.search("subwords", text="kingdomly", k=3)
        assert by_text.unknown_words == (UnknownWord("query", "kingdomly", SUBWORD),)
        with pytest.raises(NotFoundError, match="'kingdomly'"):
            client.search("subwords", id="kingdomly")

    def test_skipped_all_the_same(self, client: Client) -> None:
        found = client.search("subwords", text="king kingdomly", k=3, unknown_words=SKIP)
        assert found.unknown_words == (UnknownWord("query", "kingdomly", SKIP),)
        assert found.ids == client.search("subwords", text="king", k=3).ids

    def test_a_text_without_a_word(self, client: Client) -> None:
        with pytest.raises(NotFoundError):
            client.search("subwords", text="?", unknown_words=SUBWORD)
        assert client.search("subwords", id="?", k=1, unknown_words=SUBWORD)  # <?> is an n-gram

    def test_where_there_are_none(self, client: Client) -> None:
        for ask in ({"id": "kingg"}, {"text": "kingg"}, {"text": "king kingg"}):
            with pytest.raises(FailedPreconditionError, match="no subwords") as caught:
                client.search("words", **ask, unknown_words=SUBWORD)
            assert caught.value.reason == "ERROR_REASON_NO_SUBWORDS"
        with pytest.raises(FailedPreconditionError, match="has no embedder"):
            client.search("cosine-flat", id="absent", unknown_words=SUBWORD)


def test_a_text_says_which_of_its_words_were_left_out(client: Client) -> None:
    found = client.search("words", text="the kingg and queen", k=3)
    assert found.unknown_words == (UnknownWord("query", "kingg", SKIP),)
    assert found.ids == client.search("words", text="the and queen", k=3).ids
    replaced = client.search("words", text="the kingg and queen", k=3, unknown_words=NEAREST)
    assert replaced.ids == client.search("words", text="the king and queen", k=3).ids


def test_a_policy_that_is_none(client: Client) -> None:
    with pytest.raises(InvalidArgumentError, match="unknown_words is 'ignore'; it must be one of 'error', 'skip'"):
        client.search("words", id="king", unknown_words="ignore")
