import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from topics import cosine

from vecinity.indexer.errors import UnknownWordError
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings, train
from vecinity.indexer.word2vec.subwords import Subwords, n_grams

SETTINGS = Word2VecSettings(dimension=16, threads=1, epochs=10, sample=0, subword_buckets=2_000)

MOVING = ["running", "jogging", "walking", "hiking", "strolling"]
SWEET = ["marmalade", "chocolate", "caramel", "vanilla", "nougat"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Word2VecModel:
    rng = np.random.default_rng(3)

    def texts() -> Iterator[str]:
        for i in range(2_000):
            yield " ".join(["ox", *rng.choice(MOVING if i % 2 else SWEET, 5), "be", "čeština", "😀"])

    return train(texts, SETTINGS, workdir=tmp_path_factory.mktemp("work"))


@pytest.mark.parametrize(
    ("word", "shortest", "longest", "grams"),
    [
        ("cat", 3, 3, ["<ca", "cat", "at>"]),
        ("cat", 1, 2, ["<c", "c", "ca", "a", "at", "t", "t>"]),
        ("cat", 5, 6, ["<cat>"]),
        ("cat", 6, 9, []),
        ("a", 3, 6, ["<a>"]),
        ("a", 1, 1, ["a"]),
        ("", 1, 1, []),
        ("", 3, 6, []),
        ("👍🏽", 3, 3, ["<👍🏽", "👍🏽>"]),
        ("e\u0301t", 3, 3, ["<e\u0301", "e\u0301t", "\u0301t>"]),
    ],
)
def test_n_grams(word: str, shortest: int, longest: int, grams: list[str]) -> None:
    assert list(n_grams(word, shortest, longest)) == grams


def test_a_very_long_word_has_the_n_grams_of_its_start() -> None:
    assert list(n_grams("x" * 99 + "yz" * 10**6, 3, 6)) == list(n_grams("x" * 99 + "y", 3, 6))
    rows = Subwords(7, 1_000, 3, 6).rows_of("ab" * 10**6)
    assert rows == sorted(set(rows)) and len(rows) < 20


@pytest.mark.parametrize("word", ["cat", "👍🏽", "\ud800lone", "\0nul", "Ω" * 5_000])
@pytest.mark.parametrize("buckets", [1, 3, 10_000])
def test_rows_are_those_of_buckets(word: str, buckets: int) -> None:
    rows = Subwords(50, buckets, 3, 6).rows_of(word)
    assert rows and min(rows) >= 50 and max(rows) < 50 + buckets
    assert rows == Subwords(50, buckets, 3, 6).rows_of(word)


def test_the_table_has_the_rows_of_each_word() -> None:
    subwords, words = Subwords(4, 100, 3, 4), ["cat", "", "cats", "b"]
    starts, rows = subwords.table(words)
    assert (starts.dtype, rows.dtype) == (np.int64, np.int32)
    assert [rows[starts[w] : starts[w + 1]].tolist() for w in range(4)] == [subwords.rows_of(word) for word in words]
    assert starts[1] == starts[2]


def test_words_without_n_grams_have_an_empty_table() -> None:
    starts, rows = Subwords(2, 100, 10, 12).table(["cat", "dog"])
    assert starts.tolist() == [0, 0, 0]
    assert rows.tolist() == []


def test_a_vector_is_the_mean_of_its_rows(model: Word2VecModel) -> None:
    assert model.subwords is not None and model.inputs is not None
    assert model.inputs.shape == (len(model) + 2_000, 16)
    for row, word in enumerate(model.words):
        own_and_grams = [model.inputs[row], *(model.inputs[gram] for gram in model.subwords.rows_of(word))]
        np.testing.assert_allclose(model.vectors[row], np.mean(own_and_grams, axis=0), atol=1e-5)
        np.testing.assert_array_equal(model.vector_of(word), model.vectors[row])
    grams = [model.inputs[gram] for gram in model.subwords.rows_of("runing")]
    np.testing.assert_allclose(model.vector_of("runing"), np.mean(grams, axis=0), atol=1e-5)


@pytest.mark.parametrize(
    ("unknown", "known", "far"),
    [("runnning", "running", SWEET), ("walkingly", "walking", SWEET), ("chocolates", "chocolate", MOVING)],
)
def test_an_unknown_word_is_near_words_of_its_parts(
    model: Word2VecModel, unknown: str, known: str, far: list[str]
) -> None:
    assert unknown not in model
    nearest = sorted(model.words, key=lambda word: -cosine(model, unknown, word))
    assert nearest[0] == known
    assert cosine(model, unknown, known) > 0.6 > max(cosine(model, unknown, word) for word in far)


@pytest.mark.parametrize(
    "word", ["čeština", "češtiny", "e\u0301e\u0301", "👩‍👩‍👧", "x" * 10**6, "\ud800\ud801", "\0\0\0"]
)
def test_any_word_with_an_n_gram_has_a_vector(model: Word2VecModel, word: str) -> None:
    vector = model.vector_of(word)
    assert vector.shape == (16,) and vector.dtype == np.float32
    assert np.isfinite(vector).all() and np.linalg.norm(vector) > 0


def test_a_word_without_n_grams_is_unknown(model: Word2VecModel) -> None:
    with pytest.raises(UnknownWordError):
        model.vector_of("")
    longer = replace(model, settings=replace(SETTINGS, subword_min=6, subword_max=8))
    np.testing.assert_array_equal(longer.vector_of("be"), longer.vectors[longer.index["be"]])
    with pytest.raises(UnknownWordError, match="'bees'"):
        replace(model, settings=replace(SETTINGS, subword_min=7, subword_max=8)).vector_of("bees")


def test_without_subwords_an_unknown_word_has_no_vector(model: Word2VecModel) -> None:
    plain = replace(model, settings=replace(SETTINGS, subword_buckets=0), inputs=None)
    with pytest.raises(UnknownWordError, match="'runnning'"):
        plain.vector_of("runnning")


@pytest.mark.parametrize("lengths", [(3, 6), (1, 1), (20, 32)])
@pytest.mark.parametrize("buckets", [1, 7])
@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_the_smallest_tables(tmp_path: Path, buckets: int, lengths: tuple[int, int], architecture: str) -> None:
    """All n-grams in one row; and n-grams longer than any word, so that each word is its own row alone."""
    shortest, longest = lengths
    settings = Word2VecSettings(
        architecture=architecture,  # type: ignore[arg-type]
        dimension=4,
        threads=2,
        sample=0,
        subword_buckets=buckets,
        subword_min=shortest,
        subword_max=longest,
    )
    trained = train(lambda: ["small words train well"] * 20, settings, workdir=tmp_path)
    assert trained.inputs is not None and trained.inputs.shape == (4 + buckets, 4)
    assert np.isfinite(trained.inputs).all()
    if shortest == 20:
        np.testing.assert_array_equal(trained.vectors, trained.inputs[:4])
    elif buckets == 1:
        np.testing.assert_allclose(trained.vectors, (trained.inputs[:4] + trained.inputs[4]) / 2, atol=1e-6)
        np.testing.assert_array_equal(trained.vector_of("swell"), trained.inputs[4])


def test_round_trip(model: Word2VecModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    loaded = Word2VecModel.load(tmp_path / "m")
    assert loaded.inputs is not None and model.inputs is not None
    np.testing.assert_array_equal(loaded.inputs, model.inputs)
    np.testing.assert_array_equal(loaded.vector_of("runnning"), model.vector_of("runnning"))
    assert loaded.fingerprint == model.fingerprint


def test_the_fingerprint_tells_inputs_apart(model: Word2VecModel) -> None:
    assert model.inputs is not None
    inputs = model.inputs.copy()
    inputs[-1, -1] += 1
    assert replace(model, inputs=inputs).fingerprint != model.fingerprint


def test_fifty_thousand_words_take_seconds(rng: np.random.Generator) -> None:
    words = ["".join(map(chr, letters)) for letters in rng.integers(97, 123, (50_000, 8))]
    inputs = rng.random((len(words) + 10_000, 16), dtype=np.float32)
    began = time.process_time()
    vectors = Subwords(len(words), 10_000, 3, 6).vectors(inputs, words)
    assert time.process_time() - began < 6  # Some 1.3 s where nothing else runs.
    assert vectors.shape == (50_000, 16)
