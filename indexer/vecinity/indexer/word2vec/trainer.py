"""The fast trainer: threads run a kernel over the chunks of a corpus, without locks, on the same two matrices."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import SettingError
from vecinity.indexer.word2vec import kernels, sampling
from vecinity.indexer.word2vec.compiling import call_first
from vecinity.indexer.word2vec.encoded import EncodedCorpus
from vecinity.indexer.word2vec.huffman import huffman_tree
from vecinity.indexer.word2vec.matrices import LENGTH_MAX, Matrices
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.subwords import Subwords
from vecinity.indexer.word2vec.vocabulary import Vocabulary
from vecinity.indexer.word2vec.workspace import Tables, Workspace, workspace

_CHECKED_ROWS = 1000
_CHECK_EVERY = 100  # Chunks.


def tables(vocabulary: Vocabulary, settings: Word2VecSettings) -> Tables:
    """The tables that `settings` need."""
    starts, nodes, labels = np.zeros(1, np.int64), np.zeros(1, np.int32), np.zeros(1, np.float32)
    if settings.objective == "hierarchical-softmax":
        tree = huffman_tree(vocabulary.counts)
        starts, nodes, labels = tree.offsets, tree.points, 1 - tree.codes.astype(np.float32)
    gram_starts, gram_rows = np.zeros(1, np.int64), np.zeros(1, np.int32)
    subwords = Subwords.of(len(vocabulary), settings)
    if subwords is not None:
        gram_starts, gram_rows = subwords.table(vocabulary.words)
    thresholds, aliases = sampling.alias_table(sampling.noise_probabilities(vocabulary.counts))
    return Tables(
        keep=sampling.as_thresholds(sampling.keep_probabilities(vocabulary.counts, settings.sample)),
        thresholds=thresholds,
        aliases=aliases,
        path_starts=starts,
        path_nodes=nodes,
        path_labels=labels,
        gram_starts=gram_starts,
        gram_rows=gram_rows,
    )


class Trainer:
    """Trains `matrices` on a corpus, span by span of its chunks.

    Chunk c of all epochs together is chunk c % chunk_count of epoch c // chunk_count. What is drawn in a chunk and its
    learning rate depend on c alone: with one thread, spans that follow on each other give what one long span gives.
    """

    def __init__(
        self, corpus: EncodedCorpus, vocabulary: Vocabulary, matrices: Matrices, settings: Word2VecSettings
    ) -> None:
        self._corpus = corpus
        self._matrices = matrices
        self._settings = settings
        self._tables = tables(vocabulary, settings)
        self._stop = np.zeros(1, dtype=np.uint8)
        self._lock = threading.Lock()
        self._next = self._end = 0
        self._done: SimpleQueue[tuple[int, int] | BaseException] = SimpleQueue()
        # Compiles, or reads what was compiled: here, where Ctrl-C is heard, and once for all threads.
        call_first(self._run, corpus.chunk(0)[:0], 0.0, 0, self._workspace())

    def train(
        self, first: int, last: int, on_chunk: Callable[[int, int, int], None], until: float | None = None
    ) -> int:
        """Train on chunks `first` to `last` − 1; when this returns or raises, no thread is left.

        Args:
            on_chunk: Called in this thread after each chunk with how many are done, its words and its pairs.
            until: A `time.monotonic()` after which no new chunk is begun; at least one is trained on.

        Returns:
            The first chunk that was not trained on.

        Raises:
            SettingError: The training diverged.
        """
        self._next, self._end = first, last
        self._stop[0] = 0
        threads = [
            threading.Thread(target=self._work, name=f"word2vec-{i}", daemon=True)
            for i in range(self._settings.threads)
        ]
        try:
            for thread in threads:
                thread.start()
            done = 0
            while first + done < self._end:
                result = self._done.get()
                if isinstance(result, BaseException):
                    raise result
                done += 1
                on_chunk(done, *result)
                if until is not None and time.monotonic() > until:
                    with self._lock:
                        self._end = min(self._end, self._next)
                    until = None
                if done % _CHECK_EVERY == 0:
                    self.check(_CHECKED_ROWS)
        finally:
            self._stop[0] = 1
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        self.check(None)
        return first + done

    def loss(self, corpus: EncodedCorpus, chunks: range) -> float:
        """The mean loss of a pair (`kernels.train_chunk`) on some chunks, with the same windows and noise each time.

        NaN where they have none.
        """
        self._stop[0] = 0
        work = self._workspace()
        pairs, loss = 0, 0.0
        for chunk in chunks:
            seed = sampling.chunk_seed(self._settings.seed, 2**32, chunk)  # Of an epoch that training has not.
            counted, lost = self._run(corpus.chunk(chunk), 0.0, seed, work, measure=True)
            pairs, loss = pairs + counted, loss + lost
            corpus.release(chunk)
        return loss / pairs if pairs else float("nan")

    def learning_rate(self, chunk: int) -> float:
        """The step size in a chunk of all epochs together."""
        progress = chunk / (self._corpus.chunk_count * self._settings.epochs)
        return sampling.learning_rate_at(progress, self._settings.first_rate, self._settings.last_rate)

    def check(self, rows: int | None) -> None:
        """Raise SettingError unless the vectors of the first `rows` words, or of all, are of reasonable lengths."""
        for matrix in (self._matrices.inputs[:rows], self._matrices.outputs[:rows]):
            with np.errstate(all="ignore"):
                lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
                worst = float(lengths.max(initial=0))  # NaN if one is.
            if not worst <= LENGTH_MAX:
                became = f"grew to length {worst:.3g}" if math.isfinite(worst) else "became infinite or NaN"
                raise SettingError(
                    f"the training diverged: a vector {became}, so learning_rate "
                    f"{self._settings.first_rate:g} is too high; 0.025 suits skip-gram and 0.05 CBOW"
                )

    def _work(self) -> None:
        """A thread: take the next chunk until there is none."""
        try:
            work = self._workspace()
            while not self._stop[0]:
                with self._lock:
                    chunk = self._next
                    if chunk >= self._end:
                        return
                    self._next += 1
                epoch, of_epoch = divmod(chunk, self._corpus.chunk_count)
                seed = sampling.chunk_seed(self._settings.seed, epoch, of_epoch)
                pairs, _ = self._run(self._corpus.chunk(of_epoch), self.learning_rate(chunk), seed, work)
                self._corpus.release(of_epoch)
                self._done.put((int(self._corpus.word_counts[of_epoch]), pairs))
        except BaseException as error:
            self._done.put(error)

    def _run(
        self,
        rows: npt.NDArray[np.int32],
        learning_rate: float,
        seed: int,
        work: Workspace,
        measure: bool = False,
    ) -> tuple[int, float]:
        settings = self._settings
        return kernels.train_chunk(
            self._matrices.inputs,
            self._matrices.outputs,
            rows,
            self._tables,
            work,
            settings.window,
            settings.negative if settings.objective == "negative-sampling" else 0,
            settings.architecture == "cbow",
            settings.cbow_mean,
            np.float32(learning_rate),
            np.uint64(seed),
            measure,
            self._stop,
        )

    def _workspace(self) -> Workspace:
        settings = self._settings
        return workspace(settings.dimension, settings.window, settings.negative, self._tables)
