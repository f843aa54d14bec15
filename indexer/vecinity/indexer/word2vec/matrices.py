"""The two matrices that are learnt, laid out for the kernels: rows begin at cache lines and are whole vectors long."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import SettingError
from vecinity.indexer.word2vec.settings import Word2VecSettings

LINE_BYTES = 64
"""A cache line."""
ROW_FLOATS = LINE_BYTES // 4
"""Rows are padded to a multiple of this, 16: whole vectors of 8 or 16 numbers, and whole cache lines."""

LENGTH_MAX = 1e4
"""Lengths of vectors stay below 20 in trainings that go well; above this, one does not."""

_BLOCK_ROWS = 1 << 14

_Matrix = npt.NDArray[np.float32]


def padded(dimension: int) -> int:
    """The floats a row of `dimension` numbers takes."""
    return -(-dimension // ROW_FLOATS) * ROW_FLOATS


def zeros(rows: int, columns: int) -> _Matrix:
    """A float32 array (rows, columns) of zeros that begins at a cache line; `columns` is a `padded` number."""
    memory = np.zeros(rows * columns + ROW_FLOATS, dtype=np.float32)
    start = -(memory.ctypes.data // 4) % ROW_FLOATS
    return memory[start : start + rows * columns].reshape(rows, columns)


def memory_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def fill_untrained(inputs: _Matrix, seed: int) -> None:
    """Fill float32 (n, d) with random numbers from −1/d to 1/d, as gensim begins; block by block, to save memory."""
    random = np.random.default_rng(seed)
    for start in range(0, len(inputs), _BLOCK_ROWS):
        rows = inputs[start : start + _BLOCK_ROWS]
        rows[:] = (random.random(rows.shape, dtype=np.float32) * 2 - 1) / np.float32(inputs.shape[1])


@dataclass(frozen=True)
class Matrices:
    """The two matrices.

    Args:
        inputs: float32 (n, or n + buckets with subwords; padded d).
        outputs: float32 (n; padded d).
        dimension: d.
    """

    inputs: _Matrix
    outputs: _Matrix
    dimension: int

    @classmethod
    def empty(cls, inputs: int, outputs: int, dimension: int) -> Matrices:
        """So many rows of zeros.

        Raises:
            SettingError: They don't fit into memory.
        """
        _check_fits(inputs, outputs, dimension)
        columns = padded(dimension)
        try:
            return cls(zeros(inputs, columns), zeros(outputs, columns), dimension)
        except MemoryError as error:
            raise _too_large(inputs, outputs, dimension) from error

    @staticmethod
    def check_fits(words: int, settings: Word2VecSettings) -> None:
        """That the matrices of so many words, and of n-grams, fit into memory: to be asked before texts are read.

        Raises:
            SettingError: They don't.
        """
        _check_fits(words + settings.subword_buckets, words, settings.dimension)

    @classmethod
    def untrained(cls, words: int, settings: Word2VecSettings) -> Matrices:
        """Small random inputs, and outputs at 0, so that every σ is ½ at first."""
        matrices = cls.empty(words + settings.subword_buckets, words, settings.dimension)
        fill_untrained(matrices.inputs[:, : settings.dimension], settings.seed)
        return matrices


def _bytes(inputs: int, outputs: int, dimension: int) -> int:
    return 4 * (inputs + outputs) * padded(dimension)


def _check_fits(inputs: int, outputs: int, dimension: int) -> None:
    # Asked before memory is: the system grants more than it has, and kills the process that then uses it.
    if _bytes(inputs, outputs, dimension) > memory_bytes():
        raise _too_large(inputs, outputs, dimension)


def _too_large(inputs: int, outputs: int, dimension: int) -> SettingError:
    needed = _bytes(inputs, outputs, dimension)
    return SettingError(
        f"dimension is {dimension:,}; with {outputs:,} words and {inputs - outputs:,} subword_buckets the matrices "
        f"take {needed / 1e9:,.1f} GB, of {memory_bytes() / 1e9:,.1f} GB that this machine has: lower dimension, "
        "subword_buckets or max_vocabulary"
    )
