"""A trained word2vec model: words, their counts and vectors; saved as safetensors, plain text and JSON.

A folder with
- `model.json`: the format, the fingerprint, the settings and what is known of the training;
- `words.txt`: the words, one a line;
- `model.safetensors`: `counts`, `vectors` and, with subwords, `inputs`;
- `outputs.safetensors`: what only a training that goes on needs; may be missing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
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
)
from vecinity.indexer.files import os_error_of, publish_folder, writing
from vecinity.indexer.word2vec import leftovers
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.subwords import Subwords
from vecinity.indexer.word_vectors import WordVectors

FORMAT = "vecinity word2vec 2"
_TENSORS = "model.safetensors"
_OUTPUTS = "outputs.safetensors"
_WORDS = "words.txt"
_HEADER = "model.json"
_FILES = frozenset({_TENSORS, _OUTPUTS, _WORDS, _HEADER})
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,  # A tensor of a type that NumPy has not.
    RecursionError,  # Nesting without end.
    SafetensorError,
    InputError,
    SettingError,
)


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of a training besides its settings.

    Args:
        corpus: `EncodedCorpus.hash`; the same corpus, settings, version and one thread give the same vectors.
        version: Of Vecinity.
        device: "cpu", "cuda", …
        losses: The loss after each epoch, a pair of a hidden vector and a position (see `kernels.train_chunk`); None
            where it could not be measured.
        losses_of: "held out" text, or a sample of the "training" text; None where no loss was measured.
        epochs: Passes over the corpus.
        best_epoch: The epoch after which the vectors were taken, from 1: the last, but for an early stop.
    """

    corpus: str
    version: str
    device: str
    losses: tuple[float | None, ...]
    losses_of: str | None
    epochs: int
    best_epoch: int


@dataclass(frozen=True, eq=False)
class Word2VecModel(WordVectors):
    """Words and their vectors, most frequent word first, and how they came about.

    Args:
        words: n words, none twice and none with a line break.
        vectors: float32 (n, d), not normalised.
        counts: int64 (n,), how often each occurred in the corpus.
        settings: What it was trained with; None where vectors were imported.
        training: What is known of its training.
        inputs: float32 (n + buckets, d), rows of words and n-grams of which `vectors` are means; None without
            subwords.
        outputs: float32 (n, d), the other matrix, for a training that goes on; None where it was not kept.
    """

    settings: Word2VecSettings | None = None
    training: TrainingRecord | None = None
    inputs: npt.NDArray[np.float32] | None = None
    outputs: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        n, d = self.vectors.shape
        if self.settings is not None and self.settings.dimension != d:
            raise InputError(f"vectors are {self.vectors.shape}; settings say dimension {self.settings.dimension}")
        rows = n + self.subwords.buckets if self.subwords else None
        if self.outputs is not None and self.outputs.shape != (n, d):
            raise InputError(f"outputs are {self.outputs.shape}; they must be float32 ({n}, {d})")
        if (self.inputs.shape if self.inputs is not None else None) != ((rows, d) if rows else None):
            raise InputError(f"inputs must be float32 ({rows}, {d})" if rows else "inputs go with subwords only")

    @cached_property
    def subwords(self) -> Subwords | None:
        """Where the rows of n-grams are; None without subwords."""
        return Subwords.of(len(self.words), self.settings) if self.settings is not None else None

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits (XXH3, 128 bits) that tell two models apart by settings, corpus, words, counts or vectors."""
        digest = xxhash.xxh3_128(json.dumps(self._described(), sort_keys=True).encode())
        digest.update("\n".join(self.words).encode())
        for numbers, kind in ((self.counts, "<i8"), (self.vectors, "<f4"), (self.inputs, "<f4")):
            if numbers is not None:
                _update(digest, numbers, kind)
        return digest.hexdigest()

    def _described(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings) if self.settings else None,
            "training": asdict(self.training) if self.training else None,
        }

    def vector_of(self, word: str) -> npt.NDArray[np.float32]:
        """The vector of a word, float32 (d,); with subwords, that of its n-grams where it is not in the vocabulary.

        Raises:
            UnknownWordError: It has none.
        """
        if word not in self.index and self.subwords is not None and self.inputs is not None:
            vector = self.subwords.vector_of_unknown(self.inputs, word)
            if vector is not None:
                return vector
        return super().vector_of(word)

    def save(self, directory: Path, *, overwrite: bool = False) -> None:
        """Write the model so that `directory` holds all of it or is as it was.

        A directory that holds this very model already is left as it is. Of a model that is replaced, a kill between
        two renames leaves the old one beside the directory, its name ending in ``.old``, and none in the directory.
        What a save that was killed left there is deleted by the next one.

        Args:
            overwrite: Replace another model, or this one if it is damaged. What is no model is never replaced.

        Raises:
            StorageError: The disk refused, or `directory` holds something else.
            CorruptError: `directory` holds this model, but damaged, and `overwrite` is not set.
            InputError: A word has a line break.
        """
        broken = next((word for word in self.words if "\n" in word), None)
        if broken is not None:
            raise InputError(f"the word {broken!r} has a line break, which {_WORDS} can't hold")
        check_free(directory, overwrite=True)
        if self._is_in(directory):
            try:
                Word2VecModel.load(directory, outputs=True)
                leftovers.sweep(leftovers.unfinished(directory, _FILES) + leftovers.replaced(directory, _FILES))
                return
            except CorruptError:
                if not overwrite:
                    raise
        check_free(directory, overwrite=overwrite)
        leftovers.sweep(leftovers.unfinished(directory, _FILES))  # First, as they take up room.
        self._save_new(directory)
        leftovers.sweep(leftovers.replaced(directory, _FILES))  # Last: until now, one may be the only model.

    def _is_in(self, directory: Path) -> bool:
        try:
            header = _read_header(directory)
        except CorruptError:
            return False
        outputs = None if self.outputs is None else _hash(self.outputs)
        return header.get("fingerprint") == self.fingerprint and header.get("outputs") == outputs

    def _save_new(self, directory: Path) -> None:
        with writing(directory):
            directory.parent.mkdir(parents=True, exist_ok=True)
            with leftovers.new_folder(directory) as temporary:
                tensors = {"counts": self.counts, "vectors": self.vectors, "inputs": self.inputs}
                save_tensors(temporary / _TENSORS, tensors)
                if self.outputs is not None:
                    save_tensors(temporary / _OUTPUTS, {"outputs": self.outputs})
                (temporary / _WORDS).write_bytes("".join(f"{word}\n" for word in self.words).encode())
                header = {
                    "format": FORMAT,
                    "fingerprint": self.fingerprint,
                    "words": len(self.words),
                    "outputs": None if self.outputs is None else _hash(self.outputs),
                    **self._described(),
                }
                (temporary / _HEADER).write_text(json.dumps(header, indent=2) + "\n", "utf-8")
                for path in temporary.iterdir():
                    path.chmod(0o644)  # Temporary files are private to one user; a model need not be.
                temporary.chmod(0o755)
                old = leftovers.old_of(temporary)
                if directory.exists():
                    directory.rename(old)
                try:
                    publish_folder(temporary, directory)
                except BaseException:
                    if old.exists():
                        old.rename(directory)
                    raise
                shutil.rmtree(old, ignore_errors=True)

    @classmethod
    def load(cls, directory: Path, *, outputs: bool = False) -> Word2VecModel:
        """Read a saved model and check it against its fingerprint.

        Args:
            outputs: Read the outputs too, where they were kept.

        Raises:
            NotFoundError: There is no such directory.
            CorruptError: A file is missing, truncated, altered or of another format.
        """
        if not directory.is_dir():
            before = leftovers.replaced(directory, _FILES)
            found = (
                f"; a save that was killed left the one before in {before[0]}: rename it" if len(before) == 1 else ""
            )
            raise NotFoundError(f"there is no word2vec model in {directory}{found}", str(directory))
        header = _read_header(directory)
        try:
            words = (directory / _WORDS).read_bytes().decode("utf-8").split("\n")[:-1]
            tensors = load_file(directory / _TENSORS)
            if outputs and header.get("outputs"):
                tensors |= load_file(directory / _OUTPUTS)
                if _hash(tensors["outputs"]) != header["outputs"]:
                    raise CorruptError(directory / _OUTPUTS, "is not what was saved: its hash differs")
            described = header["settings"], header.get("training")
            model = cls(
                words,
                tensors["vectors"],
                tensors.get("counts"),
                settings=Word2VecSettings(**described[0]) if described[0] else None,
                training=TrainingRecord(**described[1] | {"losses": tuple(described[1]["losses"])})
                if described[1]
                else None,
                inputs=tensors.get("inputs"),
                outputs=tensors.get("outputs"),
            )
            fingerprint = model.fingerprint
        except _UNREADABLE as error:
            raise CorruptError(directory, f"the model cannot be read: {error}") from error
        if fingerprint != header.get("fingerprint"):
            raise CorruptError(directory, "the model is not what was saved: its fingerprint differs")
        return model


def check_free(directory: Path, *, overwrite: bool = False) -> None:
    """That a model can be saved as `directory`.

    Raises:
        StorageError: A model can't be saved as `directory`: there is something else, or, unless `overwrite`, a model.
    """
    with writing(directory):
        taken = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    if not taken:
        return
    if not (directory / _HEADER).is_file():
        raise StorageError(f"can't write {directory}: it holds something else; remove it or choose another folder")
    if not overwrite:
        raise StorageError(f"can't write {directory}: it holds a model already; remove it, or --overwrite it")


def _read_header(directory: Path) -> dict[str, Any]:
    try:
        header = json.loads((directory / _HEADER).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptError(directory / _HEADER, f"cannot be read: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CorruptError(directory / _HEADER, f"is not of the format {FORMAT!r}: train the model again")
    return header


def save_tensors(path: Path, tensors: Mapping[str, npt.NDArray[Any] | None]) -> None:
    """Write arrays as safetensors, those that are None left out.

    Raises:
        OSError: The disk refused.
    """
    try:
        save_file({name: np.ascontiguousarray(a) for name, a in tensors.items() if a is not None}, path)
    except SafetensorError as error:  # What the library makes of a full or failing disk.
        raise os_error_of(error) from error


def _hash(numbers: npt.NDArray[Any]) -> str:
    digest = xxhash.xxh3_128()
    _update(digest, numbers, "<f4")
    return digest.hexdigest()


def _update(digest: xxhash.xxh3_128, numbers: npt.NDArray[Any], kind: str) -> None:
    """Digest an array piece by piece: rows may be padded, and a copy of all would be large."""
    for start in range(0, len(numbers), 1 << 14):
        digest.update(np.ascontiguousarray(numbers[start : start + (1 << 14)], dtype=kind).data)
