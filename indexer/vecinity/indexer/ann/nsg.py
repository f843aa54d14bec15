"""Navigating spreading-out graphs: one layer of links, made of all items at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from vecinity.indexer.ann.effort import Effort
from vecinity.indexer.ann.graphs import NO_ROWS, Graph
from vecinity.indexer.ann.nsg_linking import linked
from vecinity.indexer.ann.scores import Rows
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.ann.spec import IndexSpec
from vecinity.indexer.ann.structure import metric_of, read_faiss
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import StoredVectors, as_float32

_LINKED_ROWS_MIN = 200
"""Fewer are compared one by one, as quickly."""

_CHUNK_ROWS = 8_192
_EFFORTS_MAX = 64


class Nsg(Graph):
    """Navigating spreading-out graph (Fu et al. 2019), made of all rows at once from their nearest neighbours.

    FAISS reads ef_search (its search_L) from the index, not from the call, and knows no selector: so each effort has
    an index of its own that shares the graph, and a set of rows is left to whoever asks.
    """

    def __init__(self, spec: IndexSpec, metric: Metric, vectors: StoredVectors, faiss_index: Any) -> None:
        super().__init__(spec, metric, vectors, faiss_index)
        self._of_effort: dict[int, Any] = {}

    @classmethod
    def train(cls, spec: IndexSpec, metric: Metric, vectors: StoredVectors, sample: Rows) -> Nsg:
        return cls(spec, metric, vectors, None)

    def add(self, rows: Rows) -> None:
        self._added.append(rows)

    def finish(self) -> None:
        rows = np.sort(np.concatenate([NO_ROWS, *self._added]))
        self._rows = rows if len(rows) < len(self.vectors) else None
        self._of_effort = {}
        self.faiss = faiss.IndexNSGFlat(self.vectors.shape[1], self.spec.m, metric_of(self.metric))
        if len(rows) >= _LINKED_ROWS_MIN:
            vectors = as_float32(self.vectors if self._rows is None else self.vectors[rows])
            self.faiss = linked(vectors, self.spec.m, metric_of(self.metric))

    def find(self, queries: Vectors, count: int, effort: Effort, within: RowSet | None) -> tuple[Vectors, Rows]:
        assert within is None, "NSG takes no selector"
        if not self.faiss.ntotal:  # too few rows for a graph: whoever asks completes the answer
            return np.zeros((len(queries), count), dtype=np.float32), np.full((len(queries), count), -1, dtype=np.int64)
        length = min(max(effort.ef_search, count), len(self.vectors))
        scores, nodes = self._with(length).search(queries, count)
        return scores, self.rows_of(nodes)

    def _with(self, length: int) -> Any:
        index = self._of_effort.get(length)
        if index is None:
            index = faiss.IndexNSGFlat(self.vectors.shape[1], self.spec.m, metric_of(self.metric))
            made = self.faiss
            index.nsg.final_graph, index.nsg.enterpoint = made.nsg.final_graph, made.nsg.enterpoint
            index.nsg.ntotal, index.ntotal = made.nsg.ntotal, made.ntotal
            index.nsg.is_built = index.is_built = index.is_trained = True
            index.nsg.search_L = length
            index.storage, index.own_fields = made.storage, False
            if len(self._of_effort) >= _EFFORTS_MAX:
                self._of_effort = {}
            self._of_effort[length] = index
        return index

    def save(self, path: Path) -> None:
        # FAISS insists on a storage of as many rows and dimensions, of any kind: one of a byte a row.
        stand_in = faiss.IndexLSH(self.vectors.shape[1], 1, False, False)
        for begin in range(0, self.faiss.ntotal, _CHUNK_ROWS):
            count = min(_CHUNK_ROWS, self.faiss.ntotal - begin)
            stand_in.add(np.zeros((count, self.vectors.shape[1]), dtype=np.float32))
        storage, owns = self.faiss.storage, self.faiss.own_fields
        self.faiss.own_fields, self.faiss.storage = False, stand_in
        try:
            faiss.write_index(self.faiss, str(path))
        finally:
            self.faiss.storage, self.faiss.own_fields = storage, owns

    @classmethod
    def load(cls, path: Path, spec: IndexSpec, metric: Metric, vectors: StoredVectors) -> Nsg:
        rows = len(vectors) if len(vectors) >= _LINKED_ROWS_MIN else 0
        graph = cls(spec, metric, vectors, read_faiss(path, rows))
        graph.borrow(graph.faiss)
        return graph
