"""Train with `torch_kernels`: the corpus and all tables on the device, batch after batch, epoch after epoch.

This module imports torch at once, and is itself imported by name in `gpu` only when a device is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vecinity.indexer.progress import Progress
from vecinity.indexer.word2vec import sampling, torch_kernels
from vecinity.indexer.word2vec.encoded import EncodedCorpus
from vecinity.indexer.word2vec.matrices import Matrices
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.vocabulary import Vocabulary

# More words a batch learn less from each: see `torch_kernels`. With few words in the vocabulary each of them is in a
# batch too often, so those of a small one have small batches.
BATCH_WORDS_MAX = 4096
BATCH_WORDS_MIN = 64
VOCABULARY_PER_BATCH_WORD = 8
BATCH_NUMBERS_MAX = 1 << 27
"""Numbers in the neighbours' vectors of a batch: 512 MiB, of which a step takes about four times."""

BLOCK_ROWS = 1 << 22
"""Rows of the corpus thinned at once; takes some 100 MiB of the device's memory."""

RESIDENT_ROWS_MAX = 1 << 28
"""A corpus of up to so many rows, 1 GiB, stays on the device; a larger one is sent again in each epoch."""


def read_blocks(corpus: EncodedCorpus) -> Iterator[npt.NDArray[np.int32]]:
    """The corpus in order, whole chunks of it in arrays of about `BLOCK_ROWS` rows, int32."""
    block: list[npt.NDArray[np.int32]] = []
    held = 0
    for i in range(corpus.chunk_count):
        chunk = corpus.chunk(i)
        if block and held + len(chunk) > BLOCK_ROWS:
            yield np.concatenate(block)
            block, held = [], 0
        block.append(chunk)
        held += len(chunk)
    yield np.concatenate(block)


def batch_words(vocabulary_words: int, settings: Word2VecSettings) -> int:
    """Words in a batch, 1 to `BATCH_WORDS_MAX`."""
    by_vocabulary = max(BATCH_WORDS_MIN, vocabulary_words // VOCABULARY_PER_BATCH_WORD)
    by_memory = max(1, BATCH_NUMBERS_MAX // (2 * settings.window * settings.dimension))
    return min(BATCH_WORDS_MAX, by_vocabulary, by_memory)


class TorchTraining:
    """The matrices and tables on the device.

    Args:
        matrices: What to start from; updated by `run`.
        device: One that torch can use.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        matrices: Matrices,
        settings: Word2VecSettings,
        *,
        device: torch.device,
    ) -> None:
        thresholds, aliases = sampling.alias_table(sampling.noise_probabilities(vocabulary.counts))
        keep = sampling.keep_probabilities(vocabulary.counts, settings.sample)
        self._device = device
        self._settings = settings
        self._matrices = matrices
        self._pairs = torch.zeros((), dtype=torch.int64, device=device)  # There, not here: reading it would wait.
        self._inputs = self._sent(matrices.inputs)
        self._outputs = self._sent(matrices.outputs)
        self._keep = torch.from_numpy(keep.astype(np.float32)).to(device)
        self._thresholds = torch.from_numpy(thresholds.astype(np.int64)).to(device)
        self._aliases = torch.from_numpy(aliases.astype(np.int64)).to(device)
        self._random = torch.Generator(device).manual_seed(settings.seed)
        self._batch_words = batch_words(len(vocabulary), settings)
        self._step = (
            torch_kernels.skip_gram_step
            if settings.architecture == "skip-gram"
            else partial(torch_kernels.cbow_step, mean=settings.cbow_mean)
        )

    def run(self, corpus: EncodedCorpus, progress: Progress) -> int:
        """All epochs; see `gpu.train_torch`."""
        epochs, total = self._settings.epochs, corpus.word_count * self._settings.epochs
        resident = int((corpus.ends - corpus.starts).sum()) <= RESIDENT_ROWS_MAX
        held = [self._send(block) for block in read_blocks(corpus)] if resident else None
        words = 0
        for epoch in range(1, epochs + 1):
            blocks: Iterable[tuple[Tensor, int]] = held if held else map(self._send, read_blocks(corpus))
            for block, block_words in blocks:
                for share in self._train_block(block, words, block_words, total):
                    done = words + round(share * block_words)
                    note = f"epoch {epoch} of {epochs}, learning rate {self._learning_rate_at(done / total):.5f}"
                    progress("train word2vec", done, total, "words", note)
                words += block_words
        d = self._settings.dimension
        self._matrices.inputs[:, :d] = self._inputs.cpu().numpy()
        self._matrices.outputs[:, :d] = self._outputs.cpu().numpy()
        return int(self._pairs.item())

    def _sent(self, matrix: npt.NDArray[np.float32]) -> Tensor:
        """A matrix on the device, without padding."""
        return torch.from_numpy(np.ascontiguousarray(matrix[:, : self._settings.dimension])).to(self._device)

    def _send(self, block: npt.NDArray[np.int32]) -> tuple[Tensor, int]:
        """A block on the device, and the words in it."""
        rows = torch.from_numpy(block)
        if self._device.type == "cuda":
            rows = rows.pin_memory()  # Copied while the batches before are still computed.
        return rows.to(self._device, non_blocking=True), int(np.count_nonzero(block >= 0))

    def _train_block(self, rows: Tensor, words_before: int, block_words: int, total: int) -> Iterator[float]:
        """Train on a block once, and after each batch tell which share of it is done."""
        window = self._settings.window
        words, sentences = torch_kernels.thin(rows, self._keep, window, self._random)
        kept = len(words) - 2 * window
        for start in range(0, kept, self._batch_words):
            stop = min(kept, start + self._batch_words)
            learning_rate = self._learning_rate_at((words_before + start / kept * block_words) / total)
            self._train_batch(words, sentences, start + window, stop + window, learning_rate)
            yield stop / kept
        if not kept:
            yield 1.0

    def _train_batch(self, words: Tensor, sentences: Tensor, start: int, stop: int, learning_rate: float) -> None:
        settings, random = self._settings, self._random
        contexts, near = torch_kernels.neighbours(words, sentences, start, stop, settings.window, random)
        self._pairs += near.sum()
        targets, asked = torch_kernels.draw_targets(
            words[start:stop], self._thresholds, self._aliases, settings.negative, random
        )
        self._step(self._inputs, self._outputs, contexts, near, targets, asked, learning_rate)

    def _learning_rate_at(self, progress: float) -> float:
        return sampling.learning_rate_at(progress, self._settings.first_rate, self._settings.last_rate)
