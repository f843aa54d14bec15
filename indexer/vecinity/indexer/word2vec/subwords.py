"""Character n-grams of words, so that an unknown word gets a vector from its parts.

A word's vector is the mean of a row of its own and of one row for each of its n-grams, which share a table of
`buckets` rows by their hash (Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information",
arXiv:1607.04606, section 3.2). A word that was never seen is the mean of the rows of its n-grams alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from vecinity.indexer.word2vec.settings import Word2VecSettings

_CHARACTERS_MAX = 100  # Of a longer word only the start gives n-grams: a bound on the work for one word.


@dataclass(frozen=True)
class Subwords:
    """Which rows hold a word's n-grams.

    Args:
        words: n; rows 0 to n − 1 of the matrix are the words' own.
        buckets: Rows n to n + buckets − 1 are those of n-grams.
        shortest, longest: Lengths of n-grams.
    """

    words: int
    buckets: int
    shortest: int
    longest: int

    @classmethod
    def of(cls, words: int, settings: Word2VecSettings) -> Subwords | None:
        """What `settings` ask for; None without subwords."""
        if not settings.subword_buckets:
            return None
        return cls(words, settings.subword_buckets, settings.subword_min, settings.subword_max)

    def rows_of(self, word: str) -> list[int]:
        """The rows of a word's n-grams, none twice; none at all for a word shorter than they are."""
        grams = n_grams(word, self.shortest, self.longest)
        hashes = (xxhash.xxh3_64_intdigest(gram.encode("utf-8", "surrogatepass")) for gram in grams)
        return sorted({self.words + value % self.buckets for value in hashes})

    def table(self, words: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """The rows of all words' n-grams: those of word w are ``rows[starts[w]:starts[w + 1]]``.

        Returns:
            starts: int64 (n + 1,).
            rows: int32.
        """
        of_each = [np.array(self.rows_of(word), dtype=np.int32) for word in words]
        starts = np.concatenate([[0], np.cumsum([len(rows) for rows in of_each])]).astype(np.int64)
        return starts, np.concatenate(of_each)

    def vectors(self, inputs: npt.NDArray[np.float32], words: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vectors of the vocabulary, float32 (n, d), from the matrix, float32 (n + buckets, d)."""
        starts, rows = self.table(words)
        vectors = np.empty((len(words), inputs.shape[1]), dtype=np.float32)
        for word in range(len(words)):
            members = np.concatenate([[word], rows[starts[word] : starts[word + 1]]])
            vectors[word] = inputs[members].mean(axis=0)
        return vectors

    def vector_of_unknown(self, inputs: npt.NDArray[np.float32], word: str) -> npt.NDArray[np.float32] | None:
        """The vector of a word outside the vocabulary, float32 (d,); None when it has no n-gram."""
        rows = self.rows_of(word)
        if not rows:
            return None
        vector: npt.NDArray[np.float32] = inputs[rows].mean(axis=0)
        return vector


def n_grams(word: str, shortest: int, longest: int) -> Iterator[str]:
    """The character n-grams of ``<word>``, but for the lone marks of start and end.

    >>> list(n_grams("cat", 3, 4))
    ['<ca', '<cat', 'cat', 'cat>', 'at>']
    """
    marked = f"<{word[:_CHARACTERS_MAX]}>"
    for start in range(len(marked)):
        for length in range(shortest, min(longest, len(marked) - start) + 1):
            if length > 1 or 0 < start < len(marked) - 1:
                yield marked[start : start + length]
