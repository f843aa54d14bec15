"""3CosMul: the largest product of similarities (Levy and Goldberg 2014, "Linguistic Regularities in Sparse and Explicit
Word Representations", equation 4).

    score(x) = Π s(x, positive)^weight / (Π s(x, negative)^weight + ε),   s(x, y) = (1 + cos(x, y)) / 2

with the cosines moved to 0 … 1 (their footnote 7) and ε = 10⁻⁶ as in gensim's ``most_similar_cosmul``. No one large
similarity can outweigh the others, as it can in a sum.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from vecinity.indexer.metric import Vectors
from vecinity.service.analogy.scan import Combine, Float32s, Int64s
from vecinity.service.analogy.terms import Float64s, Terms

EPSILON = 1e-6


def products_of_similarities(which: Int64s, weights: Float64s) -> Combine:
    """For `scan`: the score of each analogy; `which` and `weights` are (n, s), the weight 0 where there is no term."""
    rectangle = np.where(weights == 0, 0, which)

    def combine(products: Float32s, part: slice) -> Float32s:
        return product_of_similarities(
            (products[rectangle[part, slot]] for slot in range(rectangle.shape[1])), weights[part]
        )

    return combine


def product_of_similarities(cosines: Iterable[Float32s], weights: Float64s) -> Float32s:
    """The scores, float32 (n, c).

    Args:
        cosines: For each of s slots, float32 (n, c), the cosines of the term in it with the candidates; changed.
        weights: float64 (n, s); 0 where there is no term.
    """
    numerator: Float32s | None = None
    denominator: Float32s | None = None
    for slot, terms in enumerate(cosines):
        factor = weights[:, slot]
        similarity = _to_power(terms, np.abs(factor))
        if (factor >= 0).all():
            numerator = similarity if numerator is None else np.multiply(numerator, similarity, out=numerator)
        elif (factor <= 0).all():
            denominator = similarity if denominator is None else np.multiply(denominator, similarity, out=denominator)
        else:
            added = (factor > 0)[:, None]
            ones = np.float32(1)
            up, down = np.where(added, similarity, ones), np.where(added, ones, similarity)
            numerator = up if numerator is None else np.multiply(numerator, up, out=numerator)
            denominator = down if denominator is None else np.multiply(denominator, down, out=denominator)
    assert numerator is not None
    if denominator is None:
        return numerator / np.float32(1 + EPSILON)
    denominator += np.float32(EPSILON)
    return np.divide(numerator, denominator, out=numerator)


def _to_power(cosines: Float32s, powers: Float64s) -> Float32s:
    """((1 + cos) / 2)^power, in place."""
    to_similarities(cosines)
    return cosines if (powers == 1).all() else np.power(cosines, powers[:, None].astype(np.float32))


def to_similarities(cosines: Float32s) -> Float32s:
    """(1 + cos) / 2, in place; rounding leaves neither end."""
    cosines += 1
    cosines *= np.float32(0.5)
    return np.clip(cosines, 0, 1, out=cosines)


def first_guesses(terms: Terms) -> Vectors:
    """Where to begin to look, float32 (n, d): the weighted sum at length 1, or a positive where the terms cancel."""
    weights = terms.weights / np.repeat(np.add.reduceat(np.abs(terms.weights), terms.starts), terms.counts)
    total = np.add.reduceat(weights[:, None] * terms.vectors[terms.which], terms.starts, axis=0)
    lengths = np.linalg.norm(total, axis=1)
    cancelled = lengths <= EPSILON
    guesses: Vectors = (total / np.where(cancelled, 1, lengths)[:, None]).astype(np.float32)
    which, padded = terms.padded()
    positives = np.take_along_axis(which, padded.argmax(axis=1)[:, None], 1)[:, 0]
    guesses[cancelled] = terms.vectors[positives[cancelled]]
    return guesses


def gradients(vectors: Vectors, which: Int64s, weights: Float64s, cosines: Float64s) -> Vectors:
    """Queries whose nearest items score high: the direction in which the logarithm of the score grows at an item.

    d log score / dx = Σ ± weight · y / (1 + cos(x, y)), but for the length of x and for ε.

    Args:
        vectors: float32 (u, d), of the terms.
        which: int64 (n, s).
        weights: float64 (n, s), 0 where there is no term.
        cosines: float64 (n, s), of the item with each term.
    """
    slopes = weights / np.maximum(1 + cosines, 1e-2)
    slopes /= np.abs(slopes).sum(axis=1, keepdims=True)
    rectangle = np.where(weights == 0, 0, which)
    total = np.einsum("ns,nsd->nd", slopes, vectors[rectangle])
    lengths = np.linalg.norm(total, axis=1, keepdims=True)
    directions: Vectors = (total / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return directions
