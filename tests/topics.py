"""A corpus of two topics, from which word2vec learns within a second."""

from __future__ import annotations

import os
import sys

import numpy as np

from vecinity.indexer.word2vec import Word2VecModel

FRUIT = ["apple", "pear", "plum", "cherry", "grape"]
METAL = ["iron", "copper", "zinc", "tin", "lead"]


def sentences(rng: np.random.Generator, how_many: int = 3_000) -> list[str]:
    """Sentences about fruit and sentences about metal, with function words that both use."""
    return [" ".join(["the", *rng.choice(FRUIT if i % 2 else METAL, 5), "and", "of"]) for i in range(how_many)]


def cosine(model: Word2VecModel, a: str, b: str) -> float:
    x, y = model.vector_of(a), model.vector_of(b)
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def within_and_across(model: Word2VecModel) -> tuple[float, float]:
    """The lowest cosine of two words of one topic, and the highest of words of two."""
    within = [cosine(model, a, b) for topic in (FRUIT, METAL) for a in topic for b in topic if a != b]
    return min(within), max(cosine(model, a, b) for a in FRUIT for b in METAL)


def environment_of_a_child() -> dict[str, str]:
    """The environment for a process that imports what this one does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
