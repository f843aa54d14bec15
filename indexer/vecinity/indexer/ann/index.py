"""An index over the rows of a matrix: train, add, search, save, open."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from vecinity.indexer.ann.effort import CANDIDATES_K_MIN, Effort
from vecinity.indexer.ann.exact import exact_search
from vecinity.indexer.ann.graphs import Hnsw
from vecinity.indexer.ann.inverted_lists import InvertedLists
from vecinity.indexer.ann.lists import Lists
from vecinity.indexer.ann.nsg import Nsg
from vecinity.indexer.ann.ranked_lists import Visits
from vecinity.indexer.ann.scores import Rows, best, exact_scores
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.ann.spec import INVERTED_LISTS, Family, IndexSpec
from vecinity.indexer.ann.structure import Structure
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.once import Once
from vecinity.indexer.stored_vectors import StoredVectors

_STRUCTURES: dict[Family, type[Structure]] = {
    **dict.fromkeys(INVERTED_LISTS, InvertedLists),
    Family.HNSW: Hnsw,
    Family.HNSW_SQ8: Hnsw,
    Family.NSG: Nsg,
}
"""Flat needs none: the matrix is scanned."""

_DEEPER = 8


def set_threads(count: int) -> None:
    """Threads that FAISS may use for calls made from the *calling* thread."""
    faiss.omp_set_num_threads(count)


class Index:
    """What finds candidates, together with the matrix whose rows they are.

    Args:
        spec: Family and settings.
        metric: Of the matrix.
        vectors: (rows, d), prepared for the metric, usually memory-mapped.
        structure: What FAISS made or read; None for flat.
    """

    def __init__(
        self, spec: IndexSpec, metric: Metric, vectors: StoredVectors, structure: Structure | None = None
    ) -> None:
        self.spec = spec
        self.metric = metric
        self.vectors = vectors
        self._structure = structure
        self._finished = True
        self._lists: Once[Lists | None] = Once()

    @classmethod
    def train(cls, spec: IndexSpec, metric: Metric, vectors: StoredVectors, sample: Rows) -> Index:
        """An empty index for `vectors`, trained on the rows in `sample` (int64, sorted).

        Raises:
            InputError: There are too few rows for what is to be learnt.
        """
        kind = _STRUCTURES.get(spec.family)
        return cls(spec, metric, vectors, kind.train(spec, metric, vectors, sample) if kind else None)

    def add(self, rows: Rows) -> None:
        """Index the given rows (int64) of the matrix; each row once, in any order."""
        if self._structure is not None:
            self._structure.add(rows)
            self._finished = False

    def finish(self) -> None:
        """Make what is searched of the rows added; a search or `save` does so too, if need be.

        For some families that is the main work. More may be added afterwards where the spec's `can_add` says so.
        """
        if self._structure is not None and not self._finished:
            self._structure.finish()
            self._finished = True

    @property
    def lists(self) -> Lists | None:
        """Which inverted list holds each row, read when first asked for; None where there are no lists."""
        return self._lists.get(self.read_lists)

    def read_lists(self) -> Lists | None:
        """`lists` as they are at the moment, which is not kept: rows may be added yet."""
        return Lists.read(self._structure.faiss, len(self.vectors)) if self._structure is not None else None

    @property
    def needs_rerank(self) -> bool:
        """Whether FAISS's own scores are approximate, so that its candidates are scored again from the matrix."""
        return self.spec.needs_rerank

    def search(
        self,
        queries: Vectors,
        k: int,
        effort: Effort,
        *,
        left_out: int = 0,
        complete: bool = True,
        within: RowSet | None = None,
    ) -> tuple[Vectors, Rows]:
        """The k closest rows that the effort finds.

        Args:
            queries: float32 (n, d), prepared for the metric.
            k: Hits for each query, at least 1.
            effort: Must be of this family, or `EXACT`.
            left_out: So many of the k are in the way of the caller's, who knows them: the effort is for the others, and
                each of these costs one candidate more.
            complete: Whether a query that finds fewer rows than it could is searched exactly.
            within: The rows that may be found; None for all.

        Returns:
            Scores float32 (n, k), descending, and rows int64 (n, k); if complete, -inf and -1 only where there are
            fewer than k rows that may be found.
        """
        size = len(self.vectors) if within is None else within.count
        if self._structure is None or effort.exact or not size:
            return exact_search(queries, self.vectors, k, self.metric, within)
        if left_out and effort.ef_search:
            effort = effort.at_depth(effort.ef_search + left_out)  # they take places on the way through the graph
        candidates = self._candidates_of(k, effort, size, left_out)
        scores, rows = self._find(queries, k, candidates, effort, within)
        return self.completed(scores, rows, queries, k, within) if complete else (scores, rows)

    def search_visits(
        self, queries: Vectors, k: int, effort: Effort, visits: Visits, within: RowSet, *, left_out: int = 0
    ) -> tuple[Vectors, Rows]:
        """As `search`, with lists of its own for each query instead of as many for all, and not completed.

        Args:
            effort: Its nprobe plays no part.
            visits: What the `RankedLists` of this index's `lists` say.
            within: The rows that may be found, at least one.
        """
        assert self.lists is not None
        candidates = self._candidates_of(k, effort, within.count, left_out)
        return self._best(queries, k, *self._as_scores(*self.lists.search(visits, candidates, within)))

    def _candidates_of(self, k: int, effort: Effort, size: int, left_out: int = 0) -> int:
        if not self.needs_rerank:
            return k
        return max(min(max(k - left_out, CANDIDATES_K_MIN) * effort.k_factor + left_out, size), k)

    def completed(
        self, scores: Vectors, rows: Rows, queries: Vectors, k: int, within: RowSet | None
    ) -> tuple[Vectors, Rows]:
        """What a search found, where queries that found fewer than k rows, though there are more, search exactly."""
        size = len(self.vectors) if within is None else within.count
        if rows[:, min(k, size) - 1].min(initial=0) < 0:
            short = rows[:, min(k, size) - 1] < 0
            scores[short], rows[short] = exact_search(queries[short], self.vectors, k, self.metric, within)
        return scores, rows

    def candidates(self, queries: Vectors, count: int, effort: Effort) -> Rows:
        """What FAISS finds, best first by its own scores, which are approximate where `needs_rerank`.

        Args:
            queries: float32 (n, d), prepared for the metric.
            count: Candidates of each query; a search with a k_factor looks at the first max(k, 10) · k_factor.
            effort: Must be of this family; its k_factor plays no part.

        Returns:
            int64 (n, count); -1 where there are fewer.
        """
        if self._structure is None or effort.exact:
            return exact_search(queries, self.vectors, count, self.metric)[1]
        return self._ask(queries, count, effort, None)[1]

    def _find(
        self, queries: Vectors, k: int, count: int, effort: Effort, within: RowSet | None
    ) -> tuple[Vectors, Rows]:
        """The k best of `count` candidates, scored exactly; -inf and -1 where there are fewer."""
        if self.needs_rerank and (within is None or self.spec.can_select):
            assert self._structure is not None
            self.finish()
            if (found := self._structure.find_and_rerank(queries, k, count, effort, within)) is not None:
                return self._as_scores(*found)
        return self._best(queries, k, *self._ask(queries, count, effort, within))

    def _best(self, queries: Vectors, k: int, scores: Vectors, rows: Rows) -> tuple[Vectors, Rows]:
        """The k best of candidates by exact scores."""
        # Vectors of float16 are found by other code than scores them, which adds up in another order.
        if self.needs_rerank or self.vectors.dtype == np.float16:
            return best(exact_scores(queries, self.vectors, rows, self.metric), rows, k)
        return scores, rows

    def _as_scores(self, found: Vectors, rows: Rows) -> tuple[Vectors, Rows]:
        """FAISS's own answer as scores, higher for closer; -inf where rows are -1, which end a line."""
        if self.metric is Metric.EUCLIDEAN:
            np.negative(found, out=found)
        if rows[:, -1].min(initial=0) < 0:
            found[rows < 0] = -np.inf
        return found, rows

    def _ask(self, queries: Vectors, count: int, effort: Effort, within: RowSet | None) -> tuple[Vectors, Rows]:
        """FAISS's own answer: scores float32 (n, count), descending, -inf where rows, int64 (n, count), are -1."""
        assert self._structure is not None
        self.finish()
        if within is not None and not self.spec.can_select:
            return self._sift(queries, count, effort, within)
        return self._as_scores(*self._structure.find(queries, count, effort, within))

    def _sift(self, queries: Vectors, count: int, effort: Effort, within: RowSet) -> tuple[Vectors, Rows]:
        """`_ask` for a structure that can't be told which rows count: look as deep as their share of all demands.

        Twice as deep as that on average, but no deeper than where comparing with every row of the set is cheaper.
        """
        depth = 2 * -(-count * within.size // within.count)
        if depth * _DEEPER > within.count:
            return exact_search(queries, self.vectors, count, self.metric, within)
        scores, rows = self._ask(queries, depth, effort, None)
        rows[~within.holds(rows)] = -1
        scores[rows < 0] = -np.inf
        return best(scores, rows, count)

    def save(self, path: Path) -> None:
        """Write what FAISS holds; a flat index has nothing to write."""
        if self._structure is not None:
            self.finish()
            self._structure.save(path)

    @classmethod
    def load(cls, path: Path, spec: IndexSpec, metric: Metric, vectors: StoredVectors) -> Index:
        """Open what `save` wrote; the package's docstring says what of it is memory-mapped.

        An index file is code to FAISS: give only paths inside the data directory, with checksums verified.

        Raises:
            CorruptError: FAISS can't read the file, or it holds another number of rows.
        """
        kind = _STRUCTURES.get(spec.family)
        return cls(spec, metric, vectors, kind.load(path, spec, metric, vectors) if kind else None)
