"""Several examples as one query.

Rocchio's formula (1971): the weighted mean of what is wanted less the weighted mean of what is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import MEAN_LENGTH_MIN, Metric, Vectors, prepare
from vecinity.service.errors import InvalidArgumentError


def mean_of_examples(vectors: Vectors, weights: Sequence[float], metric: Metric, field: str) -> NDArray[np.float32]:
    """The query that examples stand for.

    Args:
        vectors: float32 (n, d), prepared for the metric: under cosine each counts by its direction alone.
        weights: n finite factors, below 0 for what is not wanted; at least one above 0.
        field: Where the examples stand in their request, for errors.

    Returns:
        float32 (d,), Σ weight · wanted / Σ weight − Σ weight · not wanted / Σ weight, prepared for the metric.

    Raises:
        InvalidArgumentError: They cancel to zero under cosine, or the mean is out of range.
    """
    factors: NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
    wanted = factors > 0
    factors[wanted] /= factors[wanted].sum()
    if not wanted.all():
        factors[~wanted] /= -factors[~wanted].sum()
    mean = factors @ vectors.astype(np.float64)
    if metric is Metric.COSINE and float(np.linalg.norm(mean)) <= MEAN_LENGTH_MIN:
        raise InvalidArgumentError(field, "the examples cancel to zero, which is close to nothing")
    try:
        with np.errstate(over="ignore"):  # becomes infinity, which `prepare` refuses
            query: NDArray[np.float32] = prepare(mean[None].astype(np.float32), metric)[0]
            return query
    except VectorError as error:
        raise InvalidArgumentError(field, f"the mean of the examples {error.fault}") from error
