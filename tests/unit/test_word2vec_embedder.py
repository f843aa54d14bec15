from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.embedding.word2vec import Word2VecEmbedder
from vecinity.indexer.errors import CorruptError, MissingExtraError, UnknownWordError
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings

BUCKETS = 500


def embedder_of(words: Sequence[str], rng: np.random.Generator) -> Word2VecEmbedder:
    return Word2VecEmbedder(Word2VecModel(words, rng.normal(size=(len(words), 6)).astype(np.float32)))


@pytest.fixture
def plain(rng: np.random.Generator) -> Word2VecEmbedder:
    """As trained without phrases."""
    return embedder_of(["the", "king", "queen", "new", "york", "don't", "čeština"], rng)


@pytest.fixture
def phrases(rng: np.random.Generator) -> Word2VecEmbedder:
    """As trained with phrases."""
    return embedder_of(["the", "in", "new", "york", "times", "new_york", "new_york_times"], rng)


@pytest.fixture
def imported(rng: np.random.Generator) -> Word2VecEmbedder:
    """As read from a file: capitals, spaces, punctuation, and the same letters in several cases."""
    words = ["New York", "Apple", "apple", "pie", "New", "york", "U.S.", ",", "new delhi", "new", "delhi", "San_Jose"]
    return embedder_of(words, rng)


@pytest.fixture
def subwords(rng: np.random.Generator) -> Word2VecEmbedder:
    words = ["running", "walk", "ox", "new_york"]
    settings = Word2VecSettings(dimension=6, subword_buckets=BUCKETS)
    inputs = rng.normal(size=(len(words) + BUCKETS, 6)).astype(np.float32)
    vectors = rng.normal(size=(len(words), 6)).astype(np.float32)
    return Word2VecEmbedder(Word2VecModel(words, vectors, settings=settings, inputs=inputs))


def mean_of_units(embedder: Word2VecEmbedder, words: Sequence[str]) -> np.ndarray:
    vectors = [embedder.model.vector_of(word) for word in words]
    return np.mean([vector / np.linalg.norm(vector) for vector in vectors], axis=0)


def assert_reads(embedder: Word2VecEmbedder, text: str, words: Sequence[str]) -> None:
    """The text's vector is that of these words of the model."""
    (vector,) = embedder.embed([text])
    wanted = embedder.model.vector_of(words[0]) if len(words) == 1 else mean_of_units(embedder, words)
    np.testing.assert_allclose(vector, wanted, rtol=1e-5, atol=1e-6, err_msg=text)


@pytest.mark.parametrize("text", ["", " \n", "?!", "😀", "\ud800", "\0", "_", "aeon", "aeon aeon", "x" * 10**6])
@pytest.mark.parametrize("kind", ["plain", "phrases", "imported"])
def test_a_text_without_a_usable_word(request: pytest.FixtureRequest, kind: str, text: str) -> None:
    embedder: Word2VecEmbedder = request.getfixturevalue(kind)
    with pytest.raises(UnknownWordError) as caught:
        embedder.embed(["new york", text])
    assert caught.value.text == text
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n", "?!", "😀", "\ud800", "_"])
def test_subwords_do_not_help_a_text_without_any_word(subwords: Word2VecEmbedder, text: str) -> None:
    with pytest.raises(UnknownWordError):
        subwords.embed([text])


@pytest.mark.parametrize("shortest", [1, 2])
def test_the_marks_of_a_word_are_no_word(rng: np.random.Generator, shortest: int) -> None:
    settings = Word2VecSettings(dimension=6, subword_buckets=5, subword_min=shortest)
    vectors, inputs = np.ones((2, 6), np.float32), np.ones((7, 6), np.float32)
    embedder = Word2VecEmbedder(Word2VecModel(["a", "b"], vectors, settings=settings, inputs=inputs))
    with pytest.raises(UnknownWordError):
        embedder.embed(["?!"])


def test_near_spellings_are_suggested(plain: Word2VecEmbedder, imported: Word2VecEmbedder) -> None:
    for embedder, text, near in ((plain, "Kinf", "king"), (imported, "Delih", "delhi"), (imported, "aple", "apple")):
        with pytest.raises(UnknownWordError) as caught:
            embedder.embed([text])
        assert caught.value.suggestions[0] == near


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("king", ["king"]),
        ("The KING!", ["the", "king"]),
        ("king king queen", ["king", "king", "queen"]),
        ("king of xyzzy", ["king"]),
        ("Don’t", ["don't"]),
        ("new_york", ["new", "york"]),
        ("  queen\tČeština\n", ["queen", "čeština"]),
        ("king\ud800queen\0", ["king", "queen"]),
    ],
)
def test_words_of_a_trained_model(plain: Word2VecEmbedder, text: str, words: list[str]) -> None:
    assert_reads(plain, text, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("new york", ["new_york"]),
        ("new_york", ["new_york"]),
        ("New York", ["new_york"]),
        ("New_York!", ["new_york"]),
        ("new  york", ["new_york"]),
        ("in new york, the times", ["in", "new_york", "the", "times"]),
        ("the New York Times", ["the", "new_york_times"]),
        ("new_york times", ["new_york_times"]),
        ("new york_times", ["new_york_times"]),
        ("york new", ["york", "new"]),
    ],
)
def test_phrases_are_joined(phrases: Word2VecEmbedder, text: str, words: list[str]) -> None:
    assert_reads(phrases, text, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("New York", ["New York"]),
        (" New  York\n", ["New York"]),
        ("New, York", ["new", "york"]),
        ("Apple", ["Apple"]),
        ("apple", ["apple"]),
        ("APPLE", ["apple"]),
        ("Apple pie", ["Apple", "pie"]),
        ("apple, PIE", ["apple", "pie"]),
        ("U.S. ,", ["U.S.", ","]),
        ("new delhi", ["new delhi"]),
        ("NEW DELHI", ["new delhi"]),
        ("Delhi, New", ["delhi", "New"]),
        ("San_Jose", ["San_Jose"]),
        ("Apple york", ["Apple", "york"]),
    ],
)
def test_words_of_an_imported_model(imported: Word2VecEmbedder, text: str, words: list[str]) -> None:
    assert_reads(imported, text, words)


def test_phrases_of_an_imported_model(rng: np.random.Generator) -> None:
    embedder = embedder_of(["San_Jose", "San", "Jose", "in"], rng)
    assert_reads(embedder, "San Jose", ["San_Jose"])
    assert_reads(embedder, "In San Jose.", ["in", "San"])  # "Jose." is not a word as it stands, nor "jose".


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("running", ["running"]),
        ("runnning", ["runnning"]),
        ("Runnning!", ["runnning"]),
        ("runnning walk", ["runnning", "walk"]),
        ("oxx new york", ["oxx", "new_york"]),
        ("xyzzy", ["xyzzy"]),
    ],
)
def test_unknown_words_get_the_vector_of_their_parts(subwords: Word2VecEmbedder, text: str, words: list[str]) -> None:
    assert_reads(subwords, text, words)


@pytest.mark.parametrize("kind", ["plain", "phrases", "imported", "subwords"])
def test_each_word_of_the_model_is_its_own_form(request: pytest.FixtureRequest, kind: str) -> None:
    """Words are the ids of items, which analogies leave out by this form."""
    embedder: Word2VecEmbedder = request.getfixturevalue(kind)
    words = embedder.model.words
    assert [embedder.canonical(word) for word in words] == list(words)
    np.testing.assert_array_equal(embedder.embed(words), embedder.model.vectors)


@pytest.mark.parametrize("kind", ["plain", "phrases", "imported", "subwords"])
def test_texts_of_one_form_have_one_vector(request: pytest.FixtureRequest, kind: str, rng: np.random.Generator) -> None:
    embedder: Word2VecEmbedder = request.getfixturevalue(kind)
    parts = ["New", "new", "york", "York", "NEW_YORK", "Apple", "apple,", "Delhi", "new_york", "times", "the", "king?"]
    vectors: dict[str, np.ndarray] = {}
    same = 0
    for _ in range(2_000):
        text = rng.choice([" ", "  ", "_", "\t"]).join(rng.choice(parts, rng.integers(1, 4)))
        try:
            (vector,) = embedder.embed([text])
        except UnknownWordError:
            continue
        form = embedder.canonical(text)
        same += form in vectors and text != form
        np.testing.assert_array_equal(vectors.setdefault(form, vector), vector, err_msg=text)
    assert same > 100


@pytest.mark.parametrize(
    ("kind", "text", "form"),
    [
        ("plain", "The  KING of Xyzzy!", "the king of xyzzy"),
        ("phrases", "in New York", "in new_york"),
        ("imported", "NEW DELHI", "new delhi"),
        ("imported", "Apple PIE?", "Apple pie"),
        ("subwords", "Runnning New York", "runnning new_york"),
    ],
)
def test_forms(request: pytest.FixtureRequest, kind: str, text: str, form: str) -> None:
    assert request.getfixturevalue(kind).canonical(text) == form


def test_it_opens_what_was_saved(subwords: Word2VecEmbedder, tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match="build the collection again"):
        Word2VecEmbedder.open(tmp_path / "model")
    subwords.model.save(tmp_path / "model")
    opened = Word2VecEmbedder.open(tmp_path / "model")
    assert (opened.kind, opened.dimension, opened.fingerprint) == ("word2vec", 6, subwords.fingerprint)
    np.testing.assert_array_equal(opened.embed(["runnning ox"]), subwords.embed(["runnning ox"]))
    (tmp_path / "model" / "words.txt").unlink()
    with pytest.raises(CorruptError):
        Word2VecEmbedder.open(tmp_path / "model")


def test_no_texts(plain: Word2VecEmbedder) -> None:
    assert plain.embed([]).shape == (0, 6)
