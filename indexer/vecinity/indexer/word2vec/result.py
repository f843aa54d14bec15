"""From a training that has ended to its model."""

from __future__ import annotations

import math
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from vecinity.indexer.word2vec.checkpoint import State
from vecinity.indexer.word2vec.matrices import Matrices
from vecinity.indexer.word2vec.model import TrainingRecord, Word2VecModel
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.subwords import Subwords
from vecinity.indexer.word2vec.vocabulary import Vocabulary

_Matrix = npt.NDArray[np.float32]


def model_of(state: State, settings: Word2VecSettings, device: str, held_out: bool) -> Word2VecModel:
    """The model of a training that has ended, with the matrices of its best epoch.

    Args:
        held_out: Whether the losses are of held-out text.
    """
    best = state.best or state.matrices
    vocabulary, d = state.vocabulary, best.dimension
    measured = "held out" if held_out else "training"
    return Word2VecModel(
        vocabulary.words,
        vectors_of(best, vocabulary, settings),
        vocabulary.counts,
        settings=settings,
        training=TrainingRecord(
            corpus=state.corpus.hash,
            version=version("vecinity"),
            device=device,
            losses=tuple(None if math.isnan(loss) else round(loss, 6) for loss in state.losses),
            losses_of=measured if state.losses else None,
            epochs=len(state.losses) or settings.epochs,
            best_epoch=int(np.argmax(state.scores)) + 1 if state.scores else settings.epochs,
        ),
        inputs=best.inputs[:, :d] if settings.subword_buckets else None,
        # Of hierarchical softmax they are nodes of a tree that other counts would not give again.
        outputs=best.outputs[:, :d] if settings.objective == "negative-sampling" else None,
    )


def vectors_of(matrices: Matrices, vocabulary: Vocabulary, settings: Word2VecSettings) -> _Matrix:
    """The word vectors that matrices hold, float32 (n, d); without subwords a view, as a copy may be large."""
    inputs = matrices.inputs[:, : matrices.dimension]
    subwords = Subwords.of(len(vocabulary), settings)
    return inputs if subwords is None else subwords.vectors(inputs, vocabulary.words)
