"""Inverted lists: each row is in the list of its nearest centroid, and a search visits nprobe lists.

What a list holds of a row is the vector itself (ivf-flat), or a code: 4 bits for each few dimensions (ivf-pq), 8 or 4
bits for each dimension (ivf-sq8, ivf-sq4), a sign for each (ivf-rabitq: Gao & Long 2024). 4-bit codes and signs are
laid out for FAISS's FastScan, which keeps its tables in registers (André et al. 2015). A transform may come before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from vecinity.indexer.ann.effort import Effort
from vecinity.indexer.ann.mapped_blocks import never_read_ahead, read_blocks, write_blocks
from vecinity.indexer.ann.reranking import Reranking, search
from vecinity.indexer.ann.scores import Rows
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.ann.spec import Family, IndexSpec, Transform
from vecinity.indexer.ann.structure import SEED, Structure, empty_faiss, read_faiss, train_faiss
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import StoredVectors, as_float32

_ROUNDS = 6
"""Of k-means. FAISS takes 10 for lists and 25 for codes; on 60,000 sentence vectors (IVF512,PQ192x4fs) that found no
more (.936 and .936, .969 and .968 of the true neighbours among the candidates) in 2.3 times the time."""

_PARAMETERS_MAX = 64

_ONE_BY_ONE = 11
"""What FAISS calls the loop over FastScan's blocks that takes one query at a time, with a reservoir. By itself it takes
32 queries at a time from 10 on, for 10 to 20 % more on 117,659 sentence vectors, in batches of 1 to 500."""


class InvertedLists(Structure):
    """Any of the ivf families."""

    def __init__(self, spec: IndexSpec, metric: Metric, vectors: StoredVectors, faiss_index: Any) -> None:
        super().__init__(spec, metric, vectors, faiss_index)
        lists = faiss.downcast_index(faiss.extract_index_ivf(faiss_index))
        if isinstance(lists, faiss.IndexIVFFastScan):
            lists.implem = _ONE_BY_ONE
        # By nprobe: to make them takes a tenth of a search of one query.
        self._parameters: dict[int, Any] = {}
        self._reranking = Reranking(faiss_index, vectors) if spec.needs_rerank and vectors.dtype == np.float32 else None

    @classmethod
    def train(cls, spec: IndexSpec, metric: Metric, vectors: StoredVectors, sample: Rows) -> InvertedLists:
        index = empty_faiss(spec, metric, vectors)
        lists = faiss.downcast_index(faiss.extract_index_ivf(index))
        lists.cp.seed = SEED
        # A few rows for each list are enough; the warning would only reach people who can't act on it.
        lists.cp.min_points_per_centroid = 1
        lists.cp.niter = _ROUNDS
        if spec.family is Family.IVF_PQ:
            lists.pq.cp.seed = SEED
            lists.pq.cp.niter = _ROUNDS
            lists.pq.cp.min_points_per_centroid = 1
        if spec.transform is Transform.OPQ:
            with _four_bits(faiss.downcast_VectorTransform(index.chain.at(0)), spec):
                train_faiss(index, spec, vectors, sample)
        else:
            train_faiss(index, spec, vectors, sample)
        return cls(spec, metric, vectors, index)

    def add(self, rows: Rows) -> None:
        if not len(rows):  # FAISS's RaBitQ refuses to add nothing
            return
        self.faiss.add_with_ids(as_float32(self.vectors[rows]), rows)

    def finish(self) -> None:
        """Nothing: lists are searched as they are."""

    def find(self, queries: Vectors, count: int, effort: Effort, within: RowSet | None) -> tuple[Vectors, Rows]:
        return search(self.faiss, queries, count, self._parameters_of(effort, within))

    def find_and_rerank(
        self, queries: Vectors, k: int, count: int, effort: Effort, within: RowSet | None
    ) -> tuple[Vectors, Rows] | None:
        if self._reranking is None:
            return None
        parameters = self._parameters_of(effort, within)
        return self._reranking.search(queries, k, count, effort.nprobe if within is None else 0, parameters)

    def _parameters_of(self, effort: Effort, within: RowSet | None) -> Any:
        nprobe = min(effort.nprobe, self.spec.nlist)
        return self._kept_parameters(nprobe) if within is None else self._made_parameters(nprobe, within.selector)

    def _kept_parameters(self, nprobe: int) -> Any:
        parameters = self._parameters.get(nprobe)
        if parameters is None:
            if len(self._parameters) >= _PARAMETERS_MAX:
                self._parameters.clear()
            parameters = self._parameters[nprobe] = self._made_parameters(nprobe)
        return parameters

    def _made_parameters(self, nprobe: int, selector: Any = None) -> Any:
        parameters = faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)
        if self.spec.transform is not Transform.NONE:
            parameters = faiss.SearchParametersPreTransform(index_params=parameters)
        return parameters

    def save(self, path: Path) -> None:
        if self.spec.fast_scan:
            write_blocks(self.faiss, str(path))
        else:
            super().save(path)

    @classmethod
    def load(cls, path: Path, spec: IndexSpec, metric: Metric, vectors: StoredVectors) -> InvertedLists:
        index = read_faiss(path, len(vectors), read_blocks if spec.fast_scan else _read_mapped)
        return cls(spec, metric, vectors, index)


def _read_mapped(path: str) -> Any:
    index = faiss.read_index(path, faiss.IO_FLAG_MMAP)
    never_read_ahead(faiss.downcast_InvertedLists(faiss.extract_index_ivf(index).invlists))
    return index


@contextmanager
def _four_bits(opq: Any, spec: IndexSpec) -> Iterator[None]:
    """Let a rotation be learnt for 4-bit codes, in few rounds.

    FAISS would take 8 bits and 50 rounds over 65,536 rows, minutes for 384 dimensions; a few rounds settle it.
    """
    codes = faiss.ProductQuantizer(spec.reduced_dimension, spec.subquantisers, 4)
    codes.cp.seed, codes.cp.min_points_per_centroid = SEED, 1
    opq.pq, opq.niter, opq.niter_pq, opq.niter_pq_0, opq.max_train_points = codes, 8, 2, 8, 10_000
    try:
        yield
    finally:
        opq.pq = None
