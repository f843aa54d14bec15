"""Train word2vec: encode the corpus once, then epoch after epoch, until the last or until it no longer helps."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.files import writing
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.word2vec.checkpoint import Checkpoint, State
from vecinity.indexer.word2vec.continued import check_goes_on, take_over, vocabulary_of
from vecinity.indexer.word2vec.encoded import EncodedCorpus, encode
from vecinity.indexer.word2vec.gpu import check_device, train_torch
from vecinity.indexer.word2vec.matrices import Matrices
from vecinity.indexer.word2vec.model import Word2VecModel
from vecinity.indexer.word2vec.result import model_of, vectors_of
from vecinity.indexer.word2vec.settings import Word2VecSettings, require_pairs
from vecinity.indexer.word2vec.trainer import Trainer

_Matrix = npt.NDArray[np.float32]

_LOSS_CHUNKS = 8
"""Chunks of the training text whose loss is measured where none is held out: 8 to 15, a percent of a large corpus."""
_HELD_OUT_CHUNKS = 64
"""Likewise of the held-out text, all of a small corpus: one thread measures them while the others wait."""
_SAVING_SHARE = 0.05
"""Of its time that a training spends on saving, at most."""


@dataclass(frozen=True)
class EarlyStop:
    """When a training ends before its last epoch, with the vectors of the epoch that was best.

    Args:
        patience: Epochs that may pass without a better score, at least 1.
        held_out: With no `score`, every so many-th chunk is held out, and the score is its loss; at least 2.
        score: How good words and their vectors, float32 (n, d), are; higher is better. None takes the loss.
    """

    patience: int = 1
    held_out: int = 20
    score: Callable[[list[str], _Matrix], float] | None = None

    def __post_init__(self) -> None:
        if self.patience < 1 or self.held_out < 2:
            raise SettingError(
                f"patience is {self.patience} and held_out {self.held_out}; they must be at least 1 and 2"
            )


def train(
    texts: Callable[[], Iterable[str]],
    settings: Word2VecSettings,
    *,
    workdir: Path,
    progress: Progress = silent,
    device: str = "cpu",
    start: Word2VecModel | None = None,
    early_stop: EarlyStop | None = None,
    checkpoint: Checkpoint | None = None,
) -> Word2VecModel:
    """Learn a vector for every frequent word of a corpus.

    Args:
        texts: Called at most once; gives sentences, lines or documents. The corpus need not fit in memory: only its
            distinct words and two matrices (8 · n · d bytes; with an early stop those of the best epoch, too) do.
        workdir: Folder for the encoded corpus (up to 8 bytes a word), made if missing; what is put there is
            removed again.
        progress: Stages ``"count words"``, those of phrases, ``"encode corpus"``, ``"train word2vec"``.
        device: ``"cpu"``, or a device of PyTorch, such as ``"cuda"``.
        start: A model to go on from: its words keep their vectors, new ones are added, and counts are summed. Where it
            was saved without outputs, they start from 0; one that was imported may have no counts, which start from 0
            too. A training that goes on from a checkpoint takes the vectors from there.
        early_stop: Whether and when to end before the last epoch.
        checkpoint: Saves the training from time to time, and goes on from what was saved there, if anything was; with
            one thread the result is that of a training that was not interrupted. `workdir` is not used then.

    Raises:
        InputError: No text has two words to learn from, or `start` has words that no text can have.
        CorruptError: What `checkpoint` holds is damaged.
        MissingExtraError: `device` needs PyTorch, which is not installed.
        IndexerError: A process that reads words was killed.
        SettingError: `min_count` leaves too few words, `learning_rate` made the training diverge, or settings, `start`
            and `device` don't go together.
        StorageError: `workdir` or `checkpoint` cannot be written; what was saved before is kept.
        KeyboardInterrupt: Ctrl-C, like any exception of `texts` or `progress`, passes through: at once in the
            first stages, and in the last when the threads have stopped, well under a second later.
    """
    _check_together(settings, device, start, early_stop, checkpoint)
    choices = _choices(start, early_stop)
    with _folder(workdir, checkpoint) as folder:
        if checkpoint is not None and checkpoint.exists():
            state = checkpoint.load(settings, choices)
        else:
            state = _begin(texts, settings, folder, start, progress)
        corpus, held_out = state.corpus, None
        if early_stop is not None and early_stop.score is None:
            corpus, held_out = state.corpus.split(early_stop.held_out)
        if device == "cpu":
            _run(state, corpus, held_out, settings, early_stop, checkpoint, choices, progress)
        else:
            pairs = train_torch(corpus, state.vocabulary, state.matrices, settings, device=device, progress=progress)
            require_pairs(pairs, settings)
    return model_of(state, settings, device, held_out is not None)


def _check_together(
    settings: Word2VecSettings,
    device: str,
    start: Word2VecModel | None,
    early_stop: EarlyStop | None,
    checkpoint: Checkpoint | None,
) -> None:
    if device != "cpu":
        if early_stop or checkpoint:
            raise SettingError(f"early stop and checkpoints work on the CPU, not on device {device!r}")
        check_device(settings, device)
    Matrices.check_fits(2, settings)
    if start is not None:
        check_goes_on(start, settings)


def _choices(start: Word2VecModel | None, early_stop: EarlyStop | None) -> dict[str, str]:
    """What decides, besides the settings, how a training that was saved goes on: `patience` may change."""
    stops = "no early stop"
    if early_stop is not None:
        stops = f"the loss of every {early_stop.held_out}th chunk" if early_stop.score is None else "a score"
    return {"start": "random vectors" if start is None else start.fingerprint, "early stop by": stops}


@contextmanager
def _folder(workdir: Path, checkpoint: Checkpoint | None) -> Iterator[Path]:
    """Where the encoded corpus goes."""
    if checkpoint is not None:
        with checkpoint.locked():
            resumed = checkpoint.exists()
            try:
                yield checkpoint.folder
            except (InputError, SettingError):
                # There is nothing to go on with: it would end the same way, and other settings are refused.
                if not resumed:
                    checkpoint.discard()
                raise
            except BaseException:
                if not checkpoint.exists():
                    checkpoint.discard()
                raise
        return
    with writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix="word2vec-", dir=workdir)
    with temporary as name:
        yield Path(name)


def _begin(
    texts: Callable[[], Iterable[str]],
    settings: Word2VecSettings,
    folder: Path,
    start: Word2VecModel | None,
    progress: Progress,
) -> State:
    vocabulary, corpus = encode(
        texts(),
        folder,
        min_count=settings.min_count,
        max_vocabulary=settings.max_vocabulary,
        base=None if start is None else vocabulary_of(start),
        phrase_passes=settings.phrase_passes,
        phrase_threshold=settings.phrase_threshold,
        phrase_min_count=settings.phrase_min_count,
        max_distinct=settings.max_distinct,
        processes=settings.threads,
        progress=progress,
    )
    matrices = Matrices.untrained(len(vocabulary), settings)
    if start is not None:
        take_over(start, vocabulary, matrices)
    return State(vocabulary, corpus, matrices)


def _run(
    state: State,
    corpus: EncodedCorpus,
    held_out: EncodedCorpus | None,
    settings: Word2VecSettings,
    early_stop: EarlyStop | None,
    checkpoint: Checkpoint | None,
    choices: dict[str, str],
    progress: Progress,
) -> None:
    """All epochs that are left."""
    trainer = Trainer(corpus, state.vocabulary, state.matrices, settings)
    last = corpus.chunk_count * settings.epochs
    # The words of all epochs; of those before, on average, when a training goes on.
    total = corpus.word_count * settings.epochs
    words = total * state.position // last
    measured, most = (held_out, _HELD_OUT_CHUNKS) if held_out else (corpus, _LOSS_CHUNKS)
    chunks = range(0, measured.chunk_count, max(1, measured.chunk_count // most))

    def on_chunk(done: int, chunk_words: int, pairs: int) -> None:
        nonlocal words
        words += chunk_words
        state.pairs += pairs
        at = state.position + done
        epoch = min(settings.epochs, 1 + at // corpus.chunk_count)
        note = f"epoch {epoch} of {settings.epochs}, learning rate {trainer.learning_rate(at):.5f}"
        progress(
            "train word2vec", words, total, "words", note + (f", loss {state.losses[-1]:.4f}" if state.losses else "")
        )

    def save() -> float:
        """Save, and say when to do so again."""
        assert checkpoint is not None
        began = time.monotonic()
        checkpoint.save(state, settings, choices)
        now = time.monotonic()
        return now + max(checkpoint.every_s, (now - began) / _SAVING_SHARE if checkpoint.every_s else 0)

    save_next = time.monotonic() + (checkpoint.every_s if checkpoint is not None else 0)
    if checkpoint is not None and state.position == 0:
        save_next = save()
    while state.position < last and not _stopped(state, early_stop):
        end_of_epoch = (state.position // corpus.chunk_count + 1) * corpus.chunk_count
        until = save_next if checkpoint is not None else None
        state.position = trainer.train(state.position, end_of_epoch, on_chunk, until)
        if state.position == end_of_epoch:
            require_pairs(state.pairs, settings)
            state.losses.append(trainer.loss(measured, chunks))
            if early_stop is not None:
                _score(state, settings, early_stop)
        if checkpoint is None:
            continue
        if state.position == last or _stopped(state, early_stop) or time.monotonic() > save_next:
            save_next = save()


def _stopped(state: State, early_stop: EarlyStop | None) -> bool:
    if early_stop is None or not state.scores:
        return False
    return len(state.scores) - 1 - int(np.argmax(state.scores)) >= early_stop.patience


def _score(state: State, settings: Word2VecSettings, early_stop: EarlyStop) -> None:
    """Add the score of the epoch that has ended, and keep its matrices if it is the best so far."""
    if early_stop.score is None:
        score = -state.losses[-1]
    else:
        score = float(early_stop.score(state.vocabulary.words, vectors_of(state.matrices, state.vocabulary, settings)))
    if math.isnan(score):
        raise InputError("there is no score to stop by: the held-out text or the evaluation file has no known words")
    state.scores.append(score)
    if int(np.argmax(state.scores)) == len(state.scores) - 1:
        now = state.matrices
        state.best = replace(now, inputs=now.inputs.copy(), outputs=now.outputs.copy())
