"""``vecinity build``: the command."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vecinity.cli import word2vec_options
from vecinity.cli.building import index_options, options
from vecinity.cli.building.options import EmbedderKind
from vecinity.cli.building.report import show
from vecinity.cli.extras import require_server
from vecinity.cli.option_groups import takes
from vecinity.cli.progress import ProgressBars
from vecinity.cli.sources import EncodingErrorPolicy, names, read_model, refuse_vectors

if TYPE_CHECKING:
    from vecinity.indexer.build import Build, BuildReport
    from vecinity.indexer.dataset import Source


@takes(index_options.OPTIONS, word2vec_options.OPTIONS)
def build(
    context: typer.Context,
    collection: options.CollectionName,
    source: options.SourcePath,
    embedder: options.Embedder,
    data_dir: options.DataDir = Path("data"),
    text_column: options.TextColumn = None,
    id_column: options.IdColumn = None,
    columns: options.Columns = None,
    ids: options.Ids = None,
    attributes: options.Attributes = None,
    attributes_file: options.AttributesFile = None,
    encoding_errors: options.EncodingErrors = EncodingErrorPolicy.STRICT,
    model: options.Model = "",
    allow_download: options.AllowDownload = False,
    pretrained: options.Pretrained = False,
    as_json: options.AsJson = False,
    **groups: Any,
) -> None:
    """Make a collection, or a new version of one, and publish it.

    A server on the same data directory goes on answering from the old version until the new one is complete, checked
    and good enough.
    """
    require_server("'vecinity build'")
    from vecinity.indexer.attributes import parse_attributes
    from vecinity.indexer.build import Build
    from vecinity.indexer.dataset import Source

    options.refuse_options_of_others(context, embedder, pretrained)
    options.check_source(source, embedder, pretrained)
    if embedder is EmbedderKind.NONE:
        options.check_attributes_file(attributes, attributes_file, columns)
    # A build that is told to end cleans up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = index_options.settings_of(groups, embedder, encoding_errors)
    kept = parse_attributes(attributes) if attributes else ()
    texts = Source(source, names(text_column), names(id_column), names(columns), encoding_errors.value, kept)
    with ProgressBars() as progress, Build(data_dir, collection, settings, progress) as pipeline:
        if embedder is EmbedderKind.NONE:
            records = replace(texts, path=attributes_file) if attributes_file is not None else None
            report = pipeline.from_vectors(source, ids, records)
        elif pretrained:
            report = pipeline.from_model(read_model(source, encoding_errors.value))
        elif embedder is EmbedderKind.MINILM:
            report = _by_minilm(pipeline, texts, model, allow_download)
        else:
            refuse_vectors(source, "--pretrained")
            report = pipeline.from_word2vec(texts, word2vec_options.settings_of(groups))
    show(report, as_json)


def _by_minilm(pipeline: Build, texts: Source, model: str, allow_download: bool) -> BuildReport:
    from vecinity.indexer.catalog import EmbedderRecord
    from vecinity.indexer.dataset import read_items
    from vecinity.indexer.embedding.minilm import MiniLmEmbedder

    next(read_items(texts), None)  # a wrong column shows before the model is loaded, which takes seconds
    folder = str(Path(model).resolve()) if model and Path(model).is_dir() else model
    pipeline.progress("load MiniLM", 0, 1, "models")
    minilm = MiniLmEmbedder(folder, allow_download=allow_download)
    pipeline.progress("load MiniLM", 1, 1, "models", minilm.dtype)
    return pipeline.from_texts(texts, minilm, EmbedderRecord(minilm.kind, minilm.fingerprint, folder))
