"""The versions that are open, and which of them answers.

A version is opened once, in a thread, and shared by all calls. The current version of a collection is swapped by one
assignment when the catalog says so; calls under way keep the object they have. A version that can't be opened (a
truncated or altered file) is refused, and the newest older one that can be opened serves instead.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import structlog

from vecinity.indexer.catalog import Catalog, VersionRecord
from vecinity.indexer.embedding import Embedder, open_embedder
from vecinity.indexer.errors import CollectionNotFoundError, CorruptError, IndexerError, NoEmbedderError
from vecinity.indexer.segment import Segment
from vecinity.service.planner import Plan, Wish

_log = structlog.get_logger()

_PINNED_MAX = 8


@dataclass(eq=False)
class OpenVersion:
    """A version ready to answer. Immutable but for its embedder, opened when a text first needs it, and for `plans`,
    what the planner chose before."""

    record: VersionRecord
    segment: Segment
    data_dir: Path
    plans: dict[tuple[Wish, int], Plan] = field(default_factory=dict)
    _embedder: Embedder | None = None
    _lock: Lock = field(default_factory=Lock)

    def open_embedder(self) -> Embedder:
        """The embedder, opened if it is not open yet. May take seconds the first time: call it in a thread.

        Raises:
            NoEmbedderError: The collection was built from vectors.
            MissingExtraError, CorruptError: See `open_embedder`.
        """
        if self.record.embedder is None:
            raise NoEmbedderError(self.record.collection)
        with self._lock:
            if self._embedder is None:
                self._embedder = open_embedder(self.record.embedder, self.data_dir)
            return self._embedder

    def take_embedder(self, other: OpenVersion) -> None:
        """Share the embedder of another version that was made by the same model."""
        if other.record.embedder == self.record.embedder:
            self._embedder = other._embedder


class Store:
    """Opens versions and says which one answers.

    Args:
        data_dir: What `vecinity build` wrote.
        verify: Whether to compare checksums when a version is opened.

    Raises:
        SettingError: There is no catalog in `data_dir`.
    """

    def __init__(self, data_dir: Path, *, verify: bool = True) -> None:
        self.data_dir = data_dir
        self.verify = verify
        self._catalog = Catalog(data_dir, create=False)
        self._catalog_lock = Lock()
        self._seen_changes = -1
        self._current: dict[str, OpenVersion] = {}
        self._pinned: dict[tuple[str, int], OpenVersion] = {}
        self._refused: dict[str, CorruptError] = {}

    def close(self) -> None:
        with self._catalog_lock:
            self._catalog.close()

    @property
    def current(self) -> dict[str, OpenVersion]:
        """What is served, by collection."""
        return dict(self._current)

    def refresh(self) -> bool:
        """Open what has been published since the last time; returns whether anything changed. Blocks; one at a time."""
        with self._catalog_lock:
            changes = self._catalog.changes()
            if changes == self._seen_changes:
                return False
            names = self._catalog.collections()
            versions = {name: self._catalog.versions(name) for name in names}
            current = {name: self._catalog.version(name).number for name in names}
        for name, records in versions.items():
            # A rollback makes an older version current: newer ones are then no candidates.
            self._open_newest(name, [record for record in records if record.number <= current[name]])
        self._pinned = {
            (name, number): version
            for (name, number), version in self._pinned.items()
            if any(record.number == number for record in versions.get(name, ()))
        }
        self._seen_changes = changes
        return True

    async def get(self, collection: str, number: int = 0) -> OpenVersion:
        """The version that answers: the current one for 0, else the one pinned.

        Raises:
            CollectionNotFoundError, VersionNotFoundError
            CorruptError: No version of the collection could be opened, or not the pinned one.
        """
        version = self._current.get(collection)
        if version is not None and number in (0, version.record.number):
            return version
        if number and (pinned := self._pinned.get((collection, number))) is not None:
            return pinned
        return await asyncio.to_thread(self._get_slowly, collection, number)

    def _get_slowly(self, collection: str, number: int) -> OpenVersion:
        with self._catalog_lock:
            record = self._catalog.version(collection, number)
        if number == 0:
            if (refused := self._refused.get(collection)) is not None:
                raise refused
            # Published this very moment; the next refresh opens it.
            raise CollectionNotFoundError(collection)
        version = self._open(record)
        if (current := self._current.get(collection)) is not None:
            version.take_embedder(current)
        while len(self._pinned) >= _PINNED_MAX:
            self._pinned.pop(next(iter(self._pinned)))
        return self._pinned.setdefault((collection, number), version)

    def _open_newest(self, name: str, records: list[VersionRecord]) -> None:
        serving = self._current.get(name)
        for record in records:
            if serving is not None and serving.record.number == record.number:
                return
            try:
                version = self._open(record)
            except IndexerError as error:
                _log.error("version refused", collection=name, version=record.number, reason=str(error))
                if name not in self._refused and isinstance(error, CorruptError):
                    self._refused[name] = error
                continue
            if serving is not None:
                version.take_embedder(serving)
            self._current[name] = version
            self._refused.pop(name, None)
            _log.info("version opened", collection=name, version=record.number, items=version.segment.rows)
            return

    def _open(self, record: VersionRecord) -> OpenVersion:
        return OpenVersion(record, Segment(self._catalog.segment_folder(record), verify=self.verify), self.data_dir)
