"""Words and their vectors: what every trainer makes, every format holds and every evaluation needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError, UnknownWordError


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and their vectors, most frequent word first where that is known.

    Args:
        words: n words, none twice.
        vectors: float32 (n, d), not normalised.
        counts: int64 (n,), how often each occurred in the corpus; None where the source does not say.

    Raises:
        InputError: A shape or dtype is another.
    """

    words: Sequence[str]
    vectors: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        n = len(self.words)
        if self.vectors.ndim != 2 or len(self.vectors) != n or self.vectors.dtype != np.float32:
            raise InputError(f"vectors are {self.vectors.dtype} {self.vectors.shape}; they must be float32 ({n}, d)")
        if self.counts is not None and (self.counts.shape != (n,) or self.counts.dtype != np.int64):
            raise InputError(f"counts are {self.counts.dtype} {self.counts.shape}; they must be int64 ({n},)")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    @property
    def dimension(self) -> int:
        """d."""
        return int(self.vectors.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """Word to row."""
        return {word: row for row, word in enumerate(self.words)}

    def vector_of(self, word: str) -> npt.NDArray[np.float32]:
        """The vector of a word, float32 (d,); UnknownWordError when it has none."""
        row = self.index.get(word)
        if row is None:
            raise UnknownWordError(word)
        vector: npt.NDArray[np.float32] = self.vectors[row]
        return vector
