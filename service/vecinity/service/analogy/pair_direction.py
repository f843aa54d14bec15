"""PairDirection: the item that lies from b as a* lies from a (Mikolov, Yih and Zweig 2013; equation 2 of Levy and
Goldberg 2014).

    score(x) = cos(x − b, a* − a)

How an index of the x finds such items: with p = x·v and q = x·b, v being a* − a at length 1, the score is
(p − b·v) / √(2 − 2q). It grows with p, and with q where it is above 0, and the region below any score is convex in
(p, q). So the best item is a corner of the convex hull of all (p, q), and as such the nearest item to v + μb for some
μ ≥ 0: a few values of μ give the candidates, which are then compared exactly.
"""

from __future__ import annotations

import numpy as np

from vecinity.indexer.metric import Vectors
from vecinity.service.analogy.scan import Combine, Float32s, Int64s
from vecinity.service.analogy.terms import Float64s, Terms
from vecinity.service.analogy.three_cos_add import place
from vecinity.service.errors import InvalidArgumentError

_SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_NOWHERE = 1e-6
"""Closer than this two items are the same, and there is no way from one to the other."""


def roles(terms: Terms) -> tuple[Int64s, Int64s, Int64s]:
    """The vectors of a*, b and a of each analogy, int64 (n,) each, as numbers of `terms.vectors`.

    Each analogy has two terms of weight 1, a* and then b, and one of weight −1, a.
    """
    which, weights = terms.which.reshape(-1, 3), terms.weights.reshape(-1, 3)
    order = np.argsort(weights < 0, axis=1, kind="stable")
    a_star, b, a = np.take_along_axis(which, order, 1).T
    return a_star, b, a


def ways(terms: Terms, field: str) -> Float64s:
    """a* − a at length 1, float64 (n, d).

    Raises:
        InvalidArgumentError: a* and a are the same.
    """
    a_star, _, a = roles(terms)
    difference = terms.vectors[a_star].astype(np.float64) - terms.vectors[a]
    lengths = np.linalg.norm(difference, axis=1)
    if (same := lengths <= _NOWHERE).any():
        number = int(np.flatnonzero(same)[0])
        raise InvalidArgumentError(
            place(field, number, len(terms)), "the first positive and the negative are the same: there is no direction"
        )
    result: Float64s = difference / lengths[:, None]
    return result


def queries(ways: Float64s, b: Vectors) -> list[Vectors]:
    """What to ask an index for, to get all candidates: several float32 (n, d), at length 1."""
    asked = [b]
    for share in _SHARES:
        total = ways + share * b
        lengths = np.linalg.norm(total, axis=1, keepdims=True)
        asked.append((total / np.maximum(lengths, _NOWHERE)).astype(np.float32))
    return asked


def cosines_of_ways(terms: Terms, ways: Float64s) -> Combine:
    """For `scan`: the scores, but for what float32 loses where an item nearly equals b."""
    a_star, b, a = roles(terms)
    lengths = np.einsum("ij,ij->i", ways, terms.vectors[a_star].astype(np.float64) - terms.vectors[a])
    scale = (1 / lengths).astype(np.float32)
    shift = np.einsum("ij,ij->i", ways, terms.vectors[b]).astype(np.float32)

    def combine(products: Float32s, part: slice) -> Float32s:
        along = products[a_star[part]]
        along -= products[a[part]]
        along *= scale[part, None]
        along -= shift[part, None]
        distance = products[b[part]]
        distance *= -2
        distance += 2
        np.sqrt(np.maximum(distance, np.float32(_NOWHERE**2), out=distance), out=distance)
        return np.divide(along, distance, out=along)

    return combine


def exact_cosines(candidates: Vectors, b: Vectors, ways: Float64s) -> Float32s:
    """The scores of candidates, float32 (n, c), from float32 (n, c, d).

    One that equals b has no direction from it: its score is −1.
    """
    difference = candidates.astype(np.float64) - b[:, None]
    lengths = np.sqrt(np.einsum("ncd,ncd->nc", difference, difference))
    along = np.einsum("ncd,nd->nc", difference, ways)
    cosines = np.where(lengths > _NOWHERE, along / np.maximum(lengths, _NOWHERE), -1)
    return cosines.astype(np.float32)
