"""The corpus as numbers on disk, so that one larger than memory is trained on, and its text is read once.

1. `counting` reads the texts. It numbers words as they appear, counts them, and writes the numbers.
2. `phrases`, if asked for, joins words to phrases, pass by pass.
3. Only then is it known which words are frequent enough, and their rows. `_write_rows` writes the file with rows for
   numbers and without the other words.

The result is a flat int32 file: rows, with `SENTENCE_END` after each sentence. Every epoch maps it into memory.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.files import writing
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.word2vec import number_file, phrases
from vecinity.indexer.word2vec.counting import END, SENTENCE_WORDS_MAX, NumberedCorpus, count_words
from vecinity.indexer.word2vec.number_file import Int32s
from vecinity.indexer.word2vec.vocabulary import Vocabulary

__all__ = ["SENTENCE_END", "SENTENCE_WORDS_MAX", "EncodedCorpus", "encode"]

SENTENCE_END = -1
CHUNK_WORDS = 10_000  # One call of a kernel: short enough for a prompt Ctrl-C, long enough to hide Python.
CHUNKS_MIN = 20  # A small corpus has smaller chunks, so that threads can share it and a part can be held out.
_RARE = -2
_MAPPED_AROUND = 1 << 21

_Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """A corpus of vocabulary rows on disk, or some chunks of one.

    Args:
        path: The file: int32, little-endian, rows and `SENTENCE_END`.
        starts: int64 (chunks,), where in the file each chunk starts.
        ends: int64 (chunks,), where each ends, exclusive. A chunk is whole sentences, of `CHUNK_WORDS` words or
            of a `CHUNKS_MIN`-th of the corpus, whichever is less, and at most `SENTENCE_WORDS_MAX` more.
        word_counts: int64 (chunks,), words in each chunk, ends of sentences not counted.
        hash: 32 hexadecimal digits that tell this corpus from others: xxh3_128 of the vocabulary's words and of
            the file; for a part, of that and of which chunks it has.
    """

    path: Path
    starts: _Int64s
    ends: _Int64s
    word_counts: _Int64s
    hash: str

    @property
    def chunk_count(self) -> int:
        return len(self.starts)

    @cached_property
    def word_count(self) -> int:
        """Words in all chunks, ends of sentences not counted."""
        return int(self.word_counts.sum())

    def rows(self) -> Int32s:
        """The whole file, memory-mapped, int32, read-only."""
        return self._rows

    def chunk(self, i: int) -> Int32s:
        """Chunk `i` of this corpus: a view of `rows`, int32, read-only; the last number is `SENTENCE_END`."""
        return self._rows[self.starts[i] : self.ends[i]]

    def release(self, i: int) -> None:
        """Give back the memory that holds chunk `i` of the mapped file; reading it again maps it again."""
        # Linux maps pages around one that is read as well, which other chunks have given back already.
        start = max(0, 4 * int(self.starts[i]) - _MAPPED_AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
        end = min(len(self._map), 4 * int(self.ends[i]) + _MAPPED_AROUND)
        self._map.madvise(mmap.MADV_DONTNEED, start, end - start)

    def split(self, every: int) -> tuple[EncodedCorpus, EncodedCorpus]:
        """A part to train on and a part to hold out: every `every`-th chunk, the last one where there are fewer.

        Both share the file. A corpus of two sentences or more has two chunks or more, so neither part is empty.

        Raises:
            SettingError: `every` is below 2.
            InputError: There is one chunk only.
        """
        if every < 2:
            raise SettingError(f"one chunk in {every} can't be held out; it must be one in 2 or more")
        if self.chunk_count < 2:
            raise InputError("the corpus has one sentence with frequent words: there is none to hold out")
        held_out = np.arange(self.chunk_count) % every == every - 1
        if not held_out.any():
            held_out[-1] = True
        return self._part(~held_out), self._part(held_out)

    def _part(self, chosen: npt.NDArray[np.bool_]) -> EncodedCorpus:
        starts, ends = self.starts[chosen], self.ends[chosen]
        digest = xxhash.xxh3_128(self.hash.encode())
        digest.update(np.stack([starts, ends]).astype("<i8").tobytes())
        return replace(self, starts=starts, ends=ends, word_counts=self.word_counts[chosen], hash=digest.hexdigest())

    @cached_property
    def _map(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @cached_property
    def _rows(self) -> Int32s:
        return np.frombuffer(self._map, dtype="<i4")


def encode(
    texts: Iterable[str],
    folder: Path,
    *,
    min_count: int,
    max_vocabulary: int | None = None,
    base: Vocabulary | None = None,
    phrase_passes: int = 0,
    phrase_threshold: float = 10.0,
    phrase_min_count: int = 5,
    max_distinct: int = 10_000_000,
    processes: int | None = None,
    progress: Progress = silent,
) -> tuple[Vocabulary, EncodedCorpus]:
    """Count the words of `texts` (read once), choose the vocabulary and write the corpus into `folder`.

    The result is the same for any number of processes. When this raises, Ctrl-C included, neither a process nor a
    new file is left.

    Args:
        texts: A sentence, line or document each; no window reaches from one to the next. Longer than
            `SENTENCE_WORDS_MAX` words, it is cut, and so is one of over 2²⁰ characters.
        folder: An existing folder with room for 8 bytes a word; the caller deletes it.
        base: A vocabulary to extend instead of choosing one from nothing (`Vocabulary.extended`). Its phrases are
            joined where the passes find them in `texts` again.
        phrase_passes: 0 to 4; each pass joins frequent pairs of words, and of phrases of the pass before
            (`phrases.join_corpus`).
        phrase_threshold: Lowest score of a phrase, above 0; higher gives fewer phrases.
        phrase_min_count: A phrase occurs more often than this, at least 1.
        max_distinct: Different words, and different pairs of words, held in memory; the rarest of more than these
            are pruned, after which the counts of words pruned at some time are lower bounds (`count_words`).
        processes: Processes that read words; None takes one for each available processor.
        progress: Stages ``"count words"``, ``"count phrases"`` and ``"join phrases"`` for each pass, and
            ``"encode corpus"``.

    Raises:
        InputError, SettingError, IndexerError, StorageError: As `count_words` and `Vocabulary.choose`.
        InputError: With a `base`, no text has a word of it or a frequent new one.
        SettingError: A setting of the phrases is out of range.
    """
    phrases.check_settings(phrase_passes, phrase_threshold, phrase_min_count)
    files = [folder / f"numbered-{n}.i32" for n in range(phrase_passes + 1)]
    unfinished = folder / "corpus.i32.new"
    try:
        counted = count_words(
            texts,
            files[0],
            known=base.words if base is not None else (),
            max_distinct=max_distinct,
            processes=available_cpus() if processes is None else processes,
            progress=progress,
        )
        for n, path in enumerate(files[1:], start=1):
            counted = phrases.join_corpus(
                counted,
                path,
                threshold=phrase_threshold,
                min_count=phrase_min_count,
                max_distinct=max_distinct,
                progress=progress,
                note=f"pass {n} of {phrase_passes}, ",
            )
            files[n - 1].unlink()
        vocabulary = _vocabulary(counted, base, min_count, max_vocabulary)
        corpus = _write_rows(counted, vocabulary, unfinished, progress)
        if not corpus.word_count:
            raise InputError(
                "no text has a word of the vocabulary that is extended, or a new one that occurs "
                f"{min_count} times or more: give more text, or lower --min-count"
            )
        path = folder / "corpus.i32"
        with writing(path):
            unfinished.replace(path)  # An older file may be mapped by someone: it must not shrink under them.
        return vocabulary, replace(corpus, path=path)
    finally:
        for path in (*files, unfinished):
            with suppress(OSError):  # Most were never made; and what went wrong is told already.
                path.unlink()


def _vocabulary(
    counted: NumberedCorpus, base: Vocabulary | None, min_count: int, max_vocabulary: int | None
) -> Vocabulary:
    words = [word for word, number in counted.numbers.items() if counted.counts[number]]
    counts = counted.counts[[counted.numbers[word] for word in words]]
    choose = Vocabulary.choose if base is None else base.extended
    return choose(words, counts, min_count=min_count, max_vocabulary=max_vocabulary)


def _write_rows(counted: NumberedCorpus, vocabulary: Vocabulary, path: Path, progress: Progress) -> EncodedCorpus:
    """Write rows for numbers, without rare words and without sentences that they leave empty."""
    row_of_number = np.full(len(counted.counts), _RARE, dtype=np.int32)
    row_of_number[END] = SENTENCE_END
    numbers = np.array([counted.numbers[word] for word in vocabulary.words], dtype=np.int64)
    row_of_number[numbers] = np.arange(len(numbers), dtype=np.int32)
    chunks = _Chunks(min(CHUNK_WORDS, int(counted.counts[numbers].sum()) // CHUNKS_MIN))
    digest = xxhash.xxh3_128("\0".join([*vocabulary.words, ""]).encode())
    done, total = 0, number_file.length(counted.path)
    with number_file.create(path) as file:
        for block in number_file.read_sentences(counted.path, END):
            done += len(block)
            rows = row_of_number[block]
            rows = rows[rows != _RARE]
            ends = rows == SENTENCE_END
            rows = rows[~(ends & np.concatenate([[True], ends[:-1]]))].astype("<i4", copy=False)
            chunks.add(rows)
            digest.update(rows.tobytes())
            number_file.append(file, path, rows)
            progress("encode corpus", done, total, "words")
    bounds, word_counts = chunks.result()
    return EncodedCorpus(path, bounds[:-1], bounds[1:], word_counts, digest.hexdigest())


class _Chunks:
    """Finds where chunks end: at the first end of a sentence after `words` words or more."""

    def __init__(self, words: int) -> None:
        self._words = max(1, words)
        self._bounds = [(0, 0)]  # Position in the file, and words before it.
        self._last = self._last_but_one = (0, 0)  # The same of the last sentences seen.

    def add(self, rows: Int32s) -> None:
        """Rows of whole sentences, none empty."""
        positions = np.flatnonzero(rows == SENTENCE_END) + 1
        if not positions.size:
            return
        words = positions - np.arange(1, len(positions) + 1) + self._last[1]
        positions += self._last[0]
        while (i := int(np.searchsorted(words, self._bounds[-1][1] + self._words))) < len(words):
            self._bounds.append((int(positions[i]), int(words[i])))
        before = self._last if len(words) == 1 else (int(positions[-2]), int(words[-2]))
        self._last_but_one, self._last = before, (int(positions[-1]), int(words[-1]))

    def result(self) -> tuple[_Int64s, _Int64s]:
        """Bounds, int64 (chunks + 1,), and words of each chunk, int64 (chunks,)."""
        bounds = self._bounds
        if bounds[-1] != self._last:
            bounds = [*bounds, self._last]
        if len(bounds) == 2 and self._last_but_one[1]:
            bounds = [bounds[0], self._last_but_one, bounds[1]]
        positions, words = np.array(bounds, dtype=np.int64).T
        return positions, np.diff(words)
