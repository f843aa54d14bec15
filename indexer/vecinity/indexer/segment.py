"""The on-disk unit: immutable vectors, their index, ids and texts, in one folder.

    <segment>/
        segment.json     format, sizes, metric, index spec, calibration, and the SHA-256 of every other file
        vectors.npy      float32 (rows, d), row-major, prepared for the metric; memory-mapped
        items.arrow      Arrow IPC file: id (large_string), text (large_string, null where there is none); memory-mapped
        id_hashes.npy    uint64 (rows,), xxh3 of the ids, sorted; memory-mapped
        id_rows.npy      int64 (rows,), the row of each hash; memory-mapped
        index.faiss      what FAISS holds; absent for a flat index

An id is found by binary search among the hashes, and the id at that row settles collisions: a Python dict of a
million strings would cost 100 MB in every process. `SegmentWriter` makes a folder, `Segment` reads one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from vecinity.indexer.ann import Family, Index, IndexSpec, Rows
from vecinity.indexer.calibration import Calibration
from vecinity.indexer.errors import CorruptError
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.spelling import NearSpellings

FORMAT = 1
MANIFEST = "segment.json"
VECTORS = "vectors.npy"
ITEMS = "items.arrow"
ID_HASHES = "id_hashes.npy"
ID_ROWS = "id_rows.npy"
INDEX = "index.faiss"

ITEM_BATCH_ROWS = 65_536
ITEM_SCHEMA = pa.schema([pa.field("id", pa.large_string(), nullable=False), pa.field("text", pa.large_string())])


@dataclass(frozen=True, slots=True)
class Manifest:
    """What segment.json says.

    Attributes:
        files: SHA-256 of every other file, in hexadecimal, by name.
    """

    rows: int
    dimension: int
    metric: Metric
    spec: IndexSpec
    calibration: Calibration
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rows": self.rows,
            "dimension": self.dimension,
            "metric": self.metric.value,
            "spec": self.spec.to_json(),
            "calibration": self.calibration.to_json(),
            "files": self.files,
        }

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        path = folder / MANIFEST
        try:
            value = json.loads(path.read_bytes())
            if value["format"] != FORMAT:
                raise CorruptError(
                    path, f"has format {value['format']}; this version of Vecinity reads format {FORMAT}"
                )
            return cls(
                rows=int(value["rows"]),
                dimension=int(value["dimension"]),
                metric=Metric(value["metric"]),
                spec=IndexSpec.from_json(value["spec"]),
                calibration=Calibration.from_json(value["calibration"]),
                files=dict(value["files"]),
            )
        except FileNotFoundError as error:
            raise CorruptError(path, "is missing") from error
        except OSError as error:
            raise CorruptError(path, f"can't be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise CorruptError(path, f"is not a segment manifest ({error})") from error


class Segment:
    """An opened segment. Immutable, so safe for many threads.

    Args:
        folder: What `SegmentWriter` wrote.
        verify: Whether to compare the SHA-256 of every file first.

    Raises:
        CorruptError: A file is missing, truncated, altered or of an unknown format.
    """

    def __init__(self, folder: Path, *, verify: bool = True) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        if verify:
            self._verify()
        shape = (self.manifest.rows, self.manifest.dimension)
        self.vectors: Vectors = self._map(VECTORS, np.float32, shape)
        self._id_hashes: NDArray[np.uint64] = self._map(ID_HASHES, np.uint64, shape[:1])
        self._id_rows: Rows = self._map(ID_ROWS, np.int64, shape[:1])
        items = self._map_items()
        self._ids: list[Any] = items["id"].chunks
        self._texts: list[Any] = items["text"].chunks
        self.index = Index.load(folder / INDEX, self.manifest.spec, self.manifest.metric, self.vectors)

    @property
    def rows(self) -> int:
        return self.manifest.rows

    def find_rows(self, ids: Sequence[str]) -> Rows:
        """The row of each id, int64 (n,); -1 for an id that is not here."""
        rows = np.full(len(ids), -1, dtype=np.int64)
        hashes = hash_ids(ids)
        starts = np.searchsorted(self._id_hashes, hashes, side="left")
        for position, (item_id, wanted, start) in enumerate(zip(ids, hashes, starts, strict=True)):
            while start < len(self._id_hashes) and self._id_hashes[start] == wanted:
                row = int(self._id_rows[start])
                if self._value(self._ids, row) == item_id:
                    rows[position] = row
                    break
                start += 1
        return rows

    def ids(self, rows: Rows) -> list[str]:
        """The ids of rows (int64, none of them -1)."""
        return [str(self._value(self._ids, row)) for row in rows.tolist()]

    def texts(self, rows: Rows) -> list[str]:
        """The texts of rows; "" for an item without one."""
        return [self._value(self._texts, row) or "" for row in rows.tolist()]

    def near_spellings(self, item_id: str) -> tuple[str, ...]:
        """Ids that look like one that is not here; see `NearSpellings`."""
        return self._near_spellings(item_id)

    @cached_property
    def _near_spellings(self) -> NearSpellings:
        return NearSpellings(self.ids(np.arange(min(self.rows, NearSpellings.CANDIDATES_MAX), dtype=np.int64)))

    @staticmethod
    def _value(chunks: list[Any], row: int) -> str | None:
        # All batches but the last have ITEM_BATCH_ROWS rows. Arrow's own `take` on chunked strings copies them all.
        value: str | None = chunks[row // ITEM_BATCH_ROWS][row % ITEM_BATCH_ROWS].as_py()
        return value

    def _verify(self) -> None:
        expected_names = {VECTORS, ITEMS, ID_HASHES, ID_ROWS}
        if self.manifest.spec.family is not Family.FLAT:
            expected_names.add(INDEX)
        if self.manifest.files.keys() != expected_names:
            raise CorruptError(
                self.folder / MANIFEST, f"lists {sorted(self.manifest.files)}, not {sorted(expected_names)}"
            )
        for name, expected in self.manifest.files.items():
            path = self.folder / name
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError as error:
                raise CorruptError(path, "is missing") from error
            except OSError as error:
                raise CorruptError(path, f"can't be read ({error.strerror})") from error
            if found != expected:
                raise CorruptError(path, "does not have the checksum it was published with: truncated or altered")

    def _map(self, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> Any:
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise CorruptError(path, f"is not a NumPy file ({error})") from error
        if array.dtype != dtype or array.shape != shape:
            raise CorruptError(path, f"holds {array.dtype} {array.shape} where {np.dtype(dtype)} {shape} belongs")
        return array

    def _map_items(self) -> Any:
        path = self.folder / ITEMS
        try:
            items = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise CorruptError(path, f"is not an Arrow file ({error})") from error
        if items.num_rows != self.manifest.rows or not items.schema.equals(ITEM_SCHEMA):
            raise CorruptError(path, f"holds {items.num_rows} rows of {items.schema.names}")
        return items


def hash_ids(ids: Sequence[str]) -> NDArray[np.uint64]:
    """xxh3-64 of the UTF-8 of each id, uint64 (n,)."""
    return np.fromiter((xxhash.xxh3_64_intdigest(i.encode()) for i in ids), dtype=np.uint64, count=len(ids))
