"""FAISS reading vectors where they are, in a matrix of NumPy's, without a copy."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from vecinity.indexer.ann.structure import metric_of
from vecinity.indexer.metric import Metric
from vecinity.indexer.stored_vectors import StoredVectors


def borrowed_storage(vectors: StoredVectors, metric: Metric) -> Any:
    """A flat FAISS index whose vectors are the rows of `vectors` ((rows, d), C-contiguous, perhaps mapped).

    float16 is read eight or sixteen numbers at a time where d is a multiple of 8, faster than float32 because it is
    half as much to read; else one by one, at a quarter of the speed.

    FAISS does not keep the matrix alive: who holds the storage holds the matrix too.
    """
    if vectors.dtype == np.float16:
        storage = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, metric_of(metric))
    else:
        storage = faiss.IndexFlat(vectors.shape[1], metric_of(metric))
    borrow(storage, vectors)
    return storage


def borrow(storage: Any, vectors: StoredVectors) -> None:
    """Let an empty flat FAISS index have the rows of `vectors` for its own; see `borrowed_storage`."""
    numbers = np.asarray(vectors).view(np.uint8).reshape(-1)
    # A view wants an owner to keep alive. One made of nothing owns nothing: NumPy does.
    nobody = faiss.MaybeOwnedVectorUInt8().owner
    storage.codes = faiss.MaybeOwnedVectorUInt8.create_view(faiss.swig_ptr(numbers), numbers.size, nobody)
    storage.ntotal = len(vectors)
