"""What is published: an SQLite database in the data directory.

    <data-dir>/catalog.db                            this
    <data-dir>/collections/<name>/segments/<ulid>/   segments (vecinity.indexer.segment)
    <data-dir>/models/<fingerprint>/                 trained embedders

A version is visible from the commit of one transaction, `publish`, which also makes it current. SQLite's write-ahead
log with synchronous=FULL makes that commit durable. Readers ask `changes()` whether another connection has committed.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
from rapidfuzz import process

from vecinity.indexer.errors import (
    CollectionNotFoundError,
    CorruptError,
    SettingError,
    StorageError,
    VersionNotFoundError,
)
from vecinity.indexer.files import writing
from vecinity.indexer.metric import Metric

SQLITE_MIN = (3, 51, 3)
"""Older ones can lose committed writes when the write-ahead log is reset (fixed in 3.51.3)."""

_SCHEMA_VERSION = 1
_BUSY_MS = 10_000
_PATH_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SCHEMA = """
CREATE TABLE collections (
    name TEXT PRIMARY KEY,
    current_version INTEGER NOT NULL
) STRICT;
CREATE TABLE versions (
    collection TEXT NOT NULL REFERENCES collections (name),
    number INTEGER NOT NULL,              -- 1, 2, 3, … in each collection; never used twice
    published_time REAL NOT NULL,         -- seconds since 1970
    dimension INTEGER NOT NULL,
    metric TEXT NOT NULL,
    embedder TEXT NOT NULL,               -- JSON: kind, fingerprint and what opens it; null if there is none
    PRIMARY KEY (collection, number)
) STRICT;
CREATE TABLE segments (
    ulid TEXT PRIMARY KEY,                -- its folder
    collection TEXT NOT NULL,
    version INTEGER NOT NULL,
    item_count INTEGER NOT NULL,
    FOREIGN KEY (collection, version) REFERENCES versions (collection, number) ON DELETE CASCADE
) STRICT;
CREATE INDEX segments_of_version ON segments (collection, version);
"""


@dataclass(frozen=True, slots=True)
class EmbedderRecord:
    """Which embedder made a version's vectors, and what is needed to open it again.

    Attributes:
        kind: "word2vec" or "minilm".
        fingerprint: The same fingerprint gives the same vectors.
        source: A folder, "" for the kind's default place.
    """

    kind: str
    fingerprint: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One published version."""

    collection: str
    number: int
    published_time: float
    dimension: int
    metric: Metric
    embedder: EmbedderRecord | None
    segment: str
    item_count: int


class Catalog:
    """A connection to the catalog of a data directory. For one thread at a time.

    Args:
        data_dir: Created if missing, unless `create` is False.
        create: False opens only what exists.

    Raises:
        SettingError: There is no catalog and `create` is False.
        CorruptError: The file is not a catalog, or was made by a newer version.
        StorageError: The data directory can't be written.
    """

    def __init__(self, data_dir: Path, *, create: bool = True) -> None:
        self.data_dir = data_dir
        self.path = data_dir / "catalog.db"
        if _sqlite_version() < SQLITE_MIN:
            raise SettingError(f"SQLite {apsw.sqlite_lib_version()} can lose writes: install apsw 3.51.3 or newer")
        if create:
            with writing(data_dir):
                (data_dir / "collections").mkdir(parents=True, exist_ok=True)
        elif not self.path.exists():
            raise SettingError(
                f"{data_dir} is not a data directory: it has no catalog.db; make one with 'vecinity build'"
            )
        with self._errors():
            self._db = self._connect(create)
            self._db.set_busy_timeout(_BUSY_MS)
            if create:
                pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"
                self._db.execute(pragmas).fetchall()
            self._check_schema(create)

    def _connect(self, create: bool) -> apsw.Connection:
        if create:
            return apsw.Connection(str(self.path))
        try:
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
            connection.execute("PRAGMA user_version").fetchall()
            return connection
        except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.FullError, apsw.IOError):
            # A full or read-only disk has no room for the files with which readers and writers of a write-ahead log
            # agree. Nobody can write there either, so what the database holds is all, unless a log was left.
            log = self.path.with_name(self.path.name + "-wal")
            if log.exists() and log.stat().st_size:
                raise
            uri = f"{self.path.absolute().as_uri()}?immutable=1"
            return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)

    def close(self) -> None:
        self._db.close()

    def collection_folder(self, collection: str) -> Path:
        return self.data_dir / "collections" / collection

    def segment_folder(self, version: VersionRecord) -> Path:
        return self.collection_folder(version.collection) / "segments" / version.segment

    def model_folder(self, fingerprint: str) -> Path:
        return self.data_dir / "models" / fingerprint

    def collections(self) -> list[str]:
        """Names, sorted."""
        with self._errors():
            return [name for (name,) in self._db.execute("SELECT name FROM collections ORDER BY name")]

    def version(self, collection: str, number: int = 0) -> VersionRecord:
        """A version by number; 0 is the current one.

        Raises:
            CollectionNotFoundError, VersionNotFoundError
        """
        with self._errors():
            current = self._db.execute("SELECT current_version FROM collections WHERE name = ?", (collection,)).get
        if current is None:
            near = process.extract(collection, self.collections(), limit=3, score_cutoff=60)
            raise CollectionNotFoundError(collection, [name for name, _, _ in near])
        published = self._versions(collection)
        for record in published:
            if record.number == (number or current):
                return record
        raise VersionNotFoundError(collection, number, [record.number for record in published])

    def versions(self, collection: str) -> list[VersionRecord]:
        """All published versions, newest first."""
        self.version(collection)
        return self._versions(collection)

    def changes(self) -> int:
        """A number that changes when another connection has committed."""
        with self._errors():
            value: int = self._db.execute("PRAGMA data_version").get
        return value

    def publish(
        self,
        collection: str,
        dimension: int,
        metric: Metric,
        embedder: EmbedderRecord | None,
        segment: str,
        item_count: int,
    ) -> VersionRecord:
        """Make a finished segment folder the current version of a collection, in one transaction."""
        check_name(collection)
        record = json.dumps(None if embedder is None else {k: getattr(embedder, k) for k in EmbedderRecord.__slots__})
        with self._errors(), self._transaction():
            last: int | None = self._db.execute(
                "SELECT max(number) FROM versions WHERE collection = ?", (collection,)
            ).get
            current: int | None = self._db.execute(
                "SELECT current_version FROM collections WHERE name = ?", (collection,)
            ).get
            number = max(last or 0, current or 0) + 1
            self._db.execute(
                "INSERT INTO collections VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET current_version = ?2",
                (collection, number),
            )
            self._db.execute(
                "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)",
                (collection, number, time.time(), dimension, metric.value, record),
            )
            self._db.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", (segment, collection, number, item_count))
            published = self._versions(collection)[0]
        return published

    def prune(self, collection: str, keep: int) -> list[int]:
        """Forget and delete all but the newest `keep` versions and the current one; returns their numbers.

        A server that has one open keeps its files until it lets go of them.
        """
        current = self.version(collection).number
        old = [v for v in self._versions(collection)[max(keep, 1) :] if v.number != current]
        with self._errors(), self._transaction():
            for version in old:
                self._db.execute(
                    "DELETE FROM versions WHERE collection = ? AND number = ?", (collection, version.number)
                )
        for version in old:
            shutil.rmtree(self.segment_folder(version), ignore_errors=True)
        return [v.number for v in old]

    def segments(self, collection: str) -> set[str]:
        """Names of the segment folders that versions of a collection use."""
        with self._errors():
            return {
                ulid for (ulid,) in self._db.execute("SELECT ulid FROM segments WHERE collection = ?", (collection,))
            }

    @contextmanager
    def using_models(self) -> Iterator[None]:
        """While a build saves a model and publishes it, nobody may take the model for unused."""
        with self._models_lock(fcntl.LOCK_SH):
            yield

    def delete_unused_models(self) -> None:
        """Delete trained models that no version needs, unless a build is about to publish one."""
        try:
            with self._models_lock(fcntl.LOCK_EX | fcntl.LOCK_NB), self._errors():
                records = self._db.execute("SELECT DISTINCT embedder FROM versions").fetchall()
                used = {record.fingerprint for (value,) in records if (record := _embedder(str(value)))}
                for folder in (self.data_dir / "models").iterdir():
                    if folder.is_dir() and folder.name not in used:
                        shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            return

    @contextmanager
    def _models_lock(self, operation: int) -> Iterator[None]:
        models = self.data_dir / "models"
        with writing(models):
            models.mkdir(exist_ok=True)
            lock = (models / ".lock").open("w")
        with lock:
            fcntl.flock(lock, operation)
            yield

    def _versions(self, collection: str) -> list[VersionRecord]:
        with self._errors():
            rows: list[Any] = self._db.execute(
                "SELECT number, published_time, dimension, metric, embedder, ulid, item_count FROM versions"
                " JOIN segments ON segments.collection = versions.collection AND segments.version = versions.number"
                " WHERE versions.collection = ? ORDER BY number DESC",
                (collection,),
            ).fetchall()
        for *_, embedder, segment, _ in rows:
            record = _embedder(embedder)
            if not _PATH_PART.fullmatch(segment) or (record and not _PATH_PART.fullmatch(record.fingerprint)):
                raise CorruptError(self.path, f"names {segment!r} or {embedder}, which can't be folders of ours")
        return [
            VersionRecord(collection, number, published, dimension, Metric(metric), _embedder(embedder), segment, items)
            for number, published, dimension, metric, embedder, segment, items in rows
        ]

    def _check_schema(self, create: bool) -> None:
        found: int = self._db.execute("PRAGMA user_version").get
        if found == 0 and create:
            with self._transaction():
                if self._db.execute("PRAGMA user_version").get == 0:  # nobody else was faster
                    self._db.execute(_SCHEMA + f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif found != _SCHEMA_VERSION:
            raise CorruptError(
                self.path, f"has schema {found}; this version of Vecinity reads schema {_SCHEMA_VERSION}"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise CorruptError(self.path, f"is not a catalog ({error})") from error
        except apsw.BusyError as error:
            raise StorageError(f"{self.path} is locked by another build: try again when it has ended") from error
        except apsw.Error as error:
            raise StorageError(f"can't use {self.path}: {error}") from error


def check_name(collection: str) -> None:
    """Collection names become folder names, so they are small.

    Raises:
        SettingError
    """
    if not _NAME.fullmatch(collection):
        raise SettingError(
            f"{collection!r} is no collection name: use 1 to 63 of a-z, 0-9, '-', '_', beginning with a letter or digit"
        )


def _embedder(value: str) -> EmbedderRecord | None:
    fields: dict[str, Any] | None = json.loads(value)
    return None if fields is None else EmbedderRecord(**fields)


def _sqlite_version() -> tuple[int, ...]:
    return tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
