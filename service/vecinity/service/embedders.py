"""Which embedders are open, and where each works: in this process, or in one of its own.

One is opened when a text first needs it, shared by all versions that it made, and closed with the last of them.
"""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.embedding import Embedder, computes, open_embedder
from vecinity.indexer.once import Once
from vecinity.service.embedder_process import EmbedderProcess


class SharedEmbedder:
    """An embedder that is opened once, by whoever asks first.

    Attributes:
        fingerprint: Names its model.
        computes: See `vecinity.indexer.embedding.computes`.
    """

    def __init__(
        self, record: EmbedderRecord, data_dir: Path, threads: int, apart: bool, line: socket.socket | None = None
    ) -> None:
        self.fingerprint = record.fingerprint
        self.computes = computes(record)
        self._record, self._data_dir, self._threads = record, data_dir, threads
        self._apart = apart and self.computes
        self._line = line
        self._once: Once[Embedder] = Once()
        self._opened: Embedder | None = None

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def open(self) -> Embedder:
        """The embedder. The first call takes seconds: make it in a thread.

        Raises:
            MissingExtraError, CorruptError: See `open_embedder`.
            EmbedderLostError: Its process died at its start.
        """
        return self._once.get(self._open)

    def close(self) -> None:
        """End its process, if it has one."""
        if isinstance(self._opened, EmbedderProcess):
            self._opened.close()

    def _open(self) -> Embedder:
        make = partial(EmbedderProcess, line=self._line) if self._apart else open_embedder
        self._opened = make(self._record, self._data_dir, self._threads)
        return self._opened


class Embedders:
    """The embedders of a data directory.

    Args:
        apart: Whether models that compute do so in a process of their own. One that looks words up never does: it
            takes microseconds.
        threads: For such a process; 0 leaves that to the model's library.
        line: To the process that embeds for several; None for one of its own. See `EmbedderProcess`.
    """

    def __init__(
        self, data_dir: Path, *, apart: bool = False, threads: int = 0, line: socket.socket | None = None
    ) -> None:
        self._data_dir = data_dir
        self._apart = apart
        self._threads = threads
        self._line = line
        self._lock = Lock()
        self._shared: WeakValueDictionary[EmbedderRecord, SharedEmbedder] = WeakValueDictionary()

    def of(self, record: EmbedderRecord) -> SharedEmbedder:
        """The embedder of a version, not opened yet if nobody needed it."""
        with self._lock:
            shared = self._shared.get(record)
            if shared is None:
                shared = SharedEmbedder(record, self._data_dir, self._threads, self._apart, self._line)
                self._shared[record] = shared
            return shared

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            for shared in list(self._shared.values()):
                shared.close()
