"""Word pairs: how the cosines of two words agree with what people say of how alike they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.word_evaluation.files import read_pairs
from vecinity.indexer.word_evaluation.known_words import UNKNOWN, Float32s, KnownWords, check_vectors

Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WordPairCorrelation:
    """Agreement of cosines with human scores.

    Args:
        spearman: Rank correlation, −1 to 1, ties sharing their mean rank; NaN for fewer than two pairs compared
            or when all scores are equal.
        pearson: Linear correlation, likewise.
        pairs: Pairs with both words known.
        unknown: Pairs with a word that is not in the vocabulary.
    """

    spearman: float
    pearson: float
    pairs: int
    unknown: int

    @property
    def unknown_share(self) -> float:
        """unknown / all pairs, 0 to 1 (gensim's ``oov_ratio`` is this in percent); NaN for a file without pairs."""
        total = self.pairs + self.unknown
        return self.unknown / total if total else math.nan


def word_pair_correlation(
    words: Sequence[str],
    vectors: Float32s,
    path: Path,
    restrict_vocab: int | None = 300_000,
    *,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
) -> WordPairCorrelation:
    """Compare cosines with human scores; the figures are those of gensim's ``KeyedVectors.evaluate_word_pairs``.

    As in gensim: of two spellings of one word the more frequent is asked, and a zero vector has cosine 0 with all.

    Args:
        words: n words, most frequent first.
        vectors: float32 (n, d).
        path: Lines of two words and a number, between tabs (or spaces, in lines without a tab); ``#`` begins a comment.
        restrict_vocab: Use so many of the most frequent words only; None for all.
        case_insensitive: Compare words in upper case.
        dummy4unknown: Give a pair with an unknown word the cosine 0 instead of leaving it out.

    Raises:
        InputError: The file cannot be read or has a line of another form, or `vectors` are of another form.
        SettingError: `restrict_vocab` is below 1.
    """
    check_vectors(words, vectors)
    known = KnownWords(words, restrict_vocab, case_insensitive)
    cosines: list[float] = []
    human: list[float] = []
    unknown = 0
    for first, second, score in read_pairs(path):
        a, b = known.number(first), known.number(second)
        if UNKNOWN in (a, b):
            unknown += 1
            if not dummy4unknown:
                continue
            cosine = 0.0
        else:
            # One by one, as gensim: a matrix product rounds otherwise, and so orders pairs that are as good as equal.
            cosine = float(np.dot(_unit(vectors[known.first[a]]), _unit(vectors[known.first[b]])))
        cosines.append(cosine)
        human.append(score)
    x, y = np.array(cosines, dtype=np.float64), np.array(human, dtype=np.float64)
    return WordPairCorrelation(
        spearman=_correlation(ranks(x), ranks(y)) if np.isfinite(x).all() else math.nan,
        pearson=_correlation(x, y),
        pairs=len(x) - (unknown if dummy4unknown else 0),
        unknown=unknown,
    )


def ranks(values: npt.NDArray[np.floating]) -> Float64s:
    """Ranks from 1, equal values sharing the mean of their ranks, float64 (n,).

    >>> ranks(np.array([0.3, 0.1, 0.3])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(size)  # The highest rank in each group of equal values.
    means: Float64s = (last - (size - 1) / 2)[group]
    return means


def _unit(vector: Float32s) -> Float32s:
    """A vector at length 1, float32 (d,); a zero vector stays zero."""
    precise = vector.astype(np.float64)
    length = np.linalg.norm(precise)
    with np.errstate(invalid="ignore"):  # infinity × 0
        unit: Float32s = (precise * (1 / length) if length > 0 else precise).astype(np.float32)
    return unit


def _correlation(x: Float64s, y: Float64s) -> float:
    """Pearson's r of two float64 (n,); NaN where it is not defined."""
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():  # Rounding of the means would give equal values a spread.
        return math.nan
    x, y = x / np.abs(x).max(), y / np.abs(y).max()  # The squares of scores like 1e300 would be infinite.
    x, y = x - x.mean(), y - y.mean()
    spread = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / spread if spread > 0 else math.nan
