"""The inverted lists as each of some queries visits them, nearest first, and what it sees on the way.

A filter thins the lists out, evenly or not: its rows may all lie near a query, or all far from it. Lists are therefore
not counted but what they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann.scores import Rows
from vecinity.indexer.metric import Vectors


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
class RankedLists:
    """All lists of each of n queries.

    Attributes:
        queries: float32 (n, d'), as the quantizer of the lists sees them.
        nearest: int64 (n, nlist), the lists, nearest first.
        scores: float32 (n, nlist), of the centroids in the order of the lists' numbers; higher is closer.
        held: int64 (n, nlist), how many of the rows wanted are in the first 1, 2, … of `nearest`.
        sizes: int64 (nlist,), rows in each list, wanted or not.
        of_row: int32 (rows,), the list that holds each row.
    """

    queries: Vectors
    nearest: NDArray[np.int64]
    scores: NDArray[np.float32]
    held: NDArray[np.int64]
    sizes: NDArray[np.int64]
    of_row: NDArray[np.int32]

    def of(self, lines: NDArray[np.int64]) -> RankedLists:
        """Those of some of the queries."""
        return RankedLists(
            self.queries[lines],
            self.nearest[lines],
            self.scores[lines],
            self.held[lines],
            self.sizes,
            self.of_row,
        )

    def depths(self, wanted: float | NDArray[Any], nprobe: int = 1) -> NDArray[np.int64]:
        """How many lists each query must visit to see so many of the rows wanted: int64 (n,), at least `nprobe`.

        Args:
            wanted: For all queries, or for each, (n,). Where there are fewer, all that hold one are visited.
        """
        held = self.held
        enough = np.minimum(wanted, held[:, -1])
        depths: NDArray[np.int64] = np.maximum((held < enough[:, None]).sum(axis=1) + 1, nprobe)
        return np.minimum(depths, held.shape[1])

    def held_by(self, depths: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of the rows wanted are in so many lists of each query: int64 (n,)."""
        held: NDArray[np.int64] = self.held[np.arange(len(depths)), depths - 1]
        return held

    def seen(self, visits: Visits) -> NDArray[np.int64]:
        """How many rows, wanted or not, are in the lists that each query visits: int64 (n,)."""
        seen: NDArray[np.int64] = np.where(visits.lists < 0, 0, self.sizes[visits.lists]).sum(axis=1)
        return seen

    def nearness(self, nprobe: int) -> NDArray[np.float64]:
        """How dense the rows wanted are among all rows of the first lists: float64 (n,), from 0 to 1."""
        seen = self.sizes[self.nearest[:, :nprobe]].sum(axis=1)
        shares: NDArray[np.float64] = self.held[:, min(nprobe, self.held.shape[1]) - 1] / np.maximum(seen, 1)
        return shares

    def visits(self, ends: NDArray[np.int64], begins: NDArray[np.int64] | int = 0) -> Visits:
        """What each query visits of its lists, from the place `begins` up to `ends`, both int64 (n,).

        A list without any row wanted is passed over.
        """
        last = int(ends.max(initial=1))
        places, nearest = np.arange(last), self.nearest[:, :last]
        passed_over = np.diff(self.held[:, :last], axis=1, prepend=0) == 0
        passed_over |= (places >= ends[:, None]) | (places < np.reshape(begins, (-1, 1)))
        # Those visited to the front: some families of FAISS prepare tables for each place, also where it holds none.
        width = max(int((~passed_over).sum(axis=1).max(initial=0)), 1)
        front = np.argsort(passed_over, axis=1, kind="stable")[:, :width]
        visited = np.take_along_axis(np.where(passed_over, -1, nearest), front, axis=1)
        return Visits(self.queries, visited, np.take_along_axis(self.scores, np.maximum(visited, 0), axis=1))

    def late(self, rows: Rows, depths: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share of the rows found that are in the second half of what was seen: float64 (n,).

        Args:
            rows: int64 (n, c), found in the first lists; -1 for none.
            depths: int64 (n,), how many lists each query visited. Its first half are those that hold half the rows.
        """
        last = self.depths(self.held_by(depths) / 2) - 1  # of the first half
        lines = np.arange(len(rows))
        half = self.scores[lines, self.nearest[lines, last]]
        found = rows >= 0
        late = (self.scores[lines[:, None], self.of_row[rows]] < half[:, None]) & found
        shares: NDArray[np.float64] = late.sum(axis=1) / np.maximum(found.sum(axis=1), 1)
        return shares
