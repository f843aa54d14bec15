"""In which inverted list of an IVF index each row is, which lists a filtered search must visit, and the search there.

A filter thins the lists out, evenly or not: its rows may all lie near a query, or all far from it. Lists are therefore
not counted but what they hold: the lists nearest to a query are visited until they hold enough rows of the filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann.scores import Rows, exact_scores
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.metric import Metric, Vectors


@dataclass(frozen=True, slots=True)
class Visits:
    """The inverted lists that queries visit.

    Attributes:
        queries: float32 (n, d'), C-contiguous, as the quantizer of the lists sees them.
        lists: int64 (n, nprobe), C-contiguous, nearest first; -1 for none, at the end of a line.
        scores: float32 (n, nprobe), C-contiguous, of their centroids; higher is closer.
    """

    queries: Vectors
    lists: NDArray[np.int64]
    scores: NDArray[np.float32]


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

    def visits(self, queries: Vectors, counts: NDArray[np.int64], wanted: float, nprobe: int) -> Visits:
        """Which lists each query must visit, nearest first, to see `wanted` of the rows counted in `counts`.

        Args:
            queries: float32 (n, d), prepared.
            counts: int64 (nlist,), what `count` gave. A list that holds none is passed over.
            wanted: At least 1; if there are fewer rows, all lists that hold one are visited.
            nprobe: So many of the nearest are looked at in any case.
        """
        queries = self._transformed(queries)
        scores = self._scores_of_centroids(queries)
        nearest, held, probes = _ranked(scores, counts, wanted, nprobe)
        passed_over = (held == 0) | (np.arange(len(counts)) >= probes[:, None])
        # Those visited to the front: some families of FAISS prepare tables for each place, also where it holds none.
        width = max(int((~passed_over).sum(axis=1).max(initial=0)), 1)
        front = np.argsort(passed_over, axis=1, kind="stable")[:, :width]
        nearest[passed_over] = -1
        visited = np.take_along_axis(nearest, front, axis=1)
        return Visits(queries, visited, np.take_along_axis(scores, np.maximum(visited, 0), axis=1))

    def depth(self, query: Vectors, counts: NDArray[np.int64], wanted: float, nprobe: int) -> int:
        """How many lists one query must visit, nearest first, also those that hold none; arguments as of `visits`."""
        scores = self._scores_of_centroids(self._transformed(query))
        return int(_ranked(scores, counts, wanted, nprobe)[2][0])

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


def _ranked(
    scores: NDArray[np.float32], counts: NDArray[np.int64], wanted: float, nprobe: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All lists of each query, nearest first, how many rows counted each holds, and how many lists it must visit."""
    # All lists: NumPy sorts 512 in 7 µs a query, where FAISS's heap takes as long for a few dozen.
    nearest = np.argsort(-scores, axis=1).astype(np.int64, copy=False)
    held = counts[nearest]
    enough = min(int(np.ceil(wanted)), int(counts.sum()))
    probes = np.maximum((np.cumsum(held, axis=1) < enough).sum(axis=1) + 1, nprobe)
    return nearest, held, np.minimum(probes, len(counts))
