"""What a scan does with a block of products, as machine code: combine a few lines of it, and keep the best.

The NumPy that says the same (`combining`, `three_cos_mul`, `scan`) passes over memory for each step; here a group of
rows stays in registers and the first cache from its products to the comparison with the bound, which is several times
as fast. It is compiled at the first large scan, in a second or two, and kept on disk.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecinity.indexer.word2vec.compiling import compiled, inlined

_Float32s = npt.NDArray[np.float32]
_Int64s = npt.NDArray[np.int64]

_GROUP = 256


@inlined
def _keep(scores: _Float32s, size: int, first_row: int, best: _Float32s, found: _Int64s) -> None:
    """Insert those of a group's scores that are among the best of one analogy; of equal ones the earlier row."""
    last = best.shape[0] - 1
    bound = best[last]
    reached = 0
    for j in range(size):
        reached += scores[j] > bound
    if reached == 0:
        return
    for j in range(size):
        score = scores[j]
        if score > best[last]:
            place = last
            while place > 0 and best[place - 1] < score:
                best[place] = best[place - 1]
                found[place] = found[place - 1]
                place -= 1
            best[place] = score
            found[place] = first_row + j


@compiled
def keep_best_sums(
    products: _Float32s, which: _Int64s, weights: _Float32s, begin: int, best: _Float32s, found: _Int64s
) -> None:
    """Σ weight · product.

    Args:
        products: float32 (u, b), of all terms with a block of rows.
        which, weights: int64 and float32 (n, s), the terms of each analogy; the weight 0 where there is none.
        begin: The number of the first row of the block.
        best, found: float32 and int64 (n, count), the best so far, descending; changed.
    """
    scores = np.empty(_GROUP, dtype=np.float32)
    width, slots = products.shape[1], which.shape[1]
    for line in range(which.shape[0]):
        for start in range(0, width, _GROUP):
            size = min(_GROUP, width - start)
            weight, product = weights[line, 0], products[which[line, 0], start : start + size]
            summed = 1
            if slots >= 3 and weights[line, 1] != 0 and weights[line, 2] != 0:
                # Nearly all analogies have three terms: one pass over memory for them.
                second, third = weights[line, 1], weights[line, 2]
                product_2 = products[which[line, 1], start : start + size]
                product_3 = products[which[line, 2], start : start + size]
                for j in range(size):
                    scores[j] = weight * product[j] + second * product_2[j] + third * product_3[j]
                summed = 3
            else:
                for j in range(size):
                    scores[j] = weight * product[j]
            for slot in range(summed, slots):
                weight = weights[line, slot]
                if weight != 0:
                    product = products[which[line, slot], start : start + size]
                    for j in range(size):
                        scores[j] += weight * product[j]
            _keep(scores, size, begin + start, best[line], found[line])


@compiled
def keep_best_products(
    similarities: _Float32s,
    which: _Int64s,
    weights: _Float32s,
    epsilon: np.float32,
    begin: int,
    best: _Float32s,
    found: _Int64s,
) -> None:
    """Π similarity of those added / (Π similarity of those subtracted + ε).

    Arguments as of `keep_best_sums`; the weights are 1, −1, or 0 where there is no term.
    """
    above = np.empty(_GROUP, dtype=np.float32)
    below = np.empty(_GROUP, dtype=np.float32)
    width, slots = similarities.shape[1], which.shape[1]
    for line in range(which.shape[0]):
        for start in range(0, width, _GROUP):
            size = min(_GROUP, width - start)
            for j in range(size):
                above[j] = np.float32(1)
                below[j] = np.float32(1)
            for slot in range(slots):
                weight = weights[line, slot]
                similarity = similarities[which[line, slot], start : start + size]
                if weight > 0:
                    for j in range(size):
                        above[j] *= similarity[j]
                elif weight < 0:
                    for j in range(size):
                        below[j] *= similarity[j]
            for j in range(size):
                above[j] /= below[j] + epsilon
            _keep(above, size, begin + start, best[line], found[line])
