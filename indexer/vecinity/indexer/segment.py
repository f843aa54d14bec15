"""The on-disk unit: immutable vectors, their index, ids and texts, in one folder.

    <segment>/
        segment.json     format, sizes, metric, index spec, calibration, and a checksum of every other file
        vectors.npy      float32 or float16 (rows, d), row-major, prepared for the metric; memory-mapped
        items.arrow      Arrow IPC file: id (large_string), text (large_string, null where there is none), then a column
                         for each attribute, null where an item lacks it; memory-mapped
        id_hashes.npy    uint64 (rows,), xxh3 of the ids, sorted; memory-mapped
        id_rows.npy      int64 (rows,), the row of each hash; memory-mapped
        index.faiss      what FAISS holds, and behind it blocks of codes where it has some; absent for a flat index

An id is found by binary search among the hashes, and the id at that row settles collisions: a Python dict of a
million strings would cost 100 MB in every process. `SegmentWriter` makes a folder, `Segment` reads one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from vecinity.indexer.ann import Family, Index, IndexSpec, Rows
from vecinity.indexer.attributes import Attribute, AttributeType, Value, arrow_schema
from vecinity.indexer.calibration import Calibration
from vecinity.indexer.errors import CorruptError
from vecinity.indexer.filters import Columns
from vecinity.indexer.mapped_strings import MappedStrings
from vecinity.indexer.metric import Metric
from vecinity.indexer.once import Once
from vecinity.indexer.spelling import NearSpellings
from vecinity.indexer.stored_vectors import StoredVectors, VectorType
from vecinity.indexer.tournament import TournamentReport

FORMAT = 3
"""What is written. Format 1 had no attributes, and is read as one without. Up to format 2 index.faiss was FAISS's
alone; since then the blocks of FastScan's lists follow behind (`vecinity.indexer.ann.mapped_blocks`)."""

FORMATS_READ = (1, 2, 3)
MANIFEST = "segment.json"
VECTORS = "vectors.npy"
ITEMS = "items.arrow"
ID_HASHES = "id_hashes.npy"
ID_ROWS = "id_rows.npy"
INDEX = "index.faiss"

ITEM_BATCH_ROWS = 65_536
ITEM_SCHEMA = pa.schema([pa.field("id", pa.large_string(), nullable=False), pa.field("text", pa.large_string())])

_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Manifest:
    """What segment.json says.

    Attributes:
        files: Checksum of every other file, in hexadecimal, by name: xxh3-128, or SHA-256 in older segments.
        attributes: What attributes the items may have, in the order of their columns.
        tournament: How the index was chosen; None if it was not by a tournament.
        vector_type: Of what the vectors are made.
    """

    rows: int
    dimension: int
    metric: Metric
    spec: IndexSpec
    calibration: Calibration
    files: dict[str, str]
    attributes: tuple[Attribute, ...] = ()
    tournament: TournamentReport | None = None
    vector_type: VectorType = VectorType.FLOAT32

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rows": self.rows,
            "dimension": self.dimension,
            "metric": self.metric.value,
            "vector_type": self.vector_type.value,
            "spec": self.spec.to_json(),
            "calibration": self.calibration.to_json(),
            "attributes": [{"name": a.name, "type": a.type} for a in self.attributes],
            "files": self.files,
            # Absent where there was none, so that older segments are read as well.
            **({"tournament": self.tournament.to_json()} if self.tournament is not None else {}),
        }

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        path = folder / MANIFEST
        try:
            value = json.loads(path.read_bytes())
            if value["format"] not in FORMATS_READ:
                raise CorruptError(
                    path, f"has format {value['format']}; this version of Vecinity reads formats up to {FORMAT}"
                )
            attributes = value["attributes"] if value["format"] >= 2 else ()
            return cls(
                rows=int(value["rows"]),
                dimension=int(value["dimension"]),
                metric=Metric(value["metric"]),
                spec=IndexSpec.from_json(value["spec"]),
                calibration=Calibration.from_json(value["calibration"]),
                files=dict(value["files"]),
                attributes=tuple(Attribute(str(a["name"]), AttributeType(a["type"])) for a in attributes),
                tournament=TournamentReport.from_json(value["tournament"]) if "tournament" in value else None,
                vector_type=VectorType(value.get("vector_type", VectorType.FLOAT32)),
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
        verify: Whether to compare the checksum of every file first.

    Raises:
        CorruptError: A file is missing, truncated, altered or of an unknown format.
    """

    def __init__(self, folder: Path, *, verify: bool = True) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        if verify:
            self._verify()
        shape = (self.manifest.rows, self.manifest.dimension)
        self.vectors: StoredVectors = self._map(VECTORS, self.manifest.vector_type.dtype, shape)
        self._id_hashes: NDArray[np.uint64] = self._map(ID_HASHES, np.uint64, shape[:1])
        self._id_rows: Rows = self._map(ID_ROWS, np.int64, shape[:1])
        items = self._map_items()
        self._ids = MappedStrings(items["id"].chunks, ITEM_BATCH_ROWS)
        self._texts: list[Any] = items["text"].chunks
        self._columns: dict[str, Any] = {
            attribute.name: items.column(2 + position) for position, attribute in enumerate(self.manifest.attributes)
        }
        self._near_spellings: Once[NearSpellings] = Once()
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
                if self._ids[row] == item_id:
                    rows[position] = row
                    break
                start += 1
        return rows

    def ids(self, rows: Rows) -> list[str]:
        """The ids of rows (int64, none of them -1)."""
        return self._ids.at(rows)

    def texts(self, rows: Rows) -> list[str]:
        """The texts of rows; "" for an item without one."""
        return [self._value(self._texts, row) or "" for row in rows.tolist()]

    def attributes(self, rows: Rows) -> list[dict[str, Value]]:
        """The attributes of rows; one that an item lacks is not in its dict. Points in time are of UTC."""
        found: list[dict[str, Value]] = [{} for _ in range(len(rows))]
        for attribute in self.manifest.attributes:
            chunks = self._columns[attribute.name].chunks
            for values, row in zip(found, rows.tolist(), strict=True):
                value = self._value(chunks, row)
                if value is not None:
                    values[attribute.name] = _TO_PYTHON.get(attribute.type, _as_it_is)(value)
        return found

    @property
    def columns(self) -> Columns:
        """The type of each attribute and all its values, by name."""
        return {a.name: (a.type, self._columns[a.name]) for a in self.manifest.attributes if a.type is not None}

    def near_spellings(self, item_id: str) -> tuple[str, ...]:
        """Ids that look like one that is not here; see `NearSpellings`."""
        return self._near_spellings.get(self._read_spellings)(item_id)

    def _read_spellings(self) -> NearSpellings:
        return NearSpellings(self.ids(np.arange(min(self.rows, NearSpellings.CANDIDATES_MAX), dtype=np.int64)))

    @staticmethod
    def _value(chunks: list[Any], row: int) -> Any:
        # All batches but the last have ITEM_BATCH_ROWS rows. Arrow's own `take` on chunked strings copies them all.
        return chunks[row // ITEM_BATCH_ROWS][row % ITEM_BATCH_ROWS].as_py()

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
                found = checksum(path, sha256=len(expected) == _SHA256_DIGITS)
            except FileNotFoundError as error:
                raise CorruptError(path, "is missing") from error
            except OSError as error:
                raise CorruptError(path, f"can't be read ({error.strerror})") from error
            if found != expected:
                raise CorruptError(path, "does not have the checksum it was published with: truncated or altered")

    def _map(self, name: str, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise CorruptError(path, f"can't be read ({error})") from error
        except ValueError as error:
            raise CorruptError(path, f"is not a NumPy file ({error})") from error
        if array.dtype != dtype or array.shape != shape:
            raise CorruptError(path, f"holds {array.dtype} {array.shape} where {np.dtype(dtype)} {shape} belongs")
        return array.view(np.ndarray)  # a few rows of a `np.memmap` take ten times as long

    def _map_items(self) -> Any:
        path = self.folder / ITEMS
        try:
            items = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise CorruptError(path, f"is not an Arrow file ({error})") from error
        if items.num_rows != self.manifest.rows or not items.schema.equals(item_schema(self.manifest.attributes)):
            raise CorruptError(path, f"holds {items.num_rows} rows of {items.schema.names}")
        return items


def checksum(path: Path, *, sha256: bool = False) -> str:
    """xxh3-128 of a file, in hexadecimal.

    It finds what a disk, a copy or an interrupted write can do to a file, and so does SHA-256, at a tenth of the speed.
    Neither stops somebody who may write here: he can change the manifest too.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, hashlib.sha256 if sha256 else xxhash.xxh3_128).hexdigest()


def item_schema(attributes: Sequence[Attribute]) -> Any:
    """The Arrow schema of items.arrow."""
    return pa.schema([*ITEM_SCHEMA, *arrow_schema(attributes)])


def _as_it_is(value: Any) -> Value:
    plain: Value = value
    return plain


_TO_PYTHON: dict[AttributeType | None, Callable[[Any], Value]] = {
    AttributeType.STRING_LIST: tuple,
    # Arrow's zone is of another library, though of the same name.
    AttributeType.TIMESTAMP: lambda when: when.replace(tzinfo=UTC),
}


def hash_ids(ids: Sequence[str]) -> NDArray[np.uint64]:
    """xxh3-64 of the UTF-8 of each id, uint64 (n,)."""
    return np.fromiter((xxhash.xxh3_64_intdigest(i.encode()) for i in ids), dtype=np.uint64, count=len(ids))
