from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from topics import FRUIT, METAL, cosine, sentences, within_and_across

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings, matrices, train

SETTINGS = Word2VecSettings(dimension=16, threads=1, epochs=8, sample=0, min_count=2)
HARDLY = replace(SETTINGS, epochs=1, learning_rate=1e-12)  # So low a rate that nothing changes.
SUBWORDS = {"subword_buckets": 200}


@pytest.fixture(scope="module")
def old_texts() -> list[str]:
    return sentences(np.random.default_rng(7), 2_000)


@pytest.fixture(scope="module")
def old(old_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Word2VecModel:
    return train(lambda: old_texts, SETTINGS, workdir=tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def old_with_subwords(old_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Word2VecModel:
    return train(lambda: old_texts, replace(SETTINGS, **SUBWORDS), workdir=tmp_path_factory.mktemp("work"))  # type: ignore[arg-type]


@pytest.fixture
def new_texts(rng: np.random.Generator) -> list[str]:
    """A few sentences about fruit, with a new one that is the most frequent word of all, and with a rare word."""
    texts = [f"the lemon {a} lemon {b} lemon and" for a, b in rng.choice(FRUIT, (2_000, 2))]
    return [*texts, "the rare pear", "a rare pear", "once"]


def count_of(model: Word2VecModel, word: str) -> int:
    assert model.counts is not None
    return int(model.counts[model.index[word]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dimension": 8}, "dimension is 8; the model to go on from has 16"),
        ({"objective": "hierarchical-softmax"}, "hierarchical softmax can't go on from a model"),
        (SUBWORDS, "has no subwords, not subwords of 3 to 6 characters in 200 buckets: give the same settings"),
    ],
)
def test_settings_that_do_not_go_with_the_model(
    tmp_path: Path, old: Word2VecModel, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        train(lambda: ["a b"], replace(SETTINGS, **changed), workdir=tmp_path, start=old)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changed", [{"subword_buckets": 100}, {"subword_min": 2}, {"subword_max": 7}])
def test_other_subwords(tmp_path: Path, old_with_subwords: Word2VecModel, changed: dict[str, int]) -> None:
    settings = replace(SETTINGS, **SUBWORDS | changed)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="has subwords of 3 to 6 characters in 200 buckets, not subwords of "):
        train(lambda: ["a b"], settings, workdir=tmp_path, start=old_with_subwords)


def test_a_model_of_hierarchical_softmax(tmp_path: Path, old_texts: list[str]) -> None:
    tree = replace(SETTINGS, objective="hierarchical-softmax", epochs=1)
    start = train(lambda: old_texts, tree, workdir=tmp_path)
    assert start.outputs is None  # They were nodes of a tree.
    still = replace(SETTINGS, learning_rate=1e-9, epochs=1)
    model = train(lambda: old_texts, still, workdir=tmp_path, start=start)
    for word in start.words:
        np.testing.assert_allclose(model.vector_of(word), start.vector_of(word), atol=1e-6)


def test_a_word_that_no_model_can_save(tmp_path: Path) -> None:
    start = Word2VecModel(["a", "b\nc"], np.ones((2, 16), dtype=np.float32))
    with pytest.raises(InputError, match="has the word 'b\\\\nc', which no text can have"):
        train(lambda: ["a b"] * 9, SETTINGS, workdir=tmp_path, start=start)


@pytest.mark.parametrize("texts", [[], ["?!"], ["brand new"], ["the", "and"] * 9])
def test_nothing_to_learn_from(tmp_path: Path, old: Word2VecModel, texts: list[str]) -> None:
    with pytest.raises(InputError):
        train(lambda: texts, SETTINGS, workdir=tmp_path, start=old)
    assert list(tmp_path.iterdir()) == []


def test_counts_are_summed_and_order_is_by_frequency(tmp_path: Path, old: Word2VecModel, new_texts: list[str]) -> None:
    model = train(lambda: new_texts, SETTINGS, workdir=tmp_path, start=old)
    assert sorted(model.words) == sorted([*old.words, "lemon", "rare"])  # "once" and "a" are too rare.
    assert model.counts is not None
    assert (np.diff(model.counts) <= 0).all()
    assert model.words[0] == "lemon" and count_of(model, "lemon") == 6_000
    assert model.words[1] == "the" and count_of(model, "the") == 2_000 + 2_001
    assert model.words[-1] == "rare" and count_of(model, "rare") == 2
    new_counts = [sum(text.split().count(word) for text in new_texts) for word in FRUIT]
    assert [count_of(model, w) for w in FRUIT] == [count_of(old, w) + n for w, n in zip(FRUIT, new_counts, strict=True)]
    assert [count_of(model, word) for word in METAL] == [count_of(old, word) for word in METAL]


@pytest.mark.parametrize("subwords", [False, True])
def test_every_row_stays_with_its_word(
    tmp_path: Path, old: Word2VecModel, old_with_subwords: Word2VecModel, new_texts: list[str], subwords: bool
) -> None:
    start = old_with_subwords if subwords else old
    settings = replace(HARDLY, subword_buckets=200 if subwords else 0)
    model = train(lambda: new_texts, settings, workdir=tmp_path, start=start)
    assert model.words[0] == "lemon"  # The order is another one, indeed.
    assert model.outputs is not None and start.outputs is not None
    for row, word in enumerate(start.words):
        np.testing.assert_allclose(model.vector_of(word), start.vectors[row], atol=1e-6)
        np.testing.assert_allclose(model.outputs[model.index[word]], start.outputs[row], atol=1e-6)
        if model.inputs is not None and start.inputs is not None:
            np.testing.assert_allclose(model.inputs[model.index[word]], start.inputs[row], atol=1e-6)
    if model.inputs is not None and start.inputs is not None:
        np.testing.assert_allclose(model.inputs[len(model) :], start.inputs[len(start) :], atol=1e-6)
        np.testing.assert_allclose(model.vector_of("plumm"), start.vector_of("plumm"), atol=1e-6)
    np.testing.assert_allclose(model.outputs[model.index["lemon"]], 0, atol=1e-6)


def test_old_words_keep_their_meaning_and_new_ones_get_one(
    tmp_path: Path, old: Word2VecModel, new_texts: list[str]
) -> None:
    went_on = train(lambda: new_texts, SETTINGS, workdir=tmp_path, start=old)
    within, across = within_and_across(went_on)
    assert within > across + 0.2
    # The new corpus says nothing of metals: trained on it alone, a model does not know them at all.
    assert not set(METAL) & set(train(lambda: new_texts, SETTINGS, workdir=tmp_path).words)
    assert min(cosine(went_on, "lemon", word) for word in FRUIT) > max(cosine(went_on, "lemon", w) for w in METAL)


def test_a_little_more_text_does_better_than_alone(tmp_path: Path, old: Word2VecModel) -> None:
    few, settings = sentences(np.random.default_rng(8), 60), replace(SETTINGS, epochs=1)
    alone = train(lambda: few, settings, workdir=tmp_path)
    went_on = train(lambda: few, settings, workdir=tmp_path, start=old)
    within, across = within_and_across(went_on)
    within_alone, across_alone = within_and_across(alone)
    assert within - across > within_alone - across_alone + 0.3
    assert went_on.training is not None and alone.training is not None
    assert went_on.training.losses[0] < alone.training.losses[0]  # type: ignore[operator]


@pytest.mark.parametrize("subwords", [False, True])
def test_a_saved_model_goes_on_as_the_one_in_memory(
    tmp_path: Path, old: Word2VecModel, old_with_subwords: Word2VecModel, new_texts: list[str], subwords: bool
) -> None:
    start = old_with_subwords if subwords else old
    settings = replace(SETTINGS, subword_buckets=200 if subwords else 0, epochs=2)
    start.save(tmp_path / "model")
    loaded = Word2VecModel.load(tmp_path / "model", outputs=True)
    from_memory, from_disk = (
        train(lambda: new_texts, settings, workdir=tmp_path / "work", start=model) for model in (start, loaded)
    )
    np.testing.assert_array_equal(from_memory.vectors, from_disk.vectors)
    assert from_memory.fingerprint == from_disk.fingerprint


def test_a_model_without_outputs(tmp_path: Path, old: Word2VecModel, old_texts: list[str]) -> None:
    old.save(tmp_path / "model")
    start = Word2VecModel.load(tmp_path / "model")
    assert start.outputs is None
    within, across = within_and_across(train(lambda: old_texts, SETTINGS, workdir=tmp_path / "work", start=start))
    assert within > across + 0.2


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
@pytest.mark.parametrize("sample", [0.0, 1e-2])
def test_an_imported_model_without_counts(
    tmp_path: Path, old: Word2VecModel, new_texts: list[str], architecture: str, sample: float
) -> None:
    """Its words that the new text has not have a count of 0, and keep their vectors."""
    settings = replace(SETTINGS, architecture=architecture, sample=sample)  # type: ignore[arg-type]
    start = Word2VecModel([*old.words, "New York"], np.concatenate([old.vectors, old.vectors[:1]]))
    model = train(lambda: new_texts, settings, workdir=tmp_path, start=start)
    assert count_of(model, "lemon") == 6_000
    assert count_of(model, "iron") == count_of(model, "New York") == 0
    np.testing.assert_array_equal(model.vector_of("iron"), old.vector_of("iron"))
    np.testing.assert_array_equal(model.vector_of("New York"), old.vectors[0])
    assert not np.array_equal(model.vector_of("pear"), old.vector_of("pear"))
    assert np.isfinite(model.vectors).all()
    model.save(tmp_path / "model")
    assert Word2VecModel.load(tmp_path / "model").fingerprint == model.fingerprint


def test_a_vocabulary_that_is_full(tmp_path: Path, old: Word2VecModel, new_texts: list[str]) -> None:
    settings = replace(SETTINGS, epochs=1, max_vocabulary=len(old) + 1)
    model = train(lambda: new_texts, settings, workdir=tmp_path, start=old)
    assert sorted(model.words) == sorted([*old.words, "lemon"])


@pytest.mark.parametrize(
    ("words", "message"),
    [(["a", ""], "has the word ''"), (["a", "b\0"], "which no text can have"), (["a", "a"], "twice")],
)
def test_words_that_cannot_be_gone_on_with(tmp_path: Path, words: list[str], message: str) -> None:
    start = Word2VecModel(words, np.ones((2, 16), dtype=np.float32))
    with pytest.raises(InputError, match=message):
        train(lambda: ["a b"] * 9, SETTINGS, workdir=tmp_path, start=start)


def test_on_a_device_of_torch(tmp_path: Path, old: Word2VecModel) -> None:
    """Words without counts, and words that the new text has not, do no harm there either."""
    pytest.importorskip("torch", reason="torch is not installed")
    start = replace(old, counts=None)
    model = train(lambda: ["apple quince pear quince"] * 50, HARDLY, workdir=tmp_path, start=start, device="cpu:0")
    assert np.isfinite(model.vectors).all()
    for word in old.words:
        np.testing.assert_allclose(model.vector_of(word), old.vector_of(word), atol=1e-5)
    with pytest.raises(InputError, match="no text has two frequent words beside each other"):
        train(lambda: ["apple", "pear"] * 50, HARDLY, workdir=tmp_path, start=old, device="cpu:0")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([2**62, 2**62], "has counts of 9.22e.18 together, 4,611,686,018,427,387,904 of 'a'"),
        ([2**53, 2], "at most 9,007,199,254,740,992"),
        ([3, -5], "has the count -5 of 'b': it can't be below 0"),
    ],
)
def test_counts_that_no_corpus_has(tmp_path: Path, counts: list[int], message: str) -> None:
    start = Word2VecModel(["a", "b"], np.ones((2, 16), dtype=np.float32), np.array(counts))
    with pytest.raises(InputError, match=message):
        train(lambda: ["a b"] * 9, SETTINGS, workdir=tmp_path, start=start)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 1e5])
def test_vectors_that_no_training_makes(tmp_path: Path, old_with_subwords: Word2VecModel, value: float) -> None:
    settings = replace(SETTINGS, **SUBWORDS)  # type: ignore[arg-type]
    for name, row, whose in (("vectors", 3, "'{}'"), ("outputs", 3, "'{}'"), ("inputs", -1, "n-gram bucket 199")):
        changed = getattr(old_with_subwords, name).copy()
        changed[row, 2] = value
        start = replace(old_with_subwords, **{name: changed})
        with pytest.raises(InputError, match=f"for {whose.format(start.words[3])}; lengths"):
            train(lambda: ["a b"] * 9, settings, workdir=tmp_path, start=start)


def test_a_model_too_large_to_go_on_from(tmp_path: Path, old: Word2VecModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrices, "memory_bytes", lambda: 1_000)
    with pytest.raises(SettingError, match="lower dimension, subword_buckets or max_vocabulary"):
        train(no_texts, SETTINGS, workdir=tmp_path, start=old)


def no_texts() -> list[str]:
    raise AssertionError("the texts are read")
