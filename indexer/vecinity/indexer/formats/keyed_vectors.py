"""gensim's `KeyedVectors.save`: a pickle, and beside it a `.npy` file for each large array.

A pickle is a program: loaded as gensim does it, a file from a stranger runs what the stranger likes. Here no name in it
reaches Python. Each of the few that `KeyedVectors` needs becomes a stand-in that keeps what it is given and does
nothing; any other is refused. NumPy's own functions have stand-ins too, since they trust what a pickle tells them about
memory: the arrays are made afterwards, from raw bytes and checked shapes.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vecinity.indexer.dataset import read_vectors
from vecinity.indexer.errors import InputError
from vecinity.indexer.formats.restricted_pickle import RestrictedUnpickler, StandIn, load_pickle
from vecinity.indexer.formats.rows import Float32s, check_unique, first_not_finite
from vecinity.indexer.formats.stream import ByteStream, shown

_NUMBERS = re.compile(r"[<>=|]?[fiu][1248]")
_ROWS_CHECKED = 4_096  # At once.


def read_keyed_vectors(
    stream: ByteStream, *, limit: int | None
) -> tuple[list[str], Float32s, npt.NDArray[np.int64] | None]:
    """Words, vectors float32 (n, d), and counts int64 (n,) where the file has them.

    gensim makes up counts n, n - 1, … when it reads a text or binary format; they are passed on as they are.

    Raises:
        InputError: Not `KeyedVectors`, or a name in it that is refused, or a file beside it is missing.
    """
    if stream.compressed:
        raise InputError("compressed KeyedVectors are not read: unpack it, or save it without .gz", path=stream.path)
    state = _load(stream)
    words = state.get("index_to_key", state.get("index2word"))  # the second in gensim 3
    if not isinstance(words, list) or not words:
        raise InputError("holds no words", path=stream.path)
    for row, word in enumerate(words):
        if type(word) is not str or not word or not _is_character_text(word):
            found = shown(word) if type(word) is str else type(word).__name__
            raise InputError(f"word {row + 1:,} is {found}; each must be text, and not empty", path=stream.path)
    vectors = _vectors(state, len(words), stream.path, limit)
    counts = _counts(state, words, stream.path)
    words = words[:limit]
    check_unique(
        words,
        lambda earlier, row, word: InputError(
            f"word {row + 1:,}, {word}, is word {earlier + 1:,} already", path=stream.path
        ),
    )
    return words, vectors, None if counts is None else counts[:limit]


class _KeyedVectors(StandIn):
    """``state``: the attributes."""


class _VocabularyEntry(StandIn):
    """A word of gensim 3; ``state``: count and index."""


class _Array(StandIn):
    """``state``: version, shape, dtype, whether in Fortran's order, raw bytes."""


class _ArrayOfBuffer(StandIn):
    """``args``: raw bytes, dtype, shape, order (protocol 5)."""


class _Dtype(StandIn):
    """``args[0]``: kind and size, such as "f4"; ``state[1]``: byte order."""


class _Bytes(StandIn):
    """``args[0]``: bytes as Latin-1 text, which protocols 2 and below have no other way to hold."""


class _Other(StandIn):
    """Named beside what is wanted, and not looked at."""


_STAND_INS: dict[str, type[StandIn]] = {
    "gensim.models.keyedvectors.KeyedVectors": _KeyedVectors,
    "gensim.models.keyedvectors.Word2VecKeyedVectors": _KeyedVectors,
    "gensim.models.keyedvectors.EuclideanKeyedVectors": _KeyedVectors,
    "gensim.models.keyedvectors.Vocab": _VocabularyEntry,
    "gensim.models.keyedvectors.CompatVocab": _VocabularyEntry,
    **dict.fromkeys(("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"), _Array),
    **dict.fromkeys(("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"), _ArrayOfBuffer),
    **dict.fromkeys(("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"), _Other),
    "numpy.ndarray": _Other,
    "numpy.dtype": _Dtype,
    # What protocols 2 and 3 spell by name: raw bytes, and an empty set in gensim's notes on when it saved.
    "_codecs.encode": _Bytes,
    **dict.fromkeys(("__builtin__.frozenset", "builtins.frozenset"), _Other),
}


class _Unpickler(RestrictedUnpickler):
    """Reads a pickle of which no name reaches Python."""

    def find_class(self, module: str, name: str) -> type[StandIn]:
        full = f"{module}.{name}"
        if full not in _STAND_INS:
            of_gensim = module.startswith("gensim.")
            hint = "write the vectors with gensim's save_word2vec_format(…)" if of_gensim else "do not trust this file"
            raise InputError(f"names {shown(full)}, which is refused, so nothing was read: {hint}", path=self.path)
        return _STAND_INS[full]


def _load(stream: ByteStream) -> dict[str, Any]:
    """The attributes of the `KeyedVectors` that a pickle holds."""
    loaded = load_pickle(stream.path, _Unpickler)
    if not isinstance(loaded, _KeyedVectors) or not isinstance(loaded.state, dict):
        raise InputError("holds no KeyedVectors: save them with model.wv.save(…)", path=stream.path)
    return loaded.state


def _is_character_text(word: str) -> bool:
    """Whether a word has no half of a surrogate pair."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _vectors(state: dict[str, Any], n: int, path: Path, limit: int | None) -> Float32s:
    aside = state.get("__numpys")
    if isinstance(aside, list) and "vectors" in aside:
        beside = path.with_name(f"{path.name}.vectors.npy")
        if not beside.exists():
            raise InputError(f"its vectors are missing: gensim saved them to {beside.name}, beside it", path=path)
        array: npt.NDArray[Any] = read_vectors(beside)
    elif "vectors" in state:
        array = _array(state["vectors"], "vectors", path)
    else:
        raise InputError("holds no vectors: write them with gensim's save_word2vec_format(…)", path=path)
    if array.ndim != 2 or array.dtype.kind != "f" or len(array) != n or not array.shape[1]:
        raise InputError(
            f"its vectors are {array.dtype} {array.shape}; for {n:,} words they must be floats ({n}, d)", path=path
        )
    with np.errstate(over="ignore"):  # What float32 can't hold becomes infinite, and is refused.
        vectors = np.array(array[:limit], dtype=np.float32)
    for start in range(0, len(vectors), _ROWS_CHECKED):
        if (row := first_not_finite(vectors[start : start + _ROWS_CHECKED])) is not None:
            raise InputError(f"the vector of word {start + row + 1:,} holds NaN or infinity", path=path)
    return vectors


def _counts(state: dict[str, Any], words: list[str], path: Path) -> npt.NDArray[np.int64] | None:
    expandos, vocabulary = state.get("expandos"), state.get("vocab")
    if isinstance(expandos, dict) and "count" in expandos:
        counts = _array(expandos["count"], "counts", path)
        if counts.shape != (len(words),) or counts.dtype.kind not in "iu":
            raise InputError(
                f"its counts are {counts.dtype} {counts.shape}, not whole numbers ({len(words)},)", path=path
            )
        return counts.astype(np.int64)
    if not isinstance(vocabulary, dict):
        return None
    entries = [entry.state for word in words if isinstance(entry := vocabulary.get(word), _VocabularyEntry)]
    found = [entry.get("count") for entry in entries if isinstance(entry, dict)]
    if len(found) != len(words) or not all(type(count) is int and abs(count) < 1 << 63 for count in found):
        raise InputError("a word of it has no whole number as its count", path=path)
    return np.array(found, dtype=np.int64)


def _array(value: Any, what: str, path: Path) -> npt.NDArray[Any]:
    """The array of numbers that a stand-in describes."""
    if isinstance(value, _Array) and isinstance(value.state, tuple) and len(value.state) == 5:
        _, shape, dtype, fortran, raw = value.state
        columns_first = fortran is True
    elif isinstance(value, _ArrayOfBuffer) and len(value.args) == 4:
        raw, dtype, shape, order = value.args
        columns_first = order == "F"
    else:
        raise InputError(f"its {what} are no array", path=path)
    if isinstance(raw, _Bytes) and raw.args:
        raw = raw.args[0]
    if isinstance(raw, str):  # bytes of Python 2, or of protocol 2
        raw = raw.encode("latin1", "replace")
    if (
        (code := _dtype_code(dtype)) is None
        or not isinstance(raw, bytes | bytearray)
        or not isinstance(shape, tuple)
        or len(shape) > 2
        or not all(type(length) is int and 0 <= length < 1 << 63 for length in shape)
        or math.prod(shape) * np.dtype(code).itemsize != len(raw)
        or not raw
    ):
        raise InputError(f"its {what} are no intact array of numbers", path=path)
    numbers: npt.NDArray[Any] = np.frombuffer(raw, dtype=code)
    return numbers.reshape(shape, order="F" if columns_first else "C")


def _dtype_code(dtype: Any) -> str | None:
    """Byte order, kind and size of numbers, such as "<f4"; None for anything else."""
    if not isinstance(dtype, _Dtype) or not dtype.args:
        return None
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "="
    if not isinstance(order, str) or not isinstance(dtype.args[0], str):
        return None
    code = f"{order}{dtype.args[0]}"
    return code if _NUMBERS.fullmatch(code) and code[-2:] != "f1" else None
