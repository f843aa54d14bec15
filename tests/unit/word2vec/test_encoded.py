from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.errors import InputError, SettingError, StorageError
from vecinity.indexer.word2vec import counting, encoded, number_file
from vecinity.indexer.word2vec.encoded import CHUNKS_MIN, SENTENCE_END, SENTENCE_WORDS_MAX, encode
from vecinity.indexer.word2vec.vocabulary import Vocabulary


def test_rows_and_sentence_ends(tmp_path: Path) -> None:
    texts = ["b a", "", "rare", "a b, b!", "other a"]
    vocabulary, corpus = encode(texts, tmp_path, min_count=2)
    assert vocabulary.words == ["a", "b"]
    assert vocabulary.counts.tolist() == [3, 3]
    assert corpus.rows().tolist() == [1, 0, SENTENCE_END, 0, 1, 1, SENTENCE_END, 0, SENTENCE_END]
    assert corpus.rows().dtype == np.int32
    assert corpus.word_count == 6
    assert corpus.starts.tolist() == [0, 3, 7]
    assert corpus.ends.tolist() == [3, 7, 9]
    assert corpus.word_counts.tolist() == [2, 3, 1]
    assert [path.name for path in tmp_path.iterdir()] == [corpus.path.name]


def test_texts_are_read_once(tmp_path: Path) -> None:
    encode(iter(["a b a b"]), tmp_path, min_count=1)


def test_long_sentences_are_cut(tmp_path: Path) -> None:
    _, corpus = encode(["a b " * 12_000], tmp_path, min_count=1)
    ends = np.flatnonzero(corpus.rows() == SENTENCE_END)
    assert np.diff(ends, prepend=-1).tolist() == [SENTENCE_WORDS_MAX + 1, SENTENCE_WORDS_MAX + 1, 4_001]


def zipf_sentences(rng: np.random.Generator, how_many: int = 3_000) -> list[list[str]]:
    return [[f"w{i}" for i in rng.zipf(1.5, length) if i < 5_000] for length in rng.integers(0, 60, how_many)]


def test_many_blocks_and_chunks_give_what_one_pass_in_memory_gives(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_file, "BLOCK", 1_000)
    monkeypatch.setattr(counting, "_BATCH_CHARACTERS", 5_000)
    monkeypatch.setattr(encoded, "CHUNK_WORDS", 2_000)
    sentences = zipf_sentences(rng)
    vocabulary, corpus = encode(map(" ".join, sentences), tmp_path, min_count=3)
    wanted: list[int] = []
    for sentence in sentences:
        rows = [vocabulary.index[word] for word in sentence if word in vocabulary.index]
        wanted += [*rows, SENTENCE_END] if rows else []
    assert corpus.rows().tolist() == wanted
    assert corpus.word_count == sum(row >= 0 for row in wanted) == vocabulary.counts.sum()
    assert np.bincount(corpus.rows()[corpus.rows() >= 0]).tolist() == vocabulary.counts.tolist()
    assert corpus.chunk_count > 20
    assert corpus.starts.tolist() == [0, *corpus.ends[:-1]]
    assert corpus.ends[-1] == len(wanted)
    for i in range(corpus.chunk_count):
        chunk = corpus.chunk(i)
        assert chunk[-1] == SENTENCE_END
        assert corpus.word_counts[i] == np.count_nonzero(chunk >= 0) < 2_000 + 60
        assert corpus.word_counts[i] >= 2_000 or i == corpus.chunk_count - 1


@pytest.mark.parametrize("sentences", [2, 3, 10, 400])
def test_a_small_corpus_has_chunks_enough(tmp_path: Path, sentences: int) -> None:
    _, corpus = encode(["a b c"] * sentences, tmp_path, min_count=1)
    assert corpus.chunk_count >= min(sentences, CHUNKS_MIN)
    assert corpus.word_counts.sum() == corpus.word_count == 3 * sentences


@pytest.mark.parametrize("texts", [["a", "a b " * 4_000], ["a b " * 4_000, "a"], ["a b"] * 2])
def test_two_sentences_of_any_length_are_two_chunks(tmp_path: Path, texts: list[str]) -> None:
    _, corpus = encode(texts, tmp_path, min_count=1)
    assert corpus.word_counts.tolist() == [len(text.split()) for text in texts]


@pytest.mark.parametrize(("every", "held_out"), [(2, [1, 3, 5, 7]), (3, [2, 5]), (8, [7]), (100, [7])])
def test_split_by_whole_chunks(tmp_path: Path, every: int, held_out: list[int]) -> None:
    _, corpus = encode([f"a b c{i} c{i}" for i in range(8)], tmp_path, min_count=1)
    assert corpus.chunk_count == 8
    training, rest = corpus.split(every)
    chunks = [corpus.chunk(i).tolist() for i in range(8)]
    assert [rest.chunk(i).tolist() for i in range(rest.chunk_count)] == [chunks[i] for i in held_out]
    assert [training.chunk(i).tolist() for i in range(training.chunk_count)] == [
        chunk for i, chunk in enumerate(chunks) if i not in held_out
    ]
    assert training.word_count + rest.word_count == corpus.word_count == 32
    assert training.path == rest.path == corpus.path
    assert len({corpus.hash, training.hash, rest.hash}) == 3
    assert [part.hash for part in corpus.split(every)] == [training.hash, rest.hash]


def test_what_cannot_be_split(tmp_path: Path) -> None:
    _, corpus = encode(["a b"], tmp_path, min_count=1)
    with pytest.raises(InputError, match="one sentence"):
        corpus.split(2)
    with pytest.raises(SettingError, match="in 1 can't"):
        corpus.split(1)


def test_hash_tells_corpora_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_of(texts: list[str]) -> str:
        return encode(texts, tmp_path, min_count=1)[1].hash

    first = hash_of(["a b c", "b a"])
    assert len(first) == 32
    assert int(first, 16)
    assert first == hash_of(["A, b; c!", "", "b a"]), "the same words and rows"
    others = [
        ["a b d", "b a"],
        ["a b c b a"],
        ["b a c", "b a"],
        ["a b c", "a b"],
        ["a bc", "b a"],
        ["a b c", "b a", "a"],
    ]
    assert len({first, *map(hash_of, others)}) == 7
    monkeypatch.setattr(number_file, "BLOCK", 4)
    assert hash_of(["a b c", "b a"]) == first


def test_words_of_a_base_stay(tmp_path: Path) -> None:
    base = Vocabulary(["emu", "cat", "dog"], np.array([7, 4, 4]))
    texts = ["bee ant dog bee", "rare fox ant", "bee"]
    vocabulary, corpus = encode(texts, tmp_path, min_count=2, base=base)
    assert vocabulary.words == ["emu", "dog", "cat", "bee", "ant"]
    assert vocabulary.counts.tolist() == [7, 5, 4, 3, 2]
    assert corpus.rows().tolist() == [3, 4, 1, 3, SENTENCE_END, 4, SENTENCE_END, 3, SENTENCE_END]
    assert corpus.word_count == 6


def test_a_base_and_texts_that_share_nothing(tmp_path: Path) -> None:
    base = Vocabulary(["cat", "dog"], np.array([4, 4]))
    with pytest.raises(InputError, match="no text has a word of the vocabulary that is extended"):
        encode(["rare fox"], tmp_path, min_count=2, base=base)
    with pytest.raises(InputError, match="no words"):
        encode(["", "?"], tmp_path, min_count=2, base=base)
    assert list(tmp_path.iterdir()) == []
    vocabulary, _ = encode(["fox"], tmp_path, min_count=1, base=base)
    assert vocabulary.words == ["cat", "dog", "fox"]


def test_any_number_of_processes_gives_the_same(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_BATCH_CHARACTERS", 2_000)
    texts = [" ".join(sentence) for sentence in zipf_sentences(rng)]
    results = [
        encode(
            texts, tmp_path, min_count=2, phrase_passes=2, phrase_threshold=0.01, max_distinct=400, processes=processes
        )
        for processes in (1, 2)
    ]
    assert results[0][0].words == results[1][0].words
    assert any("_" in word for word in results[0][0].words)
    assert results[0][0].counts.tolist() == results[1][0].counts.tolist()
    assert results[0][1].hash == results[1][1].hash
    assert results[0][1].ends.tolist() == results[1][1].ends.tolist()


def test_phrases_are_words_of_the_corpus(tmp_path: Path) -> None:
    texts = ["we saw new york", "new york is big", "is new york big", "big and new", "i saw it", "we saw it and it is"]
    vocabulary, corpus = encode(texts * 10, tmp_path, min_count=1, phrase_passes=1, phrase_threshold=0.4)
    assert "new_york" in vocabulary.words
    assert vocabulary.counts[vocabulary.index["new_york"]] == 30
    assert vocabulary.counts[vocabulary.index["new"]] == 10
    assert "york" not in vocabulary.words
    words = [vocabulary.words[row] if row >= 0 else "|" for row in corpus.rows()]
    assert words[:7] == ["we_saw", "new_york", "|", "new_york", "is", "big", "|"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"phrase_passes": -1}, "phrase_passes is -1; it must be from 0 to 4"),
        ({"phrase_passes": 5}, "phrase_passes is 5"),
        ({"phrase_threshold": 0.0}, "phrase_threshold is 0.0"),
        ({"phrase_threshold": float("nan")}, "phrase_threshold is nan"),
        ({"phrase_min_count": 0}, "phrase_min_count is 0"),
        ({"max_distinct": 1}, "max_distinct is 1"),
        ({"processes": 0}, "processes is 0"),
    ],
)
def test_settings_out_of_range(tmp_path: Path, settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        encode(["a b"], tmp_path, min_count=1, **settings)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ([], InputError, "no words"),
        (["\0", " ", "\ud800"], InputError, "no words"),
        (["x" * 1_001] * 9, InputError, "no words"),
        (["one", "one \0 ONE"], InputError, "one word only, 'one'"),
        (["a b"], SettingError, "lower --min-count to 1"),
        (["a b", 7], InputError, "text 2 is int, not str"),
    ],
)
def test_bad_input_leaves_no_file(tmp_path: Path, texts: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        encode(texts, tmp_path, min_count=2)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_older_corpus_stays_readable_and_survives_a_failure(tmp_path: Path) -> None:
    _, older = encode(["a b c"] * 9, tmp_path, min_count=1)
    rows = older.rows()
    encode(["a b"], tmp_path, min_count=1)
    assert rows.tolist() == [0, 1, 2, SENTENCE_END] * 9
    with pytest.raises(InputError):
        encode([], tmp_path, min_count=1)
    assert np.fromfile(tmp_path / "corpus.i32", np.int32).tolist() == [0, 1, SENTENCE_END]


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


@pytest.mark.parametrize("name", ["numbered-0.i32", "numbered-1.i32", "corpus.i32.new"])
def test_a_full_disk_is_a_storage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(StorageError, match="disk is full"):
        encode(["a b"], tmp_path, min_count=1, phrase_passes=1)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_reader_is_not_mistaken_for_the_disk(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        yield "a b"
        raise PermissionError("the user's file")

    with pytest.raises(PermissionError, match="the user's file"):
        encode(texts(), tmp_path, min_count=1)
