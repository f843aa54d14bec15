"""Files of int32 numbers, written and read in blocks, so that a corpus may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.files import writing

Int32s = npt.NDArray[np.int32]

BLOCK = 1 << 18  # Numbers held in memory at once.


def create(path: Path) -> FileIO:
    """A new file without a buffer: what a full disk refused must not be tried again when the file closes."""
    with writing(path):
        return FileIO(path, "wb")


def append(file: FileIO, path: Path, numbers: Int32s) -> None:
    """Write all of `numbers`.

    Raises:
        StorageError: The disk refused.
    """
    with writing(path):
        rest = numbers.data.cast("B")
        while rest:
            rest = rest[file.write(rest) :]


def length(path: Path) -> int:
    """How many numbers a file holds."""
    return path.stat().st_size // 4


def read_sentences(path: Path, end: int) -> Iterator[Int32s]:
    """The file in blocks of about `BLOCK` numbers, each of whole sentences: its last number is `end`.

    Args:
        end: The number that closes every sentence, the file's last included.
    """
    rest = np.empty(0, dtype=np.int32)
    with path.open("rb") as file:
        while (block := np.fromfile(file, dtype=np.int32, count=BLOCK)).size:
            ends = np.flatnonzero(block == end)
            if not ends.size:
                rest = np.concatenate([rest, block])
                continue
            whole = int(ends[-1]) + 1
            yield np.concatenate([rest, block[:whole]])
            rest = block[whole:]
