"""What FAISS holds of an index, and how it is asked: the interface behind which the families differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from vecinity.indexer.ann.effort import Effort
from vecinity.indexer.ann.scores import Rows
from vecinity.indexer.ann.selection import RowSet
from vecinity.indexer.ann.spec import IndexSpec
from vecinity.indexer.errors import CorruptError, InputError
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.stored_vectors import StoredVectors, as_float32

SEED = 1234


class Structure(ABC):
    """The candidates' side of an index, over a matrix (rows, d) that it may point into.

    Rows are added in any order, then `finish` is called once; from then on `find` and `save` are allowed, and all
    methods but `add`, `finish` and `save` are safe to call from many threads. Where the spec can add, more rows may
    follow a `find`, and another `finish`; not in an index that was loaded.
    """

    def __init__(self, spec: IndexSpec, metric: Metric, vectors: StoredVectors, faiss_index: Any) -> None:
        self.spec = spec
        self.metric = metric
        self.vectors = vectors
        self.faiss = faiss_index

    @classmethod
    @abstractmethod
    def train(cls, spec: IndexSpec, metric: Metric, vectors: StoredVectors, sample: Rows) -> Structure:
        """An empty one, trained on the rows in `sample`.

        Raises:
            InputError: FAISS can't train on so few rows.
        """

    @abstractmethod
    def add(self, rows: Rows) -> None:
        """Take in rows (int64) of the matrix, each once."""

    @abstractmethod
    def finish(self) -> None:
        """All rows so far are in: make what is searched."""

    @abstractmethod
    def find(self, queries: Vectors, count: int, effort: Effort, within: RowSet | None) -> tuple[Vectors, Rows]:
        """FAISS's own answer: distances or products float32 (n, count), best first, and rows int64, -1 for none."""

    def find_and_rerank(
        self, queries: Vectors, k: int, count: int, effort: Effort, within: RowSet | None
    ) -> tuple[Vectors, Rows] | None:
        """The k best of `count` candidates by the vectors of the matrix, as `find`; None if FAISS can't do both."""
        return None

    def save(self, path: Path) -> None:
        faiss.write_index(self.faiss, str(path))

    @classmethod
    @abstractmethod
    def load(cls, path: Path, spec: IndexSpec, metric: Metric, vectors: StoredVectors) -> Structure:
        """Open what `save` wrote.

        Raises:
            CorruptError: FAISS can't read the file, or it holds another number of rows.
        """


def metric_of(metric: Metric) -> int:
    """FAISS's number for a metric. Vectors are stored and asked at length 1 under cosine."""
    number: int = faiss.METRIC_L2 if metric is Metric.EUCLIDEAN else faiss.METRIC_INNER_PRODUCT
    return number


def empty_faiss(spec: IndexSpec, metric: Metric, vectors: StoredVectors) -> Any:
    """FAISS's index for a matrix, to be trained and filled. Vectors that it holds are of the matrix's type."""
    description = spec.description
    if vectors.dtype == np.float16:
        description = description.replace(",Flat", ",SQfp16")
    return faiss.index_factory(vectors.shape[1], description, metric_of(metric))


def train_faiss(index: Any, spec: IndexSpec, vectors: StoredVectors, sample: Rows) -> None:
    """
    Raises:
        InputError: There are too few rows for what is to be learnt.
    """
    try:
        index.train(as_float32(vectors[sample]))
    except RuntimeError as error:
        raise InputError(
            f"FAISS can't train {spec.description} on {len(sample)} rows: use --index flat ({reason(error)})"
        ) from error


def read_faiss(path: Path, rows: int, read: Callable[[str], Any] = faiss.read_index) -> Any:
    """
    Args:
        rows: That the index should hold.
        read: Returns the index in a file; raises OSError, RuntimeError or MemoryError if it can't.

    Raises:
        CorruptError: The file can't be read, or holds another number of rows.
    """
    try:
        index = read(str(path))
    except OSError as error:
        raise CorruptError(path, f"can't be read ({error.strerror or error})") from error
    except (RuntimeError, MemoryError) as error:  # numbers in the file say how much memory FAISS takes
        raise CorruptError(path, f"FAISS can't read it ({reason(error)})") from error
    if index.ntotal != rows:
        raise CorruptError(path, f"holds {index.ntotal} rows where the segment has {rows}")
    return index


def reason(error: Exception) -> str:
    """The last clause of FAISS's message: the rest is C++ source positions."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].rsplit(": ", 1)[-1][:200]
