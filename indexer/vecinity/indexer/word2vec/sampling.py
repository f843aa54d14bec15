"""Which words are thinned out, which serve as noise, and how the step size falls."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NOISE_POWER = 0.75  # 2013b, section 2.2: better than the plain and the uniform distribution.
_DRAWS = 2**32  # Kernels compare thresholds with 32 random bits.


def keep_probabilities(counts: npt.NDArray[np.int64], sample: float) -> npt.NDArray[np.float64]:
    """The chance of each occurrence of a word to be trained on, float64 (n,).

    With f the word's share of the corpus and t = `sample`: min(1, (√(f/t) + 1) · t/f). This is what
    word2vec.c computes, a little kinder than equation (5) of 2013b, √(t/f): a word with f = t is kept
    always. `sample` 0 keeps everything. A count of 0, of a word that only an earlier corpus had, is taken for 1.
    """
    if sample == 0:
        return np.ones(len(counts))
    counts = np.maximum(counts, 1)
    excess = counts / (sample * counts.sum())  # f/t
    probabilities: npt.NDArray[np.float64] = np.minimum(1.0, (np.sqrt(excess) + 1) / excess)
    return probabilities


def as_thresholds(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
    """Probabilities p as uint32 (n,) such that a uniform 32-bit draw r has r <= threshold with chance p.

    1 becomes the highest uint32, so it is certain; the error elsewhere is at most 2⁻³².
    """
    return (np.clip(np.rint(probabilities * _DRAWS), 1, _DRAWS) - 1).astype(np.uint32)


def noise_probabilities(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The chance of each word to be drawn as noise: count^¾, normalised, float64 (n,) (2013b, section 2.2).

    A count of 0 is taken for 1.
    """
    weights = np.maximum(counts, 1).astype(np.float64) ** NOISE_POWER
    probabilities: npt.NDArray[np.float64] = weights / weights.sum()
    return probabilities


def alias_table(
    probabilities: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    """A table from which a word is drawn in constant time (Vose 1991, the alias method).

    The n words are cut up and put into n columns of height 1/n, at most two words in each. To draw, pick a
    column uniformly, then its own word when 32 random bits are <= its threshold, otherwise its alias.

    Returns:
        thresholds: uint32 (n,), the own word's share of the column.
        aliases: int32 (n,), the other word of the column.

    >>> thresholds, aliases = alias_table(np.array([0.75, 0.25]))
    >>> (thresholds / 2**32).round(3).tolist(), aliases.tolist()
    ([1.0, 0.5], [0, 0])
    """
    n = len(probabilities)
    heights = (probabilities * n).tolist()  # Python floats: this loop is faster on lists than on arrays.
    aliases = list(range(n))
    small = [i for i in range(n) if heights[i] < 1]
    large = [i for i in range(n) if heights[i] >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        aliases[low] = high
        heights[high] -= 1 - heights[low]
        if heights[high] < 1:
            small.append(large.pop())
    for i in small + large:  # Full columns, up to rounding.
        heights[i] = 1.0
    return as_thresholds(np.array(heights)), np.array(aliases, dtype=np.int32)


def learning_rate_at(progress: float, first: float, last: float) -> float:
    """The step size when a fraction `progress` (0 to 1) of all epochs is done: a straight line."""
    return first + (last - first) * progress


def chunk_seed(seed: int, epoch: int, chunk: int) -> int:
    """A start for the random numbers of one chunk in one epoch, 0 to 2⁶⁴ − 1.

    Chunks, not threads, own random streams: what is drawn then does not depend on which thread came first.
    """
    words = np.random.SeedSequence((seed, epoch, chunk)).generate_state(1, np.uint64)
    return int(words[0])
