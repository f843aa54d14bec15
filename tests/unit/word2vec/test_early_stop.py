from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from topics import sentences

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec import EarlyStop, Word2VecModel, Word2VecSettings, train

SETTINGS = Word2VecSettings(dimension=8, threads=1, epochs=8, sample=0)


@pytest.fixture
def texts(rng: np.random.Generator) -> list[str]:
    return sentences(rng, 1_000)


class Scores:
    """A score function with given answers, which remembers what it was asked."""

    def __init__(self, *answers: float) -> None:
        self.answers = answers
        self.vectors: list[npt.NDArray[np.float32]] = []
        self.words: list[str] = []

    def __call__(self, words: list[str], vectors: npt.NDArray[np.float32]) -> float:
        self.words = list(words)
        self.vectors.append(vectors.copy())
        return self.answers[len(self.vectors) - 1]


def losses_of(model: Word2VecModel) -> list[float]:
    assert model.training is not None
    losses = [loss for loss in model.training.losses if loss is not None]
    assert len(losses) == len(model.training.losses)
    return losses


@pytest.mark.parametrize("options", [{"patience": 0}, {"held_out": 1}])
def test_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(SettingError, match="they must be at least 1 and 2"):
        EarlyStop(**options)


def test_a_score_that_is_not_a_number(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(InputError, match="there is no score to stop by"):
        train(lambda: texts, SETTINGS, workdir=tmp_path, early_stop=EarlyStop(score=lambda *_: float("nan")))
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_learn_from_in_the_held_out_part(tmp_path: Path) -> None:
    texts = [*["a b c d"] * 57, *["a"] * 12]  # 19 chunks of 12 words, and one.
    with pytest.raises(InputError, match="there is no score to stop by: the held-out text"):
        train(lambda: texts, SETTINGS, workdir=tmp_path, early_stop=EarlyStop(held_out=20))


def test_one_sentence_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one sentence with frequent words"):
        train(lambda: ["a b " * 20], SETTINGS, workdir=tmp_path, early_stop=EarlyStop())


def test_an_error_of_the_score_passes_through(tmp_path: Path, texts: list[str]) -> None:
    def fail(*_: object) -> float:
        raise InputError("no file", path="pairs.tsv")

    with pytest.raises(InputError, match=r"pairs\.tsv: no file"):
        train(lambda: texts, SETTINGS, workdir=tmp_path, early_stop=EarlyStop(score=fail))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("patience", "answers", "epochs", "best"),
    [
        (1, (0.1, 0.3, 0.2), 3, 2),
        (2, (0.1, 0.3, 0.2, 0.25), 4, 2),
        (2, (0.1, 0.3, 0.2, 0.4, 0.3, 0.3), 6, 4),
        (3, (0.1, 0.3, 0.2, 0.2, 0.3), 5, 2),  # Of equals the first.
        (1, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), 8, 8),
        (8, (0.9, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), 8, 1),
        (1, (-1.0, -2.0), 2, 1),
    ],
)
@pytest.mark.parametrize("buckets", [0, 50])
def test_the_vectors_are_those_of_the_best_epoch(
    tmp_path: Path,
    texts: list[str],
    patience: int,
    answers: tuple[float, ...],
    epochs: int,
    best: int,
    buckets: int,
) -> None:
    scores = Scores(*answers)
    settings = replace(SETTINGS, subword_buckets=buckets)
    model = train(lambda: texts, settings, workdir=tmp_path, early_stop=EarlyStop(patience=patience, score=scores))
    assert model.training is not None
    assert len(scores.vectors) == epochs == len(model.training.losses)
    assert model.training.best_epoch == best
    assert scores.words == model.words
    np.testing.assert_array_equal(model.vectors, scores.vectors[best - 1])
    assert all(not np.array_equal(model.vectors, other) for other in np.delete(scores.vectors, best - 1, axis=0))
    if buckets:
        assert model.inputs is not None and model.subwords is not None
        np.testing.assert_array_equal(model.subwords.vectors(model.inputs, model.words), model.vectors)


def test_a_score_holds_nothing_out(tmp_path: Path, texts: list[str]) -> None:
    plain = train(lambda: texts, SETTINGS, workdir=tmp_path)
    scored = train(lambda: texts, SETTINGS, workdir=tmp_path, early_stop=EarlyStop(patience=8, score=Scores(*range(8))))
    np.testing.assert_array_equal(plain.vectors, scored.vectors)
    assert plain.training == scored.training
    assert plain.training is not None and plain.training.losses_of == "training"


def test_the_held_out_loss_decides(tmp_path: Path, texts: list[str]) -> None:
    settings = replace(SETTINGS, epochs=20, learning_rate=0.1)  # So high a rate that the loss goes up and down.
    all_losses = losses_of(train(lambda: texts, settings, workdir=tmp_path, early_stop=EarlyStop(20, held_out=5)))
    assert len(all_losses) == 20
    for patience in (1, 3, 6):
        best = end = 0
        while end - best < patience:
            end += 1
            best = end if all_losses[end] < all_losses[best] else best
        assert end < 19
        model = train(lambda: texts, settings, workdir=tmp_path, early_stop=EarlyStop(patience, held_out=5))
        assert model.training is not None
        assert losses_of(model) == all_losses[: end + 1]
        assert model.training.best_epoch == best + 1
        assert model.training.losses_of == "held out"


@pytest.mark.parametrize("threads", [1, 2])
def test_held_out_chunks_are_never_trained_on(tmp_path: Path, texts: list[str], threads: int) -> None:
    """The last chunk of 20 is held out: words that are nowhere else keep the vectors that they began with."""
    texts = [*texts[:950], *["solely here and nowhere else"] * 40]
    settings = replace(SETTINGS, threads=threads, epochs=2)
    start = train(lambda: texts, replace(settings, epochs=1), workdir=tmp_path)
    only_there = start.index["solely"], start.index["nowhere"]
    model = train(lambda: texts, settings, workdir=tmp_path, start=start, early_stop=EarlyStop(patience=2))
    assert model.training is not None and model.training.losses_of == "held out"
    for row, word in zip(only_there, ("solely", "nowhere"), strict=True):
        np.testing.assert_array_equal(model.vector_of(word), start.vectors[row])
    assert not np.array_equal(model.vector_of("and"), start.vector_of("and"))
    # Without an early stop they are trained on.
    other = train(lambda: texts, settings, workdir=tmp_path, start=start)
    assert not np.array_equal(other.vector_of("solely"), start.vector_of("solely"))


@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax"])
@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("early_stop", [None, EarlyStop(patience=8, held_out=10)])
def test_the_loss_falls(
    tmp_path: Path, texts: list[str], objective: str, architecture: str, early_stop: EarlyStop | None
) -> None:
    settings = replace(SETTINGS, objective=objective, architecture=architecture)  # type: ignore[arg-type]
    model = train(lambda: texts, settings, workdir=tmp_path, early_stop=early_stop)
    losses = losses_of(model)
    assert len(losses) == 8
    assert 0 < losses[-1] == min(losses) < 0.99 * losses[0]
    assert np.mean(losses[4:]) < np.mean(losses[:4])


def test_the_loss_of_a_model_that_knows_nothing(tmp_path: Path, texts: list[str]) -> None:
    """At a rate of next to nothing every σ stays ½: log 2 for the word and for each of up to 5 noise words."""
    settings = replace(SETTINGS, epochs=1, learning_rate=1e-9)
    (loss,) = losses_of(train(lambda: texts, settings, workdir=tmp_path))
    assert 4 * np.log(2) < loss <= 6 * np.log(2)  # Noise that hits the word, or itself again, is left out.


def test_a_score_sees_the_most_frequent_word_first_when_a_model_is_gone_on_with(
    tmp_path: Path, texts: list[str]
) -> None:
    start = train(lambda: texts, SETTINGS, workdir=tmp_path)
    scores = Scores(1, 2, 3, 4, 5, 6, 7, 8)
    more = ["newest apple newest pear"] * 5_000
    model = train(lambda: more, SETTINGS, workdir=tmp_path, start=start, early_stop=EarlyStop(score=scores))
    assert scores.words[0] == "newest"
    assert scores.words == list(model.words)
