"""From text to words, and the words that are frequent enough to get a vector."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError, SettingError

TOKEN_CHARACTERS_MAX = 1000  # Longer is base64, DNA or a broken file, never a word.

# Python's \w has no combining marks, without which Devanagari, Thai or a decomposed "é" would fall apart: the
# ranges are those of the scripts that write words with marks, less their punctuation.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u0900-\u0963\u0966-\u096f\u0971-\u0df3\u0e31-\u0e4e\u0eb1-\u0ece\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3"
)
_WORD = re.compile(rf"[\w{_MARKS}]+(?:['\-][\w{_MARKS}]+)*")


def tokenize(text: str) -> list[str]:
    """The words of a text, lower case, in order.

    A word is letters and digits of any script, with single apostrophes or hyphens inside it; every other
    character separates. The typographic apostrophe counts as the plain one.

    >>> tokenize("Rock-'n'-roll: DON’T stop_it -- the 1990's café!")
    ['rock', 'n', 'roll', "don't", 'stop', 'it', 'the', "1990's", 'café']
    """
    return _WORD.findall(text.lower().replace("’", "'").replace("_", " "))


class WordNumbers(dict[str, int]):
    """Numbers words in order of first sight: `numbers[word]` gives a new word the next number.

    The first two numbers are not words: `END` closes a sentence, `DROPPED` stands for every token longer
    than `TOKEN_CHARACTERS_MAX`, so that the memory taken depends on words and not on rubbish.
    """

    END = 0
    DROPPED = 1
    FIRST_WORD = 2

    def __missing__(self, word: str) -> int:
        if len(word) > TOKEN_CHARACTERS_MAX:
            return self.DROPPED
        number = self[word] = len(self) + self.FIRST_WORD
        return number


@dataclass(frozen=True)
class Vocabulary:
    """The words that get a vector, most frequent first, equal counts in alphabetical order.

    Args:
        words: n words, none twice.
        counts: int64 (n,), how often each occurs in the corpus.
    """

    words: list[str]
    counts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def index(self) -> dict[str, int]:
        """Word to row."""
        return {word: row for row, word in enumerate(self.words)}

    @classmethod
    def choose(
        cls,
        words: Sequence[str],
        counts: npt.NDArray[np.int64],
        *,
        min_count: int,
        max_vocabulary: int | None = None,
    ) -> Vocabulary:
        """Keep the words seen at least `min_count` times, and of those the `max_vocabulary` most frequent.

        Args:
            words: Distinct words in any order.
            counts: int64 (len(words),), aligned with `words`.

        Raises:
            InputError: There are no words, or only one.
            SettingError: `min_count` leaves fewer than two.
        """
        if not words:
            raise InputError("the corpus has no words: check that the files are not empty and are text")
        if len(words) == 1:
            raise InputError(f"the corpus has one word only, {words[0]!r}: word2vec needs words beside others")
        kept = np.flatnonzero(counts >= min_count).tolist()
        kept.sort(key=lambda i: (-counts[i], words[i]))
        if len(kept) < 2:
            by_count = np.sort(counts)
            top = int(np.argmax(counts))
            raise SettingError(
                f"min_count {min_count} leaves {len(kept)} of {len(words):,} words: the most frequent, "
                f"{words[top]!r}, occurs {by_count[-1]:,} times and the next {by_count[-2]:,}; "
                f"lower --min-count to {by_count[-2]} or less"
            )
        kept = kept[:max_vocabulary]
        return cls([words[i] for i in kept], counts[kept])
