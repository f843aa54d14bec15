"""The words that are frequent enough to get a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec.tokens import TOKEN_CHARACTERS_MAX, tokenize

__all__ = ["TOKEN_CHARACTERS_MAX", "Vocabulary", "tokenize"]

_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """The words that get a vector, most frequent first, equal counts in alphabetical order.

    One that extends another begins with the words of that one, in their order.

    Args:
        words: n words, none twice.
        counts: int64 (n,), how often each occurs in the corpus.
    """

    words: list[str]
    counts: _Counts

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
        counts: _Counts,
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
        _check_any(words)
        if len(words) == 1:
            raise InputError(f"the corpus has one word only, {words[0]!r}: word2vec needs words beside others")
        kept = _most_frequent(words, counts, min_count)
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

    def extended(
        self,
        words: Sequence[str],
        counts: _Counts,
        *,
        min_count: int,
        max_vocabulary: int | None = None,
    ) -> Vocabulary:
        """This vocabulary after another corpus: its words stay, whatever their counts there, and words that are new
        and seen at least `min_count` times are added; most frequent first again, so rows change.

        Args:
            words: Distinct words of the other corpus in any order.
            counts: int64 (len(words),), aligned with `words`; added to those of this vocabulary.
            max_vocabulary: Words in all, new ones only where these leave room.

        Raises:
            InputError: There are no words.
        """
        _check_any(words)
        rows = np.array([self.index.get(word, -1) for word in words], dtype=np.int64)
        old_counts = self.counts.copy()
        old_counts[rows[rows >= 0]] += counts[rows >= 0]
        room = None if max_vocabulary is None else max(0, max_vocabulary - len(self))
        kept = _most_frequent(words, np.where(rows < 0, counts, 0), min_count)[:room]
        together = self.words + [words[i] for i in kept]
        sums = np.concatenate([old_counts, counts[kept]])
        order = _most_frequent(together, sums, 0)
        return Vocabulary([together[i] for i in order], sums[order])


def _check_any(words: Sequence[str]) -> None:
    if not words:
        raise InputError("the corpus has no words: check that the files are not empty and are text")


def _most_frequent(words: Sequence[str], counts: _Counts, min_count: int) -> list[int]:
    """Positions of the words seen at least `min_count` times, most frequent first, ties by word."""
    kept: list[int] = np.flatnonzero(counts >= min_count).tolist()
    kept.sort(key=lambda i: (-counts[i], words[i]))
    return kept
