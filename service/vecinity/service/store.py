"""The versions that are open, and which of them answers.

A version is opened once, in a thread, and shared by all calls. The current version of a collection is swapped by one
assignment when the catalog says so; calls under way keep the object they have. A version that can't be opened (a
truncated or altered file) is refused, and the newest older one that can be opened serves instead.
"""

from __future__ import annotations

import asyncio
import errno
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import structlog

from vecinity.indexer.ann import Family, effort_of
from vecinity.indexer.catalog import Catalog, VersionRecord
from vecinity.indexer.embedding import Embedder
from vecinity.indexer.errors import IndexerError, NoEmbedderError, StorageError
from vecinity.indexer.segment import Segment
from vecinity.indexer.stored_vectors import as_float32
from vecinity.service.embedders import Embedders, SharedEmbedder
from vecinity.service.errors import InvalidArgumentError, ServiceError
from vecinity.service.grouping import Groupings
from vecinity.service.matching import Matches
from vecinity.service.planner import Asked, Plan, Wish

_log = structlog.get_logger()

_PINNED_MAX = 8

_RETRY_SECONDS = 5.0
"""Until a version is tried again that could not be opened for want of something that may be there later."""

_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})


@dataclass(eq=False)
class OpenVersion:
    """A version ready to answer. Immutable but for its embedder, opened when a text first needs it, and for what it
    remembers: `plans` and `ready`, what was planned and made ready for searches before, `matches`, the items found to
    meet filters, and `groupings`.

    Attributes:
        embedder: None if the collection was built from vectors.
        ready: By kind of search, for `Engine.ready`, which alone knows of what. Here so that it ends with the version.
    """

    record: VersionRecord
    segment: Segment
    embedder: SharedEmbedder | None
    plans: dict[tuple[Wish, Asked], Plan] = field(default_factory=dict)
    ready: dict[int, object] = field(default_factory=dict)
    matches: Matches = field(init=False)
    groupings: Groupings = field(init=False)

    def __post_init__(self) -> None:
        self.matches = Matches(self.segment)
        self.groupings = Groupings(self.segment)

    def check_dimension(self, dimension: int, field: str) -> None:
        """
        Raises:
            InvalidArgumentError: A vector of that dimension, at `field` in a request, is not one of this collection.
        """
        if dimension != self.record.dimension:
            raise InvalidArgumentError(
                field, f"has dimension {dimension}; collection {self.record.collection!r} has {self.record.dimension}"
            )

    def open_embedder(self) -> Embedder:
        """The embedder, opened if it is not open yet. May take seconds the first time: call it in a thread.

        Raises:
            NoEmbedderError: The collection was built from vectors.
            MissingExtraError, CorruptError, EmbedderLostError: See `SharedEmbedder.open`.
        """
        if self.embedder is None:
            raise NoEmbedderError(self.record.collection)
        return self.embedder.open()


class Store:
    """Opens versions and says which one answers.

    Args:
        data_dir: What `vecinity build` wrote.
        verify: Whether to compare checksums when a version is opened.
        embedders: Of that directory; closed with the store. None opens them in this process.

    Raises:
        SettingError: There is no catalog in `data_dir`.
    """

    def __init__(self, data_dir: Path, *, verify: bool = True, embedders: Embedders | None = None) -> None:
        self.data_dir = data_dir
        self.verify = verify
        self._embedders = embedders or Embedders(data_dir)
        self._catalog = Catalog(data_dir, create=False)
        self._inode = self._seen_inode = self._catalog.path.stat().st_ino
        self._catalog_lock = Lock()
        self._seen_changes = -1
        self._retry_at = math.inf
        self._current: dict[str, OpenVersion] = {}
        self._refused: dict[str, IndexerError] = {}
        # The segment of each version.
        self._published: dict[tuple[str, int], str] = {}
        # Touched on the event loop only, least recently asked first.
        self._pinned: OrderedDict[tuple[str, int], OpenVersion] = OrderedDict()
        self._opening: dict[tuple[str, int], asyncio.Task[OpenVersion]] = {}

    def close(self) -> None:
        self._embedders.close()
        with self._catalog_lock:
            self._catalog.close()

    @property
    def current(self) -> dict[str, OpenVersion]:
        """What is served, by collection."""
        return dict(self._current)

    def refresh(self) -> bool:
        """Open what has been published since the last time; returns whether anything changed. Blocks; one at a time."""
        with self._catalog_lock:
            self._reopen_if_replaced()
            changes = self._catalog.changes()
            if changes == self._seen_changes and time.monotonic() < self._retry_at:
                return False
            names = self._catalog.collections()
            versions = {name: self._catalog.versions(name) for name in names}
            current = {name: self._catalog.version(name).number for name in names}
        self._retry_at = math.inf
        for name, records in versions.items():
            # A rollback makes an older version current: newer ones are then no candidates.
            self._open_newest(name, [record for record in records if record.number <= current[name]])
        self._published = {(name, each.number): each.segment for name, records in versions.items() for each in records}
        self._seen_changes = changes
        return True

    def _reopen_if_replaced(self) -> None:
        """A data directory may be exchanged for another: then the open database is that of a deleted file."""
        try:
            inode = self._catalog.path.stat().st_ino
        except FileNotFoundError as error:
            raise StorageError(f"{self._catalog.path} is gone; what is open goes on serving") from error
        if inode != self._seen_inode:
            self._seen_inode = inode
            if inode != self._inode:
                _log.warning("the catalog was replaced: opening the new one", path=str(self._catalog.path))
        if inode != self._inode:
            # The old one is kept until the new one is open: its file may come back.
            replaced, self._catalog = self._catalog, Catalog(self.data_dir, create=False)
            replaced.close()
            self._inode, self._seen_changes = inode, -1

    def serving(self, collection: str, number: int = 0) -> OpenVersion | None:
        """The current version of a collection, if there is one and it is the one asked for, or 0 was asked for."""
        version = self._current.get(collection)
        return version if version is not None and number in (0, version.record.number) else None

    async def get(self, collection: str, number: int = 0) -> OpenVersion:
        """The version that answers: the current one for 0, else the one pinned.

        Raises:
            CollectionNotFoundError, VersionNotFoundError
            CorruptError: No version of the collection could be opened, or not the pinned one.
        """
        if (version := self.serving(collection, number)) is not None:
            return version
        if number == 0:
            raise await asyncio.to_thread(self._why_not_served, collection)
        key = (collection, number)
        pinned = self._pinned.get(key)
        # A data directory that was exchanged for another may have a version of the same number.
        if pinned is not None and self._published.get(key) == pinned.record.segment:
            self._pinned.move_to_end(key)
            return pinned
        # However many calls ask for it at once, it is opened once. One that gives up does not stop the others.
        if key not in self._opening:
            self._opening[key] = asyncio.create_task(asyncio.to_thread(self._open_pinned, collection, number))
            self._opening[key].add_done_callback(lambda task: self._opened(key, task))
        version = self._pinned[key] = await asyncio.shield(self._opening[key])
        if len(self._pinned) > _PINNED_MAX:
            self._pinned.popitem(last=False)
        return version

    def _opened(self, key: tuple[str, int], task: asyncio.Task[OpenVersion]) -> None:
        del self._opening[key]
        if not task.cancelled():
            task.exception()  # looked at, even if nobody waits any more

    def _why_not_served(self, collection: str) -> IndexerError:
        with self._catalog_lock:
            try:
                record = self._catalog.version(collection)
            except IndexerError as error:
                return error
        # Published this very moment, unless it was refused.
        unknown = StorageError(f"version {record.number} of collection {collection!r} is not open yet: try again")
        return self._refused.get(collection, unknown)

    def _open_pinned(self, collection: str, number: int) -> OpenVersion:
        with self._catalog_lock:
            record = self._catalog.version(collection, number)
        return self._open(record)

    def _open_newest(self, name: str, records: list[VersionRecord]) -> None:
        serving = self._current.get(name)
        for record in records:
            if serving is not None and serving.record.segment == record.segment:
                return
            try:
                version = self._open(record)
            except Exception as error:  # one collection must not take the others with it
                _log.error("version refused", collection=name, version=record.number, reason=str(error))
                known = (
                    error if isinstance(error, IndexerError) else StorageError(f"{name!r} can't be opened: {error!r}")
                )
                self._refused.setdefault(name, known)
                if _is_passing(error):
                    self._retry_at = time.monotonic() + _RETRY_SECONDS
                continue
            if serving is not None:
                self._warm_embedder(version, serving)
            self._current[name] = version
            self._refused.pop(name, None)
            _log.info("version opened", collection=name, version=record.number, items=version.segment.rows)
            return

    @staticmethod
    def _warm_embedder(version: OpenVersion, serving: OpenVersion) -> None:
        """Where texts are asked, the first text of a new version must not wait for its model."""
        if version.embedder is not None and serving.embedder is not None and serving.embedder.is_open:
            try:
                version.open_embedder()
            except (IndexerError, ServiceError) as error:
                _log.warning("embedder not available", collection=version.record.collection, reason=str(error))

    def _open(self, record: VersionRecord) -> OpenVersion:
        segment = Segment(self._catalog.segment_folder(record), verify=self.verify)
        _warm(segment)
        embedder = None if record.embedder is None else self._embedders.of(record.embedder)
        return OpenVersion(record, segment, embedder)


def _is_passing(error: BaseException | None) -> bool:
    """Whether it was for want of open files or of memory."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _PASSING):
            return True
        error = error.__cause__
    return False


def _warm(segment: Segment) -> None:
    """Search once, so that the first call does not wait for what is made or mapped at first use."""
    if segment.rows and segment.index.spec.family is not Family.FLAT:
        segment.index.search(as_float32(segment.vectors[:1]), 1, effort_of(segment.index.spec, 1, k_factor=1))
