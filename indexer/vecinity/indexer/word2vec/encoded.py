"""The corpus as numbers on disk, so that one larger than memory is trained on, and its text is read once.

1. `_number_words` reads the texts. It numbers words as they appear, counts them, and writes the numbers.
2. Only then is it known which words are frequent enough, and their rows. `_renumber` rewrites the file with rows
   for numbers and without the other words.

The result is a flat int32 file: rows, with `SENTENCE_END` after each sentence. Every epoch maps it into memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.files import writing
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.word2vec.vocabulary import Vocabulary, WordNumbers, tokenize

SENTENCE_END = -1
SENTENCE_WORDS_MAX = 10_000  # Longer texts are cut, which bounds the kernels' buffer (gensim: MAX_WORDS_IN_BATCH).
CHUNK_WORDS = 10_000  # One call of a kernel: short enough for a prompt Ctrl-C, long enough to hide Python.
_RARE = -2
_BLOCK = 1 << 18  # Numbers held in memory at once.

Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True)
class EncodedCorpus:
    """A corpus of vocabulary rows on disk.

    Args:
        path: The file: int32, little-endian, rows and `SENTENCE_END`.
        bounds: int64 (chunks + 1,). Chunk i is ``rows()[bounds[i]:bounds[i + 1]]``; it ends with a sentence
            and holds about `CHUNK_WORDS` words, at most `CHUNK_WORDS` + `SENTENCE_WORDS_MAX`.
        word_count: Words in all, ends of sentences not counted.
    """

    path: Path
    bounds: npt.NDArray[np.int64]
    word_count: int

    @property
    def chunk_count(self) -> int:
        return len(self.bounds) - 1

    def rows(self) -> Int32s:
        """The file, memory-mapped, int32 (word_count + sentences,), read-only."""
        return np.memmap(self.path, dtype="<i4", mode="r")


def encode(
    texts: Iterable[str],
    folder: Path,
    *,
    min_count: int,
    max_vocabulary: int | None = None,
    progress: Progress = silent,
) -> tuple[Vocabulary, EncodedCorpus]:
    """Count the words of `texts` (read once), choose the vocabulary and write the corpus into `folder`.

    Args:
        texts: A sentence, line or document each; no window reaches from one to the next.
        folder: An existing folder with room for 8 bytes a word; the caller deletes it.

    Raises:
        InputError, SettingError: As `Vocabulary.choose`.
        StorageError: The folder cannot be written.
    """
    numbered = folder / "numbered.i32"
    numbers, counts = _number_words(texts, numbered, progress)
    vocabulary = Vocabulary.choose(
        list(numbers), counts[WordNumbers.FIRST_WORD :], min_count=min_count, max_vocabulary=max_vocabulary
    )
    row_of_number = np.full(len(counts), _RARE, dtype=np.int32)
    row_of_number[WordNumbers.END] = SENTENCE_END
    row_of_number[[numbers[word] for word in vocabulary.words]] = np.arange(len(vocabulary), dtype=np.int32)
    corpus = _renumber(numbered, row_of_number, folder / "corpus.i32", progress)
    numbered.unlink()
    return vocabulary, corpus


def _number_words(texts: Iterable[str], path: Path, progress: Progress) -> tuple[WordNumbers, npt.NDArray[np.int64]]:
    """Write every word's number to `path`; return the numbers and their counts, int64 (numbers,)."""
    numbers = WordNumbers()
    counts = np.zeros(1 << 16, dtype=np.int64)
    read = 0
    with _create(path) as file:
        for block in _blocks(texts, numbers):
            block_counts = np.bincount(block)
            while len(counts) < len(block_counts):
                counts = np.concatenate([counts, np.zeros_like(counts)])
            counts[: len(block_counts)] += block_counts
            read += len(block) - int(block_counts[WordNumbers.END])
            _write(file, path, block)
            progress("count words", read, None, "words", f"{len(numbers):,} different")
    return numbers, counts[: len(numbers) + WordNumbers.FIRST_WORD]


def _blocks(texts: Iterable[str], numbers: WordNumbers) -> Iterator[Int32s]:
    """The numbers of all texts in arrays of about `_BLOCK`, int32 (≥ 1,)."""
    block = array("i")
    number_of = numbers.__getitem__
    for text in texts:
        words = tokenize(text)
        for start in range(0, len(words), SENTENCE_WORDS_MAX):
            block.extend(map(number_of, words[start : start + SENTENCE_WORDS_MAX]))
            block.append(WordNumbers.END)
            if len(block) >= _BLOCK:
                yield np.frombuffer(block, dtype=np.int32)
                block = array("i")
    if block:
        yield np.frombuffer(block, dtype=np.int32)


def _renumber(numbered: Path, row_of_number: Int32s, path: Path, progress: Progress) -> EncodedCorpus:
    """Rewrite `numbered` as rows, without rare words and without sentences that they leave empty."""
    total = numbered.stat().st_size // 4
    read = written = words = 0
    bounds = [0]
    ended = True  # Whether the last number written closed a sentence, as the start of a file does.
    with numbered.open("rb") as source, _create(path) as file:
        while (block := np.fromfile(source, dtype=np.int32, count=_BLOCK)).size:
            read += len(block)
            rows = row_of_number[block]
            rows = rows[rows != _RARE]
            ends = rows == SENTENCE_END
            rows = rows[~(ends & np.concatenate([[ended], ends[:-1]]))]
            if rows.size:
                ends_after = np.flatnonzero(rows == SENTENCE_END) + written + 1
                _extend_bounds(bounds, ends_after)
                written += len(rows)
                words += len(rows) - len(ends_after)
                ended = bool(rows[-1] == SENTENCE_END)
                _write(file, path, rows)
            progress("encode corpus", read, total, "words")
    if bounds[-1] < written:
        bounds.append(written)
    return EncodedCorpus(path, np.array(bounds, dtype=np.int64), words)


def _extend_bounds(bounds: list[int], ends: npt.NDArray[np.int64]) -> None:
    """Append to `bounds` the ends of sentences that are at least `CHUNK_WORDS` after the last bound."""
    while (i := int(np.searchsorted(ends, bounds[-1] + CHUNK_WORDS))) < len(ends):
        bounds.append(int(ends[i]))


def _create(path: Path) -> FileIO:
    """A new file without a buffer: what a full disk refused must not be tried again when the file closes."""
    with writing(path):
        return FileIO(path, "wb")


def _write(file: FileIO, path: Path, numbers: Int32s) -> None:
    with writing(path):
        rest = numbers.data.cast("B")
        while rest:
            rest = rest[file.write(rest) :]
