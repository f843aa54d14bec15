from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import clustered

from vecinity.indexer import files, indexing, segment_writer
from vecinity.indexer.ann import EXACT, Family, Index
from vecinity.indexer.build import Build
from vecinity.indexer.calibration import Calibration
from vecinity.indexer.catalog import Catalog, EmbedderRecord
from vecinity.indexer.dataset import Source
from vecinity.indexer.errors import GateError, IndexerError, InputError, SettingError, StorageError
from vecinity.indexer.indexing import IndexSettings
from vecinity.indexer.metric import Metric, Vectors
from vecinity.indexer.segment import Segment
from vecinity.indexer.word2vec import Word2VecSettings

RECORD = EmbedderRecord("letters", "letters-1")


class Letters:
    """An embedder for tests: how often each letter occurs."""

    kind = "letters"
    dimension = 26
    fingerprint = "letters-1"

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([[1 + t.count(chr(97 + i)) for i in range(26)] for t in texts], dtype=np.float32)

    def canonical(self, text: str) -> str:
        return text


@pytest.fixture
def vectors_path(tmp_path: Path) -> Path:
    np.save(tmp_path / "v.npy", clustered(500))
    return tmp_path / "v.npy"


def left_behind(data_dir: Path) -> list[str]:
    """Names of files and folders of builds that are not published."""
    with_segments = Catalog(data_dir)
    known = {s for name in with_segments.collections() for s in with_segments.segments(name)}
    folders = [*data_dir.glob("collections/*/building/*"), *data_dir.glob("collections/*/segments/*")]
    models = [path for path in data_dir.glob("models/*") if path.name != ".lock"]
    return [path.name for path in (*folders, *models) if path.name not in known]


def test_texts_are_embedded_and_published(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,text\n" + "".join(f"k{i},text {chr(97 + i % 26)}\n" for i in range(3_000)))
    stages: dict[str, list[int]] = {}

    def progress(stage: str, done: int, total: int | None, unit: str, note: str = "") -> None:
        stages.setdefault(stage, []).append(done)

    with Build(tmp_path / "data", "texts", progress=progress) as build:
        report = build.from_texts(Source(path, ("text",), ("id",)), Letters(), RECORD)
        segment = Segment(build.catalog.segment_folder(report.version))
    assert report.version.item_count == segment.rows == 3_000
    assert report.version.embedder == RECORD
    rows = segment.find_rows(["k0", "k2999"])
    assert segment.texts(rows) == ["text a", "text j"]
    np.testing.assert_allclose(np.linalg.norm(segment.vectors, axis=1), 1, rtol=1e-5)
    assert stages["embed"] == [*range(0, 3_000, 256), 3_000]
    assert list(stages) == ["check", "embed", "write"]


def test_words_are_the_vocabulary_most_frequent_first(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("the cat sat on the mat\nthe dog sat on the log\n" * 50)
    with Build(tmp_path / "data", "words") as build:
        report = build.from_word2vec(Source(path), Word2VecSettings(dimension=8, epochs=1, threads=1, sample=0))
        segment = Segment(build.catalog.segment_folder(report.version))
    assert segment.ids(np.arange(1, dtype=np.int64)) == ["the"]
    assert {*segment.ids(np.arange(segment.rows, dtype=np.int64))} == {"the", "cat", "sat", "on", "mat", "dog", "log"}
    assert report.version.embedder is not None and report.version.embedder.kind == "word2vec"
    assert (tmp_path / "data" / "models" / report.version.embedder.fingerprint).is_dir()


@pytest.mark.parametrize("family", Family)
def test_every_row_is_found_in_its_index(tmp_path: Path, vectors_path: Path, family: Family) -> None:
    settings = IndexSettings(metric=Metric.EUCLIDEAN, family=family)
    with Build(tmp_path / "data", "mine", settings) as build:
        report = build.from_vectors(vectors_path, None)
        segment = Segment(build.catalog.segment_folder(report.version))
    if family is not Family.FLAT:
        assert report.calibration.queries == 50  # held out while measured, in the index now
        assert segment.index._structure.faiss.ntotal == 500
    assert segment.manifest.calibration == report.calibration


BAD_TEXTS = [
    ("", InputError, "holds no text"),
    ("id,text\n", InputError, "holds no text"),
    ("id,text\na,\nb,  \n", InputError, "holds no text"),
    ("id,text\na,one\nb,two\na,three\n", InputError, r"t\.csv:4: the id 'a' is also on line 2"),
]


@pytest.mark.parametrize(("content", "error", "message"), BAD_TEXTS)
def test_bad_texts_are_found_before_anything_is_embedded(
    tmp_path: Path, content: str, error: type[Exception], message: str
) -> None:
    class Never(Letters):
        def embed(self, texts: Sequence[str]) -> Vectors:
            raise AssertionError("embedded")

    (tmp_path / "t.csv").write_text(content)
    with Build(tmp_path / "data", "texts") as build, pytest.raises(error, match=message):
        build.from_texts(Source(tmp_path / "t.csv", ("text",), ("id",)), Never(), RECORD)
    assert left_behind(tmp_path / "data") == []


@pytest.mark.parametrize(
    ("row", "metric", "message"),
    [
        (np.nan, Metric.DOT, r"the vector of item 124 \(id '123'\) holds NaN"),
        (np.inf, Metric.COSINE, r"item 124 \(id '123'\) holds NaN or infinity"),
        (0.0, Metric.COSINE, r"item 124 \(id '123'\) is zero"),
        (1e200, Metric.DOT, "infinity"),
        (1e19, Metric.EUCLIDEAN, r"item 124 \(id '123'\) has length 5.66e\+19; at most 1e\+15"),
        (1e30, Metric.DOT, "scale the vectors"),
    ],
)
def test_bad_vectors_are_named(tmp_path: Path, row: float, metric: Metric, message: str) -> None:
    vectors = clustered(200).astype(np.float64)
    vectors[123] = row
    np.save(tmp_path / "v.npy", vectors)
    with Build(tmp_path / "data", "mine", IndexSettings(metric=metric)) as build:
        with pytest.raises(InputError, match=message):
            build.from_vectors(tmp_path / "v.npy", None)
    assert left_behind(tmp_path / "data") == []


def test_no_vectors(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.ones((0, 4), dtype=np.float32))
    with Build(tmp_path / "data", "mine") as build, pytest.raises(InputError, match="nothing to index"):
        build.from_vectors(tmp_path / "v.npy", None)


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("family", Family)
def test_the_longest_vectors_allowed_can_be_indexed_and_found(tmp_path: Path, family: Family, metric: Metric) -> None:
    vectors = clustered(300)
    vectors *= np.float32(0.99e15) / np.linalg.norm(vectors, axis=1).max()
    np.save(tmp_path / "v.npy", vectors)
    with Build(tmp_path / "data", "mine", IndexSettings(metric=metric, family=family, target_recall=0)) as build:
        report = build.from_vectors(tmp_path / "v.npy", None)
        segment = Segment(build.catalog.segment_folder(report.version))
    queries = segment.vectors[:20].copy()
    scores, rows = segment.index.search(queries, 5, EXACT)
    assert np.isfinite(scores).all() and (rows >= 0).all()
    if metric is not Metric.DOT:
        assert rows[:, 0].tolist() == list(range(20))


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("family", [None, Family.FLAT, Family.HNSW, Family.IVF_FLAT])
def test_tiny_collections(tmp_path: Path, count: int, family: Family | None) -> None:
    np.save(tmp_path / "v.npy", clustered(count))
    with Build(tmp_path / "data", "mine", IndexSettings(family=family)) as build:
        assert build.from_vectors(tmp_path / "v.npy", None).version.item_count == count


def test_the_gate_keeps_a_bad_index_from_replacing_a_good_one(
    tmp_path: Path, vectors_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Build(tmp_path / "data", "mine", IndexSettings(family=Family.IVF_FLAT)) as build:
        build.from_vectors(vectors_path, None)
    calibrated = indexing.calibrate

    def worse(*arguments: object) -> object:
        calibration = calibrated(*arguments)  # type: ignore[arg-type]
        points = tuple(type(p)(p.k, p.effort, p.recall / 2, p.recall / 2, p.query_us) for p in calibration.points)
        return type(calibration)(points, calibration.queries)

    monkeypatch.setattr(indexing, "calibrate", worse)
    with Build(tmp_path / "data", "mine", IndexSettings(family=Family.IVF_FLAT)) as build:
        with pytest.raises(GateError, match=r"not published: the index reaches recall@10 0\.[45]"):
            build.from_vectors(vectors_path, None)
        assert build.catalog.version("mine").number == 1
    assert left_behind(tmp_path / "data") == []


def test_left_to_choose_the_next_family_is_taken_where_one_misses_the_gate(
    tmp_path: Path, vectors_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecinity.indexer.ann.spec.FLAT_NUMBERS_MAX", 100)
    calibrated = indexing.calibrate

    def bad_at_codes(index: Index, *arguments: object) -> Calibration:
        calibration = calibrated(index, *arguments)  # type: ignore[arg-type]
        if index.spec.family is Family.HNSW:
            return calibration
        return Calibration(tuple(replace(point, recall=0.5) for point in calibration.points), calibration.queries)

    monkeypatch.setattr(indexing, "calibrate", bad_at_codes)
    with Build(tmp_path / "data", "mine", IndexSettings(target_recall=0.9)) as build:
        report = build.from_vectors(vectors_path, None)
    assert report.spec.family is Family.HNSW
    assert report.tournament is not None
    if (
        report.tournament.entries[0].spec.family is not Family.HNSW
    ):  # which is quicker on this machine is not ours to say
        assert "reached 0.500 at its highest effort" in report.tournament.reason
        assert report.tournament.reason.endswith(f"so {report.spec.description} was taken")
    with Build(tmp_path / "data", "mine", IndexSettings(target_recall=0.9, family=Family.IVF_PQ)) as build:
        with pytest.raises(GateError):  # what the user chose is not exchanged
            build.from_vectors(vectors_path, None)


STAGES = ["check", "embed", "train index", "add to index", "calibrate", "write"]


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_publishes_nothing_and_leaves_nothing(tmp_path: Path, stage: str) -> None:
    (tmp_path / "t.txt").write_text("".join(f"line {i}\n" for i in range(2_000)))

    def interrupt(at: str, *_: object, **__: object) -> None:
        if at == stage:
            raise KeyboardInterrupt

    settings = IndexSettings(family=Family.IVF_FLAT, target_recall=0)
    with Build(tmp_path / "data", "texts", settings, interrupt) as build:
        with pytest.raises(KeyboardInterrupt):
            build.from_texts(Source(tmp_path / "t.txt"), Letters(), RECORD)
    assert Catalog(tmp_path / "data").collections() == []
    assert left_behind(tmp_path / "data") == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("at", ["mkdir", "fsync", "rename", "write"])
def test_a_disk_that_refuses(
    tmp_path: Path, vectors_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, at: str
) -> None:
    data_dir = tmp_path / "data"
    with Build(data_dir, "mine") as build:
        build.from_vectors(vectors_path, None)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(data_dir))

    with Build(data_dir, "mine") as build, monkeypatch.context() as patched:
        if at == "mkdir":
            patched.setattr(Path, "mkdir", refuse)
        elif at == "fsync":
            patched.setattr(files.os, "fsync", refuse)
        elif at == "rename":
            patched.setattr(Path, "rename", refuse)
        else:
            patched.setattr(segment_writer.np, "save", refuse)
        with pytest.raises(StorageError, match="what was there before is as it was"):
            build.from_vectors(vectors_path, None)
    assert Catalog(data_dir).version("mine").number == 1
    assert left_behind(data_dir) == []


def test_what_fails_after_the_commit_does_not_take_the_version_away(
    tmp_path: Path, vectors_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Catalog.publish

    def interrupted(*arguments: object, **named: object) -> None:
        published(*arguments, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with Build(tmp_path / "data", "mine") as build, monkeypatch.context() as patched:
        patched.setattr(Catalog, "publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build.from_vectors(vectors_path, None)
    with Build(tmp_path / "data", "mine") as build:
        assert Segment(build.catalog.segment_folder(build.catalog.version("mine"))).rows == 500


def test_every_folder_above_a_new_segment_is_synced_before_the_commit(
    tmp_path: Path, vectors_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    committed_after: list[int] = []
    published = Catalog.publish

    def publish(*arguments: object, **named: object) -> object:
        committed_after.append(len(synced))
        return published(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "fsync", synced.append)
    monkeypatch.setattr(Catalog, "publish", publish)
    data_dir = tmp_path / "data"
    with Build(data_dir, "mine") as build:
        build.from_vectors(vectors_path, None)
    collection = data_dir / "collections" / "mine"
    assert {collection / "segments", collection, data_dir / "collections", data_dir} <= {*synced[: committed_after[0]]}


def test_the_next_build_sweeps_what_a_killed_one_left(tmp_path: Path, vectors_path: Path) -> None:
    data_dir = tmp_path / "data"
    with Build(data_dir, "mine") as build:
        kept = build.from_vectors(vectors_path, None).version.segment
    for orphan in ("building/01ABC", "segments/01ABC", "building/01DEF/01DEF", f"building/{kept}"):
        (data_dir / "collections/mine" / orphan).mkdir(parents=True)
    with Build(data_dir, "mine"):
        pass
    assert [path.name for path in (data_dir / "collections/mine/segments").iterdir()] == [kept]
    assert left_behind(data_dir) == []


def test_a_lost_catalog_does_not_cost_the_segments(tmp_path: Path, vectors_path: Path) -> None:
    data_dir = tmp_path / "data"
    with Build(data_dir, "mine") as build:
        build.from_vectors(vectors_path, None)
    before = {path for path in (data_dir / "collections/mine/segments").iterdir()}
    for path in data_dir.glob("catalog.db*"):
        path.rename(tmp_path / path.name)
    with Build(data_dir, "mine") as build, pytest.raises(InputError):
        build.from_vectors(tmp_path / "absent.npy", None)
    assert {path for path in (data_dir / "collections/mine/segments").iterdir()} == before
    for path in data_dir.glob("catalog.db*"):
        path.unlink()
    (tmp_path / "catalog.db").rename(data_dir / "catalog.db")
    assert Segment(Catalog(data_dir).segment_folder(Catalog(data_dir).version("mine"))).rows == 500


def test_one_build_of_a_collection_at_a_time(tmp_path: Path) -> None:
    with Build(tmp_path / "data", "mine"):
        with pytest.raises(StorageError, match="another build of 'mine' is under way"):
            Build(tmp_path / "data", "mine")
        Build(tmp_path / "data", "other").close()
    Build(tmp_path / "data", "mine").close()


def test_old_versions_go(tmp_path: Path, vectors_path: Path) -> None:
    for _ in range(4):
        with Build(tmp_path / "data", "mine", IndexSettings(keep_versions=2)) as build:
            report = build.from_vectors(vectors_path, None)
    assert report.version.number == 4
    assert [v.number for v in Catalog(tmp_path / "data").versions("mine")] == [4, 3]
    assert len([*(tmp_path / "data/collections/mine/segments").iterdir()]) == 2


@pytest.mark.parametrize(
    "settings",
    [
        dict(target_recall=1.0),
        dict(target_recall=-0.1),
        dict(keep_versions=0),
        dict(max_memory_bytes=0),
        dict(max_build_seconds=0.0),
        dict(family=Family.HNSW, max_memory_bytes=9),
    ],
)
def test_settings_out_of_range(settings: dict) -> None:
    with pytest.raises(SettingError):
        IndexSettings(**settings)


def test_a_failed_training_leaves_no_model(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a b c\n")
    with Build(tmp_path / "data", "words") as build, pytest.raises(IndexerError):
        build.from_word2vec(Source(tmp_path / "c.txt"), Word2VecSettings())
    assert left_behind(tmp_path / "data") == []


def test_left_to_choose_a_tournament_is_held_and_kept(
    tmp_path: Path, vectors_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecinity.indexer.ann.spec.FLAT_NUMBERS_MAX", 100)
    np.save(vectors_path, clustered(4_000))
    stages: set[str] = set()

    def progress(stage: str, *_: object) -> None:
        stages.add(stage)

    settings = IndexSettings(max_memory_bytes=250_000)
    with Build(tmp_path / "data", "mine", settings, progress) as build:
        report = build.from_vectors(vectors_path, None)
        segment = Segment(build.catalog.segment_folder(report.version))
        size = (segment.folder / "index.faiss").stat().st_size
    assert "tournament" in stages
    tournament = report.tournament
    assert tournament is not None and segment.manifest.tournament == tournament
    winner = tournament.entries[0]
    assert winner.spec == report.spec and winner.recall >= 0.95
    assert tournament.reason.startswith(report.spec.description)
    # Links alone of 4,000 items take 324 kB, and vectors 512 kB.
    assert report.spec.family is Family.IVF_PQ
    assert size <= 250_000 and winner.index_bytes == pytest.approx(size, rel=0.08)
    excluded = {e.spec.family for e in tournament.entries if e.excluded == "over --max-memory"}
    assert {Family.HNSW, Family.IVF_FLAT} <= excluded


def test_limits_that_nothing_meets_publish_nothing(
    tmp_path: Path, vectors_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecinity.indexer.ann.spec.FLAT_NUMBERS_MAX", 100)
    with Build(tmp_path / "data", "mine", IndexSettings(max_memory_bytes=100)) as build:
        with pytest.raises(SettingError, match=r"no index fits into --max-memory 100 B: the smallest, .*, needs .* kB"):
            build.from_vectors(vectors_path, None)
    assert left_behind(tmp_path / "data") == []


def test_a_collection_small_enough_to_be_scanned_meets_every_limit(tmp_path: Path, vectors_path: Path) -> None:
    with Build(tmp_path / "data", "mine", IndexSettings(max_memory_bytes=1, max_build_seconds=1e-9)) as build:
        report = build.from_vectors(vectors_path, None)
    assert report.spec.family is Family.FLAT and report.tournament is None
