"""3CosAdd: an analogy as one query.

The answer to "king - man + woman" is the item whose vector is closest to the weighted sum of the vectors of the terms
(Mikolov, Yih and Zweig 2013; equation 3 of Levy and Goldberg 2014). Under cosine the terms have length 1, and so has
the sum; under the other metrics, where lengths mean something, both are as they are.
"""

from __future__ import annotations

import numpy as np

from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import MEAN_LENGTH_MIN, Metric, Vectors, prepare
from vecinity.service.analogy.terms import Float64s, Int64s, Terms
from vecinity.service.errors import InvalidArgumentError


def sums(terms: Terms, metric: Metric, field: str) -> Vectors:
    """The query vectors of analogies.

    Args:
        field: Where the terms stand in the request, for errors; of an analogy of a batch, with its number.

    Returns:
        float32 (n, d), prepared for the metric.

    Raises:
        InvalidArgumentError: The terms of an analogy cancel to zero under cosine, or their sum is out of float32's
            range.
    """
    with np.errstate(over="ignore"):  # becomes infinity, which is refused by name
        which, weights = terms.padded()
        if metric is Metric.COSINE:
            # Only the direction counts; scaled, no weight leaves the range of the sum.
            weights = weights / np.abs(weights).sum(axis=1, keepdims=True)
        total = totals(terms.vectors, which, weights)
        return directions(total, metric, field) if metric is Metric.COSINE else _ready(total, metric, field)


def totals(vectors: Vectors, which: Int64s, weights: Float64s) -> Float64s:
    """Σ weight · vector, float64 (n, d); `which` and `weights` as `Terms.padded` gives them."""
    total = np.zeros((len(which), vectors.shape[1]))
    for vector, weight in zip(which.T, weights.T, strict=True):  # half the time of `np.add.reduceat`
        if weight.all():  # as almost always: no lines to pick out
            total += weight[:, None] * vectors[vector]
            continue
        here = np.flatnonzero(weight)
        total[here] += weight[here, None] * vectors[vector[here]]
    return total


def directions(total: Float64s, metric: Metric, field: str) -> Vectors:
    """Sums of terms whose weights add up to 1, float64 (n, d), scaled to length 1, float32; errors as in `sums`."""
    lengths = np.sqrt(np.einsum("ij,ij->i", total, total))
    if (cancelled := lengths <= MEAN_LENGTH_MIN).any():
        number = int(np.flatnonzero(cancelled)[0])
        raise InvalidArgumentError(
            place(field, number, len(total)), "the terms cancel to zero, which is close to nothing"
        )
    return _ready(total / lengths[:, None], metric, field)


def _ready(total: Float64s, metric: Metric, field: str) -> Vectors:
    try:
        return prepare(total.astype(np.float32), metric)
    except VectorError as error:
        raise InvalidArgumentError(
            place(field, error.row, len(total)), f"the sum of the terms {error.fault}"
        ) from error


def place(field: str, number: int, count: int) -> str:
    """Where the terms of an analogy stand in a request of `count` analogies."""
    return field if count == 1 else f"{field}, analogy {number}"
