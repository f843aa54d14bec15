"""What can be chosen about a word2vec training, with the default and the range of each choice."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.errors import SettingError

Architecture = Literal["skip-gram", "cbow"]

_RANGES: dict[str, tuple[float, float]] = {
    "dimension": (1, 4096),
    "window": (1, 100),
    "negative": (1, 100),
    "sample": (0, 1),
    "min_count": (1, 2**31 - 1),
    "epochs": (1, 1000),
    "learning_rate": (0, 1e6),
    "min_learning_rate": (0, 1e6),
    "threads": (1, 1024),
    "seed": (0, 2**63 - 1),
    "max_vocabulary": (2, 2**31 - 1),
}
_FRACTIONAL = frozenset({"sample", "learning_rate", "min_learning_rate"})


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
        learning_rate: The first step size, above 0; falls in a straight line to `min_learning_rate`.
        min_learning_rate: The last step size, 0 to `learning_rate`.
        threads: Worker threads, 1 to 1,024. With 1 the same seed and corpus give the same vectors; with
            more, threads write to shared vectors without locks and the last digits differ between runs.
        seed: Start of every random draw, 0 to 2⁶³ − 1.
        max_vocabulary: Keep only so many of the most frequent words, at least 2; None keeps all.
    """

    architecture: Architecture = "skip-gram"
    dimension: int = 100
    window: int = 5
    negative: int = 5
    sample: float = 1e-4
    min_count: int = 5
    epochs: int = 5
    learning_rate: float = 0.025
    min_learning_rate: float = 1e-4
    threads: int = field(default_factory=available_cpus)
    seed: int = 1
    max_vocabulary: int | None = None

    def __post_init__(self) -> None:
        if self.architecture not in get_args(Architecture):
            raise SettingError(f"architecture is {self.architecture!r}; it must be 'skip-gram' or 'cbow'")
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "max_vocabulary":
                continue
            kinds = (int, float) if name in _FRACTIONAL else (int,)
            # bool is an int to Python, and never what was meant here.
            if not isinstance(value, kinds) or isinstance(value, bool):
                wanted = "a number" if name in _FRACTIONAL else "a whole number"
                raise SettingError(f"{name} is {value!r}; it must be {wanted} from {lowest:g} to {highest:g}")
            if not (math.isfinite(value) and lowest <= value <= highest):
                raise SettingError(f"{name} is {value}; it must be from {_plain(lowest)} to {_plain(highest)}")
        if self.learning_rate == 0:
            raise SettingError("learning_rate is 0; it must be above 0, or nothing is learnt")
        if self.min_learning_rate > self.learning_rate:
            raise SettingError(
                f"min_learning_rate is {self.min_learning_rate}; it must be from 0 to learning_rate, "
                f"{self.learning_rate}"
            )


def _plain(bound: float) -> str:
    return f"{bound:,.0f}"
