"""The terms of many analogies, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.metric import Vectors

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]


class AnalogyMethod(StrEnum):
    """How an analogy is solved; the files of this package say what each does."""

    THREE_COS_ADD = "3cosadd"
    THREE_COS_MUL = "3cosmul"
    PAIR_DIRECTION = "pair-direction"
    THREE_COS_AVG = "3cosavg"


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of n analogies, t in all: those of the first, then those of the second, and so on.

    Args:
        vectors: float32 (u, d), prepared for the metric; analogies share them.
        which: int64 (t,), the vector of each term.
        counts: int64 (n,), how many terms each analogy has; at least 1.
        weights: float64 (t,), above 0 for terms added, below 0 for those subtracted.
    """

    vectors: Vectors
    which: Int64s
    counts: Int64s
    weights: Float64s

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def starts(self) -> Int64s:
        """Where the terms of each analogy begin, int64 (n,)."""
        return np.cumsum(self.counts) - self.counts

    def padded(self) -> tuple[Int64s, Float64s]:
        """The terms as a rectangle: the vector of each, int64 (n, s), and its weight; u and 0 where there is none."""
        slot = np.arange(len(self.which)) - np.repeat(self.starts, self.counts)
        line = np.repeat(np.arange(len(self)), self.counts)
        which = np.full((len(self), int(self.counts.max(initial=1))), len(self.vectors), dtype=np.int64)
        weights = np.zeros(which.shape)
        which[line, slot] = self.which
        weights[line, slot] = self.weights
        return which, weights
