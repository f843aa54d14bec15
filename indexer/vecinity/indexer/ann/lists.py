"""In which inverted list of an IVF index each row is, and how many lists a filtered search must visit.

A filter thins the lists out, evenly or not: its rows may all lie near a query, or all far from it. Lists are therefore
not counted but what they hold: the lists nearest to a query are visited until they hold enough rows of the filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.metric import Vectors

_FIRST_LOOK = 4


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
        return cls(of_row, sizes, index)

    def count(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of `rows` each list holds, int64 (nlist,)."""
        return np.bincount(self.of_row[rows], minlength=len(self.sizes)).astype(np.int64)

    def probes(self, queries: Vectors, counts: NDArray[np.int64], wanted: float, nprobe: int) -> NDArray[np.int64]:
        """How many lists each query must visit, nearest first, to see `wanted` of the rows counted in `counts`.

        Args:
            queries: float32 (n, d), prepared.
            counts: int64 (nlist,), what `count` gave.
            wanted: At least 1; if there are fewer rows, all lists that hold one are visited.
            nprobe: A guess, which no answer is below.

        Returns:
            int64 (n,), from `nprobe` to nlist.
        """
        ivf = faiss.try_extract_index_ivf(self._index)
        queries = self._transformed(queries)
        enough = min(int(np.ceil(wanted)), int(counts.sum()))
        probes = np.full(len(queries), ivf.nlist, dtype=np.int64)
        open_queries = np.arange(len(queries))
        # Ranking all lists costs more than visiting the few that most queries need.
        for looked_at in dict.fromkeys((min(_FIRST_LOOK * nprobe, ivf.nlist), ivf.nlist)):
            _, nearest = ivf.quantizer.search(np.ascontiguousarray(queries[open_queries]), looked_at)
            seen = np.cumsum(np.where(nearest < 0, 0, counts[nearest]), axis=1)
            done = seen[:, -1] >= enough
            probes[open_queries[done]] = (seen[done] < enough).sum(axis=1) + 1
            open_queries = open_queries[~done]
            if not len(open_queries):
                break
        return np.clip(probes, min(nprobe, ivf.nlist), ivf.nlist)

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

    def _transformed(self, queries: Vectors) -> Vectors:
        """The queries as the quantizer of the lists sees them, float32 (n, d')."""
        if isinstance(self._index, faiss.IndexPreTransform):
            for position in range(self._index.chain.size()):
                queries = faiss.downcast_VectorTransform(self._index.chain.at(position)).apply(queries)
        return np.ascontiguousarray(queries)
