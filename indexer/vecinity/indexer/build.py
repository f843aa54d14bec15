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

from vecinity.indexer import ann
from vecinity.indexer.ann import Family, Index, IndexSpec, Rows
from vecinity.indexer.calibration import Calibration, calibrate, hold_out, rows_without
from vecinity.indexer.catalog import Catalog, EmbedderRecord, VersionRecord, check_name
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.dataset import Item, Source, read_ids, read_items, read_texts, read_vectors
from vecinity.indexer.embedding import Embedder
from vecinity.indexer.errors import GateError, InputError, SettingError, StorageError, VectorError
from vecinity.indexer.files import publish_folder, writing
from vecinity.indexer.metric import Metric, Vectors, prepare
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.segment import Segment, hash_ids
from vecinity.indexer.segment_writer import SegmentWriter
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings, train

_EMBED_TEXTS = 256
_ADD_ROWS = 65_536
_SEED = 1


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What the user wants of the index; 0 and None leave it open.

    Attributes:
        target_recall: The gate: a build whose calibration can't reach this recall@10 is not published.
        keep_versions: How many versions stay on the disk, the new one included.
    """

    metric: Metric = Metric.COSINE
    family: Family | None = None
    nlist: int = 0
    m: int = 0
    ef_construction: int = 0
    target_recall: float = 0.95
    keep_versions: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.target_recall < 1:
            raise SettingError(f"target_recall is {self.target_recall}; it must be from 0 to below 1")
        if self.keep_versions < 1:
            raise SettingError(f"keep_versions is {self.keep_versions}; it must be at least 1")


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was published."""

    version: VersionRecord
    spec: IndexSpec
    calibration: Calibration


Batch = tuple[Sequence[str], Sequence[str | None], Vectors]
"""Ids, texts, and raw vectors (n, d)."""


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
        count = self._check_source(source)
        batches = self._embed(read_items(source), embedder, count)
        return self._publish(batches, embedder.dimension, record)

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
                return self._publish(_words(model), model.vectors.shape[1], record)
        finally:
            self.catalog.delete_unused_models()

    def from_vectors(self, path: Path, ids_path: Path | None) -> BuildReport:
        """Index the rows of a ``.npy`` file; the collection has no embedder."""
        vectors = read_vectors(path)
        ids = read_ids(ids_path, len(vectors), path)
        batches = (
            (
                ids[begin : begin + _ADD_ROWS],
                [None] * len(ids[begin : begin + _ADD_ROWS]),
                _float32(vectors, begin, path),
            )
            for begin in range(0, len(ids), _ADD_ROWS)
        )
        return self._publish(batches, vectors.shape[1], None)

    def _publish(self, batches: Iterable[Batch], dimension: int, record: EmbedderRecord | None) -> BuildReport:
        # The workspace bears the name of the segment and stays until the commit: so a later build knows, of a segment
        # that no version uses, that a killed build left it there.
        with self._workspace() as workspace:
            name = workspace.name
            target = self.folder / "segments" / name
            with SegmentWriter(workspace / name, dimension, self.settings.metric) as writer:
                for ids, texts, vectors in batches:
                    writer.append(ids, texts, self._prepare(vectors, writer.rows, ids))
                if not writer.rows:
                    raise InputError("the source holds no items: there is nothing to index")
                vectors = writer.close_items()
            index, calibration = self._index(vectors)
            self.progress("write", 0, 1, "segments")
            writer.finish(index.spec, index, calibration)
            self._check_gates(calibration)
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
        return BuildReport(version, index.spec, calibration)

    def _index(self, vectors: Vectors) -> tuple[Index, Calibration]:
        """Index and measure. Left to choose, take the next family where one misses the gate on these vectors."""
        settings = self.settings
        chosen = self._spec(settings.family, len(vectors), vectors.shape[1])
        specs = [chosen]
        if settings.family is None and chosen.family is not Family.FLAT:
            specs += [self._spec(family, len(vectors), vectors.shape[1]) for family in (Family.HNSW, Family.FLAT)]
        for spec in specs:
            index, calibration = self._index_as(spec, vectors)
            if calibration.best_recall(10) >= settings.target_recall:
                break
        return index, calibration

    def _spec(self, family: Family | None, rows: int, dimension: int) -> IndexSpec:
        settings = self.settings
        return ann.choose_spec(
            family, rows, dimension, nlist=settings.nlist, m=settings.m, ef_construction=settings.ef_construction
        )

    def _index_as(self, spec: IndexSpec, vectors: Vectors) -> tuple[Index, Calibration]:
        rows, settings = len(vectors), self.settings
        if spec.family is Family.FLAT:  # nothing to train, to add to or to measure: it is exact
            return Index(spec, settings.metric, vectors, None), Calibration()
        threads = available_cpus()
        ann.set_threads(threads)
        self.progress("train index", 0, 1, "indexes", spec.description)
        rng = np.random.default_rng(_SEED)
        sample = np.sort(rng.choice(rows, min(spec.training_rows, rows), replace=False)).astype(np.int64)
        index = Index.train(spec, settings.metric, vectors, sample)
        self.progress("train index", 1, 1, "indexes", spec.description)
        held_out = hold_out(rows, _SEED)
        self._add(index, rows_without(rows, held_out), rows - len(held_out))
        calibration = calibrate(index, held_out, self.progress)
        ann.set_threads(threads)
        index.add(held_out)
        return index, calibration

    def _add(self, index: Index, chunks: Sequence[Rows], total: int) -> None:
        done = 0
        for chunk in chunks:
            for begin in range(0, len(chunk), _ADD_ROWS // 8):
                part = chunk[begin : begin + _ADD_ROWS // 8]
                index.add(part)
                done += len(part)
                self.progress("add to index", done, total, "items")

    def _check_gates(self, calibration: Calibration) -> None:
        reached = calibration.best_recall(10)
        if reached < self.settings.target_recall:
            raise GateError(
                f"not published: the index reaches recall@10 {reached:.3f} at its highest effort, and "
                f"{self.settings.target_recall} is asked of it: choose another --index, or a lower --target-recall"
            )

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
            yield [item.id for item in batch], texts, embedder.embed(texts)
            done += len(batch)
            self.progress("embed", done, count, "texts")

    def _prepare(self, vectors: Vectors, first: int, ids: Sequence[str]) -> Vectors:
        try:
            return prepare(vectors, self.settings.metric)
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
        yield words, [None] * len(words), model.vectors[begin : begin + _ADD_ROWS]


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
