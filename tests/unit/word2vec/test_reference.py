"""The readable reference against the equations in NumPy and finite differences."""

import doctest
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vecinity.indexer.word2vec import huffman

torch = pytest.importorskip("torch", reason="torch is not installed")

from vecinity.indexer.word2vec import reference  # noqa: E402

Array = npt.NDArray[Any]
N, D = 7, 5


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


@pytest.fixture
def matrices(rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.normal(size=(N, D)), rng.normal(size=(N, D))


def tensors(*arrays: Array) -> list[Any]:
    return [torch.from_numpy(array.copy()) for array in arrays]


def rows(*numbers: int) -> Any:
    return torch.tensor(numbers)


@pytest.mark.parametrize("module", [reference, huffman])
def test_worked_examples(module: Any) -> None:
    failed, attempted = doctest.testmod(module)
    assert failed == 0
    assert attempted > 0


def test_loss_is_equation_4_of_negative_sampling(matrices: tuple[Array, Array]) -> None:
    inputs, outputs = matrices
    h = inputs[2]
    wanted = -np.log(sigmoid(outputs[3] @ h)) - np.log(sigmoid(-outputs[0] @ h)) - np.log(sigmoid(-outputs[5] @ h))
    found = reference.loss(*tensors(h, outputs), *reference.negative_sampling(3, [0, 3, 5]))
    assert found.item() == pytest.approx(wanted, rel=1e-12)


def test_loss_of_large_scores_is_finite() -> None:
    outputs = torch.tensor([[1e4], [-1e4]])
    for label in (0.0, 1.0):
        found = reference.loss(torch.ones(1), outputs, rows(0, 1), torch.tensor([label, label]))
        assert found.item() == 1e4


def test_hierarchical_softmax_gives_probabilities(matrices: tuple[Array, Array]) -> None:
    """e^−loss of all words sums to 1 for any h and outputs, with nothing to normalise."""
    tree = huffman.huffman_tree(np.array([9, 5, 5, 3, 2, 1, 1]))
    h, outputs = tensors(matrices[0][0], matrices[1][: N - 1])
    losses = [
        reference.loss(h, outputs, *reference.hierarchical_softmax(*(side.tolist() for side in tree.path(word))))
        for word in range(N)
    ]
    assert sum(np.exp(-loss.item()) for loss in losses) == pytest.approx(1, rel=1e-6)


TARGETS = [(rows(3, 0, 5), torch.tensor([1.0, 0, 0])), (rows(1, 4, 4), torch.tensor([1.0, 0, 1]))]


@pytest.mark.parametrize(("targets", "labels"), TARGETS)
@pytest.mark.parametrize("mean", [True, False])
def test_exact_step_is_the_gradient_by_finite_differences(
    matrices: tuple[Array, Array], targets: Any, labels: Any, mean: bool
) -> None:
    before = tensors(*matrices)
    moved = tensors(*matrices)
    sources = rows(2, 6, 2)  # A row twice in a window counts twice.
    reference.step(*moved, sources, targets, labels, 1.0, mean=mean)

    def loss() -> float:
        hidden = reference.hidden_vector(before[0], sources, mean=mean)
        return float(reference.loss(hidden, before[1], targets, labels))

    for matrix, after in zip(before, moved, strict=True):
        for row in range(N):
            for column in range(D):
                kept = matrix[row, column].item()
                matrix[row, column] = kept + 1e-6
                above = loss()
                matrix[row, column] = kept - 1e-6
                slope = (above - loss()) / 2e-6
                matrix[row, column] = kept
                assert kept - after[row, column].item() == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize(
    ("mean", "gradient", "share"),
    [(True, "exact", 1 / 3), (True, "gensim", 1), (False, "exact", 1), (False, "gensim", 1 / 3)],
)
def test_step_equals_the_closed_form(
    matrices: tuple[Array, Array], mean: bool, gradient: reference.Gradient, share: float
) -> None:
    inputs, outputs = matrices
    sources, targets, labels = [0, 4, 6], [3, 1, 5], np.array([1.0, 0, 0])
    h = inputs[sources].mean(0) if mean else inputs[sources].sum(0)
    errors = 0.1 * (labels - sigmoid(outputs[targets] @ h))
    wanted_inputs, wanted_outputs = inputs.copy(), outputs.copy()
    wanted_inputs[sources] += share * errors @ outputs[targets]
    wanted_outputs[targets] += np.outer(errors, h)
    found = tensors(inputs, outputs)
    reference.step(*found, rows(*sources), rows(*targets), torch.from_numpy(labels), 0.1, mean=mean, gradient=gradient)
    np.testing.assert_allclose(found[0], wanted_inputs, atol=1e-14)
    np.testing.assert_allclose(found[1], wanted_outputs, atol=1e-14)


def test_step_returns_the_loss_before_it(matrices: tuple[Array, Array]) -> None:
    inputs, outputs = tensors(*matrices)
    asked = reference.negative_sampling(3, [0, 5])
    before = reference.loss(inputs[2].clone(), outputs.clone(), *asked).item()
    assert reference.step(inputs, outputs, rows(2), *asked, 0.1) == pytest.approx(before)
    assert reference.loss(inputs[2], outputs, *asked).item() < before


def test_one_source_has_one_gradient(matrices: tuple[Array, Array]) -> None:
    found = []
    for mean in (True, False):
        for gradient in ("exact", "gensim"):
            moved = tensors(*matrices)
            asked = reference.negative_sampling(3, [0, 5])
            reference.step(*moved, rows(2), *asked, 0.1, mean=mean, gradient=gradient)  # type: ignore[arg-type]
            found.append(moved[0].numpy())
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-15)


def test_window_step_takes_all_gradients_at_one_point(matrices: tuple[Array, Array]) -> None:
    """It equals the sum of a `step` for each neighbour, all starting from the same matrices."""
    before = tensors(*matrices)
    contexts, asked = [4, 0, 6, 0], reference.negative_sampling(3, [1, 5, 1])
    wanted = [matrix.clone() for matrix in before]
    losses = 0.0
    for context in contexts:
        moved = tensors(*matrices)
        losses += reference.step(*moved, rows(context), *asked, 0.1)
        for sum_, after, start in zip(wanted, moved, before, strict=True):
            sum_ += after - start
    found = tensors(*matrices)
    assert reference.window_step(*found, rows(*contexts), *asked, 0.1) == pytest.approx(losses)
    for matrix, sum_ in zip(found, wanted, strict=True):
        torch.testing.assert_close(matrix, sum_)


def test_reach_is_uniform_from_one_to_its_maximum() -> None:
    random = torch.Generator().manual_seed(4)
    neighbours = [len(near) for _, near in reference.windows([1] * 2_000, 4, random)]
    assert np.mean(neighbours) == pytest.approx(2 * np.mean([1, 2, 3, 4]), rel=0.05)
    assert list(reference.windows([5], 4, random)) == []


@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax"])
@pytest.mark.parametrize("architecture", ["skip-gram", "window", "cbow"])
def test_two_topics_separate(rng: np.random.Generator, architecture: Any, objective: Any) -> None:
    topics = [["apple", "pear", "plum", "cherry"], ["iron", "copper", "zinc", "lead"]]
    texts = [" ".join(rng.choice(topics[i % 2], 6)) for i in range(100)]
    learnt = reference.train(texts, architecture=architecture, objective=objective, negative=2, learning_rate=0.1)
    vocabulary, inputs, outputs = learnt
    assert inputs.shape == (8, 16)
    assert outputs.shape == (8 if objective == "negative-sampling" else 7, 16)
    unit = torch.nn.functional.normalize(inputs)
    same = [[vocabulary.index[word] for word in topic] for topic in topics]
    within = min((unit[topic] @ unit[topic].T).min().item() for topic in same)
    across = (unit[same[0]] @ unit[same[1]].T).max().item()
    assert within > across + 0.2


def test_training_is_seeded() -> None:
    train: Callable[..., Any] = reference.train
    first, again, other = (train(["a b c", "c b d"], seed=seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
