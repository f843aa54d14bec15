"""Train word2vec: encode the corpus once, then let threads run a kernel over its chunks, epoch after epoch."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.files import writing
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.word2vec import sampling
from vecinity.indexer.word2vec.encoded import EncodedCorpus, encode
from vecinity.indexer.word2vec.model import Word2VecModel
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.vocabulary import Vocabulary

_Matrix = npt.NDArray[np.float32]


def train(
    texts: Callable[[], Iterable[str]],
    settings: Word2VecSettings,
    *,
    workdir: Path,
    progress: Progress = silent,
) -> Word2VecModel:
    """Learn a vector for every frequent word of a corpus.

    Args:
        texts: Called once; gives sentences, lines or documents. The corpus need not fit in memory: only its
            distinct words and two matrices (8 · n · d bytes) do.
        workdir: Folder for the encoded corpus (up to 8 bytes a word), made if missing; what is put there is
            removed again.
        progress: Stages ``"count words"``, ``"encode corpus"``, ``"train word2vec"``.

    Raises:
        InputError: No text has two words to learn from.
        SettingError: `min_count` leaves too few words, or `learning_rate` made the training diverge.
        StorageError: `workdir` cannot be written.
        KeyboardInterrupt: Ctrl-C, like any exception of `texts` or `progress`, passes through: at once in the
            first two stages, and in the third when the threads have stopped, well under a second later.
    """
    with writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="word2vec-", dir=workdir)
    with folder as name:
        vocabulary, corpus = encode(
            texts(),
            Path(name),
            min_count=settings.min_count,
            max_vocabulary=settings.max_vocabulary,
            progress=progress,
        )
        training = _Training(vocabulary, corpus, settings)
        training.run(progress)
    return Word2VecModel(vocabulary.words, vocabulary.counts, training.inputs, settings)


@dataclass(frozen=True)
class _Chunk:
    """A chunk that was trained on: its words, and the pairs they made."""

    words: int
    pairs: int


class _Training:
    """The matrices and tables that the threads share, and the chunks they take turns at."""

    def __init__(self, vocabulary: Vocabulary, corpus: EncodedCorpus, settings: Word2VecSettings) -> None:
        # numba takes most of a second to import, which only a training should pay.
        from vecinity.indexer.word2vec import kernels

        n, d = len(vocabulary), settings.dimension
        random = np.random.default_rng(settings.seed)
        # Small random inputs from −1/d to 1/d, as in gensim, and outputs at 0, so that every σ is ½ at first.
        self.inputs: _Matrix = (random.random((n, d), dtype=np.float32) * 2 - 1) / np.float32(d)
        self.outputs: _Matrix = np.zeros((n, d), dtype=np.float32)
        self._keep = sampling.as_thresholds(sampling.keep_probabilities(vocabulary.counts, settings.sample))
        self._thresholds, self._aliases = sampling.alias_table(sampling.noise_probabilities(vocabulary.counts))
        self._kernel = kernels.skip_gram if settings.architecture == "skip-gram" else kernels.cbow
        self._corpus = corpus
        self._rows = corpus.rows()
        self._settings = settings
        self._stop = np.zeros(1, dtype=np.uint8)
        self._next_chunk = 0
        self._next_chunk_lock = threading.Lock()
        self._trained: SimpleQueue[_Chunk | BaseException] = SimpleQueue()

    def run(self, progress: Progress) -> None:
        """All epochs. When this returns or raises, no thread is left."""
        settings, corpus = self._settings, self._corpus
        self._train_rows(self._rows[:0], 0.0, 0)  # Compiles here, where Ctrl-C is heard, and once.
        threads = [
            threading.Thread(target=self._work, name=f"word2vec-{i}", daemon=True) for i in range(settings.threads)
        ]
        words = pairs = 0
        try:
            for thread in threads:
                thread.start()
            for done in range(1, settings.epochs * corpus.chunk_count + 1):
                chunk = self._trained.get()
                if isinstance(chunk, BaseException):
                    raise chunk
                words += chunk.words
                pairs += chunk.pairs
                epoch = -(-done // corpus.chunk_count)
                total = corpus.word_count * settings.epochs
                # Of the whole, not of this chunk: a thread that was held up hands in an old one late.
                learning_rate = self._learning_rate_at(words / total)
                note = f"epoch {epoch} of {settings.epochs}, learning rate {learning_rate:.5f}"
                progress("train word2vec", words, total, "words", note)
                if done % corpus.chunk_count == 0:
                    self._check_finite()
        finally:
            self._stop[0] = 1
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if pairs == 0:
            raise InputError(
                "no text has two frequent words beside each other: give whole sentences, lower --min-count "
                f"({settings.min_count}) or raise --sample ({settings.sample:g})"
            )

    def _work(self) -> None:
        """A thread: take the next chunk until there is none."""
        try:
            while not self._stop[0]:
                with self._next_chunk_lock:
                    epoch, chunk = divmod(self._next_chunk, self._corpus.chunk_count)
                    self._next_chunk += 1
                if epoch >= self._settings.epochs:
                    return
                self._trained.put(self._train_chunk(epoch, chunk))
        except BaseException as error:
            self._trained.put(error)

    def _train_chunk(self, epoch: int, chunk: int) -> _Chunk:
        settings, bounds = self._settings, self._corpus.bounds
        rows = self._rows[bounds[chunk] : bounds[chunk + 1]]
        learning_rate = self._learning_rate_at((epoch + bounds[chunk] / bounds[-1]) / settings.epochs)
        pairs = self._train_rows(rows, learning_rate, sampling.chunk_seed(settings.seed, epoch, chunk))
        return _Chunk(int(np.count_nonzero(rows >= 0)), pairs)

    def _learning_rate_at(self, progress: float) -> float:
        return sampling.learning_rate_at(progress, self._settings.learning_rate, self._settings.min_learning_rate)

    def _train_rows(self, rows: npt.NDArray[np.int32], learning_rate: float, seed: int) -> int:
        pairs: int = self._kernel(
            self.inputs,
            self.outputs,
            rows,
            self._keep,
            self._thresholds,
            self._aliases,
            self._settings.window,
            self._settings.negative,
            np.float32(learning_rate),
            np.uint64(seed),
            self._stop,
        )
        return pairs

    def _check_finite(self) -> None:
        with np.errstate(all="ignore"):
            # A row whose squared norm overflows is as useless as one with a NaN: no cosine can be taken.
            finite = np.isfinite(np.einsum("ij,ij->i", self.inputs, self.inputs)).all()
        if not finite:
            raise SettingError(
                f"the training diverged to NaN or infinity: learning_rate {self._settings.learning_rate:g} is too "
                "high; 0.025 suits skip-gram and 0.05 CBOW"
            )
