"""Near spellings of words that are not there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

_DISTANCE_MAX = 2
_LENGTH_MAX = 64
_CACHED = 4_096


class NearSpellings:
    """Finds words within two edits (insert, delete, change, swap neighbours) of another.

    Args:
        words: Only the first 100,000 are looked at: in a vocabulary they are the most frequent ones.
    """

    CANDIDATES_MAX = 100_000

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words[: self.CANDIDATES_MAX])
        self._find = lru_cache(maxsize=_CACHED)(self._search)

    def __call__(self, word: str) -> tuple[str, ...]:
        """At most three words, closest first; none for a word too long to be one."""
        return self._find(word) if len(word) <= _LENGTH_MAX else ()

    def _search(self, word: str) -> tuple[str, ...]:
        # At least one letter must stay as it is, or every short word would do.
        cutoff = min(_DISTANCE_MAX, len(word) - 1)
        if cutoff < 1:
            return ()
        found = process.extract(word, self._words, scorer=OSA.distance, score_cutoff=cutoff, limit=3)
        return tuple(candidate for candidate, _, _ in found)
