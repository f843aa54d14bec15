from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.errors import StorageError
from vecinity.indexer.word2vec import encoded
from vecinity.indexer.word2vec.encoded import SENTENCE_END, SENTENCE_WORDS_MAX, encode


def test_rows_and_sentence_ends(tmp_path: Path) -> None:
    texts = ["b a", "", "rare", "a b, b!", "other a"]
    vocabulary, corpus = encode(texts, tmp_path, min_count=2)
    assert vocabulary.words == ["a", "b"]
    assert vocabulary.counts.tolist() == [3, 3]
    assert corpus.rows().tolist() == [1, 0, SENTENCE_END, 0, 1, 1, SENTENCE_END, 0, SENTENCE_END]
    assert corpus.rows().dtype == np.int32
    assert corpus.word_count == 6
    assert corpus.bounds.tolist() == [0, 9]
    assert [path.name for path in tmp_path.iterdir()] == [corpus.path.name]


def test_texts_are_read_once(tmp_path: Path) -> None:
    encode(iter(["a b a b"]), tmp_path, min_count=1)


def test_long_sentences_are_cut(tmp_path: Path) -> None:
    _, corpus = encode(["a b " * 12_000], tmp_path, min_count=1)
    ends = np.flatnonzero(corpus.rows() == SENTENCE_END)
    assert np.diff(ends, prepend=-1).tolist() == [SENTENCE_WORDS_MAX + 1, SENTENCE_WORDS_MAX + 1, 4_001]


def test_many_blocks_and_chunks_give_what_one_pass_in_memory_gives(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "_BLOCK", 1_000)
    lengths = rng.integers(0, 60, 3_000)
    sentences = [[f"w{i}" for i in rng.zipf(1.5, length) if i < 5_000] for length in lengths]
    vocabulary, corpus = encode(map(" ".join, sentences), tmp_path, min_count=3)
    wanted: list[int] = []
    for sentence in sentences:
        rows = [vocabulary.index[word] for word in sentence if word in vocabulary.index]
        wanted += [*rows, SENTENCE_END] if rows else []
    assert corpus.rows().tolist() == wanted
    assert corpus.word_count == sum(row >= 0 for row in wanted) == vocabulary.counts.sum()
    assert np.bincount(corpus.rows()[corpus.rows() >= 0]).tolist() == vocabulary.counts.tolist()
    assert corpus.chunk_count > 2
    assert corpus.bounds[0] == 0
    assert corpus.bounds[-1] == len(wanted)
    assert (corpus.rows()[corpus.bounds[1:] - 1] == SENTENCE_END).all()
    assert (np.diff(corpus.bounds)[:-1] >= encoded.CHUNK_WORDS).all()
    assert (np.diff(corpus.bounds) < encoded.CHUNK_WORDS + 60).all()


def test_giant_token_is_dropped_and_not_counted(tmp_path: Path) -> None:
    vocabulary, corpus = encode(["a b " + "x" * 1_000_000 + " a b"] * 2, tmp_path, min_count=1)
    assert vocabulary.words == ["a", "b"]
    assert corpus.word_count == 8


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    encode(
        ["a b"] * 10, tmp_path, min_count=1, progress=lambda stage, done, total, *_: seen.append((stage, done, total))
    )
    assert seen == [("count words", 20, None), ("encode corpus", 30, 30)]


def test_a_full_disk_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "numbered.i32").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="disk is full"):
        encode(["a b"], tmp_path, min_count=1)


def test_an_error_of_the_reader_is_not_mistaken_for_the_disk(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        yield "a b"
        raise PermissionError("the user's file")

    with pytest.raises(PermissionError, match="the user's file"):
        encode(texts(), tmp_path, min_count=1)
