"""In which inverted list of an IVF index each row is, and the search in lists of each query's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann.ranked_lists import RankedLists, Visits
from vecinity.indexer.ann.scores import Rows, exact_scores
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.metric import Metric, Vectors


@dataclass(frozen=True, slots=True)
class Lists:
    """The inverted lists of an index.

    Attributes:
        of_row: int32 (rows,), the list that holds each row.
        sizes: int64 (nlist,), rows in each list.
    """

    of_row: NDArray[np.int32]
    sizes: NDArray[np.int64]
    _index: Any
    _centroids: Vectors

    @classmethod
    def read(cls, index: Any, rows: int) -> Lists | None:
        """The lists of a FAISS index; None if it has none. Reads the numbers of all rows once."""
        if index is None or (ivf := faiss.try_extract_index_ivf(index)) is None:
            return None
        lists = ivf.invlists
        sizes = np.fromiter((lists.list_size(i) for i in range(ivf.nlist)), np.int64, ivf.nlist)
        of_row = np.zeros(rows, dtype=np.int32)
        for number in np.flatnonzero(sizes).tolist():
            ids = lists.get_ids(number)
            of_row[faiss.rev_swig_ptr(ids, int(sizes[number]))] = number
            lists.release_ids(number, ids)
        quantizer = faiss.downcast_index(ivf.quantizer)  # which the index keeps alive, and with it these numbers
        centroids = faiss.rev_swig_ptr(quantizer.get_xb(), ivf.nlist * quantizer.d).reshape(ivf.nlist, quantizer.d)
        return cls(of_row, sizes, index, centroids)

    def count(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of `rows` each list holds, int64 (nlist,)."""
        return np.bincount(self.of_row[rows], minlength=len(self.sizes)).astype(np.int64)

    def ranked(self, queries: Vectors, counts: NDArray[np.int64]) -> RankedLists:
        """All lists in the order in which each query visits them.

        Args:
            queries: float32 (n, d), prepared.
            counts: int64 (nlist,), how many of the rows wanted each list holds, as `count` says.
        """
        queries = self._transformed(queries)
        scores = self._scores_of_centroids(queries)
        # All lists: NumPy sorts 512 in 7 µs a query, where FAISS's heap takes as long for a few dozen.
        nearest = np.argsort(-scores, axis=1).astype(np.int64, copy=False)
        return RankedLists(queries, nearest, scores, np.cumsum(counts[nearest], axis=1), self.sizes, self.of_row)

    def search(self, visits: Visits, count: int, within: RowSet) -> tuple[Vectors, Rows]:
        """What FAISS finds in the lists of each query's own.

        Args:
            within: The rows that may be found.

        Returns:
            FAISS's distances or products float32 (n, count), best first, and rows int64 (n, count), -1 for none.
        """
        ivf = faiss.try_extract_index_ivf(self._index)
        n, nprobe = visits.lists.shape
        found_scores = np.empty((n, count), dtype=np.float32)
        rows = np.empty((n, count), dtype=np.int64)
        centroid_scores = visits.scores if ivf.metric_type == faiss.METRIC_INNER_PRODUCT else -visits.scores
        asked, lists, centroids, scores, found = (
            faiss.swig_ptr(array) for array in (visits.queries, visits.lists, centroid_scores, found_scores, rows)
        )
        parameters = faiss.SearchParametersIVF(nprobe=nprobe, sel=within.selector)
        # FAISS's own wrapper of it takes no parameters, so no selector.
        ivf.search_preassigned_c(n, asked, count, lists, centroids, scores, found, False, parameters)
        return found_scores, rows

    def visited(self, queries: Vectors, nprobe: int) -> NDArray[np.int64]:
        """The lists that each query visits, nearest first: int64 (n, nprobe); -1 where there are fewer.

        Args:
            queries: float32 (n, d), prepared.
        """
        quantizer = faiss.try_extract_index_ivf(self._index).quantizer
        nearest: NDArray[np.int64] = quantizer.search(self._transformed(queries), nprobe)[1]
        return nearest

    def turns(self, visited: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """When a query meets each of some rows: 0 for one in the first list that it visits, and so on.

        Args:
            visited: int64 (n, nprobe), what `visited` gave.
            rows: int64 (n, c), candidates of each query; -1 for none.

        Returns:
            int32 (n, c); nprobe for a row in none of these lists.
        """
        n, nprobe = visited.shape
        # One column more than there are lists: -1 lands in it.
        turn_of_list = np.full((n, len(self.sizes) + 1), nprobe, dtype=np.int32)
        np.put_along_axis(turn_of_list, visited, np.arange(nprobe, dtype=np.int32)[None], axis=1)
        turn_of_list[:, -1] = nprobe
        turns: NDArray[np.int32] = np.take_along_axis(turn_of_list, np.where(rows < 0, -1, self.of_row[rows]), axis=1)
        return turns

    def rows_seen(self, visited: NDArray[np.int64]) -> NDArray[np.float64]:
        """The mean number of rows in the first 1, 2, … nprobe lists; float64 (nprobe,)."""
        seen: NDArray[np.float64] = np.append(self.sizes, 0)[visited].cumsum(axis=1).mean(axis=0)
        return seen

    def _scores_of_centroids(self, queries: Vectors) -> Vectors:
        """float32 (n, nlist), higher is closer."""
        if self._index.metric_type == faiss.METRIC_INNER_PRODUCT:
            products: Vectors = queries @ self._centroids.T
            return products
        every = np.tile(np.arange(len(self._centroids), dtype=np.int64), (len(queries), 1))
        return exact_scores(queries, self._centroids, every, Metric.EUCLIDEAN)  # a product would lose small distances

    def _transformed(self, queries: Vectors) -> Vectors:
        """The queries as the quantizer of the lists sees them, float32 (n, d')."""
        if isinstance(self._index, faiss.IndexPreTransform):
            for position in range(self._index.chain.size()):
                queries = faiss.downcast_VectorTransform(self._index.chain.at(position)).apply(queries)
        return np.ascontiguousarray(queries)
