"""The numbers of a segment's matrix: float32, or float16 for half the disk and half the page cache.

float16 has 11 significant bits: a number is rounded by up to 1 part in 2,048, a unit vector of cosine to a length of
1 ± 0.0003 or so. What is stored is what counts from then on: scores, recall and vectors in answers are those of the
rounded vectors, to the last bit, whichever way an item is found.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import Vectors

StoredVectors = NDArray[np.float32 | np.float16]
"""float32 or float16, shape (n, d), row-major, every number finite; usually memory-mapped."""

FLOAT16_MAX = float(np.finfo(np.float16).max)

_LOSS_MAX = 0.01
_SIGN_AND_NUMBER = np.int32(-0x7000_2000)  # 0x8FFF_E000
_FLOAT16_TO_FLOAT32 = np.float32(2.0**112)


class VectorType(StrEnum):
    """What a matrix is made of. The values are what users write and segments store."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"

    @property
    def dtype(self) -> np.dtype[np.float32 | np.float16]:
        """Little-endian, as in the file."""
        return np.dtype("<f4") if self is VectorType.FLOAT32 else np.dtype("<f2")


def as_float32(rows: StoredVectors) -> Vectors:
    """Some rows of a matrix, float32 of the same shape, exactly; a copy unless they are float32 already.

    For float16, the bits of sign, exponent and fraction are moved to where float32 has them, and the exponent's bias is
    made good by a multiplication: numbers below 2^-14, which float16 holds without a leading one, come out right too.
    NumPy's own conversion goes number by number, in six times as long.
    """
    if rows.dtype != np.float16:
        return np.asarray(rows, dtype=np.float32)
    bits = np.ascontiguousarray(rows).view(np.int16).astype(np.int32)
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _SIGN_AND_NUMBER, out=bits)
    numbers = bits.view(np.float32)
    np.multiply(numbers, _FLOAT16_TO_FLOAT32, out=numbers)
    return numbers


def to_stored(vectors: Vectors, kind: VectorType) -> StoredVectors:
    """Vectors as they will be stored, contiguous.

    Args:
        vectors: float32 (n, d), prepared for a metric.

    Raises:
        VectorError: float16 can't hold a vector: a number is beyond ±65,504, or so small that a hundredth of the
            vector's length would be lost; it names the first such row.
    """
    if kind is VectorType.FLOAT32:
        return np.ascontiguousarray(vectors, dtype=kind.dtype)
    largest = np.abs(vectors).max(axis=1, initial=0)
    if (beyond := largest > FLOAT16_MAX).any():
        row = int(np.flatnonzero(beyond)[0])
        raise VectorError(
            row,
            f"holds a number of size {largest[row]:g}, and float16 ends at {FLOAT16_MAX:,.0f}: "
            "scale the vectors, or store them as float32",
        )
    rounded = vectors.astype(kind.dtype)
    lost = np.einsum("ij,ij->i", *2 * [vectors - as_float32(rounded)], dtype=np.float64)
    length = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    if (small := lost > _LOSS_MAX**2 * length).any():
        row = int(np.flatnonzero(small)[0])
        raise VectorError(
            row,
            f"has no number above {largest[row]:g}, which float16 holds too coarsely: "
            "scale the vectors, or store them as float32",
        )
    return rounded
