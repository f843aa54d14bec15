"""``vecinity build``."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vecinity.cli.exit_codes import CommandError, ExitCode
from vecinity.cli.extras import require_server
from vecinity.cli.output import print_json, print_table
from vecinity.cli.progress import ProgressBars

if TYPE_CHECKING:
    from vecinity.indexer.build import BuildReport


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


class Architecture(StrEnum):
    SKIP_GRAM = "skip-gram"
    CBOW = "cbow"


class EncodingErrorPolicy(StrEnum):
    STRICT = "strict"
    REPLACE = "replace"


_TEXTS = (EmbedderKind.WORD2VEC, EmbedderKind.MINILM)
_OPTIONS_OF: dict[str, tuple[EmbedderKind, ...]] = {
    **dict.fromkeys(("text_column", "columns", "encoding_errors"), _TEXTS),
    **dict.fromkeys(("id_column", "model", "allow_download"), (EmbedderKind.MINILM,)),
    "ids": (EmbedderKind.NONE,),
    **dict.fromkeys(
        (
            *("architecture", "dimension", "window", "negative", "sample", "min_count", "epochs", "learning_rate"),
            *("threads", "seed"),
        ),
        (EmbedderKind.WORD2VEC,),
    ),
}


def build(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Name of a new or existing collection.")],
    source: Annotated[
        Path,
        typer.Argument(help=".txt, .csv, .tsv, .jsonl (each also .gz), .parquet, or .npy with --embedder none."),
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
    m: Annotated[int, typer.Option(help="Links of an HNSW item.  [default: 16]", min=0)] = 0,
    ef_construction: Annotated[int, typer.Option(help="Effort of building HNSW.  [default: 100]", min=0)] = 0,
    target_recall: Annotated[float, typer.Option(help="Refuse to publish an index that can't reach it.")] = 0.95,
    keep_versions: Annotated[int, typer.Option(help="Versions to keep, the new one included.", min=1)] = 2,
    model: Annotated[str, typer.Option(help="minilm: folder of the model.  [default: the installed weights]")] = "",
    allow_download: Annotated[bool, typer.Option(help="minilm: let --model be fetched by its name.")] = False,
    architecture: Annotated[Architecture, typer.Option(help="word2vec: what predicts what.")] = Architecture.SKIP_GRAM,
    dimension: Annotated[int, typer.Option(help="word2vec: numbers in a vector.")] = 100,
    window: Annotated[int, typer.Option(help="word2vec: words to each side.")] = 5,
    negative: Annotated[int, typer.Option(help="word2vec: noise words for each pair.")] = 5,
    sample: Annotated[float, typer.Option(help="word2vec: words above this frequency are thinned out.")] = 1e-4,
    min_count: Annotated[int, typer.Option(help="word2vec: rarer words are left out.")] = 5,
    epochs: Annotated[int, typer.Option(help="word2vec: passes over the corpus.")] = 5,
    learning_rate: Annotated[
        float | None, typer.Option(help="word2vec: at the start.  [default: 0.025, with cbow 0.05]")
    ] = None,
    threads: Annotated[int, typer.Option(help="word2vec: training threads; 0 is one for each CPU.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="word2vec: one thread and one seed give one result.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
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

    _refuse_options_of_others(context, embedder)
    if (source.suffix == ".npy") != (embedder is EmbedderKind.NONE):
        raise CommandError(f"--embedder none and a .npy file go together; {source.name} with {embedder} does not")
    if not source.is_file():
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
    texts = Source(source, _names(text_column), _names(id_column), _names(columns), encoding_errors.value)
    with ProgressBars() as progress, Build(data_dir, collection, settings, progress) as pipeline:
        if embedder is EmbedderKind.NONE:
            report = pipeline.from_vectors(source, ids)
        elif embedder is EmbedderKind.MINILM:
            from vecinity.indexer.embedding.minilm import MiniLmEmbedder

            next(read_items(texts), None)  # a wrong column shows before the model is loaded, which takes seconds
            folder = str(Path(model).resolve()) if model and Path(model).is_dir() else model
            progress("load MiniLM", 0, 1, "models")
            minilm = MiniLmEmbedder(folder, allow_download=allow_download)
            progress("load MiniLM", 1, 1, "models", minilm.dtype)
            report = pipeline.from_texts(texts, minilm, EmbedderRecord(minilm.kind, minilm.fingerprint, folder))
        else:
            from vecinity.indexer.word2vec import Word2VecSettings

            chosen = {"threads": threads} if threads else {}
            if learning_rate is None:  # the defaults of the original word2vec
                learning_rate = 0.05 if architecture is Architecture.CBOW else 0.025
            report = pipeline.from_word2vec(
                texts,
                Word2VecSettings(
                    architecture=architecture.value,
                    dimension=dimension,
                    window=window,
                    negative=negative,
                    sample=sample,
                    min_count=min_count,
                    epochs=epochs,
                    learning_rate=learning_rate,
                    seed=seed,
                    **chosen,
                ),
            )
    (print_json if as_json else _print)(summary(report))


def _refuse_options_of_others(context: typer.Context, embedder: EmbedderKind) -> None:
    """An option that has no effect was meant for something: say so instead of going on without it."""
    for name, kinds in _OPTIONS_OF.items():
        source = context.get_parameter_source(name)
        if embedder not in kinds and source is not None and source.name == "COMMANDLINE":
            option = "--" + name.replace("_", "-")
            raise CommandError(f"{option} goes with --embedder {' or '.join(kinds)}, not with {embedder}")


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


def _names(value: str | None) -> tuple[str, ...]:
    return tuple(name for part in value.split(",") if (name := part.strip())) if value else ()
