"""Which rows a search may find."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann.scores import Rows

Mask = NDArray[np.bool_]
"""bool (rows,), True where a row may be found."""


@dataclass(frozen=True, slots=False, eq=False)
class RowSet:
    """An immutable set of the rows of one matrix; many searches, in many threads, may use it at once.

    Attributes:
        bits: uint8 (ceil(size / 8),); bit i % 8 of byte i // 8, from the least, stands for row i.
        count: Rows in the set.
        size: Rows of the matrix.
    """

    bits: NDArray[np.uint8] = field(repr=False)
    count: int
    size: int

    @classmethod
    def of(cls, mask: Mask) -> RowSet:
        """The rows where `mask` (bool, one for each row of the matrix) is True.

        Raises:
            TypeError: `mask` is not a line of bool.
        """
        if mask.dtype != np.bool_ or mask.ndim != 1:
            raise TypeError(f"a mask is bool (rows,), not {mask.dtype} {mask.shape}")
        bits = np.packbits(mask, bitorder="little")
        bits.flags.writeable = False
        return cls(bits, int(np.count_nonzero(mask)), len(mask))

    @property
    def mask(self) -> Mask:
        """bool (size,), made anew."""
        return np.unpackbits(self.bits, count=self.size, bitorder="little").view(np.bool_)

    @cached_property
    def rows(self) -> Rows:
        """int64 (count,), ascending."""
        rows = np.flatnonzero(self.mask).astype(np.int64)
        rows.flags.writeable = False
        return rows

    @cached_property
    def selector(self) -> Any:
        """What FAISS takes. It points into `bits`, so the set must outlive the searches that use it."""
        return faiss.IDSelectorBitmap(len(self.bits), faiss.swig_ptr(self.bits))

    def holds(self, rows: Rows) -> Mask:
        """Whether each of `rows` (int64, any shape) is in the set; -1 is not."""
        inside = (rows >= 0) & (rows < self.size)
        rows = np.where(inside, rows, 0)
        if not len(self.bits):
            return inside
        held: Mask = inside & ((self.bits[rows >> 3] >> (rows & 7).astype(np.uint8)) & 1).astype(np.bool_)
        return held
