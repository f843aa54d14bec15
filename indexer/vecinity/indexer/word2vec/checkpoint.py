"""What a training needs to go on after it was killed, in one file that is replaced as a whole.

Beside `state.safetensors` lies `corpus.i32`, the encoded corpus: a training that goes on does not read its texts again.
Both have a hash, which is compared before a training goes on: kernels would follow a damaged row out of their matrix.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vecinity.indexer.errors import CorruptError, SettingError, StorageError
from vecinity.indexer.files import fsync, os_error_of, writing
from vecinity.indexer.word2vec.encoded import EncodedCorpus
from vecinity.indexer.word2vec.matrices import Matrices
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.vocabulary import Vocabulary

_FORMAT = "vecinity word2vec checkpoint 1"
_STATE = "state.safetensors"
_CORPUS = "corpus.i32"
_FILES = (f"{_STATE}*", f"{_CORPUS}*", "numbered-*.i32")  # The state first: without it there is nothing to go on with.
_OF_NO_EFFECT = frozenset({"threads"})  # Settings that may be others when a training goes on.

_Matrix = npt.NDArray[np.float32]
_Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass
class State:
    """A training between two chunks.

    Args:
        vocabulary: The words.
        corpus: All of it, held-out chunks too.
        matrices: What is learnt.
        position: Chunks trained on, of all epochs together.
        pairs: Pairs trained on.
        losses: After each epoch.
        scores: What decides an early stop after each epoch, higher is better; empty without.
        best: A copy of the matrices after the epoch of the best score; None where none is looked for.
    """

    vocabulary: Vocabulary
    corpus: EncodedCorpus
    matrices: Matrices
    position: int = 0
    pairs: int = 0
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best: Matrices | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a training is saved.

    Args:
        folder: Kept between runs; the caller deletes it when the model is saved.
        every_s: Seconds between two saves.
        source: What is trained on and for what, in words: a training goes on only for the same.
    """

    folder: Path
    every_s: float = 60.0
    source: str = ""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other trainings out of the folder, which is made if missing.

        Raises:
            StorageError: Another training is in it, or it can't be written.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError(f"another training is under way in {self.folder}: wait for its end") from error
            yield
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Delete what trainings put into the folder, and the folder if nothing else is in it."""
        with suppress(OSError):  # Nobody needs it any more: what can't be deleted may stay.
            for pattern in _FILES:
                for path in self.folder.glob(pattern):
                    path.unlink()
            self.folder.rmdir()

    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return (self.folder / _STATE).is_file()

    def save(self, state: State, settings: Word2VecSettings, choices: Mapping[str, str]) -> None:
        """Replace the last state; a full disk or a kill leaves it as it was.

        Args:
            choices: What else decides how the training goes on, by name.

        Raises:
            StorageError: The disk refused.
        """
        path, new = self.folder / _STATE, self.folder / f"{_STATE}.new"
        corpus = state.corpus
        tensors = {
            "words": np.frombuffer("\n".join(state.vocabulary.words).encode(), dtype=np.uint8),
            "counts": state.vocabulary.counts,
            "starts": corpus.starts,
            "ends": corpus.ends,
            "word_counts": corpus.word_counts,
            "inputs": state.matrices.inputs,
            "outputs": state.matrices.outputs,
        }
        if state.best is not None:
            tensors |= {"best_inputs": state.best.inputs, "best_outputs": state.best.outputs}
        # Of an array with strides the library writes, without a word, other numbers than the array's.
        contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        described = {
            "format": _FORMAT,
            "source": self.source,
            "settings": {**asdict(settings), **choices},
            "hash": corpus.hash,
            "position": state.position,
            "pairs": state.pairs,
            "losses": state.losses,
            "scores": state.scores,
        }
        text = json.dumps(described)
        try:
            with writing(path):
                try:
                    save_file(contiguous, new, metadata={"state": text, "hash": _hash(text, contiguous)})
                except SafetensorError as error:  # What the library makes of a full or failing disk.
                    raise os_error_of(error) from error
                fsync(corpus.path)
                fsync(new)
                os.replace(new, path)
                fsync(self.folder)
        except StorageError as error:
            with suppress(OSError):  # A disk that refused to write may refuse this, and what went wrong is told below.
                new.unlink(missing_ok=True)
            if self.exists():
                raise StorageError(f"{error}; a state saved before is kept") from error
            raise

    def load(self, settings: Word2VecSettings, choices: Mapping[str, str]) -> State:
        """The state that was saved last.

        Raises:
            CorruptError: It, or the encoded corpus, is damaged, gone or of another format.
            SettingError: It is of another source, or of other settings or choices.
        """
        path = self.folder / _STATE
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata()
                described = json.loads(metadata["state"])
                if described["format"] != _FORMAT:
                    raise CorruptError(path, f"is not of the format {_FORMAT!r}: delete {self.folder} and train again")
                self._check_same(described, {**asdict(settings), **choices})
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            if _hash(metadata["state"], tensors) != metadata["hash"]:
                raise CorruptError(path, f"is not what was saved: delete {self.folder} and train again")
            return self._state(described, tensors, settings)
        # AttributeError: a tensor of a type that NumPy has not. RecursionError: nesting without end.
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            SafetensorError,
        ) as error:
            raise CorruptError(path, f"cannot be read ({error}): delete {self.folder} and train again") from error

    def _check_same(self, described: dict[str, Any], now: dict[str, Any]) -> None:
        if described["source"] != self.source:
            raise SettingError(
                f"{self.folder} holds a training of {described['source']}, not of {self.source}: give the same, or "
                "delete the folder to begin anew"
            )
        before = described["settings"]
        for name in sorted((before.keys() | now.keys()) - _OF_NO_EFFECT):
            if before.get(name) != now.get(name):
                raise SettingError(
                    f"{self.folder} holds a training with {name} {before.get(name)}, not {now.get(name)}: give the "
                    "same, or delete the folder to begin anew"
                )

    def _state(self, described: dict[str, Any], tensors: dict[str, Any], settings: Word2VecSettings) -> State:
        words = tensors["words"].tobytes().decode().split("\n")
        corpus = EncodedCorpus(
            self.folder / _CORPUS, tensors["starts"], tensors["ends"], tensors["word_counts"], described["hash"]
        )
        if _corpus_hash(words, corpus.path) != corpus.hash:
            raise CorruptError(corpus.path, f"is not what was encoded: delete {self.folder} and train again")
        best = None
        if "best_inputs" in tensors:
            best = _aligned(tensors["best_inputs"], tensors["best_outputs"], settings)
        return State(
            Vocabulary(words, tensors["counts"]),
            corpus,
            _aligned(tensors["inputs"], tensors["outputs"], settings),
            described["position"],
            described["pairs"],
            described["losses"],
            described["scores"],
            best,
        )


def _hash(text: str, tensors: _Tensors) -> str:
    """32 hexadecimal digits (XXH3) of a description and contiguous arrays."""
    digest = xxhash.xxh3_128(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].data)
    return digest.hexdigest()


def _corpus_hash(words: list[str], path: Path) -> str:
    """What `EncodedCorpus.hash` is for a file."""
    digest = xxhash.xxh3_128("\0".join([*words, ""]).encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _aligned(inputs: _Matrix, outputs: _Matrix, settings: Word2VecSettings) -> Matrices:
    matrices = Matrices.empty(len(inputs), len(outputs), settings.dimension)
    matrices.inputs[:], matrices.outputs[:] = inputs, outputs
    return matrices
