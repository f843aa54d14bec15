"""Candidates and their exact scores by one call to FAISS, from the matrix as it lies, perhaps on the disk.

FAISS's IndexRefineFlat re-ranks what another index finds, and takes a copy of the vectors to do so. Here it is given a
storage that borrows them. A lone query takes two thirds of the time that two calls and the steps between them take.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from vecinity.indexer.ann.borrowed import borrow
from vecinity.indexer.ann.scores import Rows
from vecinity.indexer.metric import Vectors
from vecinity.indexer.stored_vectors import StoredVectors

_PARAMETERS_MAX = 256


class Reranking:
    """What FAISS's index over a matrix finds, scored by the vectors of the matrix.

    Args:
        index: FAISS's, whose ids are rows of the matrix.
        vectors: float32 (rows, d), C-contiguous, perhaps mapped.
    """

    def __init__(self, index: Any, vectors: StoredVectors) -> None:
        self._vectors = vectors  # which FAISS does not keep alive
        self._index = index
        # It can be made over an index that is empty, or else with vectors to copy. Its storage is its own, the index is
        # not: to assign either would leave it to nobody to free.
        rows, index.ntotal = index.ntotal, 0
        self._refine = faiss.IndexRefineFlat(index)
        index.ntotal = rows
        borrow(faiss.downcast_index(self._refine.refine_index), vectors)
        self._refine.ntotal = len(vectors)
        self._parameters: dict[tuple[int, int, int], Any] = {}

    def search(self, queries: Vectors, k: int, count: int, depth: int, parameters: Any) -> tuple[Vectors, Rows]:
        """The k best of the first `count` candidates.

        Args:
            queries: float32 (n, d), prepared.
            depth: Stands for the parameters, which are remembered by it; 0 for those that are made anew each time.
            parameters: FAISS's, for its index.

        Returns:
            FAISS's distances or products float32 (n, k), best first, and rows int64 (n, k), -1 where there are fewer.
        """
        key = (k, count, depth)
        refined = self._parameters.get(key) if depth else None
        if refined is None:
            # FAISS takes k times the factor, and drops what is behind the point.
            refined = faiss.IndexRefineSearchParameters(k_factor=(count + 0.5) / k, base_index_params=parameters)
            if depth:
                if len(self._parameters) >= _PARAMETERS_MAX:
                    self._parameters.clear()
                self._parameters[key] = refined
        return search(self._refine, queries, k, refined)


def search(index: Any, queries: Vectors, k: int, parameters: Any) -> tuple[Vectors, Rows]:
    """FAISS's search without its wrapper, which takes longer than many a search of one query."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    n, d = queries.shape
    if d != index.d:
        raise ValueError(f"queries of {d} numbers, where the index has {index.d}")
    scores = np.empty((n, k), dtype=np.float32)
    rows = np.empty((n, k), dtype=np.int64)
    pointers = (faiss.swig_ptr(array) for array in (queries, scores, rows))
    asked, found_scores, found_rows = pointers
    index.search_c(n, asked, k, found_scores, found_rows, parameters)
    return scores, rows
