"""Files of text, line by line, with every fault named by its place."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from vecinity.indexer.errors import InputError

EncodingErrors = Literal["strict", "replace"]

LINE_BYTES_MAX = 64 << 20
"""A longer line is not text; reading on could fill the memory."""


def open_file(path: Path) -> BinaryIO | gzip.GzipFile:
    """Open a plain or gzip file for reading, whichever it is by its name.

    Raises:
        InputError: It is missing, a folder, or not readable.
    """
    check_regular(path)
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}): give the path of a file", path=path) from error


def check_regular(path: Path) -> None:
    """Sources are read more than once, so pipes and devices won't do.

    Raises:
        InputError: There is no such file, or it is not a regular one.
    """
    if not path.exists():
        raise InputError("can't be read (No such file or directory): give the path of a file", path=path)
    if not path.is_file():
        raise InputError("can't be read (not a regular file): give the path of a file", path=path)


def read_lines(path: Path, encoding_errors: EncodingErrors = "strict") -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file, plain or gzip, with their 1-based numbers and without their line ends.

    Args:
        path: A file; ``.gz`` is decompressed. A byte order mark is dropped.
        encoding_errors: "strict" raises at invalid UTF-8, "replace" puts U+FFFD in its place.

    Raises:
        InputError: The file is missing, a broken gzip, not UTF-8, or has a line over 64 MiB.
    """
    with open_file(path) as file:
        number = 0
        while True:
            try:
                line = file.readline(LINE_BYTES_MAX)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InputError(f"is no intact gzip file after line {number} ({error})", path=path) from error
            except OSError as error:
                raise InputError(f"can't be read ({error.strerror})", path=path) from error
            if not line:
                return
            number += 1
            if len(line) == LINE_BYTES_MAX:
                raise InputError(f"a line of over {LINE_BYTES_MAX >> 20} MiB: is this text?", path=path, line=number)
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            try:
                text = line.decode("utf-8", encoding_errors)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"invalid UTF-8 (byte 0x{line[error.start]:02x} at position {error.start + 1} of the line): "
                    "convert the file, or go on with --encoding-errors replace",
                    path=path,
                    line=number,
                ) from error
            yield number, text.rstrip("\r\n")
