"""Reads the queries that an index is to be measured with, where its users ask for something else than its items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vecinity.indexer.calibration import QUERIES_MAX
from vecinity.indexer.dataset import Source, read_texts, read_vectors
from vecinity.indexer.embedding import Embedder
from vecinity.indexer.errors import InputError, UnknownWordError, VectorError
from vecinity.indexer.metric import Metric, Vectors, prepare
from vecinity.indexer.progress import Progress, silent

_SEED = 3
_BATCH = 256


def read_calibration_queries(
    source: Source, embedder: Embedder | None, dimension: int, metric: Metric, progress: Progress = silent
) -> Vectors:
    """The vectors of a sample of the queries, float32 (n, d), prepared; n at most 4,000.

    Args:
        source: A file of texts, or a ``.npy`` file of vectors, float (rows, d).
        embedder: Of the collection; None if it has none. Texts in which it knows no word are passed over.
        dimension: Of the collection.

    Raises:
        InputError: The file can't be read, holds none, or holds vectors of another dimension or that are not fit for
            the metric; texts are given, and the collection has no embedder.
    """
    if source.path.suffix == ".npy":
        return _vectors(source, dimension, metric)
    if embedder is None:
        raise InputError("queries for a collection without an embedder must be vectors, a .npy file", path=source.path)
    texts = _sample(read_texts(source))
    if not texts:
        raise InputError("holds no text: there is no query to measure with", path=source.path)
    parts: list[Vectors] = []
    progress("embed queries", 0, len(texts), "queries")
    for begin in range(0, len(texts), _BATCH):
        parts += _embedded(embedder, texts[begin : begin + _BATCH])
        progress("embed queries", min(begin + _BATCH, len(texts)), len(texts), "queries")
    if not parts:
        raise InputError("none of the queries holds a word that the embedder knows", path=source.path)
    return _prepared(np.concatenate(parts), source, metric)


def _vectors(source: Source, dimension: int, metric: Metric) -> Vectors:
    vectors = read_vectors(source.path)
    if not len(vectors):
        raise InputError("holds no vector: there is no query to measure with", path=source.path)
    if vectors.shape[1] != dimension:
        raise InputError(
            f"holds vectors of dimension {vectors.shape[1]}; the collection has {dimension}", path=source.path
        )
    rows = np.arange(len(vectors))
    if len(rows) > QUERIES_MAX:
        rows = np.sort(np.random.default_rng(_SEED).choice(len(vectors), QUERIES_MAX, replace=False))
    with np.errstate(over="ignore"):  # what float32 can't hold becomes infinity, which is reported
        return _prepared(np.asarray(vectors[rows], dtype=np.float32), source, metric)


def _prepared(vectors: Vectors, source: Source, metric: Metric) -> Vectors:
    try:
        return prepare(vectors, metric)
    except VectorError as error:
        raise InputError(f"the vector of a query {error.fault}", path=source.path) from error


def _sample(texts: Iterable[str]) -> list[str]:
    """As many as are asked, each with the same chance (Vitter 1985, algorithm R)."""
    rng = np.random.default_rng(_SEED)
    kept: list[str] = []
    for number, text in enumerate(texts):
        if number < QUERIES_MAX:
            kept.append(text)
        elif (place := int(rng.integers(number + 1))) < QUERIES_MAX:
            kept[place] = text
    return kept


def _embedded(embedder: Embedder, texts: list[str]) -> Iterator[Vectors]:
    try:
        yield embedder.embed(texts)
    except UnknownWordError:
        for text in texts:
            try:
                yield embedder.embed([text])
            except UnknownWordError:
                continue
