"""A file of vectors as bytes, plain or gzip by its content, with every fault named by its place."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vecinity.indexer.corpus import EncodingErrors, check_regular
from vecinity.indexer.errors import SHOWN_CHARS_MAX, InputError

BLOCK_BYTES = 1 << 20
"""Read at once."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_RATIO_MAX = 1_032  # What deflate can do at best.


class ByteStream:
    """The content of a file from its beginning to its end.

    Args:
        path: The file.
        file: It, opened.
        compressed: Whether `file` decompresses.

    Attributes:
        bytes_max: The content is not longer; of a plain file, it is its length.
    """

    def __init__(self, path: Path, file: BinaryIO | gzip.GzipFile, *, compressed: bool) -> None:
        self.path = path
        self.compressed = compressed
        self.bytes_max = path.stat().st_size * (_GZIP_RATIO_MAX if compressed else 1)
        self._file = file
        self._position = 0

    def read(self, count: int = BLOCK_BYTES) -> bytes:
        """The next `count` bytes; fewer only at the end.

        Raises:
            InputError: A broken gzip file, or the disk fails.
        """
        try:
            block = self._file.read(count)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"is no intact gzip file after byte {self._position:,} ({error})", path=self.path
            ) from error
        except OSError as error:
            raise InputError(f"can't be read ({error.strerror})", path=self.path) from error
        self._position += len(block)
        return block


@contextmanager
def open_stream(path: Path) -> Iterator[ByteStream]:
    """Open a file for reading.

    Raises:
        InputError: It is missing, a folder, or not readable.
    """
    check_regular(path)
    try:
        plain = path.open("rb")
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}): give the path of a file", path=path) from error
    with plain:
        compressed = plain.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        plain.seek(0)
        if not compressed:
            yield ByteStream(path, plain, compressed=False)
            return
        with gzip.GzipFile(fileobj=plain) as unpacked:
            yield ByteStream(path, unpacked, compressed=True)


def decode_word(word: bytes, encoding_errors: EncodingErrors, place: str, path: Path, line: int | None = None) -> str:
    """The text of a word.

    Args:
        place: What goes before the message: where in the file, if it has no lines.

    Raises:
        InputError: It is not UTF-8 and `encoding_errors` is "strict".
    """
    try:
        return word.decode("utf-8", encoding_errors)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}the word {shown(word)} is not UTF-8 (byte 0x{word[error.start]:02x}): "
            "convert the file, or go on with --encoding-errors replace",
            path=path,
            line=line,
        ) from error


def shown(text: bytes | str) -> str:
    """A word or field as a message shows it."""
    text = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    return repr(text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…")
