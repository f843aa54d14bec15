"""What is written is read back bit by bit, in every format, plain and gzip."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vecinity.indexer.errors import InputError
from vecinity.indexer.formats import Format, binary, read_word_vectors, text, write_word_vectors
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings
from vecinity.indexer.word_vectors import WordVectors

WRITTEN = (Format.WORD2VEC_TEXT, Format.WORD2VEC_BINARY, Format.GLOVE)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
# Anything but half surrogates and what ends a word; digits and signs, so that words look like numbers and headers.
LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters=" \t\n\v\f\r\ufeff") | st.sampled_from("0123.-e")


@st.composite
def word_vectors(draw: st.DrawFn) -> WordVectors:
    words = draw(st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=6, unique=True))
    dimension = draw(st.integers(1, 5))
    return WordVectors(words, draw(arrays(np.float32, (len(words), dimension), elements=FINITE)))


def assert_same(read: WordVectors, written: WordVectors) -> None:
    assert list(read.words) == list(written.words)
    assert read.vectors.dtype == np.float32 and read.vectors.shape == written.vectors.shape
    assert read.vectors.tobytes() == written.vectors.tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("format", WRITTEN)
@given(written=word_vectors())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_and_vectors(tmp_path: Path, format: Format, suffix: str, written: WordVectors) -> None:
    path = tmp_path / f"v{suffix}"
    write_word_vectors(written, path, format=format)
    assert_same(read_word_vectors(path, format=format), written)
    if format is not Format.WORD2VEC_BINARY:  # a few binary numbers can spell text
        assert_same(read_word_vectors(path), written)


@pytest.mark.parametrize("format", WRITTEN)
def test_every_kind_of_float(tmp_path: Path, rng: np.random.Generator, format: Format) -> None:
    bits = rng.integers(0, 1 << 32, size=300_000, dtype=np.uint32)
    numbers = bits.view(np.float32)
    numbers = numbers[np.isfinite(numbers)][:290_000].reshape(-1, 100)
    written = WordVectors([f"w{i}" for i in range(len(numbers))], numbers)
    write_word_vectors(written, tmp_path / "v", format=format)
    assert_same(read_word_vectors(tmp_path / "v"), written)


@pytest.mark.parametrize("format", WRITTEN)
def test_many_blocks_and_a_limit(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, format: Format
) -> None:
    for module, name in [(text, "_NUMBERS_WRITTEN"), (text, "BLOCK_BYTES"), (binary, "BLOCK_BYTES")]:
        monkeypatch.setattr(module, name, 20_000)
    monkeypatch.setattr(binary, "_ROWS_WRITTEN", 300)
    vectors = rng.normal(size=(1_800, 60)).astype(np.float32)
    written = WordVectors([f"wörd-{i}" for i in range(len(vectors))], vectors)
    write_word_vectors(written, tmp_path / "v.gz", format=format)
    (tmp_path / "v").write_bytes(gzip.decompress((tmp_path / "v.gz").read_bytes()))
    for path in (tmp_path / "v", tmp_path / "v.gz"):
        assert_same(read_word_vectors(path), written)
        assert_same(read_word_vectors(path, limit=2_000), written)
        for limit in (1, 1_000, 1_800):
            first = WordVectors(written.words[:limit], written.vectors[:limit])
            assert_same(read_word_vectors(path, limit=limit), first)


def test_a_limit_does_not_look_further(tmp_path: Path) -> None:
    (tmp_path / "v").write_text("3 2\na 1 2\nb 3 4\nbroken\n")
    assert read_word_vectors(tmp_path / "v", limit=2).words == ["a", "b"]
    with pytest.raises(InputError, match=":4: "):
        read_word_vectors(tmp_path / "v", limit=3)


def test_the_words_break_at_every_place_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = WordVectors(["a", "bcd", "é"], np.arange(6, dtype=np.float32).reshape(3, 2) / 7)
    for format in WRITTEN:
        write_word_vectors(written, tmp_path / "v", format=format)
        for size in range(5 if format is not Format.WORD2VEC_BINARY else 30, 70):
            monkeypatch.setattr(text, "BLOCK_BYTES", size)
            monkeypatch.setattr(binary, "BLOCK_BYTES", size)
            assert_same(read_word_vectors(tmp_path / "v", format=format), written)


def test_a_model_of_our_own(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(3, 4)).astype(np.float32)
    Word2VecModel(["a", "b", "c"], vectors, np.array([9, 5, 2]), settings=Word2VecSettings(dimension=4)).save(
        tmp_path / "m"
    )
    for limit in (None, 2):
        read = read_word_vectors(tmp_path / "m", limit=limit)
        assert_same(read, WordVectors(["a", "b", "c"][:limit], vectors[:limit]))
        assert read.counts is not None and read.counts.tolist() == [9, 5, 2][:limit]


def test_the_same_vectors_make_the_same_gzip(tmp_path: Path) -> None:
    written = WordVectors(["a"], np.ones((1, 2), dtype=np.float32))
    write_word_vectors(written, tmp_path / "one.vec.gz")
    write_word_vectors(written, tmp_path / "two.vec.gz")
    assert (tmp_path / "one.vec.gz").read_bytes() == (tmp_path / "two.vec.gz").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["one.vec.gz", "two.vec.gz"]


def test_vectors_in_another_order_of_memory(tmp_path: Path) -> None:
    vectors = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))[::-1]
    written = WordVectors(["a", "b"], vectors)
    for format in WRITTEN:
        write_word_vectors(written, tmp_path / "v", format=format)
        assert_same(read_word_vectors(tmp_path / "v", format=format), written)
