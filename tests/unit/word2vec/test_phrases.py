import gzip
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.progress import silent
from vecinity.indexer.word2vec import number_file, phrases, tokenize
from vecinity.indexer.word2vec.counting import END, SENTENCE_WORDS_MAX, NumberedCorpus, count_words
from vecinity.indexer.word2vec.phrases import join_corpus, join_phrases

DATA = Path(os.environ.get("TEST_DATA_DIR", Path(__file__).resolve().parents[4] / "shared" / "data"))

Sentences = list[list[str]]


def joined(
    texts: list[str],
    folder: Path,
    *,
    passes: int = 1,
    threshold: float = 10.0,
    min_count: int = 5,
    max_distinct: int = 10**7,
) -> tuple[Sentences, NumberedCorpus]:
    corpus = count_words(texts, folder / "0", max_distinct=10**7, processes=1, progress=silent)
    for n in range(1, passes + 1):
        corpus = join_corpus(
            corpus,
            folder / str(n),
            threshold=threshold,
            min_count=min_count,
            max_distinct=max_distinct,
            progress=silent,
        )
    word_of = {number: word for word, number in corpus.numbers.items()}
    sentences: Sentences = [[]]
    for number in np.fromfile(corpus.path, np.int32).tolist():
        if number == END:
            sentences.append([])
        else:
            sentences[-1].append(word_of.get(number, "?"))
    return sentences[:-1], corpus


def gensims(texts: list[str], threshold: float, min_count: int, passes: int = 1) -> Sentences:
    from gensim.models.phrases import Phrases

    sentences = [
        words[start : start + SENTENCE_WORDS_MAX]
        for words in map(tokenize, texts)
        for start in range(0, len(words) or 1, SENTENCE_WORDS_MAX)
    ]
    for _ in range(passes):
        found = Phrases(sentences, min_count=min_count, threshold=threshold, delimiter="_", connector_words=frozenset())
        sentences = [found[sentence] for sentence in sentences]
    return sentences


def phrases_in(sentences: Sentences) -> set[str]:
    return {word for sentence in sentences for word in sentence if "_" in word}


CITIES = [
    "we went to new york and to new orleans",
    "new york new york",
    "the new mayor of new york is new",
    "los angeles is not new york",
    "los angeles times and new york times",
    "it is new",
    "",
    "to be or not to be",
]


@pytest.mark.parametrize(("threshold", "min_count"), [(0.1, 1), (0.5, 2), (1, 3), (3, 1), (10, 5), (1e9, 1)])
def test_the_phrases_of_gensim_on_a_small_corpus(tmp_path: Path, threshold: float, min_count: int) -> None:
    texts = CITIES * 10
    ours, corpus = joined(texts, tmp_path, threshold=threshold, min_count=min_count)
    assert ours == gensims(texts, threshold, min_count)
    seen = [word for sentence in ours for word in sentence]
    assert {word: corpus.counts[number] for word, number in corpus.numbers.items() if corpus.counts[number]} == {
        word: seen.count(word) for word in set(seen)
    }


def random_texts(rng: np.random.Generator) -> list[str]:
    """Few words, so that phrases overlap in many ways, repeated words among them."""
    return [" ".join(rng.choice(list("abcdefgh"), rng.integers(0, 12), p=np.arange(1, 9) / 36)) for _ in range(500)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [16, 1 << 18])
def test_overlapping_phrases_are_joined_as_gensim_joins_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, block: int
) -> None:
    monkeypatch.setattr(number_file, "BLOCK", block)
    monkeypatch.setattr(phrases, "_MERGE", 64)
    texts = random_texts(np.random.default_rng(seed))
    for threshold in (0.02, 0.025, 0.03):
        ours, _ = joined(texts, tmp_path, threshold=threshold, min_count=1)
        assert ours == gensims(texts, threshold, 1)
        assert phrases_in(ours)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    path = DATA / "words.txt.gz"
    if not path.exists():
        pytest.skip(f"no {path}: set TEST_DATA_DIR to its folder")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(islice(file, 20_000))


@pytest.mark.parametrize(("threshold", "min_count"), [(10.0, 5), (100.0, 1)])
def test_the_phrases_of_gensim_on_a_real_corpus(
    tmp_path: Path, lines: list[str], threshold: float, min_count: int
) -> None:
    ours, _ = joined(lines, tmp_path, threshold=threshold, min_count=min_count)
    assert ours == gensims(lines, threshold, min_count)
    assert len(phrases_in(ours)) > 500


def test_a_second_pass_gives_longer_phrases_as_gensims_does(tmp_path: Path, lines: list[str]) -> None:
    ours, _ = joined(lines, tmp_path, passes=2)
    theirs = gensims(lines, 10.0, 5, passes=2)
    longer = {phrase for phrase in phrases_in(ours) if phrase.count("_") > 1}
    assert len(longer) > 50
    # gensim counts what a first pass left of the pair "a b" and the phrase "a_b" as one: they need not agree wholly.
    both = phrases_in(ours) & phrases_in(theirs)
    assert len(both) > 0.99 * len(phrases_in(ours) | phrases_in(theirs))


def test_two_ways_to_one_phrase_are_one_word(tmp_path: Path) -> None:
    # First "a b", "b c"; then "a_b c" and "a b_c".
    texts = ["a b c", "x b c a b y", "b c z b c a b", "a b w a b"] * 20
    ours, corpus = joined(texts, tmp_path, passes=3, threshold=0.01, min_count=1)
    assert len(set(corpus.numbers.values())) == len(corpus.numbers)
    seen = [word for sentence in ours for word in sentence]
    assert all(corpus.counts[corpus.numbers[word]] == seen.count(word) for word in seen)
    assert [word for sentence in ours for word in "_".join(sentence).split("_")] == " ".join(texts).split()


def test_giant_tokens_stand_between_their_neighbours(tmp_path: Path) -> None:
    ours, _ = joined([f"new {'x' * 1_001} york"] * 50, tmp_path, threshold=0.01, min_count=1)
    assert ours[0] == ["new", "?", "york"]


def test_a_phrase_as_long_as_a_giant_token_is_left_alone(tmp_path: Path) -> None:
    a, b = "a" * 600, "b" * 399
    assert joined([f"{a} {b}"] * 50, tmp_path, threshold=0.01)[0][0] == [f"{a}_{b}"]
    assert joined([f"{a} {b}b"] * 50, tmp_path, threshold=0.01)[0][0] == [a, f"{b}b"]


def test_pruning_bounds_the_pairs_held_and_keeps_the_frequent(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_file, "BLOCK", 500)
    monkeypatch.setattr(phrases, "_MERGE", 200)
    held: list[int] = []
    merge: Callable[..., None] = phrases._PairCounts._merge

    def watched(self: phrases._PairCounts) -> None:
        merge(self)
        held.append(len(self._pairs))

    monkeypatch.setattr(phrases._PairCounts, "_merge", watched)
    texts = [f"w{i} w{j} new york" for i, j in rng.integers(0, 300, (2_000, 2))]
    ours, corpus = joined(texts, tmp_path, threshold=0.14, max_distinct=50)
    assert len(held) > 5
    assert max(held) <= 50
    assert corpus.counts[corpus.numbers["new_york"]] == 2_000
    assert all(sentence[-1] == "new_york" for sentence in ours)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("new york", ["new_york"]),
        ("the new york times", ["the", "new_york_times"]),
        ("new new york", ["new", "new_york"]),
        ("york new", ["york", "new"]),
        ("a b c", ["a_b", "c"]),
        ("times", ["times"]),
        ("", []),
    ],
)
def test_join_phrases(words: str, wanted: list[str]) -> None:
    known = {"new", "york", "new_york", "new_york_times", "a_b", "b_c", "c"}
    assert join_phrases(words.split(), known) == wanted


def test_join_phrases_finds_the_longest_that_passes_can_make() -> None:
    words = [f"w{i}" for i in range(phrases.WORDS_MAX + 1)]
    longest = "_".join(words[:-1])
    assert join_phrases(words, {longest}) == [longest, words[-1]]


def test_join_phrases_takes_linear_time() -> None:
    words = ["a"] * 20_000
    assert join_phrases(words, {"a_a"}) == ["a_a"] * 10_000
