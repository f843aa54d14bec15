from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from pathlib import Path

import pytest
from conftest import clustered, publish_vectors

from vecinity.indexer.errors import (
    CollectionNotFoundError,
    CorruptError,
    IndexerError,
    StorageError,
    VersionNotFoundError,
)
from vecinity.service import store as store_module
from vecinity.service.store import Store


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for rows in (20, 30, 40):
        publish_vectors(tmp_path / "data", "mine", clustered(rows), tmp_path, keep_versions=10)
    return tmp_path / "data"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    class Counted(store_module.Segment):
        def __init__(self, folder: Path, *, verify: bool = True) -> None:
            names.append(folder.name)
            super().__init__(folder, verify=verify)

    monkeypatch.setattr(store_module, "Segment", Counted)
    return names


async def test_a_pinned_version_is_opened_once_for_many_calls(data_dir: Path, opened: list[str]) -> None:
    store = Store(data_dir)
    store.refresh()
    assert (await store.get("mine")).record.number == 3 and len(opened) == 1
    versions = await asyncio.gather(*(store.get("mine", 1) for _ in range(20)))
    assert len({id(version) for version in versions}) == 1 and versions[0].record.number == 1
    assert (await store.get("mine", 1)) is versions[0]
    assert len(opened) == 2
    store.close()


async def test_one_caller_who_gives_up_does_not_stop_the_others(data_dir: Path, opened: list[str]) -> None:
    store = Store(data_dir)
    store.refresh()
    first, second = (asyncio.create_task(store.get("mine", 2)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).record.number == 2
    store.close()


async def test_what_is_not_there(data_dir: Path) -> None:
    store = Store(data_dir)
    with pytest.raises(StorageError, match="not open yet: try again"):
        await store.get("mine")  # published, but not refreshed yet
    store.refresh()
    with pytest.raises(VersionNotFoundError):
        await store.get("mine", 9)
    with pytest.raises(CollectionNotFoundError):
        await store.get("absent")
    assert store.refresh() is False
    store.close()


async def test_a_data_directory_exchanged_for_another_is_noticed(data_dir: Path, tmp_path: Path) -> None:
    store = Store(data_dir)
    store.refresh()
    data_dir.rename(tmp_path / "old")
    with pytest.raises(StorageError, match="is gone"):
        store.refresh()
    assert (await store.get("mine")).segment.rows == 40
    publish_vectors(data_dir, "mine", clustered(77), tmp_path)
    assert store.refresh() is True
    assert (await store.get("mine")).segment.rows == 77
    store.close()


async def test_a_data_directory_that_comes_back_is_served_again(data_dir: Path, tmp_path: Path) -> None:
    store = Store(data_dir)
    store.refresh()
    data_dir.rename(tmp_path / "old")
    data_dir.mkdir()
    (data_dir / "catalog.db").write_bytes(b"garbage" * 1_000)
    for _ in range(2):
        with pytest.raises(IndexerError):
            store.refresh()
    (data_dir / "catalog.db").unlink()
    data_dir.rmdir()
    (tmp_path / "old").rename(data_dir)
    assert not store.refresh() and (await store.get("mine", 2)).record.number == 2
    publish_vectors(data_dir, "mine", clustered(55), tmp_path, keep_versions=10)
    assert store.refresh() and (await store.get("mine")).segment.rows == 55
    store.close()


async def test_of_another_data_directory_no_old_version_is_remembered(data_dir: Path, tmp_path: Path) -> None:
    for rows in (21, 31):
        publish_vectors(tmp_path / "other", "mine", clustered(rows), tmp_path, keep_versions=10)
    store = Store(data_dir)
    store.refresh()
    assert (await store.get("mine", 1)).segment.rows == 20
    data_dir.rename(tmp_path / "old")
    (tmp_path / "other").rename(data_dir)
    assert store.refresh()
    assert [(await store.get("mine", number)).segment.rows for number in (1, 2, 0)] == [21, 31, 31]
    store.close()


async def test_one_damaged_collection_leaves_the_others(data_dir: Path, tmp_path: Path) -> None:
    publish_vectors(data_dir, "good", clustered(20), tmp_path)
    for path in data_dir.glob("collections/mine/segments/*/vectors.npy"):
        path.unlink()
        path.mkdir()  # what can't even be opened
    store = Store(data_dir)
    assert store.refresh() is True
    assert (await store.get("good")).segment.rows == 20
    with pytest.raises(CorruptError, match=r"vectors\.npy"):
        await store.get("mine")
    store.close()


async def test_a_fault_that_nobody_waits_for_is_no_fault_of_the_loop(data_dir: Path) -> None:
    store = Store(data_dir)
    store.refresh()
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    caller = asyncio.create_task(store.get("mine", 99))
    await asyncio.sleep(0)
    opening = next(iter(store._opening.values()))
    caller.cancel()
    await asyncio.wait([caller, opening])
    await asyncio.sleep(0)
    del caller, opening
    gc.collect()
    assert not store._opening and not faults


async def test_a_version_refused_for_want_of_open_files_is_tried_again(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(data_dir)
    store.refresh()
    publish_vectors(data_dir, "mine", clustered(50), tmp_path, keep_versions=10)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")), limits[1]))
    try:
        assert store.refresh()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (await store.get("mine")).record.number == 3
    assert not store.refresh()  # not at once
    later = time.monotonic() + 10
    monkeypatch.setattr(store_module.time, "monotonic", lambda: later)
    assert store.refresh()
    assert (await store.get("mine")).record.number == 4
    assert not store.refresh()
    store.close()
