"""word2vec binary: a header, then for each word its UTF-8 bytes, a space and d little-endian float32.

word2vec.c ends each vector with a line break, gensim does not; both are read, and the first is written,
which both read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from vecinity.indexer.corpus import EncodingErrors
from vecinity.indexer.errors import InputError
from vecinity.indexer.formats.header import Header, read_header
from vecinity.indexer.formats.rows import DistinctWords, Float32s, Rows, first_not_finite
from vecinity.indexer.formats.stream import BLOCK_BYTES, ByteStream, decode_word, shown

_WORD_BYTES_MAX = 1 << 16
_ROWS_WRITTEN = 4_096  # At once.


def read_binary(
    stream: ByteStream, *, limit: int | None, encoding_errors: EncodingErrors
) -> tuple[list[str], Float32s]:
    """Words and vectors, float32 (n, d).

    Raises:
        InputError: Malformed; it names the line of the header, or the byte, from 0, where a word begins.
    """
    block = stream.read(BLOCK_BYTES)
    first_line, _, rest = block.partition(b"\n")
    header = read_header(first_line, stream, number_bytes_min=4)
    wanted = min(header.word_count, limit or header.word_count)
    rows = Rows(header.dimension, wanted, confirmed=not stream.compressed)
    offsets = array("q")  # Where each word begins.
    distinct = DistinctWords(
        lambda earlier, row, word: InputError(
            f"byte {offsets[row]:,}: the word {word} stands at byte {offsets[earlier]:,} already", path=stream.path
        )
    )
    words = distinct.words
    position = len(first_line) + 1  # Where `rest` begins.
    while len(words) < wanted:
        found, starts, vectors, used = _split(rest, header.dimension, wanted - len(words))
        offsets.extend(position + start for start in starts)
        distinct.extend(
            [
                _checked_word(word, position + start, stream, header, encoding_errors)
                for word, start in zip(found, starts, strict=True)
            ]
        )
        block_rows = np.frombuffer(vectors, dtype="<f4").reshape(len(found), header.dimension)
        if (row := first_not_finite(block_rows)) is not None:
            word, start = found[row], position + starts[row]
            raise InputError(
                f"byte {start:,}: the vector of {shown(word)} holds NaN or infinity; "
                f"are the vectors of dimension {header.dimension:,}?",
                path=stream.path,
            )
        rows.extend(block_rows)
        rest, position = rest[used:], position + used
        if len(words) < wanted:
            block = stream.read(BLOCK_BYTES)
            _check_goes_on(rest, block, position, stream, header, len(words))
            rest += block
    if limit is None or limit > header.word_count:
        rest += stream.read(2)
        end = b"\n" if rest.startswith(b"\n") else b""
        if rest != end:
            raise InputError(
                f"byte {position + len(end):,}: the header says {header.word_count:,} words, but the file goes on: "
                "correct line 1",
                path=stream.path,
            )
    return words, rows.finish()


def write_binary(words: Sequence[str], vectors: Float32s) -> Iterator[bytes]:
    """The file, piece by piece.

    Args:
        words: n words without spaces.
        vectors: float32 (n, d), finite.
    """
    n, dimension = vectors.shape
    yield f"{n} {dimension}\n".encode()
    for start in range(0, n, _ROWS_WRITTEN):
        block = np.ascontiguousarray(vectors[start : start + _ROWS_WRITTEN], dtype="<f4")
        pairs = zip(words[start : start + _ROWS_WRITTEN], block, strict=True)
        yield b"".join(b"%b %b\n" % (word.encode(), vector.tobytes()) for word, vector in pairs)


def _split(chunk: bytes, dimension: int, most: int) -> tuple[list[bytes], list[int], bytes, int]:
    """The words that are in `chunk` with their whole vector, at most so many.

    Returns:
        The words, where each begins, their vectors joined, and how many bytes of `chunk` that were.
    """
    words: list[bytes] = []
    starts: list[int] = []
    vectors: list[bytes] = []
    used = 0
    length = 4 * dimension
    while len(words) < most:
        start = used + 1 if chunk.startswith(b"\n", used) else used
        space = chunk.find(b" ", start)
        if space < 0 or space + 1 + length > len(chunk):
            break
        words.append(chunk[start:space])
        starts.append(start)
        used = space + 1 + length
        vectors.append(chunk[space + 1 : used])
    return words, starts, b"".join(vectors), used


def _checked_word(word: bytes, start: int, stream: ByteStream, header: Header, encoding_errors: EncodingErrors) -> str:
    if not word or b"\n" in word:
        fault = f"the word {shown(word)} has a line break in it" if word else "there is no word before the vector"
        raise InputError(
            f"byte {start:,}: {fault}; are the vectors of dimension {header.dimension:,}?", path=stream.path
        )
    return decode_word(word, encoding_errors, f"byte {start:,}: ", stream.path)


def _check_goes_on(rest: bytes, block: bytes, position: int, stream: ByteStream, header: Header, read: int) -> None:
    """Raise `InputError` unless what begins at `position` can be a word that ends in the next block."""
    start = position + rest.startswith(b"\n")
    word, space, _ = (rest + block).removeprefix(b"\n").partition(b" ")
    if not space and len(word) > _WORD_BYTES_MAX:
        raise InputError(f"byte {start:,}: a word of over {_WORD_BYTES_MAX:,} bytes: is this binary?", path=stream.path)
    if block:
        return
    where = f"in the vector of {shown(word)}" if space else "in a word" if word else "there"
    raise InputError(
        f"byte {start:,}: the header says {header.word_count:,} words, but the file ends {where}, after {read:,}: "
        "is it truncated?",
        path=stream.path,
    )
