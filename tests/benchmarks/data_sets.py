"""Data sets of the benchmarks: one function each, deterministic, kept in a folder once made.

Each returns float32 (rows, d), of length 1. The texts come from the data folder beside the repository; embedding all
of them takes some ten minutes of two processors.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
_EMBED_TEXTS = 4_096
_MIXED_AT_ONCE = 65_536


def glosses(data: Path, cache: Path) -> Vectors:
    """117,659 definitions of WordNet, embedded by MiniLM; (117,659, 384)."""
    return _embedded(cache / "glosses.npy", lambda: [row[3] for row in _glosses(data)])


def news(data: Path, cache: Path) -> Vectors:
    """7,600 news items of AG News, title and description; (7,600, 384)."""
    return _embedded(cache / "news.npy", lambda: [f"{row[1]} {row[2]}" for row in _news(data)])


def titles(data: Path, cache: Path) -> Vectors:
    """The titles of the same news: queries of another kind than glosses and news; (7,600, 384)."""
    return _embedded(cache / "titles.npy", lambda: [row[1] for row in _news(data)])


def sentences(data: Path, cache: Path) -> Vectors:
    """Glosses and news together, shuffled; (125,259, 384)."""
    every = np.vstack([glosses(data, cache), news(data, cache)])
    return np.ascontiguousarray(every[np.random.default_rng(0).permutation(len(every))])


def many_sentences(rows: int, dimension: int, data: Path, cache: Path) -> Vectors:
    """As many rows as asked for, of the kind of `sentences`: (rows, dimension).

    Its principal components; where they are too few, mixtures of a row and one of its 16 nearest neighbours, at a place
    drawn evenly between .2 and .8 of the way, made length 1: so that new rows lie where rows are, as dense as there.
    """
    path = cache / f"sentences-{rows}x{dimension}.npy"
    if path.exists():
        return np.load(path)
    every = sentences(data, cache)
    centred = every - every.mean(axis=0)
    components = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :dimension]
    reduced = _unit(centred @ components)
    made = reduced if rows <= len(reduced) else np.vstack([reduced, _mixtures(reduced, rows - len(reduced), 16)])
    made = np.ascontiguousarray(made[np.random.default_rng(1).permutation(len(made))[:rows]], dtype=np.float32)
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path, made)
    return made


def _mixtures(vectors: Vectors, count: int, neighbours: int) -> Vectors:
    from vecinity.indexer.ann import exact_search
    from vecinity.indexer.metric import Metric

    # A row is its own nearest, so that one more is asked for and the first left out.
    near = np.vstack(
        [
            exact_search(vectors[begin : begin + 8_192], vectors, neighbours + 1, Metric.COSINE)[1][:, 1:]
            for begin in range(0, len(vectors), 8_192)
        ]
    )
    rng = np.random.default_rng(2)
    made = np.empty((count, vectors.shape[1]), dtype=np.float32)
    for begin in range(0, count, _MIXED_AT_ONCE):
        size = min(_MIXED_AT_ONCE, count - begin)
        rows = rng.integers(0, len(vectors), size)
        others = near[rows, rng.integers(0, neighbours, size)]
        share = rng.uniform(0.2, 0.8, (size, 1)).astype(np.float32)
        made[begin : begin + size] = _unit(share * vectors[rows] + (1 - share) * vectors[others])
    return made


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _embedded(path: Path, texts: Callable[[], Sequence[str]]) -> Vectors:
    if path.exists():
        return np.load(path)
    from vecinity.indexer.embedding.minilm import MiniLmEmbedder

    embedder, every = MiniLmEmbedder(), texts()
    made = np.vstack([embedder.embed(every[i : i + _EMBED_TEXTS]) for i in range(0, len(every), _EMBED_TEXTS)])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, _unit(made))
    return _unit(made)


def _glosses(data: Path) -> list[list[str]]:
    with gzip.open(data / "glosses.tsv.gz", "rt", encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def _news(data: Path) -> list[list[str]]:
    with gzip.open(data / "ag_news_test.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [*csv.reader(file)]
