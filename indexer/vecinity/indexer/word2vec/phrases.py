"""Words that belong together become one: "new york" becomes "new_york" (Mikolov et al. 2013b, section 4).

Two words beside each other are a phrase when, after equation (6),

    score(a b) = (count(a b) − δ) / (count(a) · count(b)) · N        is above a threshold,

where the discount δ keeps rare pairs out. The paper leaves the scale open: N is the number of distinct words and pairs,
as in gensim's `original_scorer`, so that thresholds mean the same here and there (word2phrase.c: of all words).
A pass joins pairs of words, a second one also pairs of phrases, and so on.

Everything is done on the numbers of a `NumberedCorpus`, block by block, with a bounded number of pairs in memory.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import SettingError
from vecinity.indexer.progress import Progress
from vecinity.indexer.word2vec import number_file
from vecinity.indexer.word2vec.counting import END, NumberedCorpus
from vecinity.indexer.word2vec.number_file import Int32s
from vecinity.indexer.word2vec.tokens import TOKEN_CHARACTERS_MAX

DELIMITER = "_"  # No word of a text has it.
PASSES_MAX = 4
WORDS_MAX = 2**PASSES_MAX  # In one phrase.
_MERGE = 1 << 22  # Pairs that wait in memory before they are merged with those counted.

_Int64s = npt.NDArray[np.int64]


def check_settings(passes: int, threshold: float, min_count: int) -> None:
    """
    Raises:
        SettingError: One is out of range.
    """
    if not 0 <= passes <= PASSES_MAX:
        raise SettingError(f"phrase_passes is {passes}; it must be from 0 to {PASSES_MAX}")
    if not (math.isfinite(threshold) and threshold > 0):
        raise SettingError(f"phrase_threshold is {threshold}; it must be a number above 0, such as 10")
    if min_count < 1:
        raise SettingError(f"phrase_min_count is {min_count}; it must be at least 1")


def join_phrases(words: Sequence[str], known: Container[str]) -> list[str]:
    """Join the words of a text to the phrases of a vocabulary, the longest that begins at each word, left to right.

    Args:
        words: As `tokenize` gives them.
        known: The words and phrases of the vocabulary.

    >>> join_phrases(["the", "new", "york", "times", "in", "new", "york"], {"new_york", "new_york_times"})
    ['the', 'new_york_times', 'in', 'new_york']
    """
    joined: list[str] = []
    start = 0
    while start < len(words):
        end = min(len(words), start + WORDS_MAX)
        while end > start + 1 and DELIMITER.join(words[start:end]) not in known:
            end -= 1
        joined.append(DELIMITER.join(words[start:end]))
        start = end
    return joined


def join_corpus(
    corpus: NumberedCorpus,
    path: Path,
    *,
    threshold: float,
    min_count: int,
    max_distinct: int,
    progress: Progress,
    note: str = "",
) -> NumberedCorpus:
    """One pass: find the phrases of two words in `corpus` and write it to `path` with each of them as one word.

    Phrases are joined from left to right, none reaching into the one before it, as gensim's `analyze_sentence` does.
    Giant tokens and pruned words stand between their neighbours. A phrase that is a word already, of an earlier pass or
    by another split ("a_b c" and "a b_c"), is that word; one of over `TOKEN_CHARACTERS_MAX` characters is left alone.

    Args:
        threshold: Lowest score, exclusive, above 0; higher gives fewer phrases.
        min_count: The discount δ: pairs must be seen more often than this.
        max_distinct: When more different pairs are held, the rarest are pruned, as words are in `count_words`.

    Returns:
        The new corpus, whose numbers begin with those of `corpus`, less phrases that occur nowhere.

    Raises:
        StorageError: `path` cannot be written.
    """
    counts = np.zeros_like(corpus.counts)  # 0 for what is no word: no pair has it.
    held = np.fromiter(corpus.numbers.values(), dtype=np.int64, count=len(corpus.numbers))
    counts[held] = corpus.counts[held]
    pairs = _find(corpus.path, counts, threshold, min_count, max_distinct, progress, note)
    numbers, pairs, phrase_numbers = _numbered(pairs, corpus)
    first_new = len(corpus.counts)
    joiner = _Joiner(pairs, phrase_numbers, first_new)
    after = np.zeros(max(first_new, int(phrase_numbers.max(initial=0)) + 1), dtype=np.int64)
    done, total = 0, number_file.length(corpus.path)
    with number_file.create(path) as file:
        for block in number_file.read_sentences(corpus.path, END):
            joined = joiner.join(block)
            np.add.at(after, joined, 1)
            number_file.append(file, path, joined)
            done += len(block)
            progress("join phrases", done, total, "words", f"{note}{len(pairs):,} phrases")
    numbers = {word: number for word, number in numbers.items() if number < first_new or after[number]}
    return NumberedCorpus(path, numbers, after)


def _find(
    path: Path,
    counts: _Int64s,
    threshold: float,
    min_count: int,
    max_distinct: int,
    progress: Progress,
    note: str,
) -> _Int64s:
    """The pairs that are phrases, ascending int64 (phrases,): the first number times 2³² plus the second."""
    table = _PairCounts(max_distinct)
    done, total = 0, number_file.length(path)
    for block in number_file.read_sentences(path, END):
        countable = counts[block] > 0
        table.add(_pairs(block)[countable[:-1] & countable[1:]])
        done += len(block)
        progress("count phrases", done, total, "words", note.removesuffix(", "))
    pairs, pair_counts = table.result()
    first, second = counts[pairs >> 32], counts[pairs & 0xFFFF_FFFF]
    distinct = int(np.count_nonzero(counts)) + len(pairs)
    # Floats throughout: a product of two counts can be above 2⁶³.
    scores = (pair_counts - min_count) / (first.astype(np.float64) * second) * distinct
    found: _Int64s = pairs[scores > threshold]
    return found


def _numbered(pairs: _Int64s, corpus: NumberedCorpus) -> tuple[dict[str, int], _Int64s, Int32s]:
    """All words with the new phrases; the pairs of which a phrase can be made; and the number of each one's phrase."""
    parts = set((pairs >> 32).tolist()) | set((pairs & 0xFFFF_FFFF).tolist())
    word_of = {number: word for word, number in corpus.numbers.items() if number in parts}
    numbers = dict(corpus.numbers)
    kept: list[int] = []
    phrase_numbers: list[int] = []
    for pair in pairs.tolist():
        phrase = word_of[pair >> 32] + DELIMITER + word_of[pair & 0xFFFF_FFFF]
        if len(phrase) <= TOKEN_CHARACTERS_MAX:
            kept.append(pair)
            new = len(corpus.counts) + len(numbers) - len(corpus.numbers)
            phrase_numbers.append(numbers.setdefault(phrase, new))
    return numbers, np.array(kept, dtype=np.int64), np.array(phrase_numbers, dtype=np.int32)


class _Joiner:
    """Joins the phrases of a block."""

    def __init__(self, pairs: _Int64s, phrase_numbers: Int32s, numbers: int) -> None:
        self._pairs, self._phrase_numbers = pairs, phrase_numbers
        self._begins, self._closes = np.zeros((2, numbers), dtype=np.bool_)
        self._begins[pairs >> 32] = True
        self._closes[pairs & 0xFFFF_FFFF] = True

    def join(self, block: Int32s) -> Int32s:
        """Whole sentences, with a phrase's number in place of those of its two words."""
        if not len(self._pairs):
            return block
        places = np.flatnonzero(self._begins[block[:-1]] & self._closes[block[1:]])
        keys = _pairs(block)[places]
        found = np.minimum(np.searchsorted(self._pairs, keys), len(self._pairs) - 1)
        hits = self._pairs[found] == keys
        found, places = found[hits], places[hits]
        # In a run of overlapping pairs, "a b", "b c", "c d", every other one from the first is taken.
        new_run = np.diff(places, prepend=-2) != 1
        run_start = np.maximum.accumulate(np.where(new_run, places, 0))
        taken = (places - run_start) % 2 == 0
        joined = block.copy()
        joined[places[taken]] = self._phrase_numbers[found[taken]]
        return np.delete(joined, places[taken] + 1)


def _pairs(block: Int32s) -> _Int64s:
    """Each number with the next one, int64 (n − 1,): the first times 2³² plus the second."""
    return block[:-1].astype(np.int64) << 32 | block[1:]


class _PairCounts:
    """How often each pair was seen: two sorted arrays, into which what was added is merged now and then."""

    def __init__(self, max_distinct: int) -> None:
        self._pairs: _Int64s = np.empty(0, dtype=np.int64)
        self._counts: _Int64s = np.empty(0, dtype=np.int64)
        self._waiting: list[tuple[_Int64s, _Int64s]] = []
        self._waiting_pairs = 0
        self._max_distinct = max_distinct
        self._pruned_up_to = 0

    def add(self, pairs: _Int64s) -> None:
        distinct, counts = np.unique(pairs, return_counts=True)
        self._waiting.append((distinct, counts))
        self._waiting_pairs += len(distinct)
        if self._waiting_pairs >= _MERGE:
            self._merge()

    def result(self) -> tuple[_Int64s, _Int64s]:
        """The pairs, ascending, and their counts."""
        self._merge()
        return self._pairs, self._counts

    def _merge(self) -> None:
        pairs = np.concatenate([self._pairs, *(pairs for pairs, _ in self._waiting)])
        counts = np.concatenate([self._counts, *(counts for _, counts in self._waiting)])
        self._waiting, self._waiting_pairs = [], 0
        order = np.argsort(pairs)
        pairs, counts = pairs[order], counts[order]
        firsts = np.flatnonzero(np.diff(pairs, prepend=-1))
        if firsts.size:
            pairs, counts = pairs[firsts], np.add.reduceat(counts, firsts)
        if (excess := len(pairs) - self._max_distinct) > 0:
            self._pruned_up_to = max(self._pruned_up_to + 1, int(np.partition(counts, excess - 1)[excess - 1]))
            kept = counts > self._pruned_up_to
            pairs, counts = pairs[kept], counts[kept]
        self._pairs, self._counts = pairs, counts
