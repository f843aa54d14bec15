"""Going on from a model: its words keep what they have learnt, and those of a new corpus are added behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec.matrices import LENGTH_MAX, Matrices
from vecinity.indexer.word2vec.model import Word2VecModel
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.subwords import Subwords
from vecinity.indexer.word2vec.vocabulary import Vocabulary

_TOTAL_MAX = 2**53  # Beyond it, a float64 does not hold every whole number.


def check_goes_on(start: Word2VecModel, settings: Word2VecSettings) -> None:
    """That a training with `settings` can go on from a model.

    Raises:
        SettingError: A training with `settings` can't go on from this model, or takes more memory than there is.
        InputError: It has a word that no model can be saved with, or counts or vectors that no training makes.
    """
    if start.dimension != settings.dimension:
        raise SettingError(f"dimension is {settings.dimension}; the model to go on from has {start.dimension}")
    if settings.objective == "hierarchical-softmax":
        raise SettingError("hierarchical softmax can't go on from a model: new counts make another tree")
    ours, theirs = Subwords.of(len(start), settings), start.subwords
    if ours != theirs:
        raise SettingError(
            f"the model to go on from has {_described(theirs)}, not {_described(ours)}: give the same settings"
        )
    for word in start.words:
        if not word or "\n" in word or "\0" in word:
            raise InputError(f"the model to go on from has the word {word!r}, which no text can have")
    if len(start.index) < len(start):
        raise InputError("the model to go on from has a word twice")
    Matrices.check_fits(len(start), settings)
    if start.counts is not None:
        _check_counts(start.words, start.counts)
    for matrix in (start.vectors, start.inputs, start.outputs):
        if matrix is not None:
            _check_lengths(start.words, matrix)


def _check_counts(words: Sequence[str], counts: npt.NDArray[np.int64]) -> None:
    if (counts < 0).any():
        row = int(counts.argmin())
        raise InputError(
            f"the model to go on from has the count {counts[row]:,} of {words[row]!r}: it can't be below 0"
        )
    total = counts.sum(dtype=np.float64)  # Of int64, sums may overflow.
    if total > _TOTAL_MAX:
        row = int(counts.argmax())
        raise InputError(
            f"the model to go on from has counts of {total:.3g} together, {counts[row]:,} of {words[row]!r}: "
            f"at most {_TOTAL_MAX:,} can be gone on from"
        )


def _check_lengths(words: Sequence[str], matrix: npt.NDArray[np.float32]) -> None:
    with np.errstate(all="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    good = lengths <= LENGTH_MAX  # NaN is not.
    if not good.all():
        row = int(good.argmin())
        whose = repr(words[row]) if row < len(words) else f"n-gram bucket {row - len(words):,}"
        long = f"of length {lengths[row]:.3g}" if np.isfinite(lengths[row]) else "that is infinite or NaN"
        raise InputError(
            f"the model to go on from has a vector {long} for {whose}; lengths can be at most {LENGTH_MAX:g}: train it "
            "anew, or scale its vectors"
        )


def _described(subwords: Subwords | None) -> str:
    if subwords is None:
        return "no subwords"
    return f"subwords of {subwords.shortest} to {subwords.longest} characters in {subwords.buckets:,} buckets"


def vocabulary_of(start: Word2VecModel) -> Vocabulary:
    """The words of a model, to be extended; counts of 0 where it has none."""
    counts = np.zeros(len(start), np.int64) if start.counts is None else start.counts
    return Vocabulary(list(start.words), counts)


def take_over(start: Word2VecModel, vocabulary: Vocabulary, matrices: Matrices) -> None:
    """Copy what a model has learnt into untrained matrices of an extended `vocabulary`."""
    rows = np.array([vocabulary.index[word] for word in start.words])
    known, d = len(start), matrices.dimension
    matrices.inputs[rows, :d] = start.vectors if start.inputs is None else start.inputs[:known]
    if start.inputs is not None:  # Behind the rows of words are those of n-grams.
        matrices.inputs[len(vocabulary) :, :d] = start.inputs[known:]
    if start.outputs is not None:
        matrices.outputs[rows, :d] = start.outputs
