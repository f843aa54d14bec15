"""3CosAvg: b plus the mean difference of example pairs (Drozd, Gladkova and Matsuoka 2016, "Word Embeddings, Analogies,
and Machine Learning: Beyond King − Man + Woman = Queen", section 3).

One pair is a noisy sample of a relation; the mean of many is the relation itself. Like 3CosAdd it ends in one query.
"""

from __future__ import annotations

import numpy as np

from vecinity.indexer.metric import Metric, Vectors, prepare
from vecinity.service.analogy.terms import Float64s, Terms
from vecinity.service.analogy.three_cos_add import directions, sums
from vecinity.service.errors import InvalidArgumentError


def relation(left: Vectors, right: Vectors) -> Float64s:
    """The mean of right − left over example pairs, both float32 (p, d), prepared; float64 (d,)."""
    mean: Float64s = (right.astype(np.float64) - left).mean(axis=0)
    return mean


def moved(terms: Terms, relation: Float64s, metric: Metric, field: str) -> Vectors:
    """The query vectors of analogies of one term each, moved by a relation.

    Returns:
        float32 (n, d), prepared for the metric. The weight of a term multiplies its vector.

    Raises:
        InvalidArgumentError: The terms and the relation cancel to zero under cosine, or their sum is out of float32's
            range.
    """
    if metric is not Metric.COSINE:
        whole = np.concatenate([terms.vectors, prepare(relation[None].astype(np.float32), metric)])
        return sums(_with_relation(terms, whole), metric, field)
    total = terms.weights[:, None] * terms.vectors[terms.which] + relation
    scale = np.abs(terms.weights) + np.linalg.norm(relation)
    if not np.isfinite(scale).all():
        raise InvalidArgumentError(field, "a weight is out of range")
    return directions(total / scale[:, None], metric, field)


def _with_relation(terms: Terms, vectors: Vectors) -> Terms:
    """Each analogy with the last of `vectors` as a second term of weight 1."""
    last = np.full(len(terms), len(vectors) - 1)
    return Terms(
        vectors,
        np.stack([terms.which, last], axis=1).ravel(),
        np.full(len(terms), 2),
        np.stack([terms.weights, np.ones(len(terms))], axis=1).ravel(),
    )
