from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from vecinity.indexer import catalog as catalog_module
from vecinity.indexer.catalog import Catalog, EmbedderRecord, check_name
from vecinity.indexer.errors import (
    CollectionNotFoundError,
    CorruptError,
    SettingError,
    StorageError,
    VersionNotFoundError,
)
from vecinity.indexer.metric import Metric

WORD2VEC = EmbedderRecord("word2vec", "word2vec-1234", "")


def publish(catalog: Catalog, name: str, segment: str, embedder: EmbedderRecord | None = WORD2VEC) -> int:
    return catalog.publish(name, 100, Metric.COSINE, embedder, segment, item_count=7).number


def test_the_last_version_published_is_current(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    assert [publish(catalog, "words", f"S{i}") for i in range(3)] == [1, 2, 3]
    version = catalog.version("words")
    assert (version.number, version.segment, version.item_count) == (3, "S2", 7)
    assert (version.dimension, version.metric, version.embedder) == (100, Metric.COSINE, WORD2VEC)
    assert catalog.version("words", 1).segment == "S0"
    assert [v.number for v in catalog.versions("words")] == [3, 2, 1]
    assert catalog.segment_folder(version) == tmp_path / "collections" / "words" / "segments" / "S2"
    assert publish(catalog, "mine", "S3", None) == 1
    assert catalog.version("mine").embedder is None
    assert catalog.collections() == ["mine", "words"]


def test_another_connection_sees_a_publish(tmp_path: Path) -> None:
    writer, reader = Catalog(tmp_path), Catalog(tmp_path, create=False)
    before = reader.changes()
    assert reader.changes() == before
    publish(writer, "words", "S0")
    assert reader.changes() != before
    assert reader.version("words").number == 1


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    publish(catalog, "words", "S0")
    with pytest.raises(CollectionNotFoundError, match="did you mean 'words'"):
        catalog.version("wrods")
    with pytest.raises(VersionNotFoundError, match=r"no published version 5; there is 1$"):
        catalog.version("words", 5)
    publish(catalog, "words", "S1")
    publish(catalog, "words", "S2")
    with pytest.raises(VersionNotFoundError, match=r"no published version 5; there is 1, 2, 3$"):
        catalog.version("words", 5)
    with pytest.raises(SettingError, match="not a data directory"):
        Catalog(tmp_path / "absent", create=False)
    assert not (tmp_path / "absent").exists()


def test_pruning_keeps_the_newest_and_deletes_files(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for i in range(4):
        publish(catalog, "words", f"S{i}", EmbedderRecord("word2vec", f"model-{min(i, 2)}"))
        catalog.segment_folder(catalog.version("words")).mkdir(parents=True)
        catalog.model_folder(f"model-{min(i, 2)}").mkdir(parents=True, exist_ok=True)
    assert catalog.prune("words", keep=2) == [2, 1]
    with catalog.using_models():
        Catalog(tmp_path).delete_unused_models()  # leaves them: a build is about to publish one
        assert len([p for p in (tmp_path / "models").iterdir() if p.is_dir()]) == 3
    catalog.delete_unused_models()
    assert [v.number for v in catalog.versions("words")] == [4, 3]
    assert sorted(p.name for p in (tmp_path / "collections/words/segments").iterdir()) == ["S2", "S3"]
    assert [p.name for p in (tmp_path / "models").iterdir() if p.is_dir()] == ["model-2"]
    assert publish(catalog, "words", "S9") == 5  # numbers are never used twice


def test_a_failed_publish_changes_nothing(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    publish(catalog, "words", "S0")
    with pytest.raises(StorageError, match="can't use"):
        publish(catalog, "words", "S0")  # a folder belongs to one version
    assert [v.number for v in catalog.versions("words")] == [1]
    assert publish(catalog, "words", "S1") == 2


@pytest.mark.parametrize("name", ["", "..", "../../etc", "a/b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    catalog = Catalog(tmp_path)
    publish(catalog, "words", "S0")
    for statement in (
        "UPDATE segments SET ulid = ?",
        "UPDATE versions SET embedder = json_set(embedder, '$.fingerprint', ?)",
    ):
        catalog._db.execute(statement, (name,)).fetchall()
        with pytest.raises(CorruptError, match="can't be folders of ours"):
            catalog.version("words")
        catalog._db.execute("UPDATE segments SET ulid = 'S0'").fetchall()


def test_it_is_durable(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    assert catalog._db.execute("PRAGMA synchronous").get == 2  # FULL
    assert catalog._db.execute("PRAGMA journal_mode").get == "wal"


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(CorruptError, match="not a catalog"):
        Catalog(tmp_path)
    (tmp_path / "catalog.db").unlink()
    Catalog(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "catalog.db"))
    connection.execute("PRAGMA user_version = 99").fetchall()
    connection.close()
    with pytest.raises(CorruptError, match="has schema 99"):
        Catalog(tmp_path)


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_module.apsw, "sqlite_lib_version", lambda: "3.40.1")
    with pytest.raises(SettingError, match=r"SQLite 3\.40\.1 can lose writes"):
        Catalog(tmp_path)


@pytest.mark.parametrize("name", ["", "Words", "../up", "a/b", "-x", "a" * 64, "wörter", "a b", "."])
def test_bad_names(name: str) -> None:
    with pytest.raises(SettingError, match="no collection name"):
        check_name(name)


@pytest.mark.parametrize("name", ["words", "a", "0-x_y", "a" * 63])
def test_good_names(name: str) -> None:
    check_name(name)


def test_a_data_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StorageError, match="can't write"):
        Catalog(tmp_path / "data")
