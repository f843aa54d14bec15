"""A vector service in a few lines of NumPy: what every answer of the real one is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vecinity.client import Term


class Oracle:
    """All items, compared one by one, in float64."""

    def __init__(self, ids: Sequence[str], vectors: np.ndarray, metric: str) -> None:
        self.ids = list(ids)
        self._rows = {item_id: row for row, item_id in enumerate(self.ids)}
        self.metric = metric
        self.vectors = self.unit(vectors) if metric == "cosine" else vectors.astype(np.float64)

    @staticmethod
    def unit(vectors: np.ndarray) -> np.ndarray:
        vectors = np.asarray(vectors, dtype=np.float64)
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    def vector(self, query: str | np.ndarray) -> np.ndarray:
        if isinstance(query, str):
            return self.vectors[self._rows[query]]
        return self.unit(query) if self.metric == "cosine" else np.asarray(query, dtype=np.float64)

    def scores(self, query: np.ndarray) -> np.ndarray:
        if self.metric == "euclidean":
            return -((self.vectors - query) ** 2).sum(axis=1)
        return self.vectors @ query

    def scores_of(self, query: np.ndarray, ids: Sequence[str]) -> np.ndarray:
        scores = self.scores(self.vector(query))
        return scores[[self._rows[item_id] for item_id in ids]]

    def search(self, query: np.ndarray, k: int, without: set[str] = frozenset()) -> tuple[list[str], np.ndarray]:  # type: ignore[assignment]
        scores = self.scores(self.vector(query))
        order = [row for row in np.argsort(-scores, kind="stable") if self.ids[row] not in without][:k]
        return [self.ids[row] for row in order], scores[order]

    def analogy(self, positive: Sequence[Term], negative: Sequence[Term], k: int) -> tuple[list[str], np.ndarray]:
        total = sum(t.weight * self.vector(t.query) for t in positive)
        total = total - sum(t.weight * self.vector(t.query) for t in negative)
        inputs = {t.query for t in (*positive, *negative) if isinstance(t.query, str)}
        return self.search(total, k, without=inputs)

    def similarity(self, left: str | np.ndarray, right: str | np.ndarray) -> float:
        a, b = self.vector(left), self.vector(right)
        return float(-((a - b) ** 2).sum() if self.metric == "euclidean" else a @ b)

    def above(self, query: str | np.ndarray, min_score: float, without: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]
        scores = self.scores(self.vector(query))
        return {self.ids[row] for row in np.flatnonzero(scores >= min_score)} - without

    def farthest(
        self, query: str | np.ndarray, k: int, without: set[str] = frozenset()
    ) -> tuple[list[str], np.ndarray]:  # type: ignore[assignment]
        scores = self.scores(self.vector(query))
        order = [row for row in np.argsort(scores, kind="stable") if self.ids[row] not in without][:k]
        return [self.ids[row] for row in order], scores[order]

    def mean(self, positive: Sequence[Term], negative: Sequence[Term] = ()) -> np.ndarray:
        """Rocchio's query."""
        total = sum(t.weight * self.vector(t.query) for t in positive) / sum(t.weight for t in positive)
        if negative:
            total = total - sum(t.weight * self.vector(t.query) for t in negative) / sum(t.weight for t in negative)
        return self.unit(total) if self.metric == "cosine" else total

    def gap(self, query: str | np.ndarray, above: int) -> float:
        """A score that `above` items reach and that is not near any item's score."""
        scores = np.sort(self.scores(self.vector(query)))[::-1]
        while scores[above - 1] - scores[above] < 1e-4 * max(1.0, abs(scores[above])):
            above += 1
        return float((scores[above - 1] + scores[above]) / 2)
