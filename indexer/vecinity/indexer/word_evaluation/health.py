"""What word vectors say of themselves, without a file of questions: are they sound, and was anything learnt?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecinity.indexer.ann import exact_search
from vecinity.indexer.errors import SettingError
from vecinity.indexer.metric import Metric, normalise
from vecinity.indexer.word_evaluation.known_words import Float32s, Int64s, check_vectors

Bools = npt.NDArray[np.bool_]

WORDS_MEASURED = 10_000
WORDS_ASKED = 1_000
HUB_K = 10
CHANCE = 0.01

MEAN_COSINE_MAX = 0.8
HUBNESS_MAX = 20.0
BEYOND_CHANCE_MIN = 0.5

_ANGLES = 100_000
_DIMENSION_MIN = 4  # In fewer, thousands of directions are nearer to each other than float32 can tell.
_ZERO_MAX = 1e-19  # In a vector of no larger numbers there is no direction to speak of.
_LENGTH_MIN = 1e-6  # Of a unit vector less the mean of all: below this only rounding is left.


@dataclass(frozen=True)
class Neighbours:
    """A word and those nearest to it.

    Args:
        word: The word.
        rank: Its place by frequency, from 1.
        nearest: Words and their cosines with it, nearest first.
    """

    word: str
    rank: int
    nearest: list[tuple[str, float]]


@dataclass(frozen=True)
class VectorHealth:
    """What is measured of word vectors. NaN stands for what can't be, as with fewer than eleven sound vectors.

    Args:
        words: n.
        dimension: d.
        not_finite: Vectors with a NaN or an infinity.
        zero: Vectors of zeros, or of numbers so small that they have no direction.
        measured: The most frequent words with sound vectors, at most 10,000, that all that follows is about.
        duplicates: Those whose vector is that of a more frequent one.
        mean_cosine: Mean cosine of two different words: near 0 where vectors point everywhere, 1 where all are alike
            (the anisotropy of Ethayarajh 2019, arXiv:1909.00512, section 4.1).
        hubness: How unevenly words are neighbours of others: the skewness of how often each is among the ten
            nearest by cosine of another (S_k of Radovanović et al. 2010, "Hubs in Space", JMLR 11, equation 1).
        beyond_chance: The share of the 1,000 most frequent words with a neighbour nearer than the nearest of as many
            random directions would be but once in 100 times, both seen from the mean of all. Untrained vectors have
            .01; a training that learnt something comes near 1. NaN below four dimensions.
    """

    words: int
    dimension: int
    not_finite: int
    zero: int
    measured: int
    duplicates: int
    mean_cosine: float
    hubness: float
    beyond_chance: float

    @property
    def faults(self) -> list[str]:
        """What is wrong with the vectors, a sentence each; none when they look sound."""
        found = []
        if self.not_finite:
            found.append(f"{self.not_finite:,} of {self.words:,} vectors hold NaN or infinity: the training diverged")
        if self.zero:
            found.append(f"{self.zero:,} of {self.words:,} vectors are zero, which have no neighbours")
        if self.duplicates:
            found.append(f"{self.duplicates:,} of the {self.measured:,} most frequent words have the vector of another")
        if self.mean_cosine > MEAN_COSINE_MAX:
            found.append(f"the mean cosine of two words is {self.mean_cosine:.2f}: all vectors are alike")
        if self.hubness > HUBNESS_MAX:
            found.append(f"hubness is {self.hubness:.1f}: a few words are the neighbours of nearly all")
        if self.beyond_chance < BEYOND_CHANCE_MIN:
            found.append(
                f"{self.beyond_chance:.1%} of the most frequent words have a neighbour nearer than chance: "
                "the vectors hold little that was learnt"
            )
        return found


def vector_health(words: Sequence[str], vectors: Float32s) -> VectorHealth:
    """Measure what needs no questions.

    Args:
        words: n words, most frequent first.
        vectors: float32 (n, d).

    Raises:
        InputError: `vectors` are of another form.
    """
    check_vectors(words, vectors)
    is_finite, is_sound = _sound(vectors)
    rows = np.flatnonzero(is_sound)[:WORDS_MEASURED]
    unit = normalise(vectors[rows])
    return VectorHealth(
        words=len(words),
        dimension=vectors.shape[1],
        not_finite=int((~is_finite).sum()),
        zero=int((is_finite & ~is_sound).sum()),
        measured=len(rows),
        duplicates=len(rows) - len(np.unique(vectors[rows], axis=0)),
        mean_cosine=_mean_cosine(unit),
        hubness=_hubness(unit),
        beyond_chance=_beyond_chance(unit),
    )


def nearest_words(words: Sequence[str], vectors: Float32s, probes: int = 8, k: int = 5) -> list[Neighbours]:
    """The neighbours of words from frequent to rare, for people to look at.

    Args:
        words: n words, most frequent first.
        vectors: float32 (n, d).
        probes: At most so many words, of ranks that grow by a constant factor from 50 to 10,000 (or n): the very
            first ones, such as "the", tell little.
        k: Neighbours of each, the word itself left out.

    Raises:
        InputError: `vectors` are of another form.
        SettingError: `probes` or `k` is below 1.
    """
    check_vectors(words, vectors)
    if min(probes, k) < 1:
        raise SettingError(f"probes is {probes} and k is {k}; both must be at least 1")
    rows = np.flatnonzero(_sound(vectors)[1])
    if len(rows) < 2:
        return []
    last = min(len(rows), WORDS_MEASURED)
    asked = np.unique(np.geomspace(min(50, last), last, probes).astype(np.int64)) - 1
    unit = normalise(vectors[rows])
    scores, found = _others(unit, asked, min(k, len(rows) - 1))
    return [
        Neighbours(
            words[rows[place]], int(rows[place]) + 1, [(words[rows[j]], float(s)) for j, s in zip(*hits, strict=True)]
        )
        for place, *hits in zip(asked, found, scores, strict=True)
    ]


def chance_cosine(dimension: int, directions: int, probability: float = CHANCE) -> float:
    """What the largest cosine of a vector with so many random directions exceeds with so small a probability.

    The angle θ to a random direction in d dimensions has density ∝ sin^(d−2) θ (Cai, Fan & Jiang 2013, "Distributions
    of Angles in Random Packing on Spheres", JMLR 14, equation 1).

    Args:
        dimension: d, at least 2.
        directions: How many, at least 1.
        probability: Above 0, below 1.

    >>> round(chance_cosine(3, 1, 0.25), 3)  # A quarter of the sphere has a cosine above ½.
    0.5
    """
    of_one = -math.expm1(math.log1p(-probability) / directions)
    angles = math.pi * np.linspace(0, 1, _ANGLES) ** 3  # Densest at 0, where all is decided.
    density = np.abs(np.sin(angles)) ** (dimension - 2)
    share = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(angles))])
    return float(np.cos(np.interp(of_one * share[-1], share, angles)))


def _sound(vectors: Float32s) -> tuple[Bools, Bools]:
    """Which rows are finite, and which of those are not zero, bool (n,) both."""
    is_finite: Bools = np.logical_and.reduce(np.isfinite(vectors), axis=1)
    longest = np.abs(vectors).max(axis=1, initial=0)
    return is_finite, is_finite & (longest > _ZERO_MAX)


def _mean_cosine(unit: Float32s) -> float:
    """Of all pairs of different rows: |Σ u|² counts each pair twice, and each row with itself."""
    n = len(unit)
    if n < 2:
        return math.nan
    total = unit.sum(axis=0, dtype=np.float64)
    return (float(total @ total) - n) / (n * (n - 1))


def _hubness(unit: Float32s) -> float:
    n = len(unit)
    if n <= HUB_K:
        return math.nan
    _, found = _others(unit, np.arange(n), HUB_K)
    times = np.bincount(found.ravel(), minlength=n) - float(HUB_K)  # Of which HUB_K is the mean.
    spread = math.sqrt((times**2).mean())
    return float((times**3).mean()) / spread**3 if spread > 0 else 0.0


def _beyond_chance(unit: Float32s) -> float:
    n, dimension = len(unit), int(unit.shape[1])
    if n < 2 or dimension < _DIMENSION_MIN:
        return math.nan
    centred = unit - unit.mean(axis=0, dtype=np.float64).astype(np.float32)
    differs = np.linalg.norm(centred, axis=1) > _LENGTH_MIN
    if differs.sum() < 2:
        return 0.0
    asked = int(differs[:WORDS_ASKED].sum())
    scores, _ = _others(normalise(centred[differs]), np.arange(asked), 1)
    return int((scores[:, 0] > chance_cosine(dimension, n - 1)).sum()) / min(n, WORDS_ASKED)


def _others(unit: Float32s, rows: Int64s, k: int) -> tuple[Float32s, Int64s]:
    """Of each of `rows` the k nearest other rows: cosines float32 (len(rows), k), and rows int64."""
    scores, found = exact_search(unit[rows], unit, k + 1, Metric.DOT)
    is_other = found != rows[:, None]
    is_other[is_other.all(axis=1), -1] = False  # With equal vectors a row may not be among its own nearest.
    return scores[is_other].reshape(-1, k), found[is_other].reshape(-1, k)
