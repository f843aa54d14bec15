"""What is left to chance in a kernel: which words of a sentence are kept, and which words are noise.

Random numbers are a 64-bit linear congruential generator (Knuth's MMIX constants); only the high half is used, as
the low bits of such a generator are poor. Its state is a plain value that functions take and return.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecinity.indexer.word2vec.compiling import inlined
from vecinity.indexer.word2vec.workspace import Tables

_Int32s = npt.NDArray[np.int32]
_Int64s = npt.NDArray[np.int64]
_Thresholds = npt.NDArray[np.uint32]

_MULTIPLIER = np.uint64(6364136223846793005)
_INCREMENT = np.uint64(1442695040888963407)
_HIGH_HALF = np.uint64(32)


@inlined
def next_state(state: np.uint64) -> np.uint64:
    return state * _MULTIPLIER + _INCREMENT


@inlined
def below(state: np.uint64, n: int) -> int:
    """A whole number from 0 to n − 1 out of the high 32 bits of `state` (Lemire 2019, without rejection)."""
    return np.int64(((state >> _HIGH_HALF) * np.uint64(n)) >> _HIGH_HALF)  # type: ignore[return-value]


@inlined
def draw_noise(
    word: int, words: int, tables: Tables, noise: _Int64s, wanted: int, state: np.uint64
) -> tuple[int, np.uint64]:
    """Fill `noise` with up to `wanted` distinct words of all `words`, none of them `word`.

    A draw that hits `word` (as in word2vec.c) or repeats an earlier one is left out.

    Returns:
        How many there are, and the next random state.
    """
    count = 0
    for _ in range(wanted):
        state = next_state(state)
        drawn = below(state, words)
        state = next_state(state)
        if (state >> _HIGH_HALF) > tables.thresholds[drawn]:
            drawn = np.int64(tables.aliases[drawn])  # type: ignore[assignment]
        fresh = drawn != word
        for i in range(count):
            fresh = fresh and noise[i] != drawn
        if fresh:
            noise[count] = drawn
            count += 1
    return count, state


@inlined
def next_sentence(
    rows: _Int32s, position: int, end: int, keep: _Thresholds, sentence: _Int32s, state: np.uint64
) -> tuple[int, int, np.uint64]:
    """Read one sentence from `rows[position:end]`, thinning out frequent words, into `sentence`.

    Returns:
        Its length after thinning, the position of the next sentence, and the next random state.
    """
    length = 0
    while position < end and rows[position] >= 0:
        word = rows[position]
        state = next_state(state)
        if (state >> _HIGH_HALF) <= keep[word]:
            sentence[length] = word
            length += 1
        position += 1
    return length, position + 1, state
