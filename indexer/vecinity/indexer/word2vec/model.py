"""A trained word2vec model: words, their counts and vectors; saved as safetensors, plain text and JSON."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from vecinity.indexer.errors import (
    CorruptError,
    InputError,
    NotFoundError,
    SettingError,
    StorageError,
    UnknownWordError,
)
from vecinity.indexer.files import publish_folder, writing
from vecinity.indexer.word2vec.settings import Word2VecSettings

FORMAT = "vecinity word2vec 1"
_TENSORS = "model.safetensors"
_WORDS = "words.txt"
_HEADER = "model.json"


@dataclass(frozen=True, eq=False)
class Word2VecModel:
    """Words and their vectors, most frequent word first.

    Args:
        words: n words, none twice and none with a line break.
        counts: int64 (n,), how often each occurred in the corpus.
        vectors: float32 (n, d), not normalised.
        settings: What it was trained with.
    """

    words: list[str]
    counts: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]
    settings: Word2VecSettings

    def __post_init__(self) -> None:
        n, d = len(self.words), self.settings.dimension
        if self.counts.shape != (n,) or self.counts.dtype != np.int64:
            raise InputError(f"counts are {self.counts.dtype} {self.counts.shape}; they must be int64 ({n},)")
        if self.vectors.shape != (n, d) or self.vectors.dtype != np.float32:
            raise InputError(f"vectors are {self.vectors.dtype} {self.vectors.shape}; they must be float32 ({n}, {d})")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    @cached_property
    def index(self) -> dict[str, int]:
        """Word to row."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits (XXH3, 128 bits) that tell two models apart by settings, words, counts or vectors."""
        digest = xxhash.xxh3_128(json.dumps(asdict(self.settings), sort_keys=True).encode())
        digest.update("\n".join(self.words).encode())
        digest.update(np.ascontiguousarray(self.counts, dtype="<i8").data)
        digest.update(np.ascontiguousarray(self.vectors, dtype="<f4").data)
        return digest.hexdigest()

    def vector_of(self, word: str) -> npt.NDArray[np.float32]:
        """The vector of a word, float32 (d,); UnknownWordError when it has none."""
        row = self.index.get(word)
        if row is None:
            raise UnknownWordError(word)
        vector: npt.NDArray[np.float32] = self.vectors[row]
        return vector

    def save(self, directory: Path) -> None:
        """Write the model so that `directory` holds all of it or does not exist.

        A directory that holds this very model already is left as it is.

        Raises:
            StorageError: The disk refused, or `directory` holds something else.
            CorruptError: `directory` holds this model, but damaged.
            InputError: A word has a line break.
        """
        broken = next((word for word in self.words if "\n" in word), None)
        if broken is not None:
            raise InputError(f"the word {broken!r} has a line break, which {_WORDS} can't hold")
        with writing(directory):
            taken = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
        if not taken:
            self._save_new(directory)
        elif _fingerprint_in(directory) == self.fingerprint:
            Word2VecModel.load(directory)
        else:
            raise StorageError(f"can't write {directory}: it holds something else; remove it or choose another folder")

    def _save_new(self, directory: Path) -> None:
        with writing(directory):
            directory.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            with writing(directory):
                _save_tensors(
                    {"counts": self.counts, "vectors": np.ascontiguousarray(self.vectors)}, temporary / _TENSORS
                )
                (temporary / _WORDS).write_bytes("".join(f"{word}\n" for word in self.words).encode())
                header = {
                    "format": FORMAT,
                    "fingerprint": self.fingerprint,
                    "words": len(self.words),
                    "settings": asdict(self.settings),
                }
                (temporary / _HEADER).write_text(json.dumps(header, indent=2) + "\n", "utf-8")
                for path in temporary.iterdir():
                    path.chmod(0o644)  # Temporary files are private to one user; a model need not be.
                temporary.chmod(0o755)
                publish_folder(temporary, directory)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    @classmethod
    def load(cls, directory: Path) -> Word2VecModel:
        """Read a saved model and check it against its fingerprint.

        Raises:
            NotFoundError: There is no such directory.
            CorruptError: A file is missing, truncated, altered or of another format.
        """
        if not directory.is_dir():
            raise NotFoundError(f"there is no word2vec model in {directory}", str(directory))
        header = _read_header(directory)
        try:
            settings = Word2VecSettings(**header["settings"])
            words = (directory / _WORDS).read_bytes().decode("utf-8").split("\n")[:-1]
            tensors = load_file(directory / _TENSORS)
            model = cls(words, tensors["counts"], tensors["vectors"], settings)
        except (OSError, ValueError, TypeError, KeyError, SafetensorError, InputError, SettingError) as error:
            raise CorruptError(directory, f"the model cannot be read: {error}") from error
        if model.fingerprint != header.get("fingerprint"):
            raise CorruptError(directory, "the model is not what was saved: its fingerprint differs")
        return model


def _read_header(directory: Path) -> dict[str, Any]:
    try:
        header = json.loads((directory / _HEADER).read_bytes())
    except (OSError, ValueError) as error:
        raise CorruptError(directory / _HEADER, f"cannot be read: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CorruptError(directory / _HEADER, f"is not of the format {FORMAT!r}")
    return header


def _fingerprint_in(directory: Path) -> str | None:
    try:
        fingerprint = _read_header(directory).get("fingerprint")
    except CorruptError:
        return None
    return fingerprint if isinstance(fingerprint, str) else None


def _save_tensors(tensors: dict[str, npt.NDArray[Any]], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:  # What the library makes of a full or failing disk.
        raise StorageError(f"can't write {path}: {error}; nothing was published") from error
