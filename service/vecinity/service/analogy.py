"""Analogies as one index query.

3CosAdd (Mikolov, Yih and Zweig 2013; equation 3 of Levy and Goldberg 2014): the answer to "king - man + woman" is
the item whose vector is closest to the weighted sum of the *unit* vectors of the terms, the terms themselves left
out. Under cosine the sum is scaled to length 1 again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import Metric, Vectors, normalise, prepare
from vecinity.service.errors import InvalidArgumentError


def three_cos_add(terms: Vectors, weights: Sequence[float], metric: Metric) -> Vectors:
    """The query vector of an analogy.

    Args:
        terms: float32 (n, d), the vectors of the terms; scaled to length 1 here.
        weights: n factors, negative for terms subtracted.

    Returns:
        float32 (1, d), prepared for the metric.

    Raises:
        InvalidArgumentError: A term is zero, or the terms cancel to zero.
    """
    try:
        units = normalise(terms)
    except VectorError as error:
        raise InvalidArgumentError("positives, negatives", f"term {error.row + 1} {error.fault}") from error
    factors: NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
    total = (factors[:, None] * units).sum(axis=0, keepdims=True)
    # What is left of an exact cancellation is rounding; its direction would mean nothing.
    if float(np.linalg.norm(total)) <= 1e-6 * float(np.abs(factors).sum()):
        raise InvalidArgumentError("positives, negatives", "the terms cancel to zero, which is close to nothing")
    return prepare(total.astype(np.float32), metric)
