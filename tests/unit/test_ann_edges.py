"""Data and settings at their limits, by every family: a clear error or a right answer."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import clustered
from hypothesis import given, settings
from hypothesis import strategies as st
from indexes import ROWS, best_effort, made, made_of, numpy_scores
from waiting import children, processor_seconds, runs, wait_until

from vecinity.indexer.ann import (
    GRAPHS,
    INVERTED_LISTS,
    Effort,
    Family,
    Index,
    RowSet,
    Transform,
    choose_spec,
    effort_settings,
)
from vecinity.indexer.ann.nsg_linking import linked
from vecinity.indexer.errors import InputError, SettingError, StorageError
from vecinity.indexer.metric import Metric, prepare

CODED = sorted(INVERTED_LISTS - {Family.IVF_FLAT})


@settings(max_examples=60, deadline=None)
@given(
    family=st.sampled_from(list(Family)),
    metric=st.sampled_from(list(Metric)),
    rows=st.integers(0, 90),
    dimension=st.sampled_from([1, 2, 3, 7, 33]),
    k=st.integers(1, 100),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
    share=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_small_collections(
    family: Family, metric: Metric, rows: int, dimension: int, k: int, scale: float, share: float
) -> None:
    vectors = prepare(clustered(rows, dimension) * np.float32(scale), metric)
    try:
        index = made_of(vectors, family, metric)
        index.finish()
    except InputError as error:
        assert "use --index flat" in str(error) or "use --index hnsw" in str(error)
        return
    queries = prepare(clustered(3, dimension, seed=9) * np.float32(scale), metric)
    for within in (None, RowSet.of(np.random.default_rng(rows).random(rows) < share)):
        count = rows if within is None else within.count
        scores, found = index.search(queries, k, best_effort(index), within=within)
        assert scores.shape == found.shape == (3, k)
        assert ((found >= 0).sum(axis=1) == min(k, count)).all()
        hits = found[:, : min(k, count)]
        assert all(len({*line}) == len(line) for line in hits.tolist())
        assert within is None or within.holds(hits).all()
        truth = np.take_along_axis(numpy_scores(queries, vectors, metric), hits, 1)
        np.testing.assert_allclose(scores[:, : hits.shape[1]], truth, rtol=1e-3, atol=1e-4 * max(scale * scale, 1))
        if k >= count:  # then the order can be told
            assert (np.diff(scores[:, : min(k, count)], axis=1) <= 0).all()


@pytest.mark.parametrize("metric", [Metric.DOT, Metric.EUCLIDEAN])
@pytest.mark.parametrize("family", [family for family in Family if family is not Family.NSG])
def test_all_rows_zero(family: Family, metric: Metric) -> None:
    index = made_of(np.zeros((100, 16), dtype=np.float32), family, metric)
    scores, rows = index.search(index.vectors[:2], 7, best_effort(index))
    assert (scores == 0).all() and all(len({*line}) == 7 for line in rows.tolist())


@pytest.mark.parametrize("metric", [Metric.DOT, Metric.EUCLIDEAN])
@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("length", [1e-15, 1e15])
def test_extreme_lengths(family: Family, metric: Metric, length: float) -> None:
    vectors = prepare(clustered(400, 16) * np.float32(length / 50), metric)
    try:
        index = made_of(vectors, family, metric)
        index.finish()
    except InputError as error:
        assert "use --index" in str(error)
        return
    scores, rows = index.search(vectors[:5], 6, best_effort(index))
    assert (rows >= 0).all() and np.isfinite(scores).all()


@pytest.mark.parametrize("family", sorted(INVERTED_LISTS))
def test_more_probes_than_lists_mean_all(family: Family) -> None:
    index = made(family, Metric.DOT)
    queries = clustered(10, seed=5)
    k_factor = 4 if index.needs_rerank else 0
    every = index.search(queries, 5, Effort(nprobe=index.spec.nlist, k_factor=k_factor))
    more = index.search(queries, 5, Effort(nprobe=1 << 20, k_factor=k_factor))
    np.testing.assert_array_equal(every[1], more[1])


@pytest.mark.parametrize("family", sorted(GRAPHS))
def test_effort_counts_and_threads_do_not_mix(family: Family) -> None:
    index = made(family, Metric.EUCLIDEAN)
    queries = prepare(clustered(200, seed=5), Metric.EUCLIDEAN)
    efforts = [Effort(ef_search=ef, k_factor=int(index.needs_rerank)) for ef in (10, 20, 200)]
    alone = [index.search(queries, 10, effort) for effort in efforts]
    assert not np.array_equal(alone[0][1], alone[2][1])
    with ThreadPoolExecutor(8) as pool:
        for turn in range(5):
            together = pool.map(lambda effort: index.search(queries, 10, effort), efforts * 4)
            for number, found in enumerate(together):
                np.testing.assert_array_equal(found[1], alone[number % 3][1], err_msg=f"{turn}")


@pytest.mark.parametrize("transform", [Transform.PCA, Transform.OPQ, Transform.ROTATION])
@pytest.mark.parametrize("family", CODED)
@pytest.mark.parametrize("metric", Metric)
def test_codes_behind_a_transform(family: Family, metric: Metric, transform: Transform, tmp_path: Path) -> None:
    vectors = prepare(clustered(ROWS), metric)
    if transform is Transform.OPQ and family is not Family.IVF_PQ:
        with pytest.raises(SettingError, match="opq rotates for product quantisation: it goes with ivf-pq"):
            choose_spec(family, ROWS, 32, transform=transform)
        return
    spec = choose_spec(family, ROWS, 32, transform=transform)
    every = np.arange(ROWS, dtype=np.int64)
    index = Index.train(spec, metric, vectors, every)
    index.add(every)
    index.save(tmp_path / "index.faiss")
    opened = Index.load(tmp_path / "index.faiss", type(spec).from_json(spec.to_json()), metric, vectors)
    queries = prepare(clustered(40, seed=5), metric)
    truth = numpy_scores(queries, vectors, metric)
    mask = np.arange(ROWS) % 3 > 0
    for within, allowed in ((None, truth), (RowSet.of(mask), np.where(mask, truth, -np.inf))):
        scores, rows = opened.search(queries, 10, best_effort(index), within=within)
        np.testing.assert_array_equal(rows, index.search(queries, 10, best_effort(index), within=within)[1])
        np.testing.assert_allclose(scores, np.take_along_axis(allowed, rows, 1), rtol=1e-3, atol=1e-3)
        assert (scores >= -np.sort(-allowed, axis=1)[:, 9:10] - 1e-4).mean() >= 0.95


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (dict(family=Family.HNSW, transform=Transform.PCA), "pca goes with lists of codes .*not with hnsw"),
        (dict(family=Family.IVF_FLAT, transform=Transform.PCA), "pca goes with lists of codes"),
        (dict(family=Family.IVF_SQ8, transform=Transform.PCA, reduced_dimension=33), "the vectors have 32 dimensions"),
        (dict(family=Family.IVF_SQ8, reduced_dimension=8), "no transform reduces"),
        (dict(family=Family.NSG, m=200), "m is 200; it must be from 4 to 128"),
    ],
)
def test_settings_that_contradict(wanted: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        choose_spec(rows=1_000, dimension=32, **wanted)


def test_each_family_says_what_effort_it_takes() -> None:
    def names(family: Family) -> str:
        return " ".join(effort_settings(choose_spec(family, 1_000, 32)))

    assert {family: names(family) for family in Family} == {
        Family.FLAT: "",
        Family.IVF_FLAT: "nprobe",
        Family.HNSW: "ef_search",
        Family.NSG: "ef_search",
        Family.HNSW_SQ8: "ef_search k_factor",
        **dict.fromkeys(CODED, "nprobe k_factor"),
    }


@pytest.mark.parametrize("family", [Family.HNSW, Family.NSG])
def test_a_graph_holds_no_second_copy_of_the_vectors(family: Family, tmp_path: Path) -> None:
    index = made(family, Metric.DOT, dimension=256)
    index.save(tmp_path / "index.faiss")
    assert (tmp_path / "index.faiss").stat().st_size < index.vectors.nbytes / 4
    opened = Index.load(tmp_path / "index.faiss", index.spec, Metric.DOT, index.vectors)
    assert not opened._structure.faiss.own_fields  # type: ignore[union-attr]
    index.vectors[:] = 0  # what is searched is the matrix itself
    assert (opened.search(clustered(1, 256), 5, best_effort(index), complete=False)[0] == 0).all()


@pytest.mark.parametrize("family", list(Family))
def test_so_few_rows_that_all_are_held_out(family: Family) -> None:
    vectors = prepare(clustered(2, 8), Metric.COSINE)
    rows = np.arange(2, dtype=np.int64)
    try:
        index = Index.train(choose_spec(family, 2, 8), Metric.COSINE, vectors, rows)
    except InputError as error:
        assert "use --index flat" in str(error)
        return
    index.add(rows[:0])
    index.add(rows)
    assert index.search(vectors, 1, best_effort(index))[1][:, 0].tolist() == [0, 1]


def test_items_that_faiss_cannot_link_do_not_hold_up_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dense groups far from each other: FAISS, left alone, looks for a place for a link for ever."""
    monkeypatch.setattr("vecinity.indexer.ann.nsg_linking._SECONDS_MIN", 3.0)
    rng = np.random.default_rng(1)
    groups = np.repeat(rng.normal(size=(3, 32)), 200, axis=0) + 1e-4 * rng.normal(size=(600, 32))
    vectors = prepare(groups.astype(np.float32), Metric.COSINE)
    rows = np.arange(len(vectors), dtype=np.int64)
    index = Index.train(choose_spec(Family.NSG, *vectors.shape, m=8), Metric.COSINE, vectors, rows)
    index.add(rows)
    with pytest.raises(InputError, match=r"can't link these 600 items by nsg \(not within 3 s\): use --index hnsw"):
        index.finish()


def test_no_room_for_the_links_is_no_fault_of_nsg() -> None:
    vectors = prepare(clustered(600, 256), Metric.COSINE)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # More than the vectors take, less than the index.
    resource.setrlimit(resource.RLIMIT_FSIZE, (vectors.nbytes + 20_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="disk is full: make room"):
            linked(vectors, 16, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_linking_ends_with_the_build_that_waits_for_it(tmp_path: Path) -> None:
    """Even one that had no chance to say so: FAISS would go on for ever."""
    rng = np.random.default_rng(1)
    groups = np.repeat(rng.normal(size=(3, 32)), 200, axis=0) + 1e-4 * rng.normal(size=(600, 32))
    np.save(tmp_path / "groups.npy", prepare(groups.astype(np.float32), Metric.COSINE))
    (tmp_path / "temporary").mkdir()
    build = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, numpy as np\n"
            "from vecinity.indexer.ann.nsg_linking import linked\n"
            "linked(np.load(sys.argv[1]), 8, 0)",
            tmp_path / "groups.npy",
        ],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    try:
        wait_until(lambda: list((tmp_path / "temporary").glob("*/neighbours.npy")))
        wait_until(lambda: children(build.pid))
        [linking] = children(build.pid)
        # It has been given its input, and then FAISS is at it: more work than these few items take where it ends.
        wait_until(lambda: "neighbours.npy" in Path(f"/proc/{linking}/maps").read_text())
        before = processor_seconds(linking)
        wait_until(lambda: processor_seconds(linking) > before + 0.5)
        assert list((tmp_path / "temporary").iterdir())
    finally:
        build.kill()
        build.wait()
    wait_until(lambda: not runs(linking))
    assert not list((tmp_path / "temporary").iterdir())


def test_many_equal_items_are_refused_by_nsg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecinity.indexer.ann.nsg_linking._SECONDS_MIN", 3.0)
    index = made_of(prepare(np.ones((300, 32), dtype=np.float32), Metric.DOT), Family.NSG, Metric.DOT)
    with pytest.raises(InputError, match=r"can't link these 300 items by nsg.*use --index hnsw"):
        index.finish()


def test_a_death_without_a_word_is_told_by_its_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As when the kernel ends the linking because memory is short."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nkill -9 $$\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    index = made_of(prepare(clustered(300, 32), Metric.COSINE), Family.NSG, Metric.COSINE)
    with pytest.raises(InputError, match=r"use --index hnsw \(exit code -9\)"):
        index.finish()
