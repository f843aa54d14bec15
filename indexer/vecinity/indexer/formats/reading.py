"""`read_word_vectors`: one call for all formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.corpus import EncodingErrors
from vecinity.indexer.errors import SettingError
from vecinity.indexer.formats.binary import read_binary
from vecinity.indexer.formats.detect import Format, detect_format
from vecinity.indexer.formats.keyed_vectors import read_keyed_vectors
from vecinity.indexer.formats.stream import open_stream
from vecinity.indexer.formats.text import read_text
from vecinity.indexer.word2vec import Word2VecModel
from vecinity.indexer.word_vectors import WordVectors


def read_word_vectors(
    path: Path, *, format: Format | None = None, limit: int | None = None, encoding_errors: EncodingErrors = "strict"
) -> WordVectors:
    """Words and their vectors from a file, plain or gzip, or from the folder of a model.

    Args:
        path: The file or folder; nothing is told by its name.
        format: None finds it out, by the rules in `detect`.
        limit: Only the first so many words; what comes after them is not looked at.
        encoding_errors: "strict" refuses words that are not UTF-8, "replace" puts U+FFFD in their place. word2vec.c
            cuts long words within a character.

    Returns:
        n words, none twice; vectors, float32 (n, d), finite; counts where the format has them.

    Raises:
        InputError: Malformed; it names the line, or in binary the byte, and nothing was read.
        CorruptError: The model is damaged.
        SettingError: `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise SettingError(f"limit is {limit}; it must be at least 1")
    format = format or detect_format(path)
    counts: npt.NDArray[np.int64] | None = None
    if format == Format.VECINITY_MODEL:
        model = Word2VecModel.load(path)
        counts = None if model.counts is None else model.counts[:limit]
        return WordVectors(model.words[:limit], model.vectors[:limit], counts)
    with open_stream(path) as stream:
        if format == Format.GENSIM_KEYED_VECTORS:
            words, vectors, counts = read_keyed_vectors(stream, limit=limit)
        elif format == Format.WORD2VEC_BINARY:
            words, vectors = read_binary(stream, limit=limit, encoding_errors=encoding_errors)
        else:
            has_header = format == Format.WORD2VEC_TEXT
            words, vectors = read_text(stream, has_header=has_header, limit=limit, encoding_errors=encoding_errors)
    return WordVectors(words, vectors, counts)
