"""gensim reads what we write, and we read what gensim writes."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from gensim.models import FastText, KeyedVectors, Word2Vec

from vecinity.indexer.errors import InputError
from vecinity.indexer.formats import Format, detect_format, read_word_vectors, write_word_vectors
from vecinity.indexer.word_vectors import WordVectors

WORDS = ["the", "don't", "čeština", "½", "3", "nan"]


@pytest.fixture
def ours(rng: np.random.Generator) -> WordVectors:
    return WordVectors(WORDS, rng.normal(size=(6, 9)).astype(np.float32))


@pytest.fixture
def theirs(ours: WordVectors) -> KeyedVectors:
    keyed = KeyedVectors(9)
    keyed.add_vectors(WORDS, ours.vectors)
    return keyed


# With no_header gensim opens the file twice and leaves one open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("format", "options"),
    [
        (Format.WORD2VEC_TEXT, {"binary": False}),
        (Format.WORD2VEC_BINARY, {"binary": True}),
        (Format.GLOVE, {"no_header": True}),
    ],
)
def test_both_ways(
    tmp_path: Path, ours: WordVectors, theirs: KeyedVectors, format: Format, options: dict[str, bool], suffix: str
) -> None:
    path = tmp_path / f"v{suffix}"
    write_word_vectors(ours, path, format=format)
    read = KeyedVectors.load_word2vec_format(str(path), **options)
    assert read.index_to_key == WORDS
    assert read.vectors.tobytes() == ours.vectors.tobytes()

    write = {"binary": True} if format is Format.WORD2VEC_BINARY else {"write_header": format is not Format.GLOVE}
    theirs.save_word2vec_format(str(path), **write)
    assert detect_format(path) is format
    back = read_word_vectors(path)
    assert back.words == WORDS
    assert back.vectors.tobytes() == ours.vectors.tobytes()
    assert back.counts is None


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("aside", [[], ["vectors"]])
def test_saved_keyed_vectors(tmp_path: Path, theirs: KeyedVectors, aside: list[str], protocol: int) -> None:
    for row, word in enumerate(WORDS):
        theirs.set_vecattr(word, "count", 100 - row)
    path = tmp_path / "v.kv"
    theirs.save(str(path), separately=aside, pickle_protocol=protocol)
    assert (tmp_path / "v.kv.vectors.npy").exists() == bool(aside)
    assert detect_format(path) is Format.GENSIM_KEYED_VECTORS
    read = read_word_vectors(path)
    assert read.words == WORDS
    assert read.vectors.tobytes() == theirs.vectors.tobytes()
    assert read.counts is not None and read.counts.tolist() == [100 - row for row in range(6)]
    first = read_word_vectors(path, limit=2)
    assert first.words == WORDS[:2] and first.vectors.shape == (2, 9)
    assert first.counts is not None and first.counts.tolist() == [100, 99]


def test_the_vectors_of_a_trained_model(tmp_path: Path) -> None:
    model = Word2Vec([["a", "b", "c", "a"], ["b", "a"]] * 5, vector_size=7, min_count=1, epochs=1, workers=1)
    model.wv.save(str(tmp_path / "m.kv"))
    read = read_word_vectors(tmp_path / "m.kv")
    assert read.words == ["a", "b", "c"]
    assert read.counts is not None and read.counts.tolist() == [15, 10, 5]
    np.testing.assert_array_equal(read.vectors, model.wv.vectors)

    model.save(str(tmp_path / "whole.model"))
    with pytest.raises(
        InputError, match=r"'gensim\.models\.word2vec\.Word2Vec', which is refused.*save_word2vec_format"
    ):
        read_word_vectors(tmp_path / "whole.model")


def test_vectors_without_counts(tmp_path: Path, theirs: KeyedVectors) -> None:
    theirs.save(str(tmp_path / "v.kv"))
    assert read_word_vectors(tmp_path / "v.kv").counts is None


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats(tmp_path: Path, ours: WordVectors, dtype: type) -> None:
    keyed = KeyedVectors(9, dtype=dtype)
    keyed.add_vectors(WORDS, ours.vectors.astype(dtype))
    for aside in ([], ["vectors"]):
        keyed.save(str(tmp_path / "v.kv"), separately=aside)
        read = read_word_vectors(tmp_path / "v.kv")
        np.testing.assert_array_equal(read.vectors, ours.vectors.astype(dtype).astype(np.float32))


def test_numbers_too_large_for_float32(tmp_path: Path) -> None:
    keyed = KeyedVectors(2, dtype=np.float64)
    keyed.add_vectors(["a", "b"], np.array([[1, 2], [1e300, 1]]))
    keyed.save(str(tmp_path / "v.kv"))
    with pytest.raises(InputError, match=r"v\.kv: the vector of word 2 holds NaN or infinity"):
        read_word_vectors(tmp_path / "v.kv")


def test_a_missing_piece(tmp_path: Path, theirs: KeyedVectors) -> None:
    theirs.save(str(tmp_path / "v.kv"), separately=["vectors"])
    (tmp_path / "v.kv.vectors.npy").unlink()
    with pytest.raises(InputError, match=r"v\.kv: its vectors are missing: .* v\.kv\.vectors\.npy"):
        read_word_vectors(tmp_path / "v.kv")


def test_a_piece_of_another_file(tmp_path: Path, theirs: KeyedVectors) -> None:
    theirs.save(str(tmp_path / "v.kv"), separately=["vectors"])
    np.save(tmp_path / "v.kv.vectors.npy", np.ones((3, 9), dtype=np.float32))
    with pytest.raises(InputError, match="for 6 words they must be floats"):
        read_word_vectors(tmp_path / "v.kv")


def test_compressed_keyed_vectors(tmp_path: Path, theirs: KeyedVectors) -> None:
    theirs.save(str(tmp_path / "v.kv.gz"))
    with pytest.raises(InputError, match=r"unpack it, or save it without \.gz"):
        read_word_vectors(tmp_path / "v.kv.gz")


def test_fasttext_saves_no_vectors(tmp_path: Path) -> None:
    model = FastText([["a", "b"]] * 5, vector_size=4, min_count=1, epochs=1, workers=1, bucket=10)
    model.wv.save(str(tmp_path / "f.kv"))
    with pytest.raises(InputError, match=r"FastTextKeyedVectors.*save_word2vec_format"):
        read_word_vectors(tmp_path / "f.kv")
    model.wv.save_word2vec_format(str(tmp_path / "f.vec"))
    np.testing.assert_array_equal(read_word_vectors(tmp_path / "f.vec").vectors, model.wv.vectors)


def test_vectors_of_gensim_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: WordVectors) -> None:
    # The attributes and the protocol of gensim 3.8, whose classes had these names.
    module = types.ModuleType("gensim.models.keyedvectors")
    for name in ("Word2VecKeyedVectors", "Vocab"):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    vocabulary = {}
    for row, word in enumerate(WORDS):
        vocabulary[word] = module.Vocab()
        vocabulary[word].__dict__.update(count=50 - row, index=row, sample_int=1 << 32)
    keyed = module.Word2VecKeyedVectors()
    keyed.__dict__.update(vectors=ours.vectors, vocab=vocabulary, vector_size=9, index2word=WORDS, vectors_norm=None)
    (tmp_path / "v.kv").write_bytes(pickle.dumps(keyed, protocol=2))
    read = read_word_vectors(tmp_path / "v.kv")
    assert read.words == WORDS and read.vectors.tobytes() == ours.vectors.tobytes()
    assert read.counts is not None and read.counts.tolist() == [50 - row for row in range(6)]


def test_names_of_numpy_1(tmp_path: Path, theirs: KeyedVectors) -> None:
    theirs.save(str(tmp_path / "v.kv"), pickle_protocol=3)
    content = (tmp_path / "v.kv").read_bytes()
    assert b"cnumpy._core.multiarray\n" in content
    (tmp_path / "v.kv").write_bytes(content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert read_word_vectors(tmp_path / "v.kv").vectors.tobytes() == theirs.vectors.tobytes()
