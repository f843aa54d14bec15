"""Graphs: a search walks from row to row along links, keeping the ef_search best it has met.

Node i of a finished graph is row i of the matrix, so FAISS reads the vectors in the matrix itself, and the file holds
links only (for hnsw-sq8 8-bit codes as well). While a graph is built FAISS holds a copy of the vectors added so far, as
the matrix does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from vecinity.indexer.ann.borrowed import borrowed_storage
from vecinity.indexer.ann.effort import Effort
from vecinity.indexer.ann.scores import Rows
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.ann.spec import Family, IndexSpec
from vecinity.indexer.ann.structure import Structure, empty_faiss, read_faiss, train_faiss
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import StoredVectors, as_float32

NO_ROWS: Rows = np.empty(0, dtype=np.int64)


class Graph(Structure):
    """What the graphs share: nodes in the order of adding, until all rows are there."""

    def __init__(self, spec: IndexSpec, metric: Metric, vectors: StoredVectors, faiss_index: Any) -> None:
        super().__init__(spec, metric, vectors, faiss_index)
        self._added: list[Rows] = []
        # The row of each node; None where they are the same number.
        self._rows: Rows | None = None
        self._storage: Any = None

    def rows_of(self, nodes: Rows) -> Rows:
        if self._rows is None or not len(self._rows):
            return nodes
        return np.where(nodes < 0, -1, self._rows[nodes])

    def borrow(self, index: Any) -> None:
        """Let a graph read its vectors in the matrix; what it had of its own goes."""
        self._storage = borrowed_storage(self.vectors, self.metric)
        own = index.storage if index.own_fields else None
        index.storage, index.own_fields = self._storage, False
        if own is not None:
            own.this.own(True)  # Python frees it now


def _read(path: str) -> Any:
    return faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)


class Hnsw(Graph):
    """Hierarchical navigable small world (Malkov & Yashunin 2018), over vectors or 8-bit codes."""

    @classmethod
    def train(cls, spec: IndexSpec, metric: Metric, vectors: StoredVectors, sample: Rows) -> Hnsw:
        index = empty_faiss(spec, metric, vectors)
        index.hnsw.efConstruction = spec.ef_construction
        if not index.is_trained:
            train_faiss(index, spec, vectors, sample)
        return cls(spec, metric, vectors, index)

    def add(self, rows: Rows) -> None:
        self.faiss.add(as_float32(self.vectors[rows]))
        self._added.append(rows)

    def finish(self) -> None:
        rows = np.concatenate([NO_ROWS, *self._added])
        if len(rows) < len(self.vectors):
            self._rows = rows
        elif len(rows):
            nodes = np.argsort(rows).astype(np.int64)
            if self.spec.family is Family.HNSW:
                # The copy goes before the links are put in order, which would copy it once more.
                self.borrow(self.faiss)
                self.faiss.hnsw.permute_entries(faiss.swig_ptr(nodes))
            else:
                self.faiss.permute_entries(nodes)
            self._added, self._rows = [], None

    def find(self, queries: Vectors, count: int, effort: Effort, within: RowSet | None) -> tuple[Vectors, Rows]:
        if within is not None and self._rows is not None:
            within = RowSet.of(within.mask[self._rows])
        parameters = faiss.SearchParametersHNSW(
            # FAISS takes memory for as many candidates as it is told to keep.
            efSearch=min(max(effort.ef_search, count), len(self.vectors)),
            sel=None if within is None else within.selector,
        )
        scores, nodes = self.faiss.search(queries, count, params=parameters)
        return scores, self.rows_of(nodes)

    def save(self, path: Path) -> None:
        flags = faiss.IO_FLAG_SKIP_STORAGE if self.spec.family is Family.HNSW else 0
        faiss.write_index(self.faiss, str(path), flags)

    @classmethod
    def load(cls, path: Path, spec: IndexSpec, metric: Metric, vectors: StoredVectors) -> Hnsw:
        graph = cls(spec, metric, vectors, read_faiss(path, len(vectors), _read))
        # Segments of the first releases hold vectors of their own and a map from nodes to rows, which FAISS follows.
        if isinstance(graph.faiss, faiss.IndexHNSW) and graph.faiss.storage is None:
            graph.borrow(graph.faiss)
        return graph
