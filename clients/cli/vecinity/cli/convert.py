"""``vecinity convert``: word vectors from one file format to another."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vecinity.cli.exit_codes import CommandError
from vecinity.cli.extras import require_server
from vecinity.cli.output import print_json, print_report
from vecinity.cli.sources import EncodingErrorPolicy


class WrittenFormat(StrEnum):
    WORD2VEC_TEXT = "word2vec-text"
    WORD2VEC_BINARY = "word2vec-binary"
    GLOVE = "glove"


class ReadFormat(StrEnum):
    WORD2VEC_TEXT = "word2vec-text"
    WORD2VEC_BINARY = "word2vec-binary"
    GLOVE = "glove"
    GENSIM_KEYED_VECTORS = "gensim-keyed-vectors"
    VECINITY_MODEL = "vecinity-model"


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="word2vec text or binary, GloVe, fastText .vec (each also gzip), gensim KeyedVectors, or the "
            "folder of a model.",
        ),
    ],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; .gz compresses it. An old one is replaced.")
    ],
    format: Annotated[
        WrittenFormat | None,
        typer.Option(help="Of OUT.  [default: by its name: .vec and .txt word2vec-text, .bin word2vec-binary]"),
    ] = None,
    input_format: Annotated[ReadFormat | None, typer.Option(help="Of IN.  [default: by its content]")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many words.", min=1)] = None,
    encoding_errors: Annotated[
        EncodingErrorPolicy, typer.Option(help="strict stops at a word in invalid UTF-8, replace goes on.")
    ] = EncodingErrorPolicy.STRICT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read word vectors in one format and write them in another.

    Counts of words are left behind: no format that is written has them.
    """
    require_server("'vecinity convert'")
    from vecinity.indexer.formats import (
        Format,
        detect_format,
        format_of_name,
        read_word_vectors,
        write_word_vectors,
    )

    if target.resolve() == source.resolve():
        raise CommandError(f"{target} is what is read: give OUT another name")
    if target.is_dir():
        raise CommandError(f"{target} is a folder: give the name of a file to write")
    written = Format(format) if format else format_of_name(target)  # before the reading, which may take minutes
    read = Format(input_format) if input_format else detect_format(source)
    vectors = read_word_vectors(source, format=read, limit=limit, encoding_errors=encoding_errors.value)
    write_word_vectors(vectors, target, format=written)
    report = {
        "words": len(vectors),
        "dimension": vectors.dimension,
        "format": written.value,
        "input_format": read.value,
    }
    if as_json:
        print_json(report)
    else:
        print_report("converted", report)
