"""The words that can be asked and answered: the most frequent ones, told apart by case or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError, SettingError

Float32s = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]

UNKNOWN = -1


class KnownWords:
    """A number for each word, one for all its spellings, in the order of their most frequent spelling.

    Args:
        words: n words, most frequent first.
        restrict_vocab: Know only so many of them; None for all.
        case_insensitive: Words that are equal in upper case are spellings of one word, as in gensim.

    Attributes:
        asked: How many of the n rows are known.
        first: int64 (numbers,), the row of the most frequent spelling of each number.
        number_of_row: int64 (n,), for the rows beyond `asked` too, where they spell a known word; UNKNOWN elsewhere.

    Raises:
        SettingError: `restrict_vocab` is below 1.
    """

    def __init__(self, words: Sequence[str], restrict_vocab: int | None, case_insensitive: bool) -> None:
        if restrict_vocab is not None and restrict_vocab < 1:
            raise SettingError(f"restrict_vocab is {restrict_vocab}; it must be at least 1")
        self.asked = len(words) if restrict_vocab is None else min(restrict_vocab, len(words))
        self._case_insensitive = case_insensitive
        self._numbers: dict[str, int] = {}
        for word in words[: self.asked]:
            self._numbers.setdefault(self._fold(word), len(self._numbers))
        self.number_of_row = np.fromiter((self.number(word) for word in words), dtype=np.int64, count=len(words))
        known = np.flatnonzero(self.number_of_row != UNKNOWN)
        self._rows = known[np.argsort(self.number_of_row[known], kind="stable")]
        self._counts = np.bincount(self.number_of_row[known], minlength=len(self._numbers))
        self._starts = np.cumsum(self._counts) - self._counts
        self.first = self._rows[self._starts]

    def number(self, word: str) -> int:
        """The number of a word; UNKNOWN if it has none."""
        return self._numbers.get(self._fold(word), UNKNOWN)

    def rows_of(self, numbers: Int64s) -> tuple[Int64s, Int64s]:
        """All rows of each of `numbers`, int64 (m,): which of the numbers, and a row of it; int64 (r,) both."""
        counts = self._counts[numbers]
        which = np.repeat(np.arange(len(numbers)), counts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        return which, self._rows[self._starts[numbers][which] + within]

    def _fold(self, word: str) -> str:
        return word.upper() if self._case_insensitive else word


def check_vectors(words: Sequence[str], vectors: Float32s) -> None:
    """InputError unless `vectors` is float32 with a row for each word."""
    if vectors.ndim != 2 or len(vectors) != len(words) or vectors.dtype != np.float32:
        raise InputError(f"vectors are {vectors.dtype} {vectors.shape}; they must be float32 ({len(words)}, d)")
