"""Text: a word and its numbers on each line, with or without a header.

Lines are taken by the megabyte, and Arrow splits and parses the numbers of all of them at once, several times as
fast as a loop over lines. It rounds each number to the nearest float32, and writes the shortest digits that come back
as the same one. What is not plain (a word with a space, a fault) is looked at again line by line.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute

from vecinity.indexer.corpus import LINE_BYTES_MAX, EncodingErrors
from vecinity.indexer.errors import InputError
from vecinity.indexer.formats.header import DIMENSION_MAX, parse_header, read_header
from vecinity.indexer.formats.rows import DistinctWords, Float32s, Rows, first_not_finite
from vecinity.indexer.formats.stream import BLOCK_BYTES, ByteStream, decode_word, shown

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t"
_BETWEEN = re.compile(rb"[ \t]+")
_LINE_END = b" \r"  # word2vec.c and fastText end their lines with a space.
_NUMBERS_WRITTEN = 1 << 20  # At once.


def read_text(
    stream: ByteStream, *, has_header: bool, limit: int | None, encoding_errors: EncodingErrors
) -> tuple[list[str], Float32s]:
    """Words and vectors, float32 (n, d), of word2vec text or, without a header, of GloVe text.

    The dimension is the header's, or the number of numbers at the end of line 1. The last d fields of a line are its
    vector, so a word may have spaces in it; its last part must not be a number, or it could be one too many.

    Raises:
        InputError: Malformed; it names the line.
    """
    blocks = _line_blocks(stream)
    number, lines = next(blocks, (1, [b""]))
    lines[0] = lines[0].removeprefix(_BOM)
    if has_header:
        header = read_header(lines.pop(0), stream, number_bytes_min=2)
        count, dimension = header
        wanted, number = min(count, limit or count), number + 1
        rows = Rows(dimension, wanted, confirmed=not stream.compressed)
    else:
        header = None
        dimension = _first_dimension(lines[0], stream)
        wanted = limit or stream.bytes_max
        rows = Rows(dimension, wanted, confirmed=False)
    parser = _Parser(stream, dimension, "the header says" if header else "line 1 has", encoding_errors)
    start = 2 if header else 1
    distinct = DistinctWords(
        lambda earlier, row, word: InputError(
            f"the word {word} stands in line {earlier + start} already", path=stream.path, line=row + start
        )
    )
    words = distinct.words
    blank = 0  # The first of the empty lines at the end of what was read: only the end of the file may have some.
    for first, found in itertools.chain([(number, lines)], blocks):
        kept = found[: next((i for i in range(len(found), 0, -1) if found[i - 1].rstrip(_LINE_END)), 0)]
        if kept and blank:
            raise InputError("the line is empty", path=stream.path, line=blank)
        taken = kept[: wanted - len(words)]
        if taken:
            block_words, vectors = parser.parse(taken, first)
            distinct.extend(block_words)
            rows.extend(vectors)
        if len(words) == wanted == limit:
            break
        if len(taken) < len(kept):
            raise InputError(
                f"the header says {wanted:,} words, but the file goes on: correct line 1",
                path=stream.path,
                line=first + len(taken),
            )
        if len(kept) < len(found):
            blank = blank or first + len(kept)
    if header and len(words) < wanted:
        raise InputError(
            f"the header says {header.word_count:,} words, but the file ends after {len(words):,}: is it truncated?",
            path=stream.path,
            line=len(words) + 1,
        )
    return words, rows.finish()


def write_text(words: Sequence[str], vectors: Float32s, *, has_header: bool) -> Iterator[bytes]:
    """The file, piece by piece: word2vec text or, without a header, GloVe text.

    Args:
        words: n words without spaces.
        vectors: float32 (n, d), finite.
    """
    n, dimension = vectors.shape
    if has_header:
        yield f"{n} {dimension}\n".encode()
    step = max(1, _NUMBERS_WRITTEN // dimension)
    for start in range(0, n, step):
        block = vectors[start : start + step]
        numbers = pyarrow.array(block.ravel()).cast(pyarrow.string())
        bounds = np.arange(0, block.size + 1, dimension, dtype=np.int32)
        joined = pyarrow.compute.binary_join(pyarrow.ListArray.from_arrays(bounds, numbers), " ").to_pylist()
        lines = [f"{word} {vector}" for word, vector in zip(words[start : start + step], joined, strict=True)]
        if not has_header and start == 0 and parse_header(lines[0].encode()):
            lines[0] += ".0"  # A whole word and a whole number, such as "5 3", would be read as a header.
        yield ("\n".join(lines) + "\n").encode()


def parse_floats(fields: Sequence[bytes]) -> Float32s | None:
    """The numbers that fields are, float32 (n,), each rounded once; None if one is no number."""
    try:
        return _cast(pyarrow.array(fields, pyarrow.string()))
    except pyarrow.ArrowInvalid:
        return None


def _cast(strings: pyarrow.Array) -> Float32s:
    numbers: Float32s = strings.cast(pyarrow.float32()).to_numpy(zero_copy_only=False)
    return numbers


def _line_blocks(stream: ByteStream) -> Iterator[tuple[int, list[bytes]]]:
    """All lines without their ends, at least one at a time, with the 1-based number of the first of them."""
    number, rest = 1, b""
    while block := stream.read(BLOCK_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) >= LINE_BYTES_MAX:
            raise InputError(
                f"a line of over {LINE_BYTES_MAX >> 20} MiB: is this text?", path=stream.path, line=number + len(lines)
            )
        if lines:
            yield number, lines
            number += len(lines)
    if rest:
        yield number, [rest]


def _first_dimension(line: bytes, stream: ByteStream) -> int:
    """How many numbers there are at the end of a line that begins with a word."""
    fields = line.rstrip(_LINE_END).split(b" ")[1:][-DIMENSION_MAX - 1 :]
    dimension = sum(1 for _ in itertools.takewhile(lambda field: parse_floats([field]) is not None, reversed(fields)))
    if not 1 <= dimension <= DIMENSION_MAX:
        fault = "has no number at its end" if dimension == 0 else f"has more than {DIMENSION_MAX:,} numbers"
        raise InputError(
            f"{fault}: {shown(line)} is neither a word with its vector nor a header; "
            "no format of word vectors begins so",
            path=stream.path,
            line=1,
        )
    return dimension


class _Parser:
    """Lines to words and vectors.

    Args:
        origin: Where the dimension is from, as the beginning of a clause.
    """

    def __init__(self, stream: ByteStream, dimension: int, origin: str, encoding_errors: EncodingErrors) -> None:
        self._path = stream.path
        self._dimension = dimension
        self._origin = origin
        self._encoding_errors = encoding_errors

    def parse(self, lines: Sequence[bytes], number: int) -> tuple[list[str], Float32s]:
        """The m words and vectors, float32 (m, d), of lines of which the first has this number."""
        words, vectors = self._parse_plain(lines) or self._parse_each(lines, number)
        if (row := first_not_finite(vectors)) is not None:
            raise InputError(
                f"the vector of {shown(words[row])} holds NaN or infinity", path=self._path, line=number + row
            )
        return words, vectors

    def _parse_plain(self, lines: Sequence[bytes]) -> tuple[list[str], Float32s] | None:
        """All lines at once; None if any of them needs a closer look."""
        words, vectors = [], []
        for line in lines:
            word, _, vector = line.partition(b" ")
            words.append(word)
            vectors.append(vector.rstrip(_LINE_END))
        try:
            texts = [word.decode("utf-8", self._encoding_errors) for word in words]
            fields = pyarrow.compute.split_pattern(pyarrow.array(vectors, pyarrow.string()), " ")
            if not (np.diff(fields.offsets.to_numpy()) == self._dimension).all():
                return None
            numbers = _cast(fields.flatten())
        except (UnicodeDecodeError, pyarrow.ArrowInvalid):
            return None
        if b"" in words or any(b"\t" in word for word in words):
            return None
        return texts, numbers.reshape(len(lines), self._dimension)

    def _parse_each(self, lines: Sequence[bytes], number: int) -> tuple[list[str], Float32s]:
        parsed = [self._parse_line(line, number + i) for i, line in enumerate(lines)]
        return [word for word, _ in parsed], np.stack([vector for _, vector in parsed])

    def _parse_line(self, line: bytes, number: int) -> tuple[str, npt.NDArray[np.float32]]:
        def fault(message: str) -> InputError:
            return InputError(message, path=self._path, line=number)

        word, *fields = line.rstrip(_LINE_END).rsplit(b" ", self._dimension)
        if not word and not fields:
            raise fault("the line is empty")
        if len(fields) < self._dimension:
            raise fault(
                f"{len(fields):,} numbers after the word {shown(word)}; {self._origin} {self._dimension:,}: "
                "is the line truncated?"
            )
        vector = parse_floats(fields)
        if vector is None:
            wrong = next(field for field in fields if parse_floats([field]) is None)
            raise fault(f"{shown(wrong)} is no number: a word and {self._dimension:,} numbers, with one space between")
        if not word or word.strip(_BLANKS) != word:
            raise fault("there must be a word, and one space before each number")
        _, *others = re.split(_BETWEEN, word)
        if others and parse_floats(others[-1:]) is not None:
            raise fault(f"there are more than {self._dimension:,} numbers; {self._origin} {self._dimension:,}")
        return decode_word(word, self._encoding_errors, "", self._path, number), vector
