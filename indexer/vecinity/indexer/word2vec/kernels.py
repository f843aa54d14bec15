"""The arithmetic of word2vec with negative sampling, compiled by numba.

Two float32 matrices (n, d) are learnt: `inputs`, the word vectors that are kept, and `outputs`, one vector for each
word as something to be predicted. For a hidden vector h (skip-gram: the input vector of one word; CBOW: the mean of
the input vectors around a position), the word w to be predicted there and noise words w₁…wₖ, a step ascends
equation (4) of Mikolov et al. 2013b,

    log σ(v′_w · h) + Σᵢ log σ(−v′_wᵢ · h),        σ(x) = 1 / (1 + e⁻ˣ),

whose gradient along v′_t is (label − σ(v′_t · h)) · h with label 1 for w and 0 for noise, and along h the sum of
(label − σ(v′_t · h)) · v′_t.

Kernels run without the GIL. Several threads run them on the same matrices without locks: two that touch one row at
once may lose a little of one update, which costs no quality as rows are many (Recht et al. 2011, "Hogwild!").

Random numbers are a 64-bit linear congruential generator (Knuth's MMIX constants); only the high half is used, as
the low bits of such a generator are poor. Its state is a plain value that functions take and return.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt

from vecinity.indexer.word2vec.encoded import SENTENCE_WORDS_MAX

_F = TypeVar("_F", bound=Callable[..., object])
_Floats = npt.NDArray[np.float32]
_Int32s = npt.NDArray[np.int32]
_Thresholds = npt.NDArray[np.uint32]

_MULTIPLIER = np.uint64(6364136223846793005)
_INCREMENT = np.uint64(1442695040888963407)
_HIGH_HALF = np.uint64(32)
_ONE = np.float32(1)

# What lets LLVM vectorise a sum, less the promise that NaN and infinity never occur: a diverging training must
# end in them, to be reported, and not in undefined behaviour.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


def _compiled(function: _F) -> _F:
    """numba without the GIL, cached on disk where some folder can be written."""
    try:
        return numba.njit(nogil=True, cache=True, fastmath=_FASTMATH)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # Neither the package's folder nor the user's cache folder: compile every time.
        return numba.njit(nogil=True, fastmath=_FASTMATH)(function)  # type: ignore[no-any-return]


@_compiled
def next_state(state: np.uint64) -> np.uint64:
    return state * _MULTIPLIER + _INCREMENT


@_compiled
def below(state: np.uint64, n: int) -> int:
    """A whole number from 0 to n − 1 out of the high 32 bits of `state` (Lemire 2019, without rejection)."""
    return np.int64(((state >> _HIGH_HALF) * np.uint64(n)) >> _HIGH_HALF)  # type: ignore[return-value]


@_compiled
def draw_targets(
    word: int, thresholds: _Thresholds, aliases: _Int32s, negative: int, targets: _Int32s, state: np.uint64
) -> tuple[int, np.uint64]:
    """Fill `targets` (int32, at least negative + 1) with `word` and then noise words from the alias table.

    Noise that hits `word` itself is left out, as in word2vec.c.

    Returns:
        How many targets there are, and the next random state.
    """
    targets[0] = word
    count = 1
    for _ in range(negative):
        state = next_state(state)
        noise = below(state, len(aliases))
        state = next_state(state)
        if (state >> _HIGH_HALF) > thresholds[noise]:
            noise = np.int64(aliases[noise])  # type: ignore[assignment]
        if noise != word:
            targets[count] = noise
            count += 1
    return count, state


@_compiled
def ascend(
    hidden: _Floats, outputs: _Floats, targets: _Int32s, count: int, learning_rate: np.float32, gradient: _Floats
) -> None:
    """One step on equation (4): the first of `targets` is the true word, the other `count` − 1 are noise.

    Args:
        hidden: float32 (d,), read.
        outputs: float32 (n, d), updated.
        learning_rate: float32.
        gradient: float32 (d,), overwritten with the step that the caller is to add to `hidden`'s sources.
    """
    gradient[:] = 0
    for i in range(count):
        output = outputs[targets[i]]
        product = np.float32(0)
        for j in range(len(hidden)):
            product += hidden[j] * output[j]
        label = _ONE if i == 0 else np.float32(0)
        step = (label - _ONE / (_ONE + np.exp(-product))) * learning_rate
        for j in range(len(hidden)):
            gradient[j] += step * output[j]  # Before `output` moves: both gradients are taken at one point.
            output[j] += step * hidden[j]


@_compiled
def next_sentence(
    rows: _Int32s, position: int, keep: _Thresholds, sentence: _Int32s, state: np.uint64
) -> tuple[int, int, np.uint64]:
    """Read one sentence from `position`, thinning out frequent words, into `sentence`.

    Returns:
        Its length after thinning, the position of the next sentence, and the next random state.
    """
    length = 0
    while position < len(rows) and rows[position] >= 0:
        word = rows[position]
        state = next_state(state)
        if (state >> _HIGH_HALF) <= keep[word]:
            sentence[length] = word
            length += 1
        position += 1
    return length, position + 1, state


@_compiled
def skip_gram(
    inputs: _Floats,
    outputs: _Floats,
    rows: _Int32s,
    keep: _Thresholds,
    thresholds: _Thresholds,
    aliases: _Int32s,
    window: int,
    negative: int,
    learning_rate: np.float32,
    seed: np.uint64,
    stop: npt.NDArray[np.uint8],
) -> int:
    """Train on every (word, neighbour) pair of a chunk once: the neighbour's vector predicts the word.

    Args:
        inputs, outputs: float32 (n, d), updated.
        rows: int32 (chunk,), sentences each closed by a negative number.
        keep: uint32 (n,), `as_thresholds(keep_probabilities(…))`.
        thresholds, aliases: uint32 and int32 (n,), `alias_table(noise_probabilities(…))`.
        window, negative: int64.
        learning_rate: float32.
        seed: uint64.
        stop: uint8 (1,); another thread sets it to 1 to end the call early.

    Returns:
        Pairs trained on.
    """
    sentence = np.empty(SENTENCE_WORDS_MAX, dtype=np.int32)
    gradient = np.empty(inputs.shape[1], dtype=np.float32)
    targets = np.empty(negative + 1, dtype=np.int32)
    state = seed
    pairs = 0
    position = 0
    while position < len(rows):
        length, position, state = next_sentence(rows, position, keep, sentence, state)
        for centre in range(length):
            if stop[0]:
                return pairs
            state = next_state(state)
            reach = below(state, window) + 1
            for near in range(max(0, centre - reach), min(length, centre + reach + 1)):
                if near == centre:
                    continue
                hidden = inputs[sentence[near]]
                count, state = draw_targets(sentence[centre], thresholds, aliases, negative, targets, state)
                ascend(hidden, outputs, targets, count, learning_rate, gradient)
                for j in range(len(hidden)):
                    hidden[j] += gradient[j]
                pairs += 1
    return pairs


@_compiled
def cbow(
    inputs: _Floats,
    outputs: _Floats,
    rows: _Int32s,
    keep: _Thresholds,
    thresholds: _Thresholds,
    aliases: _Int32s,
    window: int,
    negative: int,
    learning_rate: np.float32,
    seed: np.uint64,
    stop: npt.NDArray[np.uint8],
) -> int:
    """Train on every position of a chunk once: the mean of the words around it predicts the word there.

    As in word2vec.c and gensim, each neighbour receives the whole step of the mean, not its 1/count share.

    The arguments and the result are those of `skip_gram`; a "pair" is a position with at least one neighbour.
    """
    sentence = np.empty(SENTENCE_WORDS_MAX, dtype=np.int32)
    mean = np.empty(inputs.shape[1], dtype=np.float32)
    gradient = np.empty(inputs.shape[1], dtype=np.float32)
    targets = np.empty(negative + 1, dtype=np.int32)
    state = seed
    pairs = 0
    position = 0
    while position < len(rows):
        length, position, state = next_sentence(rows, position, keep, sentence, state)
        for centre in range(length):
            if stop[0]:
                return pairs
            state = next_state(state)
            reach = below(state, window) + 1
            first = max(0, centre - reach)
            last = min(length, centre + reach + 1)
            if last - first < 2:
                continue
            mean[:] = 0
            for near in range(first, last):
                if near != centre:
                    context = inputs[sentence[near]]
                    for j in range(len(mean)):
                        mean[j] += context[j]
            share = _ONE / np.float32(last - first - 1)
            for j in range(len(mean)):
                mean[j] *= share
            count, state = draw_targets(sentence[centre], thresholds, aliases, negative, targets, state)
            ascend(mean, outputs, targets, count, learning_rate, gradient)
            for near in range(first, last):
                if near != centre:
                    context = inputs[sentence[near]]
                    for j in range(len(mean)):
                        context[j] += gradient[j]
            pairs += 1
    return pairs
