"""Vectors as they come in, in one array."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from vecinity.indexer.formats.stream import shown

Float32s = npt.NDArray[np.float32]

_TRUSTED_BYTES = 64 << 20  # Room made at once on the word of a header that the length of the file can't confirm.


class Rows:
    """A float32 (n, d) that grows: n is known only at the end, or from a header that may lie.

    Args:
        dimension: d.
        expected: How many rows are expected.
        confirmed: Whether the file is long enough for them, so that room for all is made at once.
    """

    def __init__(self, dimension: int, expected: int, *, confirmed: bool) -> None:
        most = expected if confirmed else min(expected, _TRUSTED_BYTES // (4 * dimension))
        self._array = np.empty((max(1, most), dimension), dtype=np.float32)
        self._count = 0

    def extend(self, block: Float32s) -> None:
        """Add rows, float32 (m, d)."""
        count = self._count + len(block)
        if count > len(self._array):
            # The allocator can move a large array by changing its address alone, so that it never exists twice.
            self._array.resize((max(count, len(self._array) * 3 // 2), self._array.shape[1]), refcheck=False)
        self._array[self._count : count] = block
        self._count = count

    def finish(self) -> Float32s:
        """All rows, float32 (n, d); nothing can be added any more."""
        self._array.resize((self._count, self._array.shape[1]), refcheck=False)
        return self._array


class DistinctWords:
    """Words that come block by block, and none twice.

    That is checked in each block, since a compressed file of a megabyte can repeat one line until the memory is full.

    Args:
        fail: Makes the error, of the two rows of a word that stands twice, and of the word as shown.
    """

    def __init__(self, fail: Callable[[int, int, str], Exception]) -> None:
        self.words: list[str] = []
        self._seen: set[str] = set()
        self._fail = fail

    def extend(self, block: Sequence[str]) -> None:
        """Add words, or raise what `fail` makes of the first that stands twice."""
        self.words += block
        self._seen.update(block)
        if len(self._seen) < len(self.words):
            check_unique(self.words, self._fail)


def first_not_finite(block: npt.NDArray[np.floating]) -> int | None:
    """The first row with NaN or infinity."""
    finite = np.isfinite(block).all(axis=1)
    return None if finite.all() else int(np.argmin(finite))


def check_unique(words: Sequence[str], fail: Callable[[int, int, str], Exception]) -> None:
    """Raise what `fail` makes of the two rows of the first word that stands twice, and of the word as shown."""
    if len(set(words)) == len(words):
        return
    row_of: dict[str, int] = {}
    for row, word in enumerate(words):
        earlier = row_of.setdefault(word, row)
        if earlier != row:
            raise fail(earlier, row, shown(word))
