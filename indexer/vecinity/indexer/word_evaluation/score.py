"""One number for a file of either kind, and the vectors that a training begins with, to compare with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec.matrices import fill_untrained
from vecinity.indexer.word_evaluation.analogies import analogy_accuracy
from vecinity.indexer.word_evaluation.files import Kind, kind_of
from vecinity.indexer.word_evaluation.known_words import Float32s
from vecinity.indexer.word_evaluation.word_pairs import word_pair_correlation


def evaluate_file(path: Path, words: Sequence[str], vectors: Float32s) -> float:
    """How well vectors do on a file of analogies or of word pairs, whichever it is by its content; higher is better.

    For a training that is to stop when this no longer grows: quick, and the same for the same vectors.

    Args:
        path: Questions under ``: section`` lines, or lines of two words and a number.
        words: n words, most frequent first.
        vectors: float32 (n, d).

    Returns:
        The share of the questions solved by 3CosAdd among the 30,000 most frequent words, 0 to 1; or Spearman's
        correlation of cosines and numbers, −1 to 1.

    Raises:
        InputError: The file cannot be read, is of neither form, or knows too few of the words to give a number; or
            `vectors` are of another form.
    """
    if kind_of(path) is Kind.ANALOGIES:
        accuracy = analogy_accuracy(words, vectors, path).total
        if not accuracy.asked:
            raise InputError(f"none of the {accuracy.unknown:,} questions has four known words", path=path)
        return accuracy.accuracy
    result = word_pair_correlation(words, vectors, path)
    if math.isnan(result.spearman):
        raise InputError(
            f"{result.pairs:,} of {result.pairs + result.unknown:,} pairs have two known words, and give no "
            "correlation: two pairs at least must differ in score and in cosine",
            path=path,
        )
    return result.spearman


def untrained_vectors(count: int, dimension: int, seed: int = 1) -> Float32s:
    """Random vectors as a training begins with, uniform in ±1/d, float32 (count, dimension): the same for a seed.

    Raises:
        SettingError: `dimension` is below 1, or `count` or `seed` below 0.
    """
    if dimension < 1 or min(count, seed) < 0:
        raise SettingError(f"count {count}, dimension {dimension} and seed {seed} must be at least 0, 1 and 0")
    vectors = np.empty((count, dimension), dtype=np.float32)
    fill_untrained(vectors, seed)
    return vectors
