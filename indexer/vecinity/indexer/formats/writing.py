"""`write_word_vectors`: a file that is there whole, or as it was before."""

from __future__ import annotations

import gzip
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from vecinity.indexer.errors import InputError, SettingError, StorageError
from vecinity.indexer.files import fsync, writing
from vecinity.indexer.formats.binary import write_binary
from vecinity.indexer.formats.detect import Format
from vecinity.indexer.formats.rows import check_unique, first_not_finite
from vecinity.indexer.formats.stream import shown
from vecinity.indexer.formats.text import write_text
from vecinity.indexer.word_vectors import WordVectors

_FORMAT_OF_SUFFIX = {
    ".bin": Format.WORD2VEC_BINARY,
    ".vec": Format.WORD2VEC_TEXT,
    ".txt": Format.WORD2VEC_TEXT,
}
_GZIP_LEVEL = 6
_ROWS_CHECKED = 4_096  # At once.
_BREAK = re.compile(r"[ \t\n\v\f\r]")  # Where C's readers end a word; gensim's do at the space and line feed.


def format_of_name(path: Path) -> Format:
    """The format in which a file of this name is written, unless told otherwise.

    ``.bin`` is word2vec binary, ``.vec`` and ``.txt`` are word2vec text; each may be followed by ``.gz``. GloVe's
    format has no name of its own and must be asked for.

    Raises:
        SettingError: Another name.
    """
    name = path.name.lower().removesuffix(".gz")
    format = _FORMAT_OF_SUFFIX.get(Path(name).suffix)
    if format is None:
        raise SettingError(
            f"{path.name} tells no format: name it .vec, .txt or .bin (each also with .gz), or say --format"
        )
    return format


def write_word_vectors(word_vectors: WordVectors, path: Path, *, format: Format | None = None) -> None:
    """Write words and vectors, without counts, which none of the formats has.

    Text is written with the fewest digits that are read back as the same float32. A file of this name is replaced when
    the new one is complete and on the disk.

    Args:
        path: The file; ``.gz`` compresses it.
        format: One of the word2vec formats or GloVe; None takes it from the name, see `format_of_name`.

    Raises:
        InputError: What other tools could not read: a word with a space or a line break, one that stands twice, NaN,
            infinity, nothing at all.
        SettingError: A format that is only read, or none.
        StorageError: The disk refused, or `path` is no regular file. What was there is there still.
    """
    format = format or format_of_name(path)
    if format in (Format.GENSIM_KEYED_VECTORS, Format.VECINITY_MODEL):
        raise SettingError(f"{format} is only read: write word2vec-text, word2vec-binary or glove")
    _check_writable(word_vectors, format)
    words, vectors = word_vectors.words, word_vectors.vectors
    if format == Format.WORD2VEC_BINARY:
        pieces = write_binary(words, vectors)
    else:
        pieces = write_text(words, vectors, has_header=format == Format.WORD2VEC_TEXT)
    _replace(path, pieces)


def _check_writable(word_vectors: WordVectors, format: Format) -> None:
    words, vectors = word_vectors.words, word_vectors.vectors
    if not vectors.size:
        raise InputError(f"vectors of shape {vectors.shape} hold nothing to write")
    for row, word in enumerate(words):
        if not word or _BREAK.search(word):
            fault = "has a space or a line break in it" if word else "is empty"
            raise InputError(f"word {row + 1:,}, {shown(word)}, {fault}: no tool could read it back from {format}")
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"word {row + 1:,}, {shown(word)}, holds half of a surrogate pair, which is no character"
            ) from error
    if format == Format.GLOVE and words[0].startswith("\ufeff"):
        raise InputError(f"word 1, {shown(words[0])}, begins with what is taken for a byte order mark in glove")
    check_unique(
        words, lambda earlier, row, word: InputError(f"word {row + 1:,}, {word}, is word {earlier + 1:,} already")
    )
    for start in range(0, len(vectors), _ROWS_CHECKED):
        if (wrong := first_not_finite(vectors[start : start + _ROWS_CHECKED])) is not None:
            raise InputError(f"the vector of {shown(words[start + wrong])} holds NaN or infinity")


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file beside `path`, and put it in its place when it is on the disk."""
    with writing(path):
        target = path.resolve()  # A link goes on pointing to what it points to.
        if target.exists() and not target.is_file():
            raise StorageError(f"can't write {path}: it is no regular file; choose another name")
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    temporary = Path(name)
    try:
        with writing(path):
            with os.fdopen(descriptor, "wb") as file:
                if path.suffix.lower() == ".gz":
                    # No name and no time in it: the same vectors make the same file.
                    with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as packed:
                        packed.writelines(pieces)
                else:
                    file.writelines(pieces)
            temporary.chmod(0o644)  # Temporary files are private to one user; vectors need not be.
            fsync(temporary)
            temporary.rename(target)
            fsync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
