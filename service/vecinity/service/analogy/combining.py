"""The scores of analogies with a block of rows, from the products of their terms with it; see `scan`."""

from __future__ import annotations

import numpy as np

from vecinity.service.analogy.scan import Combine, Float32s, Int64s, Keep
from vecinity.service.analogy.terms import Float64s
from vecinity.service.analogy.three_cos_mul import EPSILON, to_similarities


def weighted_sums(which: Int64s, weights: Float64s) -> Combine:
    """Σ weight · product; both (n, s), the weight 0 where there is no term."""
    rectangle = np.where(weights == 0, 0, which)
    factors = weights.astype(np.float32)

    def combine(products: Float32s, part: slice) -> Float32s:
        total: Float32s | None = None
        for slot in range(rectangle.shape[1]):
            terms = products[rectangle[part, slot]]
            factor = factors[part, slot, None]
            if total is None:
                total = terms if (factor == 1).all() else terms * factor
            elif (factor == 1).all():
                total += terms
            elif (factor == -1).all():
                total -= terms
            else:
                total += terms * factor
        assert total is not None
        return total

    return combine


def best_weighted_sums(which: Int64s, weights: Float64s) -> Keep:
    """`weighted_sums` as machine code."""
    rectangle, factors = np.where(weights == 0, 0, which), weights.astype(np.float32)

    def keep(products: Float32s, begin: int, best: Float32s, found: Int64s) -> None:
        # Imported when needed: numba takes its time.
        from vecinity.indexer.word2vec.compiling import call_first
        from vecinity.service.analogy.kernels import keep_best_sums

        call_first(keep_best_sums, products, rectangle, factors, begin, best, found)

    return keep


def best_products(which: Int64s, weights: Float64s) -> Keep | None:
    """`products_of_similarities` as machine code; None where weights are exponents, which it does not know."""
    if not np.isin(weights, (-1, 0, 1)).all():
        return None
    rectangle, factors = np.where(weights == 0, 0, which), weights.astype(np.float32)

    def keep(products: Float32s, begin: int, best: Float32s, found: Int64s) -> None:
        from vecinity.indexer.word2vec.compiling import call_first
        from vecinity.service.analogy.kernels import keep_best_products

        similarities = to_similarities(products)
        call_first(keep_best_products, similarities, rectangle, factors, np.float32(EPSILON), begin, best, found)

    return keep
