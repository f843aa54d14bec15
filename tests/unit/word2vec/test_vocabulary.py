import numpy as np
import pytest

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec.vocabulary import Vocabulary


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


def test_extended_adds_counts_and_new_words() -> None:
    base = Vocabulary(["cat", "dog", "emu"], np.array([9, 5, 5]))
    words = ["bee", "dog", "ant", "fox", "cat"]
    extended = base.extended(words, np.array([3, 1, 3, 2, 20]), min_count=3)
    assert extended.words == ["cat", "dog", "emu", "ant", "bee"]
    assert extended.counts.tolist() == [29, 6, 5, 3, 3]
    assert extended.counts.dtype == np.int64
    assert base.counts.tolist() == [9, 5, 5]


@pytest.mark.parametrize(("room", "words"), [(2, ["a", "b"]), (3, ["d", "a", "b"]), (9, ["d", "a", "b", "c"])])
def test_max_vocabulary_never_drops_words_of_the_base(room: int, words: list[str]) -> None:
    base = Vocabulary(["b", "a"], np.array([1, 1]))
    extended = base.extended(["c", "d"], np.array([1, 2]), min_count=1, max_vocabulary=room)
    assert extended.words == words


def test_extended_by_nothing() -> None:
    with pytest.raises(InputError, match="no words"):
        Vocabulary(["a", "b"], np.array([1, 1])).extended([], np.array([], dtype=np.int64), min_count=1)
