"""Read the texts once: number the words as they appear, count them, and write the numbers to a file.

The texts come from the caller's iterator, in this process, in batches of about a megabyte. Other processes turn a batch
into numbers of its own (`tokens.number_words`), which is nearly all the work; here those become numbers of the whole
corpus. Batches do not depend on the number of processes and are merged in order, and neither does the result.

The processes run the file ``tokens.py`` and speak over pipes. `multiprocessing` would import the caller's
``__main__`` again in each of them, which runs a script without a ``__main__`` guard a second time.
"""

from __future__ import annotations

import re
import select
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import IndexerError, InputError, SettingError
from vecinity.indexer.progress import Progress
from vecinity.indexer.word2vec import number_file, tokens
from vecinity.indexer.word2vec.number_file import Int32s

END = 0  # The number that closes a sentence.
DROPPED = 1  # The number of every giant token.
SENTENCE_WORDS_MAX = 10_000  # Longer texts are cut, which bounds the kernels' buffer (gensim: MAX_WORDS_IN_BATCH).
_BATCH_CHARACTERS = 1 << 20
_NUMBERS_MAX = 2**31 - 1
_FIRST_COUNTS = 1 << 16
_SPACE = re.compile(r"\s")

_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NumberedCorpus:
    """A corpus as numbers of words on disk.

    Args:
        path: The file: int32 numbers, with `END` after each sentence.
        numbers: Every word that is held to its number. The file also has `DROPPED`, and numbers of words that
            were pruned.
        counts: int64 (highest number + 1,), how often each number is in the file.
    """

    path: Path
    numbers: dict[str, int]
    counts: _Counts


def count_words(
    texts: Iterable[str],
    path: Path,
    *,
    known: Iterable[str] = (),
    max_distinct: int,
    processes: int,
    progress: Progress,
) -> NumberedCorpus:
    """Number and count the words of `texts`, read once, into the file `path`.

    Args:
        known: Distinct words that are numbered first, and never pruned.
        max_distinct: When more different words are held, the rarest are pruned: those seen once, the next time
            those seen up to twice, and so on (word2vec.c's ReduceVocab), or more where that is not enough. A pruned
            word that returns is counted from zero, with a new number: the count of a word that was pruned at some
            time is a lower bound. Held at any moment: these, `known`, and the words of one batch.
        processes: Processes that turn text into numbers. 1 is this one; a corpus of one batch starts none.

    Raises:
        InputError: A text is no str, or there are more than 2³¹ different words.
        SettingError: `max_distinct` or `processes` is out of range, or no process can be started.
        IndexerError: A process was killed.
        StorageError: `path` cannot be written.
    """
    if max_distinct < 2:
        raise SettingError(f"max_distinct is {max_distinct}; it must be at least 2")
    if processes < 1:
        raise SettingError(f"processes is {processes}; it must be at least 1")
    counter = _Counter(known, max_distinct)
    read = 0
    # Without `closing`, an exception here would leave the processes to the garbage collector.
    with number_file.create(path) as file, closing(_numbered_batches(texts, processes)) as batches:
        for words, sequence in batches:
            block = counter.add(words, sequence)
            number_file.append(file, path, _with_long_sentences_cut(block))
            read += int(np.count_nonzero(block != END))
            progress("count words", read, None, "words", counter.note)
    return counter.result(path)


class _Counter:
    """The numbers and counts of all batches so far."""

    def __init__(self, known: Iterable[str], max_distinct: int) -> None:
        first = (tokens.SENTENCE_END_WORD, tokens.DROPPED_WORD, *known)  # END, DROPPED, and from there on.
        self._numbers: defaultdict[str, int] = defaultdict(count(len(first)).__next__, zip(first, count()))
        self._never_pruned = self._given = len(first)
        self._counts: _Counts = np.zeros(max(_FIRST_COUNTS, self._given), dtype=np.int64)
        self._max_distinct = max_distinct
        self._pruned_up_to = 0

    def add(self, words: list[str], sequence: bytes) -> Int32s:
        """Count a batch; return it in numbers of the whole corpus."""
        batch = np.frombuffer(sequence, dtype=np.int32)
        number_of = self._numbers
        numbers = np.fromiter(map(number_of.__getitem__, words), dtype=np.int64, count=len(words))
        self._given = max(self._given, int(numbers.max()) + 1)
        if self._given > _NUMBERS_MAX:
            raise InputError(
                f"the corpus has more than {_NUMBERS_MAX:,} different words: is it text? Remove what is not"
            )
        while len(self._counts) < self._given:
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        # Several giant tokens of a batch are one number.
        np.add.at(self._counts, numbers, np.bincount(batch, minlength=len(words)))
        if len(number_of) - self._never_pruned > self._max_distinct:
            self._prune()
        return numbers.astype(np.int32)[batch]

    def _prune(self) -> None:
        """Forget the rarest words. What was never pruned is first in the dict, which keeps the order of insertion."""
        numbers = np.fromiter(self._numbers.values(), dtype=np.int64, count=len(self._numbers))
        counts = self._counts[numbers[self._never_pruned :]]
        excess = len(counts) - self._max_distinct
        self._pruned_up_to = max(self._pruned_up_to + 1, int(np.partition(counts, excess - 1)[excess - 1]))
        words = islice(self._numbers, self._never_pruned, None)
        for word in [word for word, rare in zip(words, counts <= self._pruned_up_to, strict=True) if rare]:
            del self._numbers[word]

    @property
    def note(self) -> str:
        different = f"{len(self._numbers) - 2:,} different"
        return f"{different}, pruned up to count {self._pruned_up_to}" if self._pruned_up_to else different

    def result(self, path: Path) -> NumberedCorpus:
        numbers = self._numbers
        numbers.default_factory = None  # A plain dict from here on, without a copy of millions of words.
        del numbers[tokens.SENTENCE_END_WORD], numbers[tokens.DROPPED_WORD]
        return NumberedCorpus(path, numbers, self._counts[: self._given])


def _with_long_sentences_cut(block: Int32s) -> Int32s:
    """A block of whole sentences with an `END` after every `SENTENCE_WORDS_MAX` words of one."""
    ends = np.flatnonzero(block == END)
    starts = np.concatenate([[0], ends[:-1] + 1])
    cuts = [
        cut
        for start, end in zip(starts, ends, strict=True)
        if end - start > SENTENCE_WORDS_MAX
        for cut in range(start + SENTENCE_WORDS_MAX, end, SENTENCE_WORDS_MAX)
    ]
    return np.insert(block, cuts, END) if cuts else block


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in lists of about `_BATCH_CHARACTERS`; a longer text is cut where a white space is."""
    batch: list[str] = []
    size = 0
    for position, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise InputError(f"text {position:,} is {type(text).__name__}, not str: decode or convert it first")
        for piece in (text,) if len(text) <= _BATCH_CHARACTERS else _pieces(text):
            batch.append(piece)
            size += len(piece) + 1
            if size >= _BATCH_CHARACTERS:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while space := _SPACE.search(text, start + _BATCH_CHARACTERS):
        yield text[start : space.start()]
        start = space.end()
    yield text[start:]


def _numbered_batches(texts: Iterable[str], processes: int) -> Generator[tuple[list[str], bytes], None, None]:
    """`number_words` of each batch, in order. When this generator ends or is closed, no process is left.

    Each process has one batch at a time: nothing waits in memory, and no pipe fills while this process writes
    to another. A further process is only started when a batch is there and the one whose turn it is has not answered:
    where reading the texts takes the most time, two or three do all there is to do.
    """
    batches = _batches(texts)
    if processes == 1:
        yield from map(tokens.number_words, batches)
        return
    yield from map(tokens.number_words, islice(batches, 1))  # A small corpus is done before a process has started.
    workers: list[_Worker] = []
    asked: deque[_Worker] = deque()
    try:
        for batch in batches:
            if asked and (len(workers) == processes or asked[0].has_answered()):
                worker = asked.popleft()
                yield worker.answer()
            else:
                worker = _Worker()
                workers.append(worker)
            worker.ask(batch)
            asked.append(worker)
        for worker in asked:
            yield worker.answer()
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that runs ``tokens.py``."""

    def __init__(self) -> None:
        # -I and -S: no settings of the user's and no packages, none of which it needs, can break or delay it.
        command = [sys.executable, "-I", "-S", tokens.__file__]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,  # Ctrl-C is for this process alone, which ends the others.
            )
        except OSError as error:
            raise SettingError(
                f"no process to count words in can be started ({error.strerror}): give --threads 1"
            ) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._sink, self._source = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._source, select.POLLIN)

    def ask(self, texts: list[str]) -> None:
        try:
            tokens.send_texts(self._sink, texts)
        except BrokenPipeError as error:
            raise self._death() from error

    def has_answered(self) -> bool:
        """Whether `answer` will not wait."""
        return bool(self._poll.poll(0))

    def answer(self) -> tuple[list[str], bytes]:
        try:
            return tokens.receive_numbered(self._source)
        except EOFError as error:
            raise self._death() from error

    def end(self) -> None:
        """At once; it holds nothing of value."""
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):  # What an interrupted `ask` left in the buffer.
            self._sink.close()
        self._source.close()

    def _death(self) -> IndexerError:
        code = self._process.wait()  # Its pipes are closed, so it is ending.
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return IndexerError(
            f"a process that counts words {how}: if memory was short, give --threads 1; else run it again"
        )
