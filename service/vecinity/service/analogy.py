"""Analogies as one index query.

3CosAdd (Mikolov, Yih and Zweig 2013; equation 3 of Levy and Goldberg 2014): the answer to "king - man + woman" is
the item whose vector is closest to the weighted sum of the vectors of the terms, the terms themselves left out. Under
cosine the terms have length 1, and so has the sum; under the other metrics, where lengths mean something, both are as
they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import Metric, Vectors, prepare
from vecinity.service.errors import InvalidArgumentError


def three_cos_add(terms: Vectors, weights: Sequence[float], metric: Metric) -> Vectors:
    """The query vector of an analogy.

    Args:
        terms: float32 (n, d), the vectors of the terms, prepared for the metric.
        weights: n finite factors, negative for terms subtracted.

    Returns:
        float32 (1, d), prepared for the metric.

    Raises:
        InvalidArgumentError: The terms cancel to zero under cosine, or their sum is out of float32's range.
    """
    factors: NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
    total = (factors[:, None] * terms).sum(axis=0, keepdims=True)
    if metric is Metric.COSINE:
        # Only the direction counts. What is left of an exact cancellation is rounding; its direction means nothing.
        total /= np.abs(factors).sum()
        if float(np.linalg.norm(total)) <= 1e-6:
            raise InvalidArgumentError("positives, negatives", "the terms cancel to zero, which is close to nothing")
    try:
        with np.errstate(over="ignore"):  # becomes infinity, which `prepare` refuses
            return prepare(total.astype(np.float32), metric)
    except VectorError as error:
        raise InvalidArgumentError("positives, negatives", f"the sum of the terms {error.fault}") from error
