"""The options of the index that a build makes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli import units
from vecinity.cli.building.options import EmbedderKind
from vecinity.cli.exit_codes import CommandError
from vecinity.cli.option_groups import OptionGroup
from vecinity.cli.sources import EncodingErrorPolicy, check_is_file, names

if TYPE_CHECKING:
    from vecinity.indexer.dataset import Source
    from vecinity.indexer.indexing import IndexSettings


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


def _options(
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
        typer.Option(
            parser=units.duration,
            metavar="TIME",
            help="auto: most for making the index, such as 90s or 5m; calibrating comes after.",
        ),
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
) -> None:
    """Never called: its parameters are the options."""


OPTIONS = OptionGroup(_options)


def settings_of(
    options: Mapping[str, Any], embedder: EmbedderKind, encoding_errors: EncodingErrorPolicy
) -> IndexSettings:
    """The settings that the options say, checked as far as they can be before hours of embedding."""
    from vecinity.indexer.ann import Family, Transform
    from vecinity.indexer.indexing import IndexSettings
    from vecinity.indexer.metric import Metric
    from vecinity.indexer.stored_vectors import VectorType

    queries = _calibration_queries(
        options["calibration_queries"],
        names(options["calibration_text_column"]),
        names(options["calibration_columns"]),
        embedder,
        encoding_errors,
    )
    family = options["index"]
    return IndexSettings(
        metric=Metric(options["metric"]),
        family=None if family is IndexFamily.AUTO else Family(family),
        nlist=options["nlist"],
        m=options["m"],
        ef_construction=options["ef_construction"],
        transform=Transform(options["transform"]),
        reduced_dimension=options["reduced_dimension"],
        subquantisers=options["subquantisers"],
        vector_type=VectorType(options["vectors"]),
        target_recall=options["target_recall"],
        calibration_queries=queries,
        max_memory_bytes=options["max_memory"],
        max_build_seconds=options["max_build_time"],
        keep_versions=options["keep_versions"],
    )


def _calibration_queries(
    path: Path | None,
    text_columns: tuple[str, ...],
    columns: tuple[str, ...],
    embedder: EmbedderKind,
    encoding_errors: EncodingErrorPolicy,
) -> Source | None:
    """What says where the queries are."""
    from vecinity.indexer.dataset import Source, read_items

    if path is None:
        for option, value in (("--calibration-text-column", text_columns), ("--calibration-columns", columns)):
            if value:
                raise CommandError(f"{option} goes with --calibration-queries")
        return None
    check_is_file(path)
    vectors = path.suffix == ".npy"
    if embedder is EmbedderKind.NONE and not vectors:
        raise CommandError("--calibration-queries must be vectors, a .npy file, with --embedder none")
    if vectors and (text_columns or columns):
        raise CommandError("a .npy file has no columns: leave out --calibration-text-column and --calibration-columns")
    source = Source(path, text_columns, columns=columns, encoding_errors=encoding_errors.value)
    if not vectors:
        next(read_items(source), None)  # a wrong column shows now
    return source
