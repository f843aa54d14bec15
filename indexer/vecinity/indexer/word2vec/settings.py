"""What can be chosen about a word2vec training, with the default and the range of each choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.errors import InputError, SettingError

Architecture = Literal["skip-gram", "cbow"]
Objective = Literal["negative-sampling", "hierarchical-softmax"]

_RANGES: dict[str, tuple[int, int]] = {
    "dimension": (1, 4096),
    "window": (1, 100),
    "negative": (1, 100),
    "sample": (0, 1),
    "min_count": (1, 2**31 - 1),
    "epochs": (1, 1000),
    "learning_rate": (0, 10**6),
    "min_learning_rate": (0, 10**6),
    "threads": (1, 1024),
    "seed": (0, 2**63 - 1),
    "max_vocabulary": (2, 2**31 - 1),
    "max_distinct": (2, 2**31 - 1),
    "phrase_passes": (0, 4),
    "phrase_threshold": (0, 10**9),
    "phrase_min_count": (1, 2**31 - 1),
    "subword_buckets": (0, 2**27),
    "subword_min": (1, 32),
    "subword_max": (1, 32),
}
_FRACTIONAL = frozenset({"sample", "learning_rate", "min_learning_rate", "phrase_threshold"})
_SHOWN_DIGITS_MAX = 50
_OPTIONAL = frozenset({"max_vocabulary", "learning_rate", "min_learning_rate"})


@dataclass(frozen=True)
class Word2VecSettings:
    """The settings of one training; out of range raises SettingError.

    Args:
        architecture: ``"skip-gram"`` predicts each neighbour from a word: slower, better for rare words.
            ``"cbow"`` predicts a word from the mean of its neighbours: about three times as fast.
        dimension: Numbers in a vector, 1 to 4,096.
        window: The farthest neighbour looked at, in words, 1 to 100. Each position draws its own reach
            from 1 to `window`, so near words count more (2013a, section 3.2).
        negative: Noise words that each true pair is contrasted with, 1 to 100 (2013b, section 2.2).
        sample: Words more frequent than this fraction of the corpus are thinned out, 0 to 1; 0 keeps all
            (2013b, section 2.3).
        min_count: Rarer words are left out of the vocabulary, at least 1.
        epochs: Times the corpus is read, 1 to 1,000.
        learning_rate: The first step size, above 0; falls in a straight line to `min_learning_rate`. None is
            0.025 for skip-gram and 0.05 for CBOW, as in word2vec.c.
        min_learning_rate: The last step size, 0 to `learning_rate`. None is a tenth of it, which gave better
            vectors than word2vec.c's 1e-4 (docs/word2vec.md).
        threads: Worker threads, 1 to 1,024. With 1 the same seed and corpus give the same vectors; with
            more, threads write to shared vectors without locks and the last digits differ between runs.
        seed: Start of every random draw, 0 to 2⁶³ − 1.
        max_vocabulary: Keep only so many of the most frequent words, at least 2; None keeps all.
        max_distinct: Different words (and pairs of words, for phrases) held while counting; the rarest of more are
            pruned, as in word2vec.c. 10 million take about 1.5 GB.
        objective: ``"negative-sampling"``, or ``"hierarchical-softmax"``, which predicts a word by its path in a
            Huffman tree and needs no `negative` (2013a, section 3; 2013b, section 2.1).
        cbow_mean: Whether CBOW takes the mean of the words around, or their sum.
        phrase_passes: Passes that join pairs of words to phrases, "new_york", 0 to 4 (2013b, section 4).
        phrase_threshold: Score above which a pair is a phrase, above 0; higher gives fewer.
        phrase_min_count: A phrase occurs more often than this, at least 1.
        subword_buckets: Rows for character n-grams, which are hashed to them, so that an unknown word gets a vector
            too (Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information"); 0 is without.
        subword_min, subword_max: Lengths of n-grams, the marks of a word's start and end counted, 1 to 32.
    """

    architecture: Architecture = "skip-gram"
    dimension: int = 100
    window: int = 5
    negative: int = 5
    sample: float = 1e-4
    min_count: int = 5
    epochs: int = 5
    learning_rate: float | None = None
    min_learning_rate: float | None = None
    threads: int = field(default_factory=available_cpus)
    seed: int = 1
    max_vocabulary: int | None = None
    max_distinct: int = 10_000_000
    objective: Objective = "negative-sampling"
    cbow_mean: bool = True
    phrase_passes: int = 0
    phrase_threshold: float = 10.0
    phrase_min_count: int = 5
    subword_buckets: int = 0
    subword_min: int = 3
    subword_max: int = 6

    @property
    def first_rate(self) -> float:
        """The step size at the start."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 0.025 if self.architecture == "skip-gram" else 0.05

    @property
    def last_rate(self) -> float:
        """The step size at the end."""
        return self.first_rate / 10 if self.min_learning_rate is None else self.min_learning_rate

    def __post_init__(self) -> None:
        if self.architecture not in get_args(Architecture):
            raise SettingError(f"architecture is {self.architecture!r}; it must be 'skip-gram' or 'cbow'")
        if self.objective not in get_args(Objective):
            raise SettingError(
                f"objective is {self.objective!r}; it must be 'negative-sampling' or 'hierarchical-softmax'"
            )
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            kinds = (int, float) if name in _FRACTIONAL else (int,)
            # bool is an int to Python, and never what was meant here.
            if not isinstance(value, kinds) or isinstance(value, bool):
                wanted = "a number" if name in _FRACTIONAL else "a whole number"
                raise SettingError(f"{name} is {value!r}; it must be {wanted} from {_plain(lowest, highest)}")
            if not lowest <= value <= highest:  # NaN is neither.
                raise SettingError(f"{name} is {_shown(value)}; it must be from {_plain(lowest, highest)}")
        if self.first_rate == 0:
            raise SettingError("learning_rate is 0; it must be above 0, or nothing is learnt")
        if self.last_rate > self.first_rate:
            raise SettingError(
                f"min_learning_rate is {self.last_rate:g}; it must be from 0 to learning_rate, {self.first_rate:g}"
            )
        if self.phrase_threshold == 0:
            raise SettingError("phrase_threshold is 0; it must be above 0, or every pair of words is a phrase")
        if self.subword_min > self.subword_max:
            raise SettingError(f"subword_min is {self.subword_min}; it must be at most subword_max, {self.subword_max}")


def _plain(lowest: int, highest: int) -> str:
    return f"{lowest:,} to {highest:,}"


def _shown(value: float) -> str:
    """A number as a message shows it: Python refuses to write out whole numbers of thousands of digits."""
    return str(value) if isinstance(value, float) or abs(value) < 10**_SHOWN_DIGITS_MAX else "too large to be shown"


def require_pairs(pairs: int, settings: Word2VecSettings) -> None:
    """That there was something to learn from.

    Raises:
        InputError: There was nothing to learn from.
    """
    if pairs == 0:
        raise InputError(
            "no text has two frequent words beside each other: give whole sentences, lower --min-count "
            f"({settings.min_count}) or raise --sample ({settings.sample:g})"
        )
