"""The compiled kernels against the readable reference."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vecinity.indexer.word2vec import draws, kernels, sampling, step, workspace
from vecinity.indexer.word2vec import matrices as layout
from vecinity.indexer.word2vec.huffman import huffman_tree

torch = pytest.importorskip("torch", reason="torch is not installed")

from vecinity.indexer.word2vec import reference  # noqa: E402

Array = npt.NDArray[Any]
N, D = 9, 21
CERTAIN = 2**32 - 1


def matrix(rng: np.random.Generator, rows: int = N, dimension: int = D) -> Array:
    """Normal numbers in a matrix of padded rows."""
    numbers = layout.zeros(rows, layout.padded(dimension))
    numbers[:, :dimension] = rng.normal(size=(rows, dimension)) / np.sqrt(dimension)
    return numbers


@pytest.fixture
def matrices(rng: np.random.Generator) -> tuple[Array, Array]:
    return matrix(rng), matrix(rng)


def tensors(*matrices: Array) -> list[Any]:
    return [torch.from_numpy(numbers.astype(np.float64)) for numbers in matrices]


def assert_near(found: Array, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dimension", [1, 16, 100, 300])
@pytest.mark.parametrize("contexts", [1, 4, 10])
@pytest.mark.parametrize("targets", [1, 3, 6])
def test_exchange_is_a_window_step(rng: np.random.Generator, dimension: int, contexts: int, targets: int) -> None:
    inputs, outputs = matrix(rng, 10, dimension) * 3, matrix(rng, 6, dimension)
    wanted = tensors(inputs, outputs)
    inputs, outputs = aligned(inputs), aligned(outputs)
    nothing = layout.zeros(1, layout.padded(dimension))
    labels = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 0.0][:targets])
    padded_labels = np.zeros(step.LABELS, dtype=np.float32)
    addresses = np.full(step.TARGETS, nothing.ctypes.data)
    for place in range(step.SLOTS):
        given = place < targets
        padded_labels[place :: step.SLOTS] = labels[place] if given else step.NO_TARGET
    addresses[:targets] = [outputs[i].ctypes.data for i in range(targets)]
    step.exchange(
        np.array([inputs[i].ctypes.data for i in range(contexts)]),
        0,
        contexts,
        addresses,
        padded_labels,
        0,
        inputs.shape[1] * 4,
        np.float32(0.1),
        np.zeros(step.SLOTS * (contexts + 2), dtype=np.float32),
    )
    reference.window_step(*wanted, torch.arange(contexts), torch.arange(targets), torch.tensor(labels), 0.1)
    assert_near(inputs, wanted[0])
    assert_near(outputs, wanted[1])
    assert not nothing.any()


def aligned(numbers: Array) -> Array:
    copy = layout.zeros(*numbers.shape)
    copy[:] = numbers
    return copy


def test_sigmoid_is_exact_to_5e_6() -> None:
    x = np.linspace(-40, 40, 40_001, dtype=np.float32)
    errors = np.zeros(step.SLOTS * 2, dtype=np.float32)
    labels = np.zeros(step.LABELS, dtype=np.float32)
    worst = 0.0
    for six in x[: len(x) // 6 * 6].reshape(-1, 6):
        errors[:6] = six
        step.to_errors(errors, 1, labels, 0, np.float32(-1))
        worst = max(worst, float(np.abs(errors[:6] - 1 / (1 + np.exp(-six.astype(np.float64)))).max()))
    assert worst < 5e-6


def tables(n: int = N, **changes: Array) -> workspace.Tables:
    """Every word is kept, and noise is always word 0."""
    return workspace.Tables(
        keep=np.full(n, CERTAIN, dtype=np.uint32),
        thresholds=np.zeros(n, dtype=np.uint32),
        aliases=np.zeros(n, dtype=np.int32),
        path_starts=np.zeros(1, np.int64),
        path_nodes=np.zeros(1, np.int32),
        path_labels=np.zeros(1, np.float32),
        gram_starts=np.zeros(1, np.int64),
        gram_rows=np.zeros(1, np.int32),
    )._replace(**changes)


def run(
    inputs: Array,
    outputs: Array,
    rows: list[int],
    shared: workspace.Tables | None = None,
    *,
    window: int = 1,
    negative: int = 2,
    cbow: bool = False,
    mean: bool = True,
    learning_rate: float = 0.1,
    measure: bool = False,
    stop: int = 0,
) -> tuple[int, float]:
    """One call; window 1 has nothing random about it."""
    shared = shared or tables()
    return kernels.train_chunk(
        inputs,
        outputs,
        np.array(rows, dtype=np.int32),
        shared,
        workspace.workspace(D, window, negative, shared),
        window,
        negative,
        cbow,
        mean,
        np.float32(learning_rate),
        np.uint64(3),
        measure,
        np.array([stop], dtype=np.uint8),
    )


SENTENCES = [1, 2, 3, -1, 4, -1, 5, 6, -1]
WINDOWS = [(1, [2]), (2, [1, 3]), (3, [2]), (5, [6]), (6, [5])]


def test_skip_gram(matrices: tuple[Array, Array]) -> None:
    wanted = tensors(*matrices)
    pairs, _ = run(*matrices, SENTENCES)
    for word, near in WINDOWS:
        reference.window_step(*wanted, torch.tensor(near), *reference.negative_sampling(word, [0]), 0.1)
    assert pairs == 6
    for found, matrix_wanted in zip(matrices, wanted, strict=True):
        assert_near(found, matrix_wanted)


@pytest.mark.parametrize("mean", [True, False])
def test_cbow(matrices: tuple[Array, Array], mean: bool) -> None:
    wanted = tensors(*matrices)
    positions, _ = run(*matrices, SENTENCES, cbow=True, mean=mean)
    for word, near in WINDOWS:
        asked = reference.negative_sampling(word, [0])
        reference.step(*wanted, torch.tensor(near), *asked, 0.1, mean=mean, gradient="gensim")
    assert positions == 5
    for found, matrix_wanted in zip(matrices, wanted, strict=True):
        assert_near(found, matrix_wanted)


@pytest.mark.parametrize("cbow", [True, False])
def test_hierarchical_softmax(rng: np.random.Generator, matrices: tuple[Array, Array], cbow: bool) -> None:
    tree = huffman_tree(np.array([2**i for i in range(N, 0, -1)]))  # Paths of 1 to 8 turns: one step and two.
    paths = [tree.path(word) for word in range(N)]
    shared = tables(
        path_starts=tree.offsets.astype(np.int64), path_nodes=tree.points, path_labels=1 - tree.codes.astype(np.float32)
    )
    rows = [7, 8, 1, -1]
    wanted = tensors(*matrices)
    run(*matrices, rows, shared, negative=0, cbow=cbow)
    for word, near in [(7, [8]), (8, [7, 1]), (1, [8])]:
        targets, labels = reference.hierarchical_softmax(*paths[word])
        # The hidden vectors move from part to part, and the rows they are made of after the last.
        hidden = wanted[0][near].mean(0, keepdim=True) if cbow else wanted[0][near]
        before = hidden.clone()
        for first in range(0, len(targets), step.TARGETS):
            part = slice(first, first + step.TARGETS)
            every = torch.arange(len(hidden))
            reference.window_step(hidden, wanted[1], every, targets[part], labels[part], 0.1)
        wanted[0][near] += hidden - before
    for found, matrix_wanted in zip(matrices, wanted, strict=True):
        assert_near(found, matrix_wanted)


@pytest.mark.parametrize("cbow", [True, False])
def test_subwords_are_averaged(rng: np.random.Generator, cbow: bool) -> None:
    inputs, outputs = matrix(rng, N + 4), matrix(rng)
    grams = [[9], [9, 10], [11], [], [], [12], [10, 12], [], []]
    shared = tables(
        gram_starts=np.concatenate([[0], np.cumsum([len(rows) for rows in grams])]),
        gram_rows=np.concatenate(grams).astype(np.int32),
    )
    wanted = tensors(inputs, outputs)
    run(inputs, outputs, SENTENCES, shared, cbow=cbow)
    for word, near in WINDOWS:
        asked = reference.negative_sampling(word, [0])
        sources = [[other, *grams[other]] for other in near]
        for members in [[row for rows in sources for row in rows]] if cbow else sources:
            reference.step(*wanted, torch.tensor(members), *asked, 0.1, gradient="gensim")
    assert_near(inputs, wanted[0])
    assert_near(outputs, wanted[1])


def test_loss_is_measured_and_nothing_changed(matrices: tuple[Array, Array]) -> None:
    before = [numbers.copy() for numbers in matrices]
    pairs, loss = run(*matrices, SENTENCES, measure=True)
    wanted = sum(
        reference.window_step(*tensors(*before), torch.tensor(near), *reference.negative_sampling(word, [0]), 0.1)
        for word, near in WINDOWS
    )
    assert pairs == 6
    assert loss == pytest.approx(wanted, rel=1e-5)
    for numbers, same in zip(matrices, before, strict=True):
        np.testing.assert_array_equal(numbers, same)


@pytest.mark.parametrize("cbow", [True, False])
def test_many_targets_and_a_wide_window(matrices: tuple[Array, Array], cbow: bool) -> None:
    """Noise fills several steps, and draws that repeat are left out: nothing is learnt twice or lost."""
    inputs, outputs = matrices
    thresholds, aliases = sampling.alias_table(np.full(N, 1 / N))
    shared = tables(thresholds=thresholds, aliases=aliases)
    sentence = list(range(N))
    run(inputs, outputs, [*sentence, -1], shared, window=50, negative=40, cbow=cbow, learning_rate=0.05)
    assert np.isfinite(inputs).all() and np.isfinite(outputs).all()
    assert not inputs[:, D:].any() and not outputs[:, D:].any()  # Padding stays zero.


def draw(word: int, wanted: int, shared: workspace.Tables, state: int) -> tuple[list[int], int]:
    noise = np.full(wanted, -1)
    count, state = draws.draw_noise(word, len(shared.aliases), shared, noise, wanted, np.uint64(state))
    return noise[:count].tolist(), int(state)


def test_draws_follow_the_noise_distribution() -> None:
    counts = np.array([1000, 300, 100, 30, 10, 1])
    wanted = sampling.noise_probabilities(counts)
    thresholds, aliases = sampling.alias_table(wanted)
    shared = tables(6, thresholds=thresholds, aliases=aliases)
    state, drawn = 42, np.zeros(6)
    for _ in range(100_000):
        noise, state = draw(5, 1, shared, state)  # Word 5 is the true one: the rest is the distribution without it.
        drawn[noise] += 1
    assert drawn[5] == 0
    np.testing.assert_allclose(drawn[:5] / 100_000, wanted[:5], atol=4 * np.sqrt(0.25 / 100_000))


def test_noise_is_never_the_word_nor_drawn_twice() -> None:
    thresholds, aliases = sampling.alias_table(np.full(4, 0.25))
    shared, state = tables(4, thresholds=thresholds, aliases=aliases), 1
    seen = set()
    for _ in range(300):
        noise, state = draw(2, 50, shared, state)
        assert len(set(noise)) == len(noise)
        seen.update(noise)
    assert seen == {0, 1, 3}


def test_thinning_follows_the_keep_probabilities() -> None:
    probabilities = np.array([0.1, 0.5, 1.0])
    keep = sampling.as_thresholds(probabilities)
    rows = np.append(np.tile(np.arange(3, dtype=np.int32), 3_000), np.int32(-1))
    sentence = np.empty(10_000, dtype=np.int32)
    length, position, _ = draws.next_sentence(rows, 0, len(rows), keep, sentence, np.uint64(7))
    assert position == len(rows)
    kept = np.bincount(sentence[:length], minlength=3) / 3_000
    np.testing.assert_allclose(kept, probabilities, atol=0.04)
    assert kept[2] == 1


def test_below_is_uniform() -> None:
    state, seen = np.uint64(1), np.zeros(5)
    for _ in range(20_000):
        state = np.uint64(draws.next_state(np.uint64(state)))
        seen[draws.below(state, 5)] += 1
    np.testing.assert_allclose(seen / 20_000, 0.2, atol=0.015)


def test_reach_is_uniform_from_one_to_the_window(matrices: tuple[Array, Array]) -> None:
    sentence = [1, 2] * 4_000
    pairs, _ = run(*matrices, [*sentence, -1], window=4, measure=True)
    assert pairs / len(sentence) == pytest.approx(2 * np.mean([1, 2, 3, 4]), rel=0.02)


@pytest.mark.parametrize("cbow", [True, False])
def test_stop_ends_the_call(matrices: tuple[Array, Array], cbow: bool) -> None:
    before = matrices[0].copy()
    assert run(*matrices, [1, 2, 3, -1], cbow=cbow, stop=1) == (0, 0.0)
    np.testing.assert_array_equal(matrices[0], before)
