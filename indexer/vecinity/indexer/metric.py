"""The three metrics, and the only place that normalises.

Whatever the metric, a score is **higher for closer** vectors: the cosine, the dot product, or the negative
squared Euclidean distance. Under cosine the vectors are stored and asked at length 1, so that inside an index
cosine and dot product are the same thing.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.errors import VectorError

Vectors = NDArray[np.float32]
"""float32, shape (n, d), row-major."""

LENGTH_MAX = 1e15
"""Above this, squared distances and FAISS's sums of them leave float32's range, and answers would lack items."""

MEAN_LENGTH_MIN = 1e-6
"""A weighted mean of vectors of length 1 that is no longer than this is what rounding leaves of nothing: its direction
means nothing."""

_NORM_MIN = 1e-20
"""Below this a float32 vector has no direction left to speak of."""


class Metric(StrEnum):
    """How closeness is measured. The values are what users write and segments store."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"


def normalise(vectors: Vectors) -> Vectors:
    """Scale each row to length 1.

    Args:
        vectors: float32 (n, d).

    Returns:
        A new float32 (n, d).

    Raises:
        VectorError: A row is zero; it names the first such row.
    """
    # In float64: the squares of large or small float32 numbers leave float32's range.
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    if (zero := norms < _NORM_MIN).any():
        row = int(np.flatnonzero(zero)[0])
        raise VectorError(row, "is zero, which has no direction and so no cosine")
    unit: Vectors = (vectors / norms[:, None]).astype(np.float32)
    return unit


def prepare(vectors: Vectors, metric: Metric) -> Vectors:
    """Check vectors and bring them into the form in which an index stores and asks them.

    Args:
        vectors: float32 (n, d).
        metric: Cosine scales to length 1, the others leave vectors as they are.

    Raises:
        VectorError: A NaN or an infinity, a zero vector under cosine, or one longer than 1e15 under the others; it
            names the first such row.
    """
    if len(vectors) == 1 and metric is Metric.COSINE:
        # To the last bit what is done for many, in half the time: such come by the thousand.
        wide = vectors.astype(np.float64)
        length = math.sqrt(np.einsum("ij,ij->i", wide, wide)[0])
        if _NORM_MIN <= length < math.inf:  # which it is not if a number is not finite
            unit: Vectors = (wide / length).astype(np.float32)
            return unit
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise VectorError(row, "holds NaN or infinity: every number must be finite")
    if metric is Metric.COSINE:
        return normalise(vectors)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    if (long := lengths > LENGTH_MAX).any():
        row = int(np.flatnonzero(long)[0])
        raise VectorError(
            row, f"has length {lengths[row]:.3g}; at most {LENGTH_MAX:g} can be compared: scale the vectors"
        )
    return np.ascontiguousarray(vectors, dtype=np.float32)


def pair_scores(left: Vectors, right: Vectors, metric: Metric) -> NDArray[np.float32]:
    """Scores of corresponding rows.

    Args:
        left: float32 (n, d), prepared.
        right: float32 (n, d), prepared.

    Returns:
        float32 (n,), higher is closer.
    """
    scores: NDArray[np.float32]
    if metric is Metric.EUCLIDEAN:
        difference = left - right
        scores = -np.einsum("ij,ij->i", difference, difference)
    else:
        scores = np.einsum("ij,ij->i", left, right)
    return scores
