from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import clustered

from vecinity.indexer import segment as segment_module
from vecinity.indexer import segment_writer
from vecinity.indexer.ann import EXACT, Family, Index, choose_spec
from vecinity.indexer.calibration import Calibration
from vecinity.indexer.errors import CorruptError, InputError
from vecinity.indexer.metric import Metric
from vecinity.indexer.segment import Segment
from vecinity.indexer.segment_writer import SegmentWriter


def write(folder: Path, ids: list[str], texts: list[str | None] | None = None, batch: int = 7) -> SegmentWriter:
    vectors = clustered(len(ids))
    texts = texts or [None] * len(ids)
    writer = SegmentWriter(folder, 32, Metric.DOT)
    for begin in range(0, len(ids), batch):
        part = slice(begin, begin + batch)
        writer.append(ids[part], texts[part], vectors[part])
    mapped = writer.close_items()
    np.testing.assert_array_equal(mapped, vectors)
    spec = choose_spec(Family.IVF_FLAT, len(ids), 32)
    every = np.arange(len(ids), dtype=np.int64)
    index = Index.train(spec, Metric.DOT, mapped, every)
    index.add(every)
    writer.finish(spec, index, Calibration())
    return writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "segment", [f"id {i}" for i in range(100)], [f"text {i}" if i % 2 else None for i in range(100)])
    return tmp_path / "segment"


def test_what_was_written_is_read(folder: Path) -> None:
    segment = Segment(folder)
    assert segment.rows == 100
    np.testing.assert_array_equal(segment.vectors, clustered(100))
    rows = np.array([0, 99, 37], dtype=np.int64)
    assert segment.ids(rows) == ["id 0", "id 99", "id 37"]
    assert segment.texts(rows) == ["", "text 99", "text 37"]
    np.testing.assert_array_equal(segment.find_rows(["id 37", "absent", "id 0"]), [37, -1, 0])
    assert segment.near_spellings("id 3z")[0].startswith("id 3")
    _, found = segment.index.search(segment.vectors[5:6].copy(), 1, EXACT)
    assert found.shape == (1, 1)
    assert isinstance(segment.vectors.base, np.memmap)


def test_ids_of_every_alphabet_survive(tmp_path: Path) -> None:
    ids = ["naïve", "北京", "🙂", "a" * 1_000, " ", "nul\0byte", "new\nline"] + [str(i) for i in range(20)]
    write(tmp_path / "segment", ids)
    segment = Segment(tmp_path / "segment")
    np.testing.assert_array_equal(segment.find_rows(ids), np.arange(len(ids)))
    assert segment.ids(np.arange(len(ids), dtype=np.int64)) == ids


def test_ids_whose_hashes_collide_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def colliding(ids: list[str]) -> np.ndarray:
        return np.array([len(item_id) for item_id in ids], dtype=np.uint64)

    monkeypatch.setattr(segment_module, "hash_ids", colliding)
    monkeypatch.setattr(segment_writer, "hash_ids", colliding)
    ids = [f"{i:03}" for i in range(50)] + [f"{i:04}" for i in range(50)]
    write(tmp_path / "segment", ids)
    segment = Segment(tmp_path / "segment")
    np.testing.assert_array_equal(segment.find_rows(ids), np.arange(100))
    np.testing.assert_array_equal(segment.find_rows(["999", "12345"]), [-1, -1])


def test_more_items_than_an_arrow_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_module, "ITEM_BATCH_ROWS", 16)
    monkeypatch.setattr(segment_writer, "ITEM_BATCH_ROWS", 16)
    ids = [f"id {i}" for i in range(100)]
    write(tmp_path / "segment", ids, batch=33)
    assert Segment(tmp_path / "segment").ids(np.arange(100, dtype=np.int64)) == ids


def test_equal_ids_are_refused_with_both_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="items 3 and 31 have the same id 'twice'"):
        write(tmp_path / "segment", ["a", "b", "twice", *map(str, range(27)), "twice", "z"])


def test_every_file_is_guarded_by_its_checksum(folder: Path) -> None:
    names = [path.name for path in folder.iterdir() if path.name != "segment.json"]
    assert sorted(names) == ["id_hashes.npy", "id_rows.npy", "index.faiss", "items.arrow", "vectors.npy"]
    for name in names:
        path = folder / name
        content = path.read_bytes()
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
            path.write_bytes(damaged)
            with pytest.raises(CorruptError, match=f"{name}: does not have the checksum"):
                Segment(folder)
        path.unlink()
        with pytest.raises(CorruptError, match=f"{name}: is missing"):
            Segment(folder)
        path.write_bytes(content)
    Segment(folder)


def test_without_checksums_wrong_shapes_are_still_refused(folder: Path) -> None:
    np.save(folder / "vectors.npy", np.zeros((99, 32), dtype=np.float32))
    with pytest.raises(CorruptError, match=r"holds float32 \(99, 32\) where float32 \(100, 32\) belongs"):
        Segment(folder, verify=False)
    (folder / "vectors.npy").write_bytes(b"garbage")
    with pytest.raises(CorruptError, match="not a NumPy file"):
        Segment(folder, verify=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {**m, "format": 99}, "has format 99; this version of Vecinity reads formats up to 3"),
        (lambda m: {k: v for k, v in m.items() if k != "rows"}, "not a segment manifest"),
        (lambda m: {**m, "metric": "manhattan"}, "not a segment manifest"),
        (lambda m: [], "not a segment manifest"),
    ],
)
def test_a_wrong_manifest_is_refused(folder: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    path = folder / "segment.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(CorruptError, match=message):
        Segment(folder)
    path.write_text("{")
    with pytest.raises(CorruptError, match="not a segment manifest"):
        Segment(folder)
    path.unlink()
    with pytest.raises(CorruptError, match="is missing"):
        Segment(folder)
