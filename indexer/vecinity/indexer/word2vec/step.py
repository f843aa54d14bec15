"""One step of learning: a few hidden vectors against a few targets, all gradients taken at one point.

Of hidden vectors h₁…h_g (the words of a window) and target rows v′₁…v′ₜ with labels (1 for the word to be predicted, 0
for noise), every h meets every v′. With S = H V′ᵀ and errors E = ε (labels − σ(S)), a step of size ε up the gradient of
equation (4) of Mikolov et al. 2013b is

    H ← H + E V′,        V′ ← V′ + Eᵀ H.

That is the minibatch of Ji et al. 2016 ("HogBatch", arXiv:1604.04661): the noise is shared by the window, so a row
comes from memory once for the whole window and not once for each pair. `exchange` does it for up to `TARGETS` targets;
a vector's length is cut into pieces that fit the registers, and within a piece each row is loaded and stored once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecinity.indexer.word2vec.compiling import inlined
from vecinity.indexer.word2vec.simd import (
    LANES,
    VECTOR_BYTES,
    add,
    address,
    clip,
    divide,
    load,
    multiply,
    multiply_add,
    splat,
    splat_at,
    store,
    subtract,
    total,
)

TARGETS = 6
"""Target rows in one step: the true word and the usual five noise words. Six rows and their six sums fit the 16
registers of AVX2."""
SLOTS = 8
"""float32 that a hidden vector takes in `products`: `TARGETS`, rounded up to a power of two."""
LABELS = 16
"""float32 of the labels of one step: `SLOTS` of them, repeated to fill the longest vector."""
NO_TARGET = np.float32(0.5)
"""The label of a place without a target: its address is a row of zeros, its product 0, its error ½ − σ(0) = 0."""

_Floats = npt.NDArray[np.float32]
_Int64s = npt.NDArray[np.int64]

_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_FLAT_FROM = np.float32(6)  # tanh(6) is 1 to 1.2e-5, and the fraction is below 1 up to there.


@inlined
def sigmoid(x: _Floats) -> _Floats:  # A vector of `LANES` lanes, which NumPy has no name for.
    """σ(x) = ½ + ½ tanh(x/2) in each lane, off by at most 5e-6.

    tanh is Lambert's continued fraction (1770), x / (1 + x² / (3 + x² / (5 + …))), cut after the ninth odd number and
    multiplied out: a fraction of two polynomials, which needs no table and no branch.
    """
    half = splat(_HALF)
    y = clip(multiply(x, half), splat(-_FLAT_FROM), splat(_FLAT_FROM))
    y2 = multiply(y, y)
    above = add(y2, splat(np.float32(990)))
    above = multiply_add(above, y2, splat(np.float32(135135)))
    above = multiply_add(above, y2, splat(np.float32(4729725)))
    above = multiply_add(above, y2, splat(np.float32(34459425)))
    below = multiply_add(splat(np.float32(45)), y2, splat(np.float32(13860)))
    below = multiply_add(below, y2, splat(np.float32(945945)))
    below = multiply_add(below, y2, splat(np.float32(16216200)))
    below = multiply_add(below, y2, splat(np.float32(34459425)))
    tanh = divide(multiply(y, above), below)
    return multiply_add(tanh, half, half)  # type: ignore[no-any-return]


@inlined
def multiply_all(
    hidden: _Int64s, begin: int, end: int, targets: _Int64s, first: int, row_bytes: int, products: _Floats
) -> None:
    """Fill `products[SLOTS * g + i]` with hidden vector begin + g · target i; the arguments are those of `exchange`."""
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    for g in range(end - begin):
        h = hidden[begin + g]
        s0 = s1 = s2 = s3 = s4 = s5 = splat(_ZERO)
        for j in range(0, row_bytes, VECTOR_BYTES):
            x = load(h + j)
            s0 = multiply_add(x, load(t0 + j), s0)
            s1 = multiply_add(x, load(t1 + j), s1)
            s2 = multiply_add(x, load(t2 + j), s2)
            s3 = multiply_add(x, load(t3 + j), s3)
            s4 = multiply_add(x, load(t4 + j), s4)
            s5 = multiply_add(x, load(t5 + j), s5)
        p = SLOTS * g
        products[p], products[p + 1], products[p + 2] = total(s0), total(s1), total(s2)
        products[p + 3], products[p + 4], products[p + 5] = total(s3), total(s4), total(s5)


@inlined
def to_errors(products: _Floats, count: int, labels: _Floats, first_label: int, learning_rate: np.float32) -> None:
    """Turn products into errors, ε (label − σ(product)), in place; the arguments are those of `exchange`."""
    start = address(products)
    label = load(address(labels) + 4 * first_label)
    rate = splat(learning_rate)
    for j in range(0, 4 * SLOTS * count, VECTOR_BYTES):
        store(start + j, multiply(rate, subtract(label, sigmoid(load(start + j)))))


@inlined
def exchange(
    hidden: _Int64s,
    begin: int,
    end: int,
    targets: _Int64s,
    labels: _Floats,
    step: int,
    row_bytes: int,
    learning_rate: np.float32,
    products: _Floats,
) -> None:
    """Learn from the vectors at `hidden[begin:end]` against `TARGETS` targets; both are updated in place.

    Where a row stands twice among the targets, one of its two updates is lost: callers draw distinct ones. Of a row
    that stands twice among the hidden ones, the second update sees the first, as if it were a step later.

    Args:
        hidden: int64 (≥ end,), addresses of float32 (row_bytes / 4,).
        targets: int64, addresses likewise; those of this step begin at `step` · `TARGETS`.
        labels: float32, those of this step begin at `step` · `LABELS`: `SLOTS` labels, twice.
        step: Which of the steps in `targets` and `labels` this is.
        row_bytes: Length of a row, a multiple of 64.
        products: float32 (≥ (end − begin + 1) · `SLOTS`,), overwritten.
    """
    first = step * TARGETS
    multiply_all(hidden, begin, end, targets, first, row_bytes, products)
    to_errors(products, end - begin, labels, step * LABELS, learning_rate)
    t0, t1, t2 = targets[first], targets[first + 1], targets[first + 2]
    t3, t4, t5 = targets[first + 3], targets[first + 4], targets[first + 5]
    errors = address(products)
    for j in range(0, row_bytes, VECTOR_BYTES):
        old0, old1, old2 = load(t0 + j), load(t1 + j), load(t2 + j)
        old3, old4, old5 = load(t3 + j), load(t4 + j), load(t5 + j)
        new0, new1, new2, new3, new4, new5 = old0, old1, old2, old3, old4, old5
        for g in range(end - begin):
            row = hidden[begin + g] + j
            e = errors + 4 * SLOTS * g
            old = load(row)
            new = old
            error = splat_at(e)
            new, new0 = multiply_add(error, old0, new), multiply_add(error, old, new0)
            error = splat_at(e + 4)
            new, new1 = multiply_add(error, old1, new), multiply_add(error, old, new1)
            error = splat_at(e + 8)
            new, new2 = multiply_add(error, old2, new), multiply_add(error, old, new2)
            error = splat_at(e + 12)
            new, new3 = multiply_add(error, old3, new), multiply_add(error, old, new3)
            error = splat_at(e + 16)
            new, new4 = multiply_add(error, old4, new), multiply_add(error, old, new4)
            error = splat_at(e + 20)
            new, new5 = multiply_add(error, old5, new), multiply_add(error, old, new5)
            store(row, new)
        store(t0 + j, new0)
        store(t1 + j, new1)
        store(t2 + j, new2)
        store(t3 + j, new3)
        store(t4 + j, new4)
        store(t5 + j, new5)


@inlined
def loss_of(
    hidden: _Int64s,
    begin: int,
    end: int,
    targets: _Int64s,
    labels: _Floats,
    step: int,
    row_bytes: int,
    products: _Floats,
) -> float:
    """−Σ log σ(±h · v′) over the pairs of a step, + where the label is 1; the arguments are those of `exchange`."""
    multiply_all(hidden, begin, end, targets, step * TARGETS, row_bytes, products)
    loss = 0.0
    for i in range(TARGETS):
        label = labels[step * LABELS + i]
        if label != NO_TARGET:
            for g in range(end - begin):
                x = -products[SLOTS * g + i] if label == _ONE else products[SLOTS * g + i]
                # log(1 + eˣ) without overflow.
                loss += max(x, _ZERO) + np.log1p(np.exp(-abs(x)))
    return loss


assert LABELS % LANES == 0 and LANES % SLOTS == 0
