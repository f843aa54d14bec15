from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import clustered
from indexes import ROWS, best_effort, made, made_of, numpy_scores

from vecinity.indexer import ann
from vecinity.indexer.ann import (
    EXACT,
    GRAPHS,
    INVERTED_LISTS,
    Effort,
    Family,
    Index,
    IndexSpec,
    Transform,
    choose_spec,
    effort_of,
    exact_scores,
    lists_worth_visiting,
)
from vecinity.indexer.errors import CorruptError, InputError, SettingError
from vecinity.indexer.metric import Metric, prepare


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("family", Family)
class TestEveryFamily:
    def test_finds_nearly_all_and_scores_exactly(self, family: Family, metric: Metric) -> None:
        index = made(family, metric)
        queries = prepare(clustered(60, seed=5), metric)
        scores, rows = index.search(queries, 10, best_effort(index))
        truth = numpy_scores(queries, index.vectors, metric)
        expected = np.sort(truth, axis=1)[:, ::-1][:, :10]
        assert (scores >= expected[:, -1:] - 1e-4).mean() >= 0.98
        np.testing.assert_allclose(scores, np.take_along_axis(truth, rows, 1), rtol=1e-3, atol=1e-3)
        assert (np.diff(scores, axis=1) <= 1e-6).all()

    def test_the_index_is_asked_not_the_matrix(
        self, family: Family, metric: Metric, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if family is Family.FLAT:
            return  # it is the matrix
        index = made(family, metric)

        def scan(*_: object) -> None:
            raise AssertionError("the matrix was scanned")

        monkeypatch.setattr("vecinity.indexer.ann.index.exact_search", scan)
        assert (index.search(index.vectors[:20].copy(), 5, best_effort(index))[1] >= 0).all()

    def test_survives_saving(self, family: Family, metric: Metric, tmp_path: Path) -> None:
        index = made(family, metric)
        index.save(tmp_path / "index.faiss")
        again = Index.load(tmp_path / "index.faiss", index.spec, metric, index.vectors)
        queries = prepare(clustered(20, seed=6), metric)
        effort = best_effort(index)
        for before, after in zip(index.search(queries, 5, effort), again.search(queries, 5, effort), strict=True):
            np.testing.assert_array_equal(before, after)

    def test_asked_for_more_than_there_is(self, family: Family, metric: Metric) -> None:
        index = made(family, metric, rows=40)
        scores, rows = index.search(index.vectors[:3], 60, best_effort(index))
        assert [sorted(line) for line in rows[:, :40].tolist()] == [list(range(40))] * 3
        assert (rows[:, 40:] == -1).all() and (scores[:, 40:] == -np.inf).all()

    def test_exact_effort_is_exact(self, family: Family, metric: Metric) -> None:
        index = made(family, metric)
        queries = prepare(clustered(30, seed=8), metric)
        scores, _ = index.search(queries, 5, EXACT)
        truth = np.sort(numpy_scores(queries, index.vectors, metric), axis=1)[:, ::-1][:, :5]
        np.testing.assert_allclose(scores, truth, rtol=1e-4, atol=1e-4)

    def test_all_rows_equal(self, family: Family, metric: Metric) -> None:
        vectors = prepare(np.ones((100, 32), dtype=np.float32), metric)
        index = made_of(vectors, family, metric)
        _, rows = index.search(vectors[:1], 10, best_effort(index))
        assert len({*rows[0].tolist()}) == 10 and (rows >= 0).all()


@pytest.mark.parametrize("family", sorted(set(Family) - {Family.FLAT, Family.NSG}))
def test_rows_may_be_added_in_any_order(family: Family) -> None:
    vectors = prepare(clustered(ROWS), Metric.COSINE)
    index = Index.train(choose_spec(family, ROWS, 32), Metric.COSINE, vectors, np.arange(ROWS, dtype=np.int64))
    late = np.arange(0, ROWS, 7, dtype=np.int64)
    index.add(np.setdiff1d(np.arange(ROWS, dtype=np.int64), late))
    index.search(vectors[:1], 1, best_effort(index))
    index.add(late)
    _, rows = index.search(vectors[late[:50]], 1, best_effort(index))
    assert (rows[:, 0] == late[:50]).mean() >= 0.98


def test_exact_scores_pass_over_missing_rows_and_refuse_wrong_ones() -> None:
    vectors = clustered(10)
    rows = np.array([[3, -1, 9]], dtype=np.int64)
    scores = exact_scores(vectors[:1], vectors, rows, Metric.DOT)
    np.testing.assert_allclose(scores[0, [0, 2]], vectors[[3, 9]] @ vectors[0], rtol=1e-5)
    assert scores[0, 1] == -np.inf
    with pytest.raises(IndexError, match="row 10 of 10"):
        exact_scores(vectors[:1], vectors, np.array([[10]], dtype=np.int64), Metric.DOT)


def test_exact_scores_read_a_memory_map_in_place(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", clustered(100))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    rows = np.arange(100, dtype=np.int64)[None]
    scores = exact_scores(mapped[:1].copy(), mapped, rows, Metric.EUCLIDEAN)
    np.testing.assert_allclose(scores[0], -((mapped - mapped[0]) ** 2).sum(axis=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "rows", "dimension", "expected"),
    [
        (None, 0, 8, "Flat"),
        (None, 40_000, 100, "Flat"),
        (None, 10_417, 384, "IVF256,PQ192x4fs"),
        (None, 117_659, 384, "IVF512,PQ192x4fs"),
        (None, 1_000_000, 100, "IVF2048,PQ100x4fs"),
        (None, 117_659, 97, "IVF512,PQ97x4fs"),
        (None, 117_659, 769, "IVF512,Flat"),  # 769 = 1 × 769 can't be cut into halves
        (Family.HNSW, 5, 8, "HNSW16,Flat"),
        (Family.IVF_FLAT, 5, 8, "IVF1,Flat"),
        (Family.IVF_PQ, 100_000, 9, "IVF512,PQ9x4fs"),
    ],
)
def test_settings_left_open_are_chosen_by_size(family: Family | None, rows: int, dimension: int, expected: str) -> None:
    assert choose_spec(family, rows, dimension).description == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(family=Family.IVF_FLAT, nlist=101), "only 100 items"),
        (dict(family=Family.HNSW, m=3), "m is 3; it must be from 4 to 128"),
        (dict(family=Family.HNSW, ef_construction=5), "ef_construction is 5"),
        (
            dict(family=Family.IVF_PQ, subquantisers=3),
            "subquantisers is 3, which does not divide 8 dimensions: choose of 1, 2, 4, 8$",
        ),
        (
            dict(family=Family.IVF_PQ, subquantisers=8, transform=Transform.OPQ, reduced_dimension=6),
            "subquantisers is 8, which does not divide 6 dimensions: choose of 1, 2, 3, 6$",
        ),
        (dict(family=Family.IVF_PQ, subquantisers=-1), "subquantisers is -1; it must be from 1"),
        (dict(family=Family.HNSW, subquantisers=4), "subquantisers is 4, but hnsw has none: they are codes of ivf-pq"),
        (dict(family=None, subquantisers=4), "subquantisers is 4, but flat has none"),
        (dict(family=Family.HNSW, nlist=4), "nlist is 4, but hnsw has no lists"),
        (dict(family=Family.FLAT, nlist=4), "nlist is 4, but flat has no lists"),
        (dict(family=Family.IVF_PQ, m=8), "m is 8, .*ivf-pq is no graph"),
        (dict(family=Family.NSG, ef_construction=50), "ef_construction is 50, but nsg is not built by hnsw"),
    ],
)
def test_settings_out_of_range(settings: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        choose_spec(rows=100, dimension=8, **settings)


def test_chosen_codes() -> None:
    spec = choose_spec(None, 117_659, 384, transform=Transform.OPQ, reduced_dimension=192, subquantisers=96)
    assert spec.description == "OPQ96_192,IVF512,PQ96x4fs"
    assert choose_spec(None, 117_659, 384, subquantisers=48).description == "IVF512,PQ48x4fs"
    index = made_with(subquantisers=8)
    smaller = index.search(index.vectors[:20], 10, best_effort(index))[0]
    np.testing.assert_allclose(smaller[:, 0], 1, rtol=1e-5)


def made_with(**settings: int) -> Index:
    vectors = prepare(clustered(ROWS), Metric.COSINE)
    every = np.arange(ROWS, dtype=np.int64)
    index = Index.train(choose_spec(Family.IVF_PQ, *vectors.shape, **settings), Metric.COSINE, vectors, every)
    index.add(every)
    return index


def test_too_few_rows_to_train_on() -> None:
    vectors = clustered(8)
    spec = choose_spec(Family.IVF_PQ, 8, 32)
    with pytest.raises(InputError, match="use --index flat"):
        Index.train(spec, Metric.DOT, vectors, np.arange(8, dtype=np.int64))


@pytest.mark.parametrize("family", [family for family in Family if family is not Family.FLAT])
def test_a_damaged_index_file_is_refused(family: Family, tmp_path: Path) -> None:
    index = made(family, Metric.DOT)
    path = tmp_path / "index.faiss"
    index.save(path)
    whole = path.read_bytes()
    for size in (0, 3, 1_000, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptError, match=r"index\.faiss"):
            Index.load(path, index.spec, Metric.DOT, index.vectors)
    path.write_bytes(whole)
    with pytest.raises(CorruptError, match="holds 1500 rows where the segment has"):
        Index.load(path, index.spec, Metric.DOT, index.vectors[:10])


@pytest.mark.parametrize(
    ("family", "transform"),
    [
        *((family, Transform.NONE) for family in sorted(INVERTED_LISTS)),
        (Family.IVF_PQ, Transform.OPQ),
        (Family.IVF_PQ, Transform.PCA),
        (Family.IVF_RABITQ, Transform.ROTATION),
    ],
)
def test_lists_stay_in_the_file(family: Family, transform: Transform, tmp_path: Path) -> None:
    import faiss

    vectors = prepare(clustered(ROWS, 32), Metric.COSINE)
    spec = choose_spec(family, ROWS, 32, transform=transform)
    rows = np.arange(ROWS, dtype=np.int64)
    index = Index.train(spec, Metric.COSINE, vectors, rows)
    index.add(rows)
    index.save(tmp_path / "index.faiss")
    again = Index.load(tmp_path / "index.faiss", spec, Metric.COSINE, index.vectors)
    lists = faiss.downcast_InvertedLists(faiss.extract_index_ivf(again._structure.faiss).invlists)
    assert isinstance(lists, faiss.OnDiskInvertedLists)
    assert lists.prefetch_nthread == 0
    for queries in (index.vectors[:1].copy(), index.vectors[:70].copy()):
        for effort in (effort_of(spec, 3, k_factor=2), best_effort(index)):
            before, after = (searched.search(queries, 5, effort) for searched in (index, again))
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("family", [Family.IVF_PQ, Family.IVF_RABITQ])
def test_an_opened_index_is_saved_as_it_was(family: Family, tmp_path: Path) -> None:
    index = made(family, Metric.COSINE)
    index.save(tmp_path / "index.faiss")
    again = Index.load(tmp_path / "index.faiss", index.spec, Metric.COSINE, index.vectors)
    again.save(tmp_path / "again.faiss")
    assert (tmp_path / "again.faiss").read_bytes() == (tmp_path / "index.faiss").read_bytes()
    # Both are searched as before.
    for searched in (index, again):
        assert (searched.search(index.vectors[:5].copy(), 1, best_effort(index))[1][:, 0] == np.arange(5)).all()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
@pytest.mark.parametrize("family", sorted(set(Family) - {Family.FLAT}))
def test_an_index_that_is_let_go_leaves_nothing_mapped(family: Family, tmp_path: Path) -> None:
    index = made(family, Metric.COSINE)
    path = tmp_path / "index.faiss"
    index.save(path)
    for _ in range(10):
        again = Index.load(path, index.spec, Metric.COSINE, index.vectors)
        again.search(index.vectors[:2].copy(), 3, best_effort(again))
        del again
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()


def _with_number(content: bytes, at: int, number: int) -> bytes:
    """The same with other 8 bytes, `at` counted from the end."""
    return content[: len(content) - at] + number.to_bytes(8, "little") + content[len(content) - at + 8 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content, nlist: _with_number(content, 16, nlist + 1), "lists where the index has"),
        (lambda content, nlist: _with_number(content, 24, 0), "not where they should be"),
        (lambda content, nlist: _with_number(content, 24, 1 << 63), "do not hold the 1500 rows"),
        (lambda content, nlist: _with_number(content, 24 + 8 * nlist, 1 << 63), "do not hold the 1500 rows"),
        (lambda content, nlist: _with_number(content, 24 + 8 * nlist, (1 << 64) - 1), "do not hold the 1500 rows"),
        (lambda content, nlist: content[: -24 - 8 * nlist] + content[-16 - 8 * nlist :], "can't be read|not where"),
        (lambda content, nlist: content + b"more", "ends too early"),
        (lambda content, nlist: content[:-1], "ends too early"),
    ],
)
def test_blocks_that_are_not_as_they_say_are_refused(damage: Any, message: str, tmp_path: Path) -> None:
    index = made(Family.IVF_PQ, Metric.COSINE)
    path = tmp_path / "index.faiss"
    index.save(path)
    path.write_bytes(damage(path.read_bytes(), index.spec.nlist))
    with pytest.raises(CorruptError, match=message):
        Index.load(path, index.spec, Metric.COSINE, index.vectors)


def test_specs_survive_json() -> None:
    for family in Family:
        spec = choose_spec(family, 1_000, 32)
        assert IndexSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("family", [family for family in Family if family is not Family.FLAT])
def test_an_effort_has_one_depth_in_the_terms_of_its_family(family: Family) -> None:
    spec = choose_spec(family, 10_000, 32)
    effort = effort_of(spec, 7, k_factor=3)
    name = "ef_search" if family in GRAPHS else "nprobe"
    assert (effort.depth, getattr(effort, name), effort.k_factor) == (7, 7, 3)
    assert effort.at_depth(9) == effort_of(spec, 9, k_factor=3)


def test_more_than_a_quarter_of_many_lists_is_not_worth_visiting() -> None:
    assert [lists_worth_visiting(IndexSpec(Family.IVF_FLAT, nlist=nlist)) for nlist in (5, 64, 256, 400)] == [
        5,
        64,
        64,
        100,
    ]


def test_threads_are_set() -> None:
    import faiss

    before = faiss.omp_get_max_threads()
    ann.set_threads(1)
    assert faiss.omp_get_max_threads() == 1
    ann.set_threads(before)


@pytest.mark.parametrize("family", [Family.IVF_PQ, Family.HNSW_SQ8])
def test_a_hit_that_will_be_left_out_costs_one_candidate(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    index = made(family, Metric.COSINE)
    asked: list[tuple[int, int]] = []
    find = Index._find

    def spy(self: Index, queries: Any, k: int, count: int, effort: Effort, within: Any) -> Any:
        asked.append((count, effort.ef_search))
        return find(self, queries, k, count, effort, within)

    monkeypatch.setattr(Index, "_find", spy)
    effort = effort_of(index.spec, 16, k_factor=13)
    for k, left_out in ((10, 0), (13, 3), (4, 1), (ROWS, 1)):
        assert (index.search(index.vectors[:2], k, effort, left_out=left_out)[1] >= 0).all()
    assert [count for count, _ in asked] == [130, 133, 131, ROWS]
    if family is Family.HNSW_SQ8:
        assert [ef_search for _, ef_search in asked] == [16, 19, 17, 17]
