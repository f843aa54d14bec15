import time

import numpy as np
import pytest

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec import tokenize
from vecinity.indexer.word2vec.vocabulary import TOKEN_CHARACTERS_MAX, Vocabulary, WordNumbers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The QUICK, brown fox.", ["the", "quick", "brown", "fox"]),
        ("don't rock-'n'-roll 'quoted' well-known-", ["don't", "rock", "n", "roll", "quoted", "well-known"]),
        ("don’t", ["don't"]),
        ("snake_case 3.14 1990's", ["snake", "case", "3", "14", "1990's"]),
        ("Čeština Ärger ΑΘΗΝΑ москва 東京", ["čeština", "ärger", "αθηνα", "москва", "東京"]),
        ("cafe\u0301 हिन्दी", ["cafe\u0301", "हिन्दी"]),
        ("-- ' ... \t\n \u2014", []),
        ("", []),
    ],
)
def test_tokenize(text: str, words: list[str]) -> None:
    assert tokenize(text) == words


def test_tokenize_changes_nothing_in_prepared_text() -> None:
    text = "a don't well-known 42nd x"
    assert tokenize(text) == text.split()


def test_tokenize_takes_linear_time_on_one_giant_token() -> None:
    start = time.perf_counter()
    assert tokenize("a-" * 500_000)[0].count("-") == 499_999
    assert time.perf_counter() - start < 2


def test_words_are_numbered_in_order_of_first_sight() -> None:
    numbers = WordNumbers()
    giant = "x" * (TOKEN_CHARACTERS_MAX + 1)
    assert [numbers[word] for word in ["b", "a", giant, "b", "c"]] == [2, 3, WordNumbers.DROPPED, 2, 4]
    assert list(numbers) == ["b", "a", "c"]


def test_most_frequent_first_and_ties_by_word() -> None:
    vocabulary = Vocabulary.choose(["d", "b", "a", "c"], np.array([2, 7, 2, 1]), min_count=2)
    assert vocabulary.words == ["b", "a", "d"]
    assert vocabulary.counts.tolist() == [7, 2, 2]
    assert vocabulary.counts.dtype == np.int64
    assert vocabulary.index == {"b": 0, "a": 1, "d": 2}


def test_max_vocabulary_keeps_the_most_frequent() -> None:
    vocabulary = Vocabulary.choose(["d", "b", "a"], np.array([3, 7, 2]), min_count=1, max_vocabulary=2)
    assert vocabulary.words == ["b", "d"]


def test_no_words() -> None:
    with pytest.raises(InputError, match="no words"):
        Vocabulary.choose([], np.array([], dtype=np.int64), min_count=1)


def test_one_word() -> None:
    with pytest.raises(InputError, match="one word only, 'alone'"):
        Vocabulary.choose(["alone"], np.array([9]), min_count=1)


def test_min_count_above_every_count_names_the_highest() -> None:
    with pytest.raises(SettingError, match=r"min_count 5 leaves 0 of 3 .*'cat', occurs 4 times.*--min-count to 3"):
        Vocabulary.choose(["dog", "cat", "cow"], np.array([3, 4, 1]), min_count=5)
