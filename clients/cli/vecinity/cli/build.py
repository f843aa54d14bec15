"""``vecinity build``."""

from __future__ import annotations

import signal
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli import units
from vecinity.cli.exit_codes import CommandError, ExitCode
from vecinity.cli.extras import require_server
from vecinity.cli.output import print_json, print_table
from vecinity.cli.progress import ProgressBars
from vecinity.cli.tournament import as_json_value, print_tournament, row_of
from vecinity.cli.word2vec_options import OPTIONS, settings_of, takes_word2vec_options

if TYPE_CHECKING:
    from vecinity.indexer.build import BuildReport
    from vecinity.indexer.corpus import EncodingErrors
    from vecinity.indexer.dataset import Source
    from vecinity.indexer.word2vec import Word2VecModel


class EmbedderKind(StrEnum):
    WORD2VEC = "word2vec"
    MINILM = "minilm"
    NONE = "none"


class IndexFamily(StrEnum):
    AUTO = "auto"
    FLAT = "flat"
    IVF_FLAT = "ivf-flat"
    HNSW = "hnsw"
    HNSW_SQ8 = "hnsw-sq8"
    NSG = "nsg"
    IVF_PQ = "ivf-pq"
    IVF_SQ8 = "ivf-sq8"
    IVF_SQ4 = "ivf-sq4"
    IVF_RABITQ = "ivf-rabitq"


class TransformName(StrEnum):
    NONE = "none"
    PCA = "pca"
    OPQ = "opq"
    ROTATION = "rotation"


class VectorTypeName(StrEnum):
    FLOAT32 = "float32"
    FLOAT16 = "float16"


class MetricName(StrEnum):
    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"


class EncodingErrorPolicy(StrEnum):
    STRICT = "strict"
    REPLACE = "replace"


_TEXTS = (EmbedderKind.WORD2VEC, EmbedderKind.MINILM)
_OPTIONS_OF: dict[str, tuple[EmbedderKind, ...]] = {
    "text_column": _TEXTS,
    **dict.fromkeys(("columns", "encoding_errors"), tuple(EmbedderKind)),
    **dict.fromkeys(("id_column", "model", "allow_download"), (EmbedderKind.MINILM,)),
    **dict.fromkeys(("ids", "attributes_file"), (EmbedderKind.NONE,)),
    "attributes": (EmbedderKind.MINILM, EmbedderKind.NONE),
    **dict.fromkeys(("pretrained", *(option.name for option in OPTIONS)), (EmbedderKind.WORD2VEC,)),
}


@takes_word2vec_options
def build(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Name of a new or existing collection.")],
    source: Annotated[
        Path,
        typer.Argument(
            help=".txt, .csv, .tsv, .jsonl (each also .gz), .parquet; .npy with --embedder none; vectors, --pretrained."
        ),
    ],
    embedder: Annotated[EmbedderKind, typer.Option(help="What makes the vectors; none reads them from a .npy file.")],
    data_dir: Annotated[Path, typer.Option(help="Where collections are kept.")] = Path("data"),
    text_column: Annotated[
        str | None, typer.Option(help="Column with the text; several, with commas, are joined by a space.")
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(help="Column with the id; several are joined by '-'.  [default: line or record number, from 1]"),
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Names for a CSV or TSV file that has no line of names.")] = None,
    ids: Annotated[
        Path | None, typer.Option(help="Ids of a .npy file, one a line.  [default: row numbers from 0]")
    ] = None,
    attributes: Annotated[
        str | None,
        typer.Option(
            help="Columns to keep with their types, as in 'year:int64,tags:string-list,when:timestamp'; also bool, "
            "double, string. JSON Lines and Parquet tell the types themselves."
        ),
    ] = None,
    attributes_file: Annotated[
        Path | None, typer.Option(help="none: the file with these columns, a record for each vector, in their order.")
    ] = None,
    encoding_errors: Annotated[
        EncodingErrorPolicy, typer.Option(help="strict stops at invalid UTF-8, replace goes on.")
    ] = EncodingErrorPolicy.STRICT,
    metric: Annotated[MetricName, typer.Option(help="How closeness is measured.")] = MetricName.COSINE,
    vectors: Annotated[
        VectorTypeName,
        typer.Option(
            help="How vectors are stored: float16 takes half and rounds to 3 digits; graphs are slow on it where the "
            "dimension is no multiple of 8."
        ),
    ] = VectorTypeName.FLOAT32,
    index: Annotated[
        IndexFamily, typer.Option(help="Family of index; auto measures which is best.")
    ] = IndexFamily.AUTO,
    nlist: Annotated[
        int, typer.Option(help="Lists of an IVF index.  [default: by size]", min=0, show_default=False)
    ] = 0,
    m: Annotated[
        int, typer.Option(help="Links of an item of a graph.  [default: 16; nsg 32]", min=0, show_default=False)
    ] = 0,
    ef_construction: Annotated[
        int, typer.Option(help="Effort of building HNSW.  [default: 100]", min=0, show_default=False)
    ] = 0,
    transform: Annotated[
        TransformName, typer.Option(help="What is done to vectors before they are coded; scores stay exact.")
    ] = TransformName.NONE,
    reduced_dimension: Annotated[
        int,
        typer.Option(
            help="Dimensions that --transform leaves.  [default: pca half, else all]", min=0, show_default=False
        ),
    ] = 0,
    subquantisers: Annotated[
        int,
        typer.Option(
            help="4-bit codes of an ivf-pq item; a divisor of the dimension.  [default: a code for 1 or 2 dimensions]",
            min=0,
            show_default=False,
        ),
    ] = 0,
    target_recall: Annotated[float, typer.Option(help="Refuse to publish an index that can't reach it.")] = 0.95,
    max_memory: Annotated[
        int | None,
        typer.Option(
            parser=units.size, metavar="SIZE", help="auto: most for the index, vectors not counted, such as 200MB."
        ),
    ] = None,
    max_build_time: Annotated[
        float | None,
        typer.Option(parser=units.duration, metavar="TIME", help="auto: most for making the index, such as 90s or 5m."),
    ] = None,
    keep_versions: Annotated[int, typer.Option(help="Versions to keep, the new one included.", min=1)] = 2,
    calibration_queries: Annotated[
        Path | None,
        typer.Option(help="Queries to measure the index with, where they differ in kind from the items."),
    ] = None,
    calibration_text_column: Annotated[
        str | None, typer.Option(help="Column of --calibration-queries with the text; as --text-column.")
    ] = None,
    calibration_columns: Annotated[
        str | None, typer.Option(help="Names for the columns of --calibration-queries; as --columns.")
    ] = None,
    model: Annotated[str, typer.Option(help="minilm: folder of the model.  [default: the installed weights]")] = "",
    allow_download: Annotated[bool, typer.Option(help="minilm: let --model be fetched by its name.")] = False,
    pretrained: Annotated[
        bool,
        typer.Option(
            help="word2vec: SOURCE is not text but a trained model's folder, or a file that 'vecinity convert' reads."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    **word2vec: Any,
) -> None:
    """Make a collection, or a new version of one, and publish it.

    A server on the same data directory goes on answering from the old version until the new one is complete, checked
    and good enough.
    """
    require_server("build")
    from vecinity.indexer.ann import Family, Transform
    from vecinity.indexer.attributes import parse_attributes
    from vecinity.indexer.build import Build
    from vecinity.indexer.catalog import EmbedderRecord
    from vecinity.indexer.dataset import Source, read_items
    from vecinity.indexer.indexing import IndexSettings
    from vecinity.indexer.metric import Metric
    from vecinity.indexer.stored_vectors import VectorType

    _refuse_options_of_others(context, embedder, pretrained)
    if (source.suffix == ".npy") != (embedder is EmbedderKind.NONE):
        raise CommandError(f"--embedder none and a .npy file go together; {source.name} with {embedder} does not")
    if embedder is EmbedderKind.NONE and (attributes is None) != (attributes_file is None):
        raise CommandError("--attributes names the columns of --attributes-file: give both, or none")
    if embedder is EmbedderKind.NONE and attributes_file is None and columns is not None:
        raise CommandError("--columns names the columns of --attributes-file, which is not given")
    if source.is_dir() and not pretrained:
        raise CommandError(f"{source} is a folder: give a file, or --pretrained if it holds a trained model")
    if not source.is_file() and not source.is_dir():
        raise CommandError(f"{source} is no file: give the path of one", ExitCode.ERROR)
    # A build that is told to end cleans up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    queries = _calibration_queries(
        calibration_queries, names(calibration_text_column), names(calibration_columns), embedder, encoding_errors
    )
    settings = IndexSettings(
        metric=Metric(metric),
        family=None if index is IndexFamily.AUTO else Family(index),
        nlist=nlist,
        m=m,
        ef_construction=ef_construction,
        transform=Transform(transform),
        reduced_dimension=reduced_dimension,
        subquantisers=subquantisers,
        vector_type=VectorType(vectors),
        target_recall=target_recall,
        calibration_queries=queries,
        max_memory_bytes=max_memory,
        max_build_seconds=max_build_time,
        keep_versions=keep_versions,
    )
    kept = parse_attributes(attributes) if attributes else ()
    texts = Source(source, names(text_column), names(id_column), names(columns), encoding_errors.value, kept)
    with ProgressBars() as progress, Build(data_dir, collection, settings, progress) as pipeline:
        if embedder is EmbedderKind.NONE:
            records = replace(texts, path=attributes_file) if attributes_file is not None else None
            report = pipeline.from_vectors(source, ids, records)
        elif pretrained:
            report = pipeline.from_model(read_model(source, encoding_errors.value))
        elif embedder is EmbedderKind.MINILM:
            from vecinity.indexer.embedding.minilm import MiniLmEmbedder

            next(read_items(texts), None)  # a wrong column shows before the model is loaded, which takes seconds
            folder = str(Path(model).resolve()) if model and Path(model).is_dir() else model
            progress("load MiniLM", 0, 1, "models")
            minilm = MiniLmEmbedder(folder, allow_download=allow_download)
            progress("load MiniLM", 1, 1, "models", minilm.dtype)
            report = pipeline.from_texts(texts, minilm, EmbedderRecord(minilm.kind, minilm.fingerprint, folder))
        else:
            refuse_vectors(source, "--pretrained")
            report = pipeline.from_word2vec(texts, settings_of(word2vec))
    rows = [row_of(e.spec.description, e, e.effort) for e in report.tournament.entries] if report.tournament else []
    if as_json:
        print_json({**summary(report), "tournament": as_json_value(rows, report.tournament)})
        return
    if report.tournament is not None:
        print_tournament(rows, report.tournament.reason)
    _print(summary(report))


def _calibration_queries(
    path: Path | None,
    text_columns: tuple[str, ...],
    columns: tuple[str, ...],
    embedder: EmbedderKind,
    encoding_errors: EncodingErrorPolicy,
) -> Source | None:
    """What says where the queries are, checked as far as it can be before hours of embedding."""
    from vecinity.indexer.dataset import Source, read_items

    if path is None:
        for option, value in (("--calibration-text-column", text_columns), ("--calibration-columns", columns)):
            if value:
                raise CommandError(f"{option} goes with --calibration-queries")
        return None
    if not path.is_file():
        raise CommandError(f"{path} is no file: give the path of one", ExitCode.ERROR)
    vectors = path.suffix == ".npy"
    if embedder is EmbedderKind.NONE and not vectors:
        raise CommandError("--calibration-queries must be vectors, a .npy file, with --embedder none")
    if vectors and (text_columns or columns):
        raise CommandError("a .npy file has no columns: leave out --calibration-text-column and --calibration-columns")
    source = Source(path, text_columns, columns=columns, encoding_errors=encoding_errors.value)
    if not vectors:
        next(read_items(source), None)  # a wrong column shows now
    return source


def _refuse_options_of_others(context: typer.Context, embedder: EmbedderKind, pretrained: bool) -> None:
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


def summary(report: BuildReport) -> dict[str, object]:
    """What was published, for people and machines."""
    version = report.version
    return {
        "collection": version.collection,
        "version": version.number,
        "items": version.item_count,
        "dimension": version.dimension,
        "metric": version.metric.value,
        "embedder": version.embedder.kind if version.embedder else None,
        "index": report.spec.description,
        # None: the index is flat, so every answer is exact.
        "recall_at_10_reached": round(report.calibration.best_recall(10), 4) if report.calibration.points else None,
    }


def _print(values: dict[str, object]) -> None:
    rows = [(name.replace("_", " "), f"{value:,}" if name == "items" else str(value)) for name, value in values.items()]
    print_table(("published", ""), [row for row in rows if row[1] != "None"])


def names(value: str | None) -> tuple[str, ...]:
    """What an option says with commas between."""
    return tuple(name for part in value.split(",") if (name := part.strip())) if value else ()
