"""Which format a file is of, by its content: names mean different things to different tools.

1. A folder with `model.json` is a model of our own.
2. What begins as a pickle of protocol 2 or later is gensim's. No text or binary file of vectors can begin so.
3. Line 1 of two whole numbers, "400000 300", is the header of the word2vec formats.
   a. If line 2 ends in as many numbers as it says, the file is text.
   b. Else it is binary, unless what follows the first space is all printable: then it is text, with a fault in line 2.
4. Anything else is GloVe text, where line 1 is a word and its vector.

By these rules a GloVe file of dimension 1 whose first line is, say, "5 3" is taken for word2vec text ("5 0.3" is not),
and binary vectors that happen to spell numbers for text. Whoever has such a file names its format.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from vecinity.indexer.errors import InputError
from vecinity.indexer.formats.header import parse_header
from vecinity.indexer.formats.stream import BLOCK_BYTES, open_stream
from vecinity.indexer.formats.text import parse_floats

_BOM = b"\xef\xbb\xbf"
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_PRINTABLE = re.compile(rb"[\t\r\n\x20-\x7e]*")
_LOOKED_AT = 4_096
_GLOVE_SURE = 10


class Format(StrEnum):
    """A format of word vectors. The values are what users write."""

    WORD2VEC_TEXT = "word2vec-text"
    WORD2VEC_BINARY = "word2vec-binary"
    GLOVE = "glove"
    GENSIM_KEYED_VECTORS = "gensim-keyed-vectors"
    VECINITY_MODEL = "vecinity-model"


def detect_format(path: Path) -> Format:
    """The format of a file, plain or gzip, or of a folder.

    Raises:
        InputError: There is no such file, it is empty, or the folder holds no model.
    """
    if path.is_dir():
        if not (path / "model.json").is_file():
            raise InputError("is a folder without a model.json: give a file of vectors or a saved model", path=path)
        return Format.VECINITY_MODEL
    with open_stream(path) as stream:
        start = stream.read(BLOCK_BYTES)
    if not start.strip():
        raise InputError("is empty", path=path)
    if _PICKLE.match(start):
        return Format.GENSIM_KEYED_VECTORS
    line, _, rest = start.removeprefix(_BOM).partition(b"\n")
    header = parse_header(line)
    if header is None:
        return Format.GLOVE
    return Format.WORD2VEC_TEXT if _is_text(rest, header.dimension) else Format.WORD2VEC_BINARY


def holds_vectors(path: Path) -> bool:
    """Whether a file, plain or gzip, is surely one of word vectors, and not text that somebody wrote.

    Surer than `detect_format`, which takes for granted that it is one: a header has a vector of its dimension behind
    it, a line without one has ten numbers at least after its word, and binary vectors have a zero byte.
    """
    with open_stream(path) as stream:
        start = stream.read(BLOCK_BYTES)
    if _PICKLE.match(start):
        return True
    first, _, rest = start.removeprefix(_BOM).partition(b"\n")
    header = parse_header(first)
    if header is None:
        fields = first.split()[1:]
        return len(fields) >= _GLOVE_SURE and parse_floats(fields) is not None
    fields = rest.partition(b"\n")[0].rstrip(b" \r").rsplit(b" ", header.dimension)[1:]
    return b"\0" in rest or (len(fields) == header.dimension and parse_floats(fields) is not None)


def _is_text(vectors: bytes, dimension: int) -> bool:
    """Whether what follows a header is text."""
    word, *fields = vectors.partition(b"\n")[0].rstrip(b" \r").rsplit(b" ", dimension)
    if len(fields) == dimension and word and parse_floats(fields) is not None:
        return True
    numbers = vectors.partition(b" ")[2][: min(4 * dimension, _LOOKED_AT)]
    return _PRINTABLE.fullmatch(numbers) is not None
