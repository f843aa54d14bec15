"""What is built, of what and by which embedder: the options, and which of them go together."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vecinity.cli import word2vec_options
from vecinity.cli.exit_codes import CommandError
from vecinity.cli.sources import EncodingErrorPolicy, check_is_file


class EmbedderKind(StrEnum):
    WORD2VEC = "word2vec"
    MINILM = "minilm"
    NONE = "none"


_TEXTS = (EmbedderKind.WORD2VEC, EmbedderKind.MINILM)
_OPTIONS_OF: dict[str, tuple[EmbedderKind, ...]] = {
    "text_column": _TEXTS,
    **dict.fromkeys(("columns", "encoding_errors"), tuple(EmbedderKind)),
    **dict.fromkeys(("id_column", "model", "allow_download"), (EmbedderKind.MINILM,)),
    **dict.fromkeys(("ids", "attributes_file"), (EmbedderKind.NONE,)),
    "attributes": (EmbedderKind.MINILM, EmbedderKind.NONE),
    **dict.fromkeys(("pretrained", *word2vec_options.OPTIONS.names), (EmbedderKind.WORD2VEC,)),
}

CollectionName = Annotated[str, typer.Argument(help="Name of a new or existing collection.")]
SourcePath = Annotated[
    Path,
    typer.Argument(
        help=".txt, .csv, .tsv, .jsonl (each also .gz), .parquet; .npy with --embedder none; vectors, --pretrained."
    ),
]
Embedder = Annotated[EmbedderKind, typer.Option(help="What makes the vectors; none reads them from a .npy file.")]
DataDir = Annotated[Path, typer.Option(help="Where collections are kept.")]
TextColumn = Annotated[
    str | None, typer.Option(help="Column with the text; several, with commas, are joined by a space.")
]
IdColumn = Annotated[
    str | None,
    typer.Option(help="Column with the id; several are joined by '-'.  [default: line or record number, from 1]"),
]
Columns = Annotated[str | None, typer.Option(help="Names for a CSV or TSV file that has no line of names.")]
Ids = Annotated[Path | None, typer.Option(help="Ids of a .npy file, one a line.  [default: row numbers from 0]")]
Attributes = Annotated[
    str | None,
    typer.Option(
        help="Columns to keep, of CSV with their types, as in 'year:int64,tags:string-list,when:timestamp'; also bool, "
        "double, string. Entries of a string list are separated by ';'. JSON Lines and Parquet tell the types "
        "themselves. [default: none are kept]"
    ),
]
AttributesFile = Annotated[
    Path | None, typer.Option(help="none: the file with these columns, a record for each vector, in their order.")
]
EncodingErrors = Annotated[EncodingErrorPolicy, typer.Option(help="strict stops at invalid UTF-8, replace goes on.")]
Model = Annotated[str, typer.Option(help="minilm: folder of the model.  [default: the installed weights]")]
AllowDownload = Annotated[bool, typer.Option(help="minilm: let --model be fetched by its name.")]
Pretrained = Annotated[
    bool,
    typer.Option(
        help="word2vec: SOURCE is not text but a trained model's folder, or a file that 'vecinity convert' reads."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def refuse_options_of_others(context: typer.Context, embedder: EmbedderKind, pretrained: bool) -> None:
    """An option that has no effect was meant for something: say so instead of going on without it."""
    for name, kinds in _OPTIONS_OF.items():
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE":
            continue
        option = "--" + name.replace("_", "-")
        if embedder not in kinds:
            raise CommandError(f"{option} goes with --embedder {' or '.join(kinds)}, not with {embedder}")
        if pretrained and name not in ("pretrained", "encoding_errors"):
            raise CommandError(f"{option} is for training, and --pretrained says that SOURCE is trained already")


def check_source(source: Path, embedder: EmbedderKind, pretrained: bool) -> None:
    """
    Raises:
        CommandError: There is no such file, or the embedder takes none of its kind.
    """
    if (source.suffix == ".npy") != (embedder is EmbedderKind.NONE):
        raise CommandError(f"--embedder none and a .npy file go together; {source.name} with {embedder} does not")
    if source.is_dir() and not pretrained:
        raise CommandError(f"{source} is a folder: give a file, or --pretrained if it holds a trained model")
    if not source.is_dir():
        check_is_file(source)


def check_attributes_file(attributes: str | None, attributes_file: Path | None, columns: str | None) -> None:
    """
    Raises:
        CommandError: What is said of the attributes of vectors is not all that must be said.
    """
    if (attributes is None) != (attributes_file is None):
        raise CommandError("--attributes names the columns of --attributes-file: give both, or none")
    if attributes_file is None and columns is not None:
        raise CommandError("--columns names the columns of --attributes-file, which is not given")
