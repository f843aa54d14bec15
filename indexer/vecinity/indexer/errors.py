"""Everything that can go wrong while making, storing or reading an index.

IndexerError
├── InputError              the user's data: says which file and where in it
│   ├── VectorError         a vector with NaN, infinity, or no direction
│   └── UnknownWordError    a text with no word that the embedder knows
├── SettingError            a setting out of range or in conflict with another
├── MissingExtraError       a model or an optional package that is not installed
├── NotFoundError
│   ├── CollectionNotFoundError
│   ├── VersionNotFoundError
│   └── ItemNotFoundError
├── FilterError             a condition that the attributes of the items can't be asked
├── NoEmbedderError         a text asked of a collection that has only vectors
├── NoSubwordsError         subwords asked of an embedder that has none
├── CorruptError            a file on disk that is not what was written
├── GateError               a build that must not be published
└── StorageError            the disk refused: full, read-only, input/output error

Each message says what, where and what to do, in one line. The service maps these classes, never their
texts, to gRPC statuses (`vecinity.service.status`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SHOWN_CHARS_MAX = 100


class IndexerError(Exception):
    """The root of the tree above. Can be sent to another process, whatever the arguments of a class are."""

    def __reduce__(self) -> tuple[object, ...]:
        return _received, (type(self), self.args), self.__dict__


def _received(kind: type[IndexerError], arguments: tuple[object, ...]) -> IndexerError:
    return kind.__new__(kind, *arguments)


class InputError(IndexerError):
    """The user's data is wrong.

    Args:
        message: What is wrong and what to do.
        path: The file, if it came from one.
        line: Its 1-based line (or row), if known.
    """

    def __init__(self, message: str, *, path: Path | str | None = None, line: int | None = None) -> None:
        where = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        super().__init__(where + message)
        self.path = path
        self.line = line


class VectorError(InputError):
    """A vector can't be used.

    Args:
        row: Which of the vectors given, from 0.
        fault: What is wrong with it, as the end of a sentence.
    """

    def __init__(self, row: int, fault: str) -> None:
        super().__init__(f"vector {row} {fault}")
        self.row = row
        self.fault = fault


class UnknownWordError(InputError):
    """No word of a text is in the embedder's vocabulary; `suggestions` are near spellings."""

    def __init__(self, text: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(f"no word of {_shown(text)} is in the vocabulary" + _did_you_mean(suggestions))
        self.text = text
        self.suggestions = tuple(suggestions)


class SettingError(IndexerError):
    """A setting is out of its range, or contradicts another."""


class MissingExtraError(IndexerError):
    """An optional package or a model is not installed; the message says how to get it."""


class NotFoundError(IndexerError):
    """What was named does not exist."""

    def __init__(self, message: str, name: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(message + _did_you_mean(suggestions))
        self.name = name
        self.suggestions = tuple(suggestions)


class CollectionNotFoundError(NotFoundError):
    def __init__(self, name: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(f"there is no collection {_shown(name)}", name, suggestions)


class VersionNotFoundError(NotFoundError):
    def __init__(self, collection: str, number: int, published: Sequence[int] = ()) -> None:
        there = f"; there is {', '.join(map(str, sorted(published)))}" if published else ""
        super().__init__(f"collection {collection!r} has no published version {number}{there}", str(number))
        self.collection = collection


class ItemNotFoundError(NotFoundError):
    def __init__(self, collection: str, item_id: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(f"collection {collection!r} has no item {_shown(item_id)}", item_id, suggestions)
        self.collection = collection


class FilterError(IndexerError):
    """A filter asks for an attribute that is not there, or compares one with what is not of its type.

    Args:
        place: Where in the filter, such as ``"all_of[2].comparison.value"``.
        fault: What is wrong and what to do.
    """

    def __init__(self, place: str, fault: str) -> None:
        super().__init__(f"{place}: {fault}")
        self.place = place
        self.fault = fault


class NoEmbedderError(IndexerError):
    def __init__(self, collection: str) -> None:
        super().__init__(
            f"collection {collection!r} was built from vectors and has no embedder: query it by vector or id"
        )
        self.collection = collection


class NoSubwordsError(IndexerError):
    def __init__(self) -> None:
        super().__init__(
            "the collection's embedder has no subwords to make unknown words of: train it with subwords, or let such "
            "words be skipped or replaced by the nearest spelling"
        )


class CorruptError(IndexerError):
    """A stored file is truncated, altered or of an unknown format; nothing was read from it."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"{path}: {fault}")
        self.path = path
        self.fault = fault


class GateError(IndexerError):
    """The build is complete but must not be published; the current version stays."""


class StorageError(IndexerError):
    """The operating system refused a write. What was published before is untouched."""


def _shown(text: str) -> str:
    """A name as a message shows it: long ones would not fit into the trailers of a gRPC error."""
    return repr(text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…")


def _did_you_mean(suggestions: Sequence[str]) -> str:
    return f"; did you mean {', '.join(map(_shown, suggestions))}?" if suggestions else ""
