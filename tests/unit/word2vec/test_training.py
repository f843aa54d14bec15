import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.errors import InputError, SettingError, StorageError
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings, train

FRUIT = ["apple", "pear", "plum", "cherry", "grape"]
METAL = ["iron", "copper", "zinc", "tin", "lead"]


def sentences(rng: np.random.Generator, how_many: int = 3_000) -> list[str]:
    """Sentences about fruit and sentences about metal, with function words that both use."""
    return [" ".join(["the", *rng.choice(FRUIT if i % 2 else METAL, 5), "and", "of"]) for i in range(how_many)]


def cosine(model: Word2VecModel, a: str, b: str) -> float:
    x, y = model.vector_of(a), model.vector_of(b)
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def word2vec_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("word2vec")]


@pytest.mark.parametrize(
    ("architecture", "learning_rate", "threads"), [("skip-gram", 0.025, 1), ("skip-gram", 0.025, 3), ("cbow", 0.1, 2)]
)
def test_words_of_one_topic_end_up_together(
    rng: np.random.Generator, tmp_path: Path, architecture: str, learning_rate: float, threads: int
) -> None:
    settings = Word2VecSettings(
        architecture=architecture,  # type: ignore[arg-type]
        learning_rate=learning_rate,
        dimension=16,
        threads=threads,
        sample=0,
        epochs=10,
    )
    model = train(lambda: sentences(rng), settings, workdir=tmp_path)
    within = [cosine(model, a, b) for topic in (FRUIT, METAL) for a in topic for b in topic if a != b]
    across = [cosine(model, a, b) for a in FRUIT for b in METAL]
    assert min(within) > max(across) + 0.2
    assert len(model) == 13
    assert model.counts.sum() == 3_000 * 8
    assert model.vectors.dtype == np.float32
    assert list(tmp_path.iterdir()) == []
    assert word2vec_threads() == []


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
    assert steps[-1][2] == "epoch 3 of 3, learning rate 0.00010"
    rates = [float(note.split()[-1]) for _, _, note in steps]
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


def test_divergence_is_named(rng: np.random.Generator, tmp_path: Path) -> None:
    settings = Word2VecSettings(dimension=8, threads=1, learning_rate=1e6, sample=0)
    with pytest.raises(SettingError, match=r"diverged .*learning_rate 1e\+06 is too high"):
        train(lambda: sentences(rng), settings, workdir=tmp_path)


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
