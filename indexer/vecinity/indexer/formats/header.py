"""The first line of the word2vec formats: how many words, and their dimension."""

from __future__ import annotations

import re
from typing import NamedTuple

from vecinity.indexer.errors import InputError
from vecinity.indexer.formats.stream import ByteStream, shown

DIMENSION_MAX = 65_536
"""Far above any word vector; a line or vector that is longer is a file of something else."""

_HEADER = re.compile(rb"\s*([0-9]{1,18})\s+([0-9]{1,18})\s*")


class Header(NamedTuple):
    """What line 1 says: `word_count` words of `dimension` numbers."""

    word_count: int
    dimension: int


def parse_header(line: bytes) -> Header | None:
    """The header that a line is; None for any other line than two whole numbers."""
    found = _HEADER.fullmatch(line)
    return Header(int(found[1]), int(found[2])) if found else None


def read_header(line: bytes, stream: ByteStream, *, number_bytes_min: int) -> Header:
    """The header, if it can be true: nobody may be asked for memory that the file does not fill.

    Args:
        line: Line 1, without its end.
        number_bytes_min: What a number takes in the file at least; a word and what is around it take 2 or more.

    Raises:
        InputError: It is no header, or says what the file is too short for.
    """
    header = parse_header(line)
    if header is None:
        raise InputError(
            f"line 1 must be the number of words and the dimension, as in '400000 300', not {shown(line.rstrip())}; "
            "text without such a line is of the format glove",
            path=stream.path,
            line=1,
        )
    if header.word_count == 0:
        raise InputError("the header says 0 words: there is nothing to read", path=stream.path, line=1)
    if not 1 <= header.dimension <= DIMENSION_MAX:
        raise InputError(
            f"the header says dimension {header.dimension:,}; it must be from 1 to {DIMENSION_MAX:,}",
            path=stream.path,
            line=1,
        )
    needed = len(line) + header.word_count * (2 + header.dimension * number_bytes_min)
    if needed > stream.bytes_max:
        raise InputError(
            f"the header says {header.word_count:,} words of dimension {header.dimension:,}, which take {needed:,} "
            f"bytes or more; the file has {stream.bytes_max:,}{' at most' if stream.compressed else ''}: truncated?",
            path=stream.path,
            line=1,
        )
    return header
