"""``vecinity build``."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.exit_codes import CommandError, ExitCode
from vecinity.cli.extras import require_server
from vecinity.cli.output import print_json, print_table
from vecinity.cli.progress import ProgressBars
from vecinity.cli.word2vec_options import OPTIONS, settings_of, takes_word2vec_options

if TYPE_CHECKING:
    from vecinity.indexer.build import BuildReport
    from vecinity.indexer.corpus import EncodingErrors
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
    IVF_PQ = "ivf-pq"


class MetricName(StrEnum):
    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"


class EncodingErrorPolicy(StrEnum):
    STRICT = "strict"
    REPLACE = "replace"


_TEXTS = (EmbedderKind.WORD2VEC, EmbedderKind.MINILM)
_OPTIONS_OF: dict[str, tuple[EmbedderKind, ...]] = {
    **dict.fromkeys(("text_column", "columns", "encoding_errors"), _TEXTS),
    **dict.fromkeys(("id_column", "model", "allow_download"), (EmbedderKind.MINILM,)),
    "ids": (EmbedderKind.NONE,),
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
    encoding_errors: Annotated[
        EncodingErrorPolicy, typer.Option(help="strict stops at invalid UTF-8, replace goes on.")
    ] = EncodingErrorPolicy.STRICT,
    metric: Annotated[MetricName, typer.Option(help="How closeness is measured.")] = MetricName.COSINE,
    index: Annotated[IndexFamily, typer.Option(help="Family of index; auto takes it by size.")] = IndexFamily.AUTO,
    nlist: Annotated[
        int, typer.Option(help="Lists of an IVF index.  [default: by size]", min=0, show_default=False)
    ] = 0,
    m: Annotated[int, typer.Option(help="Links of an HNSW item.  [default: 16]", min=0, show_default=False)] = 0,
    ef_construction: Annotated[
        int, typer.Option(help="Effort of building HNSW.  [default: 100]", min=0, show_default=False)
    ] = 0,
    target_recall: Annotated[float, typer.Option(help="Refuse to publish an index that can't reach it.")] = 0.95,
    keep_versions: Annotated[int, typer.Option(help="Versions to keep, the new one included.", min=1)] = 2,
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
    from vecinity.indexer.ann import Family
    from vecinity.indexer.build import Build, IndexSettings
    from vecinity.indexer.catalog import EmbedderRecord
    from vecinity.indexer.dataset import Source, read_items
    from vecinity.indexer.metric import Metric

    _refuse_options_of_others(context, embedder, pretrained)
    if (source.suffix == ".npy") != (embedder is EmbedderKind.NONE):
        raise CommandError(f"--embedder none and a .npy file go together; {source.name} with {embedder} does not")
    if source.is_dir() and not pretrained:
        raise CommandError(f"{source} is a folder: give a file, or --pretrained if it holds a trained model")
    if not source.is_file() and not source.is_dir():
        raise CommandError(f"{source} is no file: give the path of one", ExitCode.ERROR)
    # A build that is told to end cleans up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = IndexSettings(
        metric=Metric(metric),
        family=None if index is IndexFamily.AUTO else Family(index),
        nlist=nlist,
        m=m,
        ef_construction=ef_construction,
        target_recall=target_recall,
        keep_versions=keep_versions,
    )
    texts = Source(source, names(text_column), names(id_column), names(columns), encoding_errors.value)
    with ProgressBars() as progress, Build(data_dir, collection, settings, progress) as pipeline:
        if embedder is EmbedderKind.NONE:
            report = pipeline.from_vectors(source, ids)
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
    (print_json if as_json else _print)(summary(report))


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
