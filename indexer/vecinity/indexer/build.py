"""The pipeline from a source to a published version.

    check the source → embed → write the segment → train the index → calibrate → gate → publish

Everything is made in a temporary folder inside the data directory. A build that fails or is interrupted, at any
point, leaves nothing behind that a reader could see: the version appears with the commit of `Catalog.publish`.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from ulid import ULID

from vecinity.indexer.ann import IndexSpec
from vecinity.indexer.attributes import Attribute, Value
from vecinity.indexer.calibration import Calibration
from vecinity.indexer.calibration_queries import read_calibration_queries
from vecinity.indexer.catalog import Catalog, EmbedderRecord, VersionRecord, check_name
from vecinity.indexer.dataset import (
    Item,
    Source,
    read_attributes,
    read_ids,
    read_items,
    read_texts,
    read_vectors,
    typed,
)
from vecinity.indexer.embedding import Embedder
from vecinity.indexer.embedding.word2vec import Word2VecEmbedder
from vecinity.indexer.errors import InputError, StorageError, VectorError
from vecinity.indexer.files import publish_folder, writing
from vecinity.indexer.indexing import IndexSettings, check_gates, make_index
from vecinity.indexer.metric import Vectors, prepare
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.segment import Segment, hash_ids
from vecinity.indexer.segment_writer import SegmentWriter
from vecinity.indexer.stored_vectors import StoredVectors, to_stored
from vecinity.indexer.tournament import TournamentReport
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings, train

_EMBED_TEXTS = 256
_ADD_ROWS = 65_536
_SEED = 1


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was published.

    Attributes:
        tournament: How the index was chosen; None if it was given, or the collection is small enough to be scanned.
    """

    version: VersionRecord
    spec: IndexSpec
    calibration: Calibration
    tournament: TournamentReport | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Some items: n ids and texts, raw vectors (n, d), and for each item the values of the version's attributes."""

    ids: Sequence[str]
    texts: Sequence[str | None]
    vectors: Vectors
    attributes: Sequence[Sequence[Value | None]] = ()


class Build:
    """Builds versions of one collection.

    Args:
        data_dir: Created if missing.
        collection: Name of a new or existing collection.
        settings: For its index.
        progress: Told how far the work is.
    """

    def __init__(
        self, data_dir: Path, collection: str, settings: IndexSettings | None = None, progress: Progress = silent
    ) -> None:
        check_name(collection)
        self.collection = collection
        self.settings = settings or IndexSettings()
        self.progress = progress
        self.catalog = Catalog(data_dir)
        self.folder = self.catalog.collection_folder(collection)
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "build.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise StorageError(
                f"another build of {collection!r} is under way: run this one when it has ended"
            ) from error
        self._sweep()

    def close(self) -> None:
        """Let others build."""
        self._lock.close()
        self.catalog.close()

    def __enter__(self) -> Build:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def from_texts(self, source: Source, embedder: Embedder, record: EmbedderRecord) -> BuildReport:
        """Embed every item of a source. The whole source is checked before the first text is embedded."""
        source = typed(source)
        count = self._check_source(source)
        queries = self._queries(embedder, embedder.dimension)
        batches = self._embed(read_items(source), embedder, count)
        return self._publish(batches, embedder.dimension, record, queries, source.attributes)

    def from_word2vec(self, source: Source, settings: Word2VecSettings) -> BuildReport:
        """Train word2vec on a source; the items are the words of its vocabulary, most frequent first."""
        with self._workspace() as workspace:
            model = train(lambda: read_texts(source), settings, workdir=workspace, progress=self.progress)
        return self.from_model(replace(model, outputs=None))  # Only a training that goes on needs those.

    def from_model(self, model: Word2VecModel) -> BuildReport:
        """Index the words of a trained model, or of one that was imported (`vecinity.indexer.formats`)."""
        try:
            with self.catalog.using_models():
                model.save(self.catalog.model_folder(model.fingerprint))
                record = EmbedderRecord("word2vec", model.fingerprint)
                dimension = model.vectors.shape[1]
                queries = self._queries(Word2VecEmbedder(model), dimension)
                return self._publish(_words(model), dimension, record, queries)
        finally:
            self.catalog.delete_unused_models()

    def from_vectors(self, path: Path, ids_path: Path | None, attributes: Source | None = None) -> BuildReport:
        """Index the rows of a ``.npy`` file; the collection has no embedder.

        Args:
            ids_path: One id a line; None takes the row numbers.
            attributes: A file with one record for each vector, in their order.
        """
        vectors = read_vectors(path)
        attributes = typed(attributes) if attributes is not None else None
        # Faults show before anything is written.
        if ids_path is not None:
            for _ in read_ids(ids_path, len(vectors), path):
                pass
        if attributes is not None:
            for _ in read_attributes(attributes, len(vectors), path):
                pass
        return self._publish(
            _rows(path, vectors, ids_path, attributes),
            vectors.shape[1],
            None,
            self._queries(None, vectors.shape[1]),
            attributes.attributes if attributes is not None else (),
        )

    def _queries(self, embedder: Embedder | None, dimension: int) -> Vectors | None:
        source = self.settings.calibration_queries
        if source is None:
            return None
        return read_calibration_queries(source, embedder, dimension, self.settings.metric, self.progress)

    def _publish(
        self,
        batches: Iterable[Batch],
        dimension: int,
        record: EmbedderRecord | None,
        queries: Vectors | None,
        attributes: Sequence[Attribute] = (),
    ) -> BuildReport:
        # The workspace bears the name of the segment and stays until the commit: so a later build knows, of a segment
        # that no version uses, that a killed build left it there.
        with self._workspace() as workspace:
            name = workspace.name
            target = self.folder / "segments" / name
            with SegmentWriter(
                workspace / name, dimension, self.settings.metric, attributes, self.settings.vector_type
            ) as writer:
                for batch in batches:
                    prepared = self._prepare(batch.vectors, writer.rows, batch.ids)
                    writer.append(batch.ids, batch.texts, prepared, batch.attributes)
                if not writer.rows:
                    raise InputError("the source holds no items: there is nothing to index")
                vectors = writer.close_items()
            made = make_index(vectors, self.settings, queries, self.progress)
            self.progress("write", 0, 1, "segments")
            writer.finish(made.index.spec, made.index, made.calibration, made.tournament)
            check_gates(made.calibration, self.settings)
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                publish_folder(writer.folder, target, top=self.catalog.data_dir)
            try:
                # What will be served is what is checked: the files in their final place, as a reader opens them.
                Segment(target)
                version = self.catalog.publish(
                    self.collection, dimension, self.settings.metric, record, name, item_count=writer.rows
                )
            finally:
                if name not in self.catalog.segments(self.collection):
                    shutil.rmtree(target, ignore_errors=True)
        self.progress("write", 1, 1, "segments")
        self.catalog.prune(self.collection, self.settings.keep_versions)
        return BuildReport(version, made.index.spec, made.calibration, made.tournament)

    def _check_source(self, source: Source) -> int:
        """Read everything once: faults and duplicate ids show before hours of embedding. Returns the item count."""
        hashes: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = []
        items = read_items(source)
        count = 0
        while ids := [item.id for item in islice(items, _ADD_ROWS)]:
            hashes.append(hash_ids(ids))
            count += len(ids)
            self.progress("check", count, None, "items")
        if not count:
            raise InputError("holds no text: there is nothing to embed", path=source.path)
        unique, counts = np.unique(np.concatenate(hashes), return_counts=True)
        if len(unique) < count:
            _raise_duplicate(source, set(unique[counts > 1].tolist()))
        return count

    def _embed(self, items: Iterable[Item], embedder: Embedder, count: int) -> Iterator[Batch]:
        done, items = 0, iter(items)
        self.progress("embed", 0, count, "texts")
        while batch := list(islice(items, _EMBED_TEXTS)):
            texts = [item.text for item in batch]
            yield Batch([item.id for item in batch], texts, embedder.embed(texts), [item.attributes for item in batch])
            done += len(batch)
            self.progress("embed", done, count, "texts")

    def _prepare(self, vectors: Vectors, first: int, ids: Sequence[str]) -> StoredVectors:
        try:
            return to_stored(prepare(vectors, self.settings.metric), self.settings.vector_type)
        except VectorError as error:
            raise InputError(
                f"the vector of item {first + error.row + 1} (id {ids[error.row]!r}) {error.fault}"
            ) from error

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        """A temporary folder on the file system of the data directory, so that the last step is a rename."""
        folder = self.folder / "building" / str(ULID())
        with writing(folder):
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a killed build left. The lock says that no other build of this collection is alive."""
        self.catalog.delete_unused_models()
        building = self.folder / "building"
        published = self.catalog.segments(self.collection)
        for workspace in building.iterdir() if building.is_dir() else ():
            if workspace.name not in published:
                shutil.rmtree(self.folder / "segments" / workspace.name, ignore_errors=True)
            shutil.rmtree(workspace, ignore_errors=True)


def _words(model: Word2VecModel) -> Iterator[Batch]:
    for begin in range(0, len(model.words), _ADD_ROWS):
        words = model.words[begin : begin + _ADD_ROWS]
        yield Batch(words, [None] * len(words), model.vectors[begin : begin + _ADD_ROWS])


def _rows(
    path: Path,
    vectors: np.ndarray[tuple[int, int], np.dtype[np.floating]],
    ids_path: Path | None,
    attributes: Source | None,
) -> Iterator[Batch]:
    ids = read_ids(ids_path, len(vectors), path)
    values = None if attributes is None else read_attributes(attributes, len(vectors), path)
    for begin in range(0, len(vectors), _ADD_ROWS):
        part = list(islice(ids, min(_ADD_ROWS, len(vectors) - begin)))
        of_part = [] if values is None else list(islice(values, len(part)))
        yield Batch(part, [None] * len(part), _float32(vectors, begin, path), of_part)


def _float32(vectors: np.ndarray[tuple[int, int], np.dtype[np.floating]], begin: int, path: Path) -> Vectors:
    with np.errstate(over="ignore"):  # what float32 can't hold becomes infinity, which is reported with its row
        return np.asarray(vectors[begin : begin + _ADD_ROWS], dtype=np.float32)


def _raise_duplicate(source: Source, hashes: set[int]) -> None:
    """Find the first id that comes twice, by reading the source again."""
    seen: dict[str, int] = {}
    for item in read_items(source):
        if int(hash_ids([item.id])[0]) not in hashes:
            continue
        if item.id in seen:
            raise InputError(
                f"the id {item.id!r} is also on line {seen[item.id]}: ids must be unique",
                path=source.path,
                line=item.line,
            )
        seen[item.id] = item.line
