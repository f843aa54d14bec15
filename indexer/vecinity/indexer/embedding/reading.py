"""What an embedder made of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.metric import Vectors
from vecinity.indexer.unknown_words import UnknownWord


@dataclass(frozen=True, slots=True)
class Reading:
    """n texts, read.

    Attributes:
        vectors: float32 (n, d), not scaled to length 1; zero where a text was left out.
        known: bool (n,), whether a text has a vector.
        forms: The words that each vector is made of; see `Embedder.canonical`.
        unknown_words: Of the texts that had some, by their number.
    """

    vectors: Vectors
    known: NDArray[np.bool_]
    forms: Sequence[str]
    unknown_words: dict[int, list[UnknownWord]] = field(default_factory=dict)
