"""Writes the folder that `vecinity.indexer.segment` reads: append in batches, index, finish.

Memory stays bounded by 8 bytes a row for the hash of its id: all else goes to the disk as it comes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vecinity.indexer.ann import Index, IndexSpec
from vecinity.indexer.attributes import Attribute, Value
from vecinity.indexer.calibration import Calibration
from vecinity.indexer.errors import InputError
from vecinity.indexer.files import writing
from vecinity.indexer.metric import Metric
from vecinity.indexer.segment import (
    ID_HASHES,
    ID_ROWS,
    INDEX,
    ITEM_BATCH_ROWS,
    ITEMS,
    MANIFEST,
    VECTORS,
    Manifest,
    checksum,
    hash_ids,
    item_schema,
)
from vecinity.indexer.stored_vectors import StoredVectors, VectorType
from vecinity.indexer.tournament import TournamentReport


class SegmentWriter:
    """Fills one new folder; a context that closes its files.

    Args:
        folder: Must not exist.
        dimension: Of the vectors.
        metric: For which the vectors have been prepared.
        attributes: What attributes the items may have.
        vector_type: Of what the vectors are made.
    """

    def __init__(
        self,
        folder: Path,
        dimension: int,
        metric: Metric,
        attributes: Sequence[Attribute] = (),
        vector_type: VectorType = VectorType.FLOAT32,
    ) -> None:
        self.folder = folder
        self.dimension = dimension
        self.metric = metric
        self.attributes = tuple(attributes)
        self.vector_type = vector_type
        self._schema = item_schema(self.attributes)
        self.rows = 0
        self._complete = False
        self._hashes: list[NDArray[np.uint64]] = []
        self._pending_ids: list[str] = []
        self._pending_texts: list[str | None] = []
        self._pending_attributes: list[list[Value | None]] = [[] for _ in self.attributes]
        with writing(folder):
            folder.mkdir(parents=True)
            self._vectors = (folder / VECTORS).open("wb")
            self._write_header()
            self._items = pa.ipc.new_file(str(folder / ITEMS), self._schema)

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files, finished or not."""
        if self._complete:
            return
        for file in (self._vectors, self._items):
            # An error is on its way already; that the rest can't be written either, as on a full disk, adds nothing.
            with contextlib.suppress(OSError):
                file.close()

    def append(
        self,
        ids: Sequence[str],
        texts: Sequence[str | None],
        vectors: StoredVectors,
        attributes: Sequence[Sequence[Value | None]] = (),
    ) -> None:
        """Add items.

        Args:
            ids: n ids.
            texts: n texts, None where an item has none.
            vectors: (n, d), prepared, as `to_stored` made them.
            attributes: For each item the values parallel to the writer's attributes, None where it lacks one; may be
                empty where there are no attributes.

        Raises:
            StorageError: The disk refused.
        """
        self._hashes.append(hash_ids(ids))
        with writing(self.folder):
            self._vectors.write(np.ascontiguousarray(vectors, dtype=self.vector_type.dtype).data)
            self._pending_ids += ids
            self._pending_texts += texts
            for pending, values in zip(self._pending_attributes, zip(*attributes, strict=True), strict=True):
                pending += values
            while len(self._pending_ids) >= ITEM_BATCH_ROWS:
                self._flush_items(ITEM_BATCH_ROWS)
        self.rows += len(ids)

    def close_items(self) -> StoredVectors:
        """Finish the vectors, ids and texts; returns the vectors, (rows, d), memory-mapped.

        Raises:
            InputError: Two items have the same id; the message gives their positions, counted from 1.
            StorageError: The disk refused.
        """
        with writing(self.folder):
            self._flush_items(ITEM_BATCH_ROWS)
            self._items.close()
            self._vectors.seek(0)
            self._write_header()
            self._vectors.close()
            self._complete = True
            self._close_ids()
            vectors: StoredVectors = np.load(self.folder / VECTORS, mmap_mode="r")
        return vectors

    def finish(
        self, spec: IndexSpec, index: Index, calibration: Calibration, tournament: TournamentReport | None = None
    ) -> Manifest:
        """Write the index and the manifest, the last file of all."""
        with writing(self.folder):
            try:
                index.save(self.folder / INDEX)
            except RuntimeError as error:  # FAISS puts the errno's text into its message
                full = os.strerror(errno.ENOSPC) in str(error)
                raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(self.folder / INDEX)) from error
            files = {path.name: checksum(path) for path in sorted(self.folder.iterdir())}
            manifest = Manifest(
                self.rows,
                self.dimension,
                self.metric,
                spec,
                calibration,
                files,
                self.attributes,
                tournament,
                self.vector_type,
            )
            (self.folder / MANIFEST).write_text(json.dumps(manifest.to_json(), indent=1) + "\n")
        return manifest

    def _write_header(self) -> None:
        # NumPy pads the header so that it keeps its length while the first axis grows.
        header = {"descr": self.vector_type.dtype.str, "fortran_order": False, "shape": (self.rows, self.dimension)}
        np.lib.format.write_array_header_1_0(self._vectors, header)

    def _flush_items(self, rows: int) -> None:
        ids, self._pending_ids = self._pending_ids[:rows], self._pending_ids[rows:]
        texts, self._pending_texts = self._pending_texts[:rows], self._pending_texts[rows:]
        columns: list[Sequence[Any]] = [ids, texts]
        for position, pending in enumerate(self._pending_attributes):
            columns.append(pending[:rows])
            self._pending_attributes[position] = pending[rows:]
        if ids:
            arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
            self._items.write_batch(pa.record_batch(arrays, schema=self._schema))

    def _close_ids(self) -> None:
        hashes = np.concatenate([*self._hashes, np.empty(0, dtype=np.uint64)])
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        np.save(self.folder / ID_HASHES, hashes)
        np.save(self.folder / ID_ROWS, order.astype(np.int64, copy=False))
        equal = np.flatnonzero(hashes[1:] == hashes[:-1])
        if len(equal):
            ids = pa.ipc.open_file(pa.memory_map(str(self.folder / ITEMS))).read_all()["id"]
            for first, second in zip(order[equal].tolist(), order[equal + 1].tolist(), strict=True):
                if (item_id := ids[first].as_py()) == ids[second].as_py():
                    raise InputError(
                        f"items {first + 1} and {second + 1} have the same id {item_id!r}: ids must be unique"
                    )
