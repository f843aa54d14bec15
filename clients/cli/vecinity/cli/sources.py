"""What commands share that read texts or word vectors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from vecinity.cli.exit_codes import CommandError, ExitCode

if TYPE_CHECKING:
    from vecinity.indexer.corpus import EncodingErrors
    from vecinity.indexer.word2vec import Word2VecModel


class EncodingErrorPolicy(StrEnum):
    STRICT = "strict"
    REPLACE = "replace"


def check_is_file(path: Path) -> None:
    """
    Raises:
        CommandError: There is no such file.
    """
    if not path.is_file():
        raise CommandError(f"{path} is no file: give the path of one", ExitCode.ERROR)


def names(value: str | None) -> tuple[str, ...]:
    """What an option says with commas between."""
    return tuple(name for part in value.split(",") if (name := part.strip())) if value else ()


def refuse_vectors(source: Path, option: str) -> None:
    """Training on the digits of vectors would end without an error, in nonsense.

    Raises:
        CommandError: A file holds word vectors; `option` is how to give them.
    """
    from vecinity.indexer.formats import holds_vectors

    if holds_vectors(source):
        raise CommandError(f"{source} holds word vectors, not text: give them with {option}")


def read_model(source: Path, encoding_errors: EncodingErrors, *, outputs: bool = False) -> Word2VecModel:
    """The model in a folder, or of the word vectors in a file.

    Args:
        outputs: Also what only a training that goes on needs.
    """
    from vecinity.indexer.formats import read_word_vectors
    from vecinity.indexer.word2vec import Word2VecModel

    if source.is_dir():
        return Word2VecModel.load(source, outputs=outputs)
    vectors = read_word_vectors(source, encoding_errors=encoding_errors)
    return Word2VecModel(vectors.words, vectors.vectors, vectors.counts)
