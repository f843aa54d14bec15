import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from topics import sentences, within_and_across

from vecinity.indexer.errors import InputError, SettingError, StorageError
from vecinity.indexer.word2vec import Word2VecSettings, train


def word2vec_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("word2vec")]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("buckets", [0, 500])
@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax"])
@pytest.mark.parametrize(
    ("architecture", "mean", "learning_rate", "negative"),
    # With many of 13 words as noise, sums learn little but the noise, in gensim, too.
    [("skip-gram", True, 0.025, 5), ("cbow", True, 0.1, 5), ("cbow", False, 0.025, 1)],
)
def test_words_of_one_topic_end_up_together(
    rng: np.random.Generator,
    tmp_path: Path,
    architecture: str,
    mean: bool,
    learning_rate: float,
    negative: int,
    objective: str,
    buckets: int,
    threads: int,
) -> None:
    settings = Word2VecSettings(
        architecture=architecture,  # type: ignore[arg-type]
        objective=objective,  # type: ignore[arg-type]
        cbow_mean=mean,
        subword_buckets=buckets,
        learning_rate=learning_rate,
        negative=negative,
        dimension=16,
        threads=threads,
        sample=0,
        epochs=10,
    )
    model = train(lambda: sentences(rng), settings, workdir=tmp_path)
    within, across = within_and_across(model)
    assert within > across + 0.2
    assert len(model) == 13
    assert model.counts is not None and model.counts.sum() == 3_000 * 8
    assert model.vectors.dtype == np.float32
    assert list(tmp_path.iterdir()) == []
    assert word2vec_threads() == []


def test_words_that_belong_together_become_one(rng: np.random.Generator, tmp_path: Path) -> None:
    """In two passes, "new york times", too; words that are beside each other by chance stay as they are."""
    places = ["new york", "new york times", "rome", "paris"]
    texts = [f"{a} and {b} of the {c}" for a, b, c in rng.choice(places, (2_000, 3))]
    settings = Word2VecSettings(dimension=8, threads=1, epochs=1, sample=0, phrase_passes=2, phrase_threshold=0.0055)
    model = train(lambda: texts, settings, workdir=tmp_path)
    assert sorted(model.words) == ["and", "new_york", "new_york_times", "of_the", "paris", "rome"]
    assert model.counts is not None
    ours = sum(text.count("new york times") for text in texts)
    assert model.counts[model.index["new_york_times"]] == ours
    assert "new_york" not in train(lambda: texts, replace(settings, phrase_passes=0), workdir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_learns_an_analogy(rng: np.random.Generator, tmp_path: Path) -> None:
    """Each noun takes its context from a topic and a gender, as king − man + woman is to."""
    nouns = {"man": ("plain", "he"), "woman": ("plain", "she"), "king": ("royal", "he"), "queen": ("royal", "she")}
    contexts = {kind: [f"{kind}{i}" for i in range(8)] for kind in ("plain", "royal", "he", "she")}

    def texts() -> Iterator[str]:
        for _ in range(6_000):
            noun = rng.choice(list(nouns))
            topic, gender = nouns[noun]
            yield f"{rng.choice(contexts[topic])} {noun} {rng.choice(contexts[gender])}"

    settings = Word2VecSettings(dimension=12, window=2, sample=0, epochs=15, threads=1, learning_rate=0.05)
    model = train(texts, settings, workdir=tmp_path)
    unit = {noun: model.vector_of(noun) / np.linalg.norm(model.vector_of(noun)) for noun in nouns}
    wanted = unit["king"] - unit["man"] + unit["woman"]
    assert max(unit.keys() - {"king", "man", "woman"}, key=lambda noun: wanted @ unit[noun]) == "queen"
    assert wanted @ unit["queen"] / np.linalg.norm(wanted) > 0.8


def test_one_thread_and_one_seed_give_one_model(rng: np.random.Generator, tmp_path: Path) -> None:
    texts = sentences(rng, 500)
    first, again, other = (
        train(lambda: texts, Word2VecSettings(dimension=8, threads=1, seed=seed, epochs=2), workdir=tmp_path)
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert not np.array_equal(first.vectors, other.vectors)


def test_progress_of_a_corpus_of_many_chunks(rng: np.random.Generator, tmp_path: Path) -> None:
    seen: dict[str, list[tuple[int, int | None, str]]] = {}
    train(
        lambda: sentences(rng, 6_000),
        Word2VecSettings(dimension=4, threads=2, epochs=3),
        workdir=tmp_path,
        progress=lambda stage, done, total, unit, note="": seen.setdefault(stage, []).append((done, total, note)),
    )
    assert list(seen) == ["count words", "encode corpus", "train word2vec"]
    steps = seen["train word2vec"]
    assert len(steps) > 9
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert steps[-1][:2] == (3 * 48_000, 3 * 48_000)
    assert steps[0][2].startswith("epoch 1 of 3, learning rate 0.02")
    assert steps[-1][2].startswith("epoch 3 of 3, learning rate 0.00250, loss ")
    rates = [float(note.split()[6].rstrip(",")) for _, _, note in steps]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("stage", ["count words", "encode corpus", "train word2vec"])
def test_ctrl_c_stops_the_threads_and_leaves_nothing(rng: np.random.Generator, tmp_path: Path, stage: str) -> None:
    interrupted_at = 0.0

    def progress(now: str, done: int, total: int | None, unit: str, note: str = "") -> None:
        nonlocal interrupted_at
        if now == stage:
            interrupted_at = time.perf_counter()
            raise KeyboardInterrupt

    # Hours of work, were it not stopped.
    settings = Word2VecSettings(dimension=300, threads=2, epochs=1000, negative=100, window=50, sample=0)
    with pytest.raises(KeyboardInterrupt):
        train(lambda: sentences(rng), settings, workdir=tmp_path, progress=progress)
    assert time.perf_counter() - interrupted_at < 1
    assert word2vec_threads() == []
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_a_thread_reaches_the_caller(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecinity.indexer.word2vec import sampling

    calls = count()

    def fail_later(*_: int) -> int:
        if next(calls) == 3:
            raise ZeroDivisionError("in a thread")
        return 1

    monkeypatch.setattr(sampling, "chunk_seed", fail_later)  # Only threads call it.
    with pytest.raises(ZeroDivisionError, match="in a thread"):
        train(lambda: sentences(rng), Word2VecSettings(dimension=4, threads=2), workdir=tmp_path)
    assert word2vec_threads() == []


@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax"])
@pytest.mark.parametrize(
    "options", [{}, {"architecture": "cbow"}, {"architecture": "cbow", "cbow_mean": False}, {"subword_buckets": 50}]
)
@pytest.mark.parametrize(("learning_rate", "threads"), [(1e6, 1), (1e6, 2), (1e3, 1)])
def test_divergence_is_named(
    rng: np.random.Generator,
    tmp_path: Path,
    objective: str,
    options: dict[str, object],
    learning_rate: float,
    threads: int,
) -> None:
    settings = Word2VecSettings(
        objective=objective,  # type: ignore[arg-type]
        dimension=8,
        threads=threads,
        learning_rate=learning_rate,
        sample=0,
        **options,  # type: ignore[arg-type]
    )
    with pytest.raises(SettingError, match=r"diverged: a vector .*, so learning_rate 1.* is too high") as caught:
        train(lambda: sentences(rng), settings, workdir=tmp_path)
    assert ("grew to length" in str(caught.value)) != ("became infinite or NaN" in str(caught.value))
    assert "length nan" not in str(caught.value) and "length inf" not in str(caught.value)
    assert word2vec_threads() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("objective", ["negative-sampling", "hierarchical-softmax"])
@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (["a b c " * 20], {"threads": 8}),  # One chunk.
        (["a b c"] * 40, {"threads": 64}),  # More threads than processors and chunks.
        (["a b", "c a"] * 40, {"window": 100}),  # Windows wider than any line.
        (["a b c"] * 40, {"negative": 100}),  # More noise words than there are words.
        (["a a a b c"] * 40, {"max_vocabulary": 2, "negative": 20, "window": 50}),
        (["a\0b c\0"] * 40, {}),
        (["a \ud800 b\udfffc"] * 40, {}),
        (["a b c", "", "\n", "\0"] * 40, {}),
    ],
)
def test_odd_corpora_and_settings(
    tmp_path: Path, texts: list[str], options: dict[str, int], architecture: str, objective: str
) -> None:
    settings = Word2VecSettings(
        architecture=architecture,  # type: ignore[arg-type]
        objective=objective,  # type: ignore[arg-type]
        **{"dimension": 4, "threads": 2, "sample": 0, "epochs": 3} | options,  # type: ignore[arg-type]
    )
    model = train(lambda: texts, settings, workdir=tmp_path)
    assert sorted(model.words) == ["a", "b", "c"][: options.get("max_vocabulary", 3)]
    assert np.isfinite(model.vectors).all()
    untrained = train(lambda: texts, replace(settings, learning_rate=1e-12), workdir=tmp_path)
    assert (np.abs(model.vectors - untrained.vectors).max(axis=1) > 1e-4).all()  # Every word was learnt.
    assert model.training is not None and len(model.training.losses) == 3
    assert word2vec_threads() == []


@pytest.mark.parametrize("text", [b"a b", None, 7, ["a", "b"]])
def test_a_text_that_is_no_text(tmp_path: Path, text: object) -> None:
    with pytest.raises(InputError, match="str") as caught:
        train(lambda: ["a b", text], Word2VecSettings(), workdir=tmp_path)  # type: ignore[list-item]
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ([], InputError, "no words"),
        (["", "  \n", "?!"], InputError, "no words"),
        (["one"] * 20, InputError, "one word only, 'one'"),
        (["a b"] * 4, SettingError, "lower --min-count to 4"),
        (["a a a a a a b"], SettingError, "leaves 1 of 2 words"),
        (["a", "b"] * 20, InputError, "no text has two frequent words beside each other"),
    ],
)
def test_bad_input(tmp_path: Path, texts: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        train(lambda: texts, Word2VecSettings(dimension=4, threads=1, sample=0), workdir=tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_line_of_one_megabyte_without_a_space(tmp_path: Path) -> None:
    model = train(
        lambda: ["x" * 1_000_000, *["small words train well"] * 10],
        Word2VecSettings(dimension=4, threads=1, sample=0),
        workdir=tmp_path,
    )
    assert sorted(model.words) == ["small", "train", "well", "words"]


def test_workdir_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        train(lambda: ["a b"] * 9, Word2VecSettings(), workdir=tmp_path / "file" / "work")


def test_kernels_are_compiled_before_threads_start(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread Ctrl-C would wait for the compiler."""
    from vecinity.indexer.word2vec import kernels, trainer

    started_with: list[int] = []
    work = trainer.Trainer._work

    def watched(self: trainer.Trainer) -> None:
        started_with.append(len(kernels.train_chunk.signatures))  # type: ignore[attr-defined]
        work(self)

    monkeypatch.setattr(trainer.Trainer, "_work", watched)
    train(lambda: sentences(rng, 500), Word2VecSettings(dimension=4, threads=2, sample=0), workdir=tmp_path)
    assert set(started_with) == {len(kernels.train_chunk.signatures)}  # type: ignore[attr-defined]
