"""The compiled kernels against slow, readable NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vecinity.indexer.word2vec import kernels, sampling

Array = npt.NDArray[Any]


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def likelihood(hidden: Array, outputs: Array, targets: list[int]) -> float:
    """Equation (4) of Mikolov et al. 2013b for one pair: the first target is true, the others are noise."""
    true, *noise = targets
    return float(
        np.log(sigmoid(outputs[true] @ hidden)) + sum(np.log(sigmoid(-outputs[word] @ hidden)) for word in noise)
    )


def ascend_slowly(hidden: Array, outputs: Array, targets: list[int], learning_rate: float) -> Array:
    """What `kernels.ascend` should do, one target after the other; returns the step for `hidden`."""
    gradient = np.zeros_like(hidden)
    for i, target in enumerate(targets):
        step = ((i == 0) - sigmoid(outputs[target] @ hidden)) * learning_rate
        gradient += step * outputs[target]
        outputs[target] += step * hidden
    return gradient


@pytest.fixture
def matrices(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.normal(size=(7, 13)).astype(np.float32), rng.normal(size=(7, 13)).astype(np.float32)


@pytest.mark.parametrize("targets", [[2, 0, 5, 6], [3], [1, 4, 4]])
def test_one_step_equals_numpy(matrices: tuple[Array, Array], targets: list[int]) -> None:
    inputs, outputs = matrices
    wanted_outputs = outputs.astype(np.float64)
    wanted_gradient = ascend_slowly(inputs[0].astype(np.float64), wanted_outputs, targets, 0.1)
    gradient = np.full(13, np.nan, dtype=np.float32)
    buffer = np.array([*targets, 99], dtype=np.int32)
    kernels.ascend(inputs[0], outputs, buffer, len(targets), np.float32(0.1), gradient)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(outputs, wanted_outputs, rtol=1e-4, atol=1e-6)


def test_the_step_is_the_gradient_of_the_likelihood(matrices: tuple[Array, Array]) -> None:
    inputs, outputs = matrices
    hidden, targets = inputs[0].astype(np.float64), [2, 0, 5]
    before, epsilon = outputs.astype(np.float64), 1e-6
    gradient = np.empty(13, dtype=np.float32)
    kernels.ascend(inputs[0], outputs, np.array(targets, dtype=np.int32), 3, np.float32(1), gradient)
    for j in range(13):
        nudge = np.zeros(13)
        nudge[j] = epsilon
        slope = (likelihood(hidden + nudge, before, targets) - likelihood(hidden - nudge, before, targets)) / 2e-6
        assert gradient[j] == pytest.approx(slope, rel=1e-3, abs=1e-4)
    for target in targets:
        row_nudge = np.zeros_like(before)
        row_nudge[target, 3] = epsilon
        slope = (
            likelihood(hidden, before + row_nudge, targets) - likelihood(hidden, before - row_nudge, targets)
        ) / 2e-6
        assert outputs[target, 3] - before[target, 3] == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_draws_follow_the_noise_distribution() -> None:
    counts = np.array([1000, 300, 100, 30, 10, 1])
    wanted = sampling.noise_probabilities(counts)
    thresholds, aliases = sampling.alias_table(wanted)
    targets = np.empty(101, dtype=np.int32)
    state = np.uint64(42)
    drawn = np.zeros(6)
    for _ in range(4_000):
        # Word 5 is the true one: what is left is the distribution without it.
        count, state = kernels.draw_targets(5, thresholds, aliases, 100, targets, np.uint64(state))
        assert targets[0] == 5
        drawn += np.bincount(targets[1:count], minlength=6)
    assert drawn[5] == 0
    np.testing.assert_allclose(drawn[:5] / 400_000, wanted[:5], atol=4 * np.sqrt(0.25 / 400_000))


def test_thinning_follows_the_keep_probabilities() -> None:
    probabilities = np.array([0.1, 0.5, 1.0])
    keep = sampling.as_thresholds(probabilities)
    rows = np.append(np.tile(np.arange(3, dtype=np.int32), 3_000), np.int32(-1))
    sentence = np.empty(10_000, dtype=np.int32)
    length, position, _ = kernels.next_sentence(rows, 0, keep, sentence, np.uint64(7))
    assert position == len(rows)
    kept = np.bincount(sentence[:length], minlength=3) / 3_000
    np.testing.assert_allclose(kept, probabilities, atol=0.04)
    assert kept[2] == 1


def test_below_is_uniform() -> None:
    state, seen = np.uint64(1), np.zeros(5)
    for _ in range(20_000):
        state = np.uint64(kernels.next_state(np.uint64(state)))
        seen[kernels.below(state, 5)] += 1
    np.testing.assert_allclose(seen / 20_000, 0.2, atol=0.015)


def run(kernel: Callable[..., int], inputs: Array, outputs: Array, rows: list[int], **changes: Any) -> int:
    """One call with window 1 and noise that is always word 0."""
    n = len(inputs)
    arguments: dict[str, Any] = {
        "keep": np.full(n, 2**32 - 1, dtype=np.uint32),
        "thresholds": np.zeros(n, dtype=np.uint32),
        "aliases": np.zeros(n, dtype=np.int32),
        "window": 1,
        "negative": 2,
        "learning_rate": np.float32(0.1),
        "seed": np.uint64(3),
        "stop": np.zeros(1, dtype=np.uint8),
    }
    return kernel(inputs, outputs, np.array(rows, dtype=np.int32), *(arguments | changes).values())


def test_skip_gram_pairs_each_word_with_its_neighbours_in_the_sentence(matrices: tuple[Array, Array]) -> None:
    inputs, outputs = matrices
    slow_inputs, slow_outputs = (matrix.astype(np.float64) for matrix in matrices)
    pairs = run(kernels.skip_gram, inputs, outputs, [1, 2, 3, -1, 4, -1, 5, 6, -1])
    in_order = [(1, 2), (2, 1), (2, 3), (3, 2), (5, 6), (6, 5)]
    for predicted, near in in_order:
        slow_inputs[near] += ascend_slowly(slow_inputs[near], slow_outputs, [predicted, 0, 0], 0.1)
    assert pairs == len(in_order)
    np.testing.assert_allclose(inputs, slow_inputs, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(outputs, slow_outputs, rtol=1e-4, atol=1e-6)


def test_cbow_predicts_from_the_mean_of_the_neighbours(matrices: tuple[Array, Array]) -> None:
    inputs, outputs = matrices
    slow_inputs, slow_outputs = (matrix.astype(np.float64) for matrix in matrices)
    positions = run(kernels.cbow, inputs, outputs, [1, 2, 3, -1, 4, -1])
    for predicted, around in [(1, [2]), (2, [1, 3]), (3, [2])]:
        gradient = ascend_slowly(slow_inputs[around].mean(axis=0), slow_outputs, [predicted, 0, 0], 0.1)
        slow_inputs[around] += gradient
    assert positions == 3
    np.testing.assert_allclose(inputs, slow_inputs, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(outputs, slow_outputs, rtol=1e-4, atol=1e-6)


def test_reach_is_uniform_from_one_to_the_window(matrices: tuple[Array, Array]) -> None:
    sentence = [1, 2] * 4_000
    pairs = run(kernels.skip_gram, *matrices, [*sentence, -1], window=4, learning_rate=np.float32(0))
    assert pairs / len(sentence) == pytest.approx(2 * np.mean([1, 2, 3, 4]), rel=0.02)


@pytest.mark.parametrize("kernel", [kernels.skip_gram, kernels.cbow])
def test_stop_ends_the_call(matrices: tuple[Array, Array], kernel: Callable[..., int]) -> None:
    before = matrices[0].copy()
    assert run(kernel, *matrices, [1, 2, 3, -1], stop=np.ones(1, dtype=np.uint8)) == 0
    np.testing.assert_array_equal(matrices[0], before)
