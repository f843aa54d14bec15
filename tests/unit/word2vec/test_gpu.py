"""Training in batches on a device: against the reference for one window, and against the CPU's trainer for a corpus."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vecinity.indexer.errors import InputError, MissingExtraError, SettingError
from vecinity.indexer.word2vec import Word2VecSettings, sampling, train
from vecinity.indexer.word2vec.encoded import EncodedCorpus, encode
from vecinity.indexer.word2vec.gpu import train_torch
from vecinity.indexer.word2vec.matrices import Matrices
from vecinity.indexer.word2vec.settings import require_pairs
from vecinity.indexer.word2vec.vocabulary import Vocabulary, tokenize

torch = pytest.importorskip("torch", reason="torch is not installed")

from vecinity.indexer.word2vec import reference, torch_kernels, torch_training  # noqa: E402

Array = npt.NDArray[Any]
DATA = Path(os.environ.get("TEST_DATA_DIR", Path(__file__).resolve().parents[4] / "shared" / "data"))
FRUIT = ["apple", "pear", "plum", "cherry", "grape"]
METAL = ["iron", "copper", "zinc", "tin", "lead"]
N, D = 9, 6


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def sentences(rng: np.random.Generator, how_many: int = 3_000) -> list[str]:
    return [" ".join(["the", *rng.choice(FRUIT if i % 2 else METAL, 5), "and", "of"]) for i in range(how_many)]


def encoded(texts: list[str], folder: Path) -> tuple[EncodedCorpus, Vocabulary]:
    vocabulary, corpus = encode(texts, folder, min_count=1)
    return corpus, vocabulary


def trained(
    corpus: EncodedCorpus, vocabulary: Vocabulary, settings: Word2VecSettings, **options: Any
) -> tuple[Array, Array]:
    """Inputs and outputs, float32 (n, d) both."""
    matrices = Matrices.untrained(len(vocabulary), settings)
    pairs = train_torch(corpus, vocabulary, matrices, settings, **options)
    require_pairs(pairs, settings)
    return matrices.inputs[:, : settings.dimension], matrices.outputs[:, : settings.dimension]


def unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


# What can be wrong


def test_a_machine_without_cuda(rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingError, match="no CUDA device that torch can use: leave out --device cuda") as caught:
        trained(*encoded(sentences(rng, 10), tmp_path), Word2VecSettings(), device="cuda")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "device is 'gpu'; it must be one that torch knows"),
        ("", "device is ''"),
        ("cuda:1", "this machine's CUDA devices are 0 to 0"),
        ("xpu", "no xpu device that torch can use: leave out --device xpu"),
        ("meta", "no meta device that torch can use"),
    ],
)
def test_devices_that_are_none(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SettingError, match=message) as caught:
        trained(*encoded(sentences(rng, 10), tmp_path), Word2VecSettings(), device=device)
    assert "\n" not in str(caught.value)


def test_torch_that_is_not_installed(rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="pip install torch, or leave out --device"):
        trained(*encoded(sentences(rng, 10), tmp_path), Word2VecSettings(), device="cpu")


def test_the_door_does_not_import_torch() -> None:
    """Servers import the indexer, and must start without it."""
    check = "import sys, vecinity.indexer.word2vec.gpu; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


@pytest.mark.parametrize(
    ("changes", "kind"), [({"objective": "hierarchical-softmax"}, "softmax"), ({"subword_buckets": 9}, "subwords")]
)
def test_what_only_the_cpu_trains(rng: np.random.Generator, tmp_path: Path, changes: dict[str, Any], kind: str) -> None:
    with pytest.raises(SettingError, match=f"trains with negative sampling and without subwords, not with .*{kind}"):
        trained(*encoded(sentences(rng, 10), tmp_path), Word2VecSettings(**changes), device="cpu")


def test_memory_that_is_too_small(rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 GiB.")

    monkeypatch.setattr(torch_kernels, "thin", fail)
    with pytest.raises(SettingError, match="13 words of dimension 100 don't fit into the memory of cpu") as caught:
        trained(*encoded(sentences(rng, 10), tmp_path), Word2VecSettings(), device="cpu")
    assert "\n" not in str(caught.value)


def test_words_that_never_stand_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text has two frequent words beside each other"):
        trained(*encoded(["a", "b"] * 20, tmp_path), Word2VecSettings(sample=0), device="cpu")


def test_ctrl_c_passes_through(rng: np.random.Generator, tmp_path: Path) -> None:
    def progress(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(*encoded(sentences(rng, 10), tmp_path), Word2VecSettings(), device="cpu", progress=progress)


# One batch


def matrices(rng: np.random.Generator) -> tuple[Any, Any]:
    shape = (2, N, D)
    first, second = torch.from_numpy(rng.normal(size=shape).astype(np.float32))
    return first, second


def window(contexts: list[int], near: list[bool], targets: list[int]) -> tuple[Any, Any, Any, Any]:
    word, *noise = targets
    asked = [True, *(other != word for other in noise)]
    return tuple(torch.tensor([part]) for part in (contexts, near, targets, asked))  # type: ignore[return-value]


def test_a_batch_of_one_window_is_the_references_step(rng: np.random.Generator) -> None:
    inputs, outputs = matrices(rng)
    before = outputs.clone()
    wanted_inputs, wanted_outputs = inputs.clone(), outputs.clone()
    # A neighbour twice, noise twice, noise that is the word itself, and a slot that holds no neighbour.
    batch = window([4, 0, 6, 0], [True, True, False, True], [3, 1, 5, 1, 3])
    torch_kernels.skip_gram_step(inputs, outputs, *batch, 0.05)
    asked = reference.negative_sampling(3, [1, 5, 1, 3])
    reference.window_step(wanted_inputs, wanted_outputs, torch.tensor([4, 0, 0]), *asked, 0.05)
    torch.testing.assert_close(inputs, wanted_inputs, atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs, wanted_outputs, atol=1e-5, rtol=0)
    assert not torch.equal(outputs, before)


@pytest.mark.parametrize("mean", [True, False])
def test_a_batch_of_one_cbow_window_is_the_references_step(rng: np.random.Generator, mean: bool) -> None:
    inputs, outputs = matrices(rng)
    wanted_inputs, wanted_outputs = inputs.clone(), outputs.clone()
    batch = window([4, 0, 6, 0], [True, True, False, True], [3, 1, 5, 1, 3])
    torch_kernels.cbow_step(inputs, outputs, *batch, 0.05, mean=mean)
    asked = reference.negative_sampling(3, [1, 5, 1, 3])
    sources = torch.tensor([4, 0, 0])
    reference.step(wanted_inputs, wanted_outputs, sources, *asked, 0.05, mean=mean, gradient="gensim")
    torch.testing.assert_close(inputs, wanted_inputs, atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs, wanted_outputs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("step", ["skip_gram_step", "cbow_step"])
def test_a_window_without_neighbours_changes_nothing(rng: np.random.Generator, step: str) -> None:
    inputs, outputs = matrices(rng)
    before = inputs.clone(), outputs.clone()
    more = {"mean": True} if step == "cbow_step" else {}
    getattr(torch_kernels, step)(inputs, outputs, *window([4, 0], [False, False], [3, 1]), 0.05, **more)
    assert torch.equal(inputs, before[0])
    assert torch.equal(outputs, before[1])


def test_windows_of_a_batch_are_taken_at_one_point(rng: np.random.Generator) -> None:
    before = matrices(rng)
    batches = [window([4, 0], [True, True], [3, 1]), window([2, 4], [True, False], [1, 8])]
    wanted = [matrix.clone() for matrix in before]
    for batch in batches:
        moved = [matrix.clone() for matrix in before]
        torch_kernels.skip_gram_step(moved[0], moved[1], *batch, 0.01)
        for total, after, start in zip(wanted, moved, before, strict=True):
            total += after - start
    both = [torch.cat(parts) for parts in zip(*batches, strict=True)]
    torch_kernels.skip_gram_step(*before, *both, 0.01)
    for found, total in zip(before, wanted, strict=True):
        torch.testing.assert_close(found, total, atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", ["outputs", "inputs"])
def test_a_frequent_row_does_not_overshoot(rng: np.random.Generator, side: str) -> None:
    """A thousand gradients at once lower the loss of a row, where summed at the learning rate they raise it."""
    inputs, outputs = matrices(rng)
    many = 1_000
    if side == "outputs":  # All windows are about word 3.
        contexts, targets = torch.from_numpy(rng.integers(0, N, (many, 1))), torch.full((many, 2), 3)
        targets[:, 1] = torch.from_numpy(rng.integers(4, N, many))
    else:  # All have word 3 for a neighbour.
        contexts, targets = torch.full((many, 1), 3), torch.from_numpy(rng.integers(0, N, (many, 2)))
    labels = torch.tensor([1.0, 0.0])

    def loss(inputs: Any, outputs: Any) -> float:
        scores = (inputs[contexts] * outputs[targets]).sum(2)
        return float(torch.nn.functional.binary_cross_entropy_with_logits(scores, labels.expand_as(scores)))

    start = loss(inputs, outputs)
    asked = torch.ones(targets.shape, dtype=torch.bool)
    moved_inputs, moved_outputs = inputs.clone(), outputs.clone()
    near = torch.ones(contexts.shape, dtype=torch.bool)
    torch_kernels.skip_gram_step(moved_inputs, moved_outputs, contexts, near, targets, asked, 0.5)
    one_side = (inputs, moved_outputs) if side == "outputs" else (moved_inputs, outputs)
    assert loss(*one_side) < start

    summed_inputs, summed_outputs = inputs.clone(), outputs.clone()
    for context, target in zip(contexts, targets, strict=True):
        of_inputs, of_outputs = inputs.clone(), outputs.clone()
        reference.window_step(of_inputs, of_outputs, context, target, labels, 0.5)
        summed_inputs += of_inputs - inputs
        summed_outputs += of_outputs - outputs
    one_side = (inputs, summed_outputs) if side == "outputs" else (summed_inputs, outputs)
    assert loss(*one_side) > 2 * start


# What a batch is made of


def random() -> Any:
    return torch.Generator().manual_seed(11)


def test_thinning_keeps_sentences_apart() -> None:
    rows = torch.tensor([1, 2, -1, 2, 0, 1, -1], dtype=torch.int32)
    words, numbers = torch_kernels.thin(rows, torch.tensor([1.0, 1.0, 0.0]), 2, random())
    assert words.tolist() == [0, 0, 1, 0, 1, 0, 0]
    assert numbers.tolist() == [-1, -1, 0, 1, 1, -1, -1]


def test_thinning_follows_the_keep_probabilities() -> None:
    rows = torch.arange(3, dtype=torch.int32).repeat(3_000)
    words, _ = torch_kernels.thin(rows, torch.tensor([0.1, 0.5, 1.0]), 1, random())
    kept = torch.bincount(words[1:-1], minlength=3) / 3_000
    np.testing.assert_allclose(kept, [0.1, 0.5, 1.0], atol=0.04)
    assert kept[2] == 1


def test_neighbours_are_in_the_sentence_and_within_reach() -> None:
    rows = torch.tensor([1, 2, 3, -1, 4, -1, 5, 6, -1], dtype=torch.int32)
    words, numbers = torch_kernels.thin(rows, torch.ones(7), 1, random())
    contexts, near = torch_kernels.neighbours(words, numbers, 1, 7, 1, random())
    found = [context[mask].tolist() for context, mask in zip(contexts, near, strict=True)]
    assert found == [[2], [1, 3], [2], [], [6], [5]]


def test_reach_is_uniform_from_one_to_the_window() -> None:
    rows = torch.tensor([1] * 4_000 + [-1], dtype=torch.int32)
    words, numbers = torch_kernels.thin(rows, torch.ones(2), 4, random())
    _, near = torch_kernels.neighbours(words, numbers, 4, 4_004, 4, random())
    reach = near[4:-4].sum(1)
    np.testing.assert_allclose(torch.bincount(reach)[2::2] / len(reach), 0.25, atol=0.03)
    assert (near == near.flip(1))[4:-4].all()


def test_noise_follows_its_distribution() -> None:
    wanted = sampling.noise_probabilities(np.array([1000, 300, 100, 30, 10, 1]))
    thresholds, aliases = (torch.from_numpy(side.astype(np.int64)) for side in sampling.alias_table(wanted))
    words = torch.tensor([0, 5]).repeat(2_000)
    targets, asked = torch_kernels.draw_targets(words, thresholds, aliases, 50, random())
    assert torch.equal(targets[:, 0], words)
    assert torch.equal(asked[:, 1:], targets[:, 1:] != words[:, None])
    assert asked[:, 0].all()
    drawn = torch.bincount(targets[:, 1:].flatten(), minlength=6) / (4_000 * 50)
    np.testing.assert_allclose(drawn, wanted, atol=4 * np.sqrt(0.25 / 200_000))


def test_the_corpus_is_read_in_whole_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, _ = encoded(["a b c d e f g h"] * 6_000, tmp_path)
    for rows in (1, 25_000, 10**9):
        monkeypatch.setattr(torch_training, "BLOCK_ROWS", rows)
        blocks = list(torch_training.read_blocks(corpus))
        np.testing.assert_array_equal(np.concatenate(blocks), corpus.rows())
        assert all(block[-1] == -1 for block in blocks)
        assert len(blocks) == {1: corpus.chunk_count, 25_000: 3, 10**9: 1}[rows]


@pytest.mark.parametrize(
    ("vocabulary", "dimension", "window", "words"),
    [(13, 100, 5, 64), (8_000, 100, 5, 1_000), (10**6, 100, 5, 4_096), (10**6, 4_096, 100, 163)],
)
def test_batches_are_bounded(vocabulary: int, dimension: int, window: int, words: int) -> None:
    settings = Word2VecSettings(dimension=dimension, window=window)
    assert torch_training.batch_words(vocabulary, settings) == words


# A training


@pytest.mark.parametrize(
    ("architecture", "learning_rate"),
    [("skip-gram", 0.025), ("skip-gram", 10.0), ("cbow", 0.1)],
)
def test_words_of_one_topic_end_up_together(
    rng: np.random.Generator, tmp_path: Path, architecture: Any, learning_rate: float
) -> None:
    corpus, vocabulary = encoded(sentences(rng), tmp_path)
    settings = Word2VecSettings(
        architecture=architecture, learning_rate=learning_rate, dimension=16, sample=0, epochs=5
    )
    inputs, outputs = trained(corpus, vocabulary, settings, device="cpu")
    assert inputs.dtype == outputs.dtype == np.float32
    assert inputs.shape == outputs.shape == (13, 16)
    fruit, metal = ([vocabulary.index[word] for word in topic] for topic in (FRUIT, METAL))
    cosines = unit(inputs) @ unit(inputs).T
    within = min(cosines[np.ix_(topic, topic)].min() for topic in (fruit, metal))
    assert within > cosines[np.ix_(fruit, metal)].max() + 0.2


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_no_learning_rate_diverges(rng: np.random.Generator, tmp_path: Path, architecture: Any) -> None:
    corpus, vocabulary = encoded(sentences(rng), tmp_path)
    settings = Word2VecSettings(architecture=architecture, learning_rate=1e6, dimension=8, sample=0, epochs=2)
    for matrix in trained(corpus, vocabulary, settings, device="cpu"):
        assert np.isfinite(np.square(matrix).sum(axis=1)).all()


def test_cbow_takes_the_mean_or_the_sum(rng: np.random.Generator, tmp_path: Path) -> None:
    corpus, vocabulary = encoded(sentences(rng, 300), tmp_path)
    settings = [Word2VecSettings(architecture="cbow", dimension=8, sample=0, cbow_mean=mean) for mean in (True, False)]
    mean, total = (trained(corpus, vocabulary, each, device="cpu") for each in settings)
    # The mean of v neighbours needs vectors some v times as long for the same scores.
    assert np.linalg.norm(mean[0]) > 1.5 * np.linalg.norm(total[0])


def test_one_seed_gives_one_model(rng: np.random.Generator, tmp_path: Path) -> None:
    corpus, vocabulary = encoded(sentences(rng, 300), tmp_path)
    first, again, other = (
        trained(corpus, vocabulary, Word2VecSettings(dimension=8, seed=seed, epochs=2), device="cpu")
        for seed in (2**63 - 1, 2**63 - 1, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("resident", [True, False])
def test_progress_of_a_corpus_of_many_blocks(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: bool
) -> None:
    monkeypatch.setattr(torch_training, "BLOCK_ROWS", 1)
    if not resident:
        monkeypatch.setattr(torch_training, "RESIDENT_ROWS_MAX", 0)
    seen: list[tuple[str, int, int | None, str, str]] = []
    trained(
        *encoded(sentences(rng), tmp_path),
        Word2VecSettings(dimension=4, epochs=3, sample=0.01),
        device="cpu",
        progress=lambda stage, done, total, unit, note="": seen.append((stage, done, total, unit, note)),
    )
    assert {(stage, total, unit) for stage, _, total, unit, _ in seen} == {("train word2vec", 72_000, "words")}
    assert [done for _, done, *_ in seen] == sorted(done for _, done, *_ in seen)
    assert seen[-1][1] == 72_000
    assert seen[0][4].startswith("epoch 1 of 3, learning rate 0.02")
    assert seen[-1][4] == "epoch 3 of 3, learning rate 0.00250"


def test_a_corpus_thinned_to_almost_nothing(rng: np.random.Generator, tmp_path: Path) -> None:
    done: list[int] = []
    with pytest.raises(InputError, match=r"raise --sample \(1e-12\)"):
        trained(
            *encoded(["a b"] * 30, tmp_path),
            Word2VecSettings(dimension=4, sample=1e-12, epochs=2),
            device="cpu",
            progress=lambda stage, words, *_: done.append(words),
        )
    assert done[-1] == 120


# A real corpus


def lines() -> Iterator[str]:
    with gzip.open(DATA / "words.txt.gz", "rt", encoding="utf-8") as file:
        yield from file


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA / "words.txt.gz").exists(), reason=f"no {DATA / 'words.txt.gz'}: set TEST_DATA_DIR to its folder"
)
def test_learns_as_much_as_the_cpus_trainer(tmp_path: Path) -> None:
    """300,000 words, the last twentieth held out."""
    texts: list[str] = []
    words = 0
    for line in lines():
        texts.append(line)
        words += len(line.split())
        if words >= 300_000:
            break
    held_out = texts[19::20]
    texts = [text for i, text in enumerate(texts) if i % 20 != 19]
    settings = Word2VecSettings(dimension=50, epochs=5, threads=1)
    vocabulary, corpus = encode(texts, tmp_path, min_count=settings.min_count)
    inputs, outputs = trained(corpus, vocabulary, settings, device="cpu")
    cpu = [
        train(lambda: texts, Word2VecSettings(dimension=50, epochs=5, threads=1, seed=seed), workdir=tmp_path)
        for seed in (1, 2)
    ]
    assert cpu[0].words == vocabulary.words
    # 2.611 to 2.614 with seeds 1 to 3, and 2.630 to 2.634 in batches.
    cpu_outputs = cpu[0].outputs
    assert cpu_outputs is not None
    cpu_loss = held_out_loss(held_out, vocabulary, cpu[0].vectors, cpu_outputs)
    assert held_out_loss(held_out, vocabulary, inputs, outputs) < 1.02 * cpu_loss
    # .624 to .625 and .618 to .620.
    wanted = np.mean([told_apart(held_out, vocabulary, model.vectors) for model in cpu])
    assert told_apart(held_out, vocabulary, inputs) == pytest.approx(wanted, abs=0.015)
    # .33 between two seeds of the CPU's trainer; .34 and .27 between the two trainers, with one and with two seeds.
    agreed = shared_neighbours(cpu[0].vectors, cpu[1].vectors)
    assert np.mean([shared_neighbours(inputs, model.vectors) for model in cpu]) > 0.75 * agreed


def held_out_pairs(texts: list[str], vocabulary: Vocabulary) -> tuple[Array, Array]:
    """Words that stand beside each other, int64 (pairs, 2), and for each pair 5 noise words, (pairs, 5)."""
    rng = np.random.default_rng(3)
    keep = sampling.keep_probabilities(vocabulary.counts, 1e-4)
    pairs = []
    for text in texts:
        rows = [row for word in tokenize(text) if (row := vocabulary.index.get(word)) is not None]
        rows = [row for row in rows if rng.random() < keep[row]]
        for distance in (1, 2, 3):
            pairs += zip(rows, islice(rows, distance, None), strict=False)
    noise = rng.choice(len(vocabulary), (len(pairs), 5), p=sampling.noise_probabilities(vocabulary.counts))
    return np.array(pairs), noise


def held_out_loss(texts: list[str], vocabulary: Vocabulary, inputs: Array, outputs: Array) -> float:
    """Equation (4) of Mikolov et al. 2013b, its sign turned, in nats a pair."""
    pairs, noise = held_out_pairs(texts, vocabulary)
    hidden = inputs[pairs[:, 0]]
    true = np.einsum("pd,pd->p", hidden, outputs[pairs[:, 1]])
    false = np.einsum("pd,pnd->pn", hidden, outputs[noise])
    return float((np.logaddexp(0, -true) + np.logaddexp(0, false).sum(1)).mean())


def told_apart(texts: list[str], vocabulary: Vocabulary, inputs: Array) -> float:
    """How often a word's vector is nearer to that of a true neighbour than to that of a noise word."""
    pairs, noise = held_out_pairs(texts, vocabulary)
    vectors = unit(inputs)
    true = np.einsum("pd,pd->p", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    false = np.einsum("pd,pnd->pn", vectors[pairs[:, 0]], vectors[noise])
    return float((true[:, None] > false).mean())


def shared_neighbours(a: Array, b: Array, of: int = 1_000, k: int = 10) -> float:
    """The share of the k nearest neighbours that two models agree on, of the most frequent words."""
    nearest = []
    for vectors in (unit(a), unit(b)):
        cosines = vectors[:of] @ vectors.T
        np.fill_diagonal(cosines, -1)
        nearest.append(np.argpartition(-cosines, k, axis=1)[:, :k])
    return float(np.mean([len(set(x) & set(y)) / k for x, y in zip(*nearest, strict=True)]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device that torch can use")
@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_cuda_learns_what_the_cpu_learns(rng: np.random.Generator, tmp_path: Path, architecture: Any) -> None:
    corpus, vocabulary = encoded(sentences(rng), tmp_path)
    settings = Word2VecSettings(architecture=architecture, learning_rate=0.1, dimension=16, sample=0, epochs=5)
    inputs, _ = trained(corpus, vocabulary, settings, device="cuda")
    fruit, metal = ([vocabulary.index[word] for word in topic] for topic in (FRUIT, METAL))
    cosines = unit(inputs) @ unit(inputs).T
    within = min(cosines[np.ix_(topic, topic)].min() for topic in (fruit, metal))
    assert within > cosines[np.ix_(fruit, metal)].max() + 0.2


def test_train_goes_to_the_device_and_goes_on_there(rng: np.random.Generator, tmp_path: Path) -> None:
    texts = sentences(rng, 300)
    settings = Word2VecSettings(dimension=8, sample=0, epochs=2)
    # "cpu" alone is the kernels; with a number it is torch's.
    model = train(lambda: texts, settings, workdir=tmp_path, device="cpu:0")
    vocabulary, corpus = encode(texts, tmp_path, min_count=settings.min_count)
    np.testing.assert_array_equal(model.vectors, trained(corpus, vocabulary, settings, device="cpu")[0])
    assert model.training is not None and model.training.device == "cpu:0"
    still = Word2VecSettings(dimension=8, sample=0, epochs=1, learning_rate=1e-12)
    again = train(lambda: texts, still, workdir=tmp_path, device="cpu:0", start=model)
    np.testing.assert_allclose(again.vectors, model.vectors, atol=1e-6)
