"""Indexes over the clustered vectors, and the truth about them."""

from __future__ import annotations

import numpy as np
from conftest import clustered

from vecinity.indexer.ann import EXACT, Effort, Family, Index, choose_spec, effort_of
from vecinity.indexer.metric import Metric, prepare

ROWS = 1_500


def made(family: Family, metric: Metric, rows: int = ROWS, dimension: int = 32) -> Index:
    """A complete index with the settings that a build chooses."""
    return made_of(prepare(clustered(rows, dimension), metric), family, metric)


def made_of(vectors: np.ndarray, family: Family, metric: Metric) -> Index:
    rows = np.arange(len(vectors), dtype=np.int64)
    index = Index.train(choose_spec(family, *vectors.shape), metric, vectors, rows)
    index.add(rows)
    return index


def best_effort(index: Index) -> Effort:
    if index.spec.family is Family.FLAT:
        return EXACT
    return effort_of(index.spec, index.spec.nlist or 512, (32 if index.spec.nlist else 4) * index.needs_rerank)


def numpy_scores(queries: np.ndarray, vectors: np.ndarray, metric: Metric) -> np.ndarray:
    """float64 (n, rows)."""
    queries, vectors = queries.astype(np.float64), vectors.astype(np.float64)
    if metric is Metric.EUCLIDEAN:
        return -((queries[:, None, :] - vectors[None]) ** 2).sum(axis=2)
    return queries @ vectors.T
