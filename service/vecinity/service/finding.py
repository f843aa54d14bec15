"""How the items that solve analogies are found: by comparing with every row, or among candidates that the index gives.

A `Finder` for each form of score. All of them re-score what they found in the same way, so that an item has the same
score however it was found.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from vecinity.indexer.ann import Effort, Rows, exact_scores
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import as_float32
from vecinity.service.analogy import pair_direction, three_cos_add, three_cos_mul
from vecinity.service.analogy.combining import best_products, best_weighted_sums, weighted_sums
from vecinity.service.analogy.scan import Combine, Keep, scan
from vecinity.service.analogy.terms import Float64s, Terms
from vecinity.service.planner import Plan, exactly
from vecinity.service.store import OpenVersion

_SCAN_CHUNK_MAX = 2_048
_SCAN_SCORES = 150_000_000
"""Analogies × rows that a thread compares between two looks at the deadline: some hundred milliseconds."""

_SCAN_MIN = 16
"""Fewer analogies than this share too little for their products to be worth sharing."""

_PRODUCT_NS, _COMBINE_NS = 0.03, 0.15
"""What a scan spends on a multiplication of the matrix product, and on one term of one analogy with one row, about."""

_CANCELLED = 0.01
"""Sums shorter than this share of what they are made of are scanned themselves."""

_CANDIDATES_MIN, _CANDIDATES_PER_HIT = 32, 2
_APPROXIMATE_FACTOR = 4


@dataclass(frozen=True, slots=True)
class _Scan:
    """What `scan` is called with."""

    vectors: Vectors
    combine: Combine
    keep: Keep | None = None

    @classmethod
    def of_sums(cls, vectors: Vectors, which: Rows, weights: Float64s) -> _Scan:
        return cls(vectors, weighted_sums(which, weights), best_weighted_sums(which, weights))


class _AnalogyFinder(ABC):
    """What the finders share: the choice between a scan and the index.

    Args:
        queries: float32 (n, d), one for each analogy.
        may_scan: Whether a scan may take the place of the effort that was planned, where it is the cheaper of the two.
        threads: Among how many threads the chunks are shared.
    """

    searches = 1
    """Searches of the index for one analogy."""

    spare = 2
    """So many more are taken from a scan in float32 than are wanted, to be scored again exactly."""

    is_measured = False
    """Whether the recall that the build measured is that of these searches too."""

    def __init__(self, version: OpenVersion, terms: Terms, queries: Vectors, *, may_scan: bool, threads: int) -> None:
        self.queries = queries
        self._segment = version.segment
        self._terms = terms
        self._which, self._weights = terms.padded()
        self._may_scan = may_scan
        self._threads = threads

    def plan(self, chosen: Plan) -> Plan:
        """See `Finder.plan`."""
        if not chosen.effort.exact and self._may_scan and self._scan_us() < self.searches * chosen.query_us:
            why = "Comparing all analogies with all items at once takes less time than the index."
            return exactly(self._segment.rows, why, chosen.target_recall)
        if chosen.effort.exact or self.is_measured:
            return chosen
        return replace(chosen, predicted_recall=None, source=None)

    def chunk_queries(self, chosen: Plan, share: int) -> int:
        """See `Finder.chunk_queries`."""
        if not chosen.effort.exact:
            return max(1, share // self.searches)
        fair = -(-len(self._terms) // self._threads)
        return max(1, min(fair, _SCAN_CHUNK_MAX, max(_SCAN_MIN, _SCAN_SCORES // max(self._segment.rows, 1))))

    def find(self, chunk: slice, count: int, effort: Effort, left_out: int) -> tuple[Vectors, Rows]:
        """See `Finder.find`."""
        rows = self._scanned(chunk, count) if effort.exact else self._candidates(chunk, count, effort)
        scores = self._scores(chunk, rows)
        scores[rows < 0] = -np.inf
        if scores.shape[1] < count:
            lack = ((0, 0), (0, count - scores.shape[1]))
            scores = np.pad(scores, lack, constant_values=-np.inf)
            rows = np.pad(rows, lack, constant_values=-1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)

    @abstractmethod
    def _scores(self, chunk: slice, rows: Rows) -> Vectors:
        """The exact scores of rows, float32 (m, c), where they are not -1."""

    @abstractmethod
    def _candidates(self, chunk: slice, count: int, effort: Effort) -> Rows:
        """Rows that the index thinks may be among the best, int64 (m, c), each once; -1 is none."""

    def _scanned(self, chunk: slice, count: int) -> Rows:
        """The best rows of all, and some more, int64 (m, c)."""
        which, weights = self._which[chunk], self._weights[chunk]
        distinct, inverse = np.unique(np.where(weights == 0, which[:, :1], which), return_inverse=True)
        scanned = self._combined(chunk, self._terms.vectors[distinct], inverse.reshape(which.shape))
        wanted = min(count + self.spare, self._segment.rows)
        return scan(scanned.vectors, self._segment.vectors, len(which), wanted, scanned.combine, scanned.keep)[1]

    @abstractmethod
    def _combined(self, chunk: slice, vectors: Vectors, which: Rows) -> _Scan:
        """What a scan is to multiply with the rows, and what it makes of the products.

        Args:
            vectors: float32 (u, d), of the terms of this chunk.
            which: int64 (m, s), the vector of each term.
        """

    def _scan_us(self) -> float:
        n, terms = max(len(self._terms), 1), self._which.shape[1]
        if n < _SCAN_MIN:
            return float("inf")
        shared = min(len(self._terms.vectors), n) / n * int(self._segment.vectors.shape[1])
        return float(self._segment.rows * (shared * _PRODUCT_NS + (terms + 1) * _COMBINE_NS) / 1e3)

    def _by_index(self, queries: Iterable[Vectors], count: int, effort: Effort) -> Rows:
        """What the index finds for several queries of each analogy, each row once."""
        index = self._segment.index
        # Their own scores come next, so the index need not rank them exactly; where it can't, more are looked at.
        share = _APPROXIMATE_FACTOR if index.needs_rerank else 1
        wanted = min(share * max(_CANDIDATES_MIN, count * _CANDIDATES_PER_HIT), self._segment.rows)
        found = [index.candidates(vectors, wanted, effort) for vectors in queries]
        rows = np.sort(np.concatenate(found, axis=1), axis=1)
        rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = -1
        return rows


class SumFinder(_AnalogyFinder):
    """The items closest to a sum: 3CosAdd and 3CosAvg.

    Args:
        queries: float32 (n, d), the sums, prepared for the metric.
    """

    is_measured = True

    def __init__(self, version: OpenVersion, terms: Terms, queries: Vectors, *, may_scan: bool, threads: int) -> None:
        super().__init__(version, terms, queries, may_scan=may_scan, threads=threads)
        self._metric = version.record.metric

    def find(self, chunk: slice, count: int, effort: Effort, left_out: int) -> tuple[Vectors, Rows]:
        """See `Finder.find`."""
        queries = self.queries[chunk]
        if effort.exact and self._metric is not Metric.EUCLIDEAN and len(queries) >= _SCAN_MIN:
            return super().find(chunk, count, effort, left_out)
        return self._segment.index.search(queries, count, effort, left_out=left_out)

    def _scores(self, chunk: slice, rows: Rows) -> Vectors:
        return exact_scores(self.queries[chunk], self._segment.vectors, rows, self._metric)

    def _candidates(self, chunk: slice, count: int, effort: Effort) -> Rows:
        return self._segment.index.search(self.queries[chunk], count, effort)[1]

    def _combined(self, chunk: slice, vectors: Vectors, which: Rows) -> _Scan:
        analogies, terms = which.shape
        saved = (analogies - len(vectors)) * vectors.shape[1] * _PRODUCT_NS
        if saved > analogies * (terms - 1) * _COMBINE_NS:
            # In proportion: they are added in float32, of which no weight may leave the range.
            weights = self._weights[chunk] / np.abs(self._weights[chunk]).sum(axis=1, keepdims=True)
            if not _cancel(vectors, which, weights):
                return _Scan.of_sums(vectors, which, weights)
        alone = np.arange(analogies)[:, None]
        return _Scan.of_sums(self.queries[chunk], alone, np.ones(alone.shape))

    def _scan_us(self) -> float:
        return float("inf") if self._metric is Metric.EUCLIDEAN else super()._scan_us()


def _cancel(vectors: Vectors, which: Rows, weights: Float64s) -> bool:
    """Whether the terms of an analogy cancel so far that float32 products of them would say little of their sum."""
    total = three_cos_add.totals(vectors, which, weights)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    whole = (np.abs(weights) * lengths[which]).sum(axis=1)
    return bool((np.linalg.norm(total, axis=1) < _CANCELLED * whole).any())


class ProductFinder(_AnalogyFinder):
    """The items of the largest product of similarities: 3CosMul.

    By the index: candidates are the items closest to the sum and to each positive; then, as a step of gradient ascent,
    those closest to the direction in which the score grows at the best of them.

    Args:
        queries: float32 (n, d), the sums of the terms at length 1.
    """

    def __init__(self, version: OpenVersion, terms: Terms, queries: Vectors, *, may_scan: bool, threads: int) -> None:
        super().__init__(version, terms, queries, may_scan=may_scan, threads=threads)
        self._extended = np.concatenate([terms.vectors, np.zeros_like(terms.vectors[:1])])
        self.searches = 2 + int((self._weights > 0).sum(axis=1).max(initial=0))

    def _scores(self, chunk: slice, rows: Rows) -> Vectors:
        return three_cos_mul.product_of_similarities(self._cosines(chunk, rows), self._weights[chunk])

    def _cosines(self, chunk: slice, rows: Rows) -> Iterable[Vectors]:
        which = self._which[chunk]
        for slot in range(which.shape[1]):
            terms = np.ascontiguousarray(self._extended[which[:, slot]])
            yield exact_scores(terms, self._segment.vectors, np.maximum(rows, 0), Metric.COSINE)

    def _candidates(self, chunk: slice, count: int, effort: Effort) -> Rows:
        which, weights = self._which[chunk], self._weights[chunk]
        positives = np.where(weights > 0, which, len(self._extended) - 1)
        # Where an analogy has fewer positives than another, its sum is asked again.
        asked = [self.queries[chunk]]
        for slot in range(which.shape[1]):
            if (weights[:, slot] > 0).any():
                terms = self._extended[positives[:, slot]]
                asked.append(np.where((weights[:, slot] > 0)[:, None], terms, self.queries[chunk]))
        rows = self._by_index(asked, count, effort)
        scores = self._scores(chunk, rows)
        scores[rows < 0] = -np.inf
        best = np.take_along_axis(rows, scores.argmax(axis=1)[:, None], 1)
        cosines = np.concatenate(list(self._cosines(chunk, best)), axis=1).astype(np.float64)
        uphill = three_cos_mul.gradients(self._extended, which, weights, cosines)
        more = self._by_index([uphill], count, effort)
        rows = np.sort(np.concatenate([rows, more], axis=1), axis=1)
        rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = -1
        return rows

    def _combined(self, chunk: slice, vectors: Vectors, which: Rows) -> _Scan:
        weights = self._weights[chunk]
        combine = three_cos_mul.products_of_similarities(which, weights)
        return _Scan(vectors, combine, best_products(which, weights))


class PairFinder(_AnalogyFinder):
    """The items that lie from b as a* lies from a: PairDirection.

    Args:
        ways: float64 (n, d); see `pair_direction.ways`.
    """

    spare = 16  # for what float32 loses near b

    def __init__(self, version: OpenVersion, terms: Terms, ways: Float64s, *, may_scan: bool, threads: int) -> None:
        self._b = terms.vectors[pair_direction.roles(terms)[1]]
        super().__init__(version, terms, self._b, may_scan=may_scan, threads=threads)
        self._ways = ways
        self.searches = len(pair_direction.queries(ways[:1], self._b[:1]))

    def _scores(self, chunk: slice, rows: Rows) -> Vectors:
        scores = np.empty(rows.shape, dtype=np.float32)
        for line, (b, way) in enumerate(zip(self._b[chunk], self._ways[chunk], strict=True)):
            candidates = as_float32(self._segment.vectors[np.maximum(rows[line], 0)])
            scores[line] = pair_direction.exact_cosines(candidates[None], b[None], way[None])[0]
        return scores

    def _candidates(self, chunk: slice, count: int, effort: Effort) -> Rows:
        return self._by_index(pair_direction.queries(self._ways[chunk], self._b[chunk]), count, effort)

    def _combined(self, chunk: slice, vectors: Vectors, which: Rows) -> _Scan:
        lines = Terms(vectors, which.ravel(), np.full(len(which), 3), self._weights[chunk].ravel())
        return _Scan(vectors, pair_direction.cosines_of_ways(lines, self._ways[chunk]))
