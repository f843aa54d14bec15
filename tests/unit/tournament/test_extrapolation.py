from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import clustered

from vecinity.indexer.ann import Effort, Family, Index, IndexSpec, choose_spec
from vecinity.indexer.metric import Metric, prepare
from vecinity.indexer.tournament.candidates import Fixed, first_candidates, on_sample, variations
from vecinity.indexer.tournament.choosing import Limits
from vecinity.indexer.tournament.contest import allowance, sample_rows
from vecinity.indexer.tournament.extrapolation import Sampled, build_seconds, search_us
from vecinity.indexer.tournament.memory import index_bytes

PQ = IndexSpec(Family.IVF_PQ, nlist=512, subquantisers=192)
HNSW = IndexSpec(Family.HNSW, m=16, ef_construction=100)
LISTS = Sampled(replace(PQ, nlist=128), 16_000, Effort(nprobe=20, k_factor=4), 0.95, 90, 50, 60, 3.0, 0.1, 1.0)
GRAPH = Sampled(HNSW, 16_000, Effort(ef_search=20), 0.95, 60, 50, 70, 0.0, 1.0)


def test_no_growth_no_change() -> None:
    assert search_us(LISTS, LISTS.spec, 16_000) == (90, 50)
    assert search_us(GRAPH, HNSW, 16_000) == (60, 50)
    assert build_seconds(LISTS, LISTS.spec, 16_000) == pytest.approx(3.1)
    assert build_seconds(GRAPH, HNSW, 16_000) == pytest.approx(1.0)


def test_the_cost_of_lists_grows_with_their_length() -> None:
    # 16 times the rows in 4 times the lists: the 10 µs of scanning become 40, times 16 ** .1; the 40 others, 16 ** .13;
    # and the 40 that a query alone pays besides, 16 ** .15.
    batch = 40 * 16**0.13 + 40 * 16**0.10
    assert search_us(LISTS, PQ, 256_000) == pytest.approx((batch + 40 * 16**0.15, batch))
    assert search_us(LISTS, replace(PQ, nlist=128), 256_000)[1] > batch


def test_noise_does_not_make_scanning_free() -> None:
    assert search_us(replace(LISTS, wide_us=45), PQ, 256_000)[1] == pytest.approx(45 * 16**0.13 + 5 * 4 * 16**0.10)


def test_more_rows_never_cost_less() -> None:
    single, batch = search_us(LISTS, replace(PQ, nlist=16_000), 17_000)
    assert single >= 90 and batch == 50


def test_the_cost_of_a_graph_grows_as_a_power() -> None:
    batch = 50 * 10**0.30
    assert search_us(GRAPH, HNSW, 160_000) == pytest.approx((batch + 10 * 10**0.15, batch))
    assert build_seconds(GRAPH, HNSW, 160_000) == pytest.approx(10**1.35)


# At a recall@10 of .95: rows of a sample and of all; lists in both; microseconds of one thread on the sample, alone, in
# a batch and there with twice the effort; and on all, alone and in a batch. MiniLM embeddings, 384 dimensions, on two
# machines, and mixtures of 128 dimensions.
REAL = [
    ("IVF512,PQ192x4fs", (16_384, 124_259), (185, 510), (108, 42, 58), (151, 74)),
    ("IVF512,PQ96x4fs", (16_384, 124_259), (185, 510), (96, 36, 49), (136, 63)),
    ("IVF256,PQ192x4fs", (16_384, 124_259), (93, 255), (106, 40, 54), (141, 76)),
    ("IVF1024,PQ192x4fs", (16_384, 124_259), (370, 1020), (120, 49, 68), (161, 82)),
    ("HNSW16,Flat", (16_384, 124_259), (0, 0), (96, 58, 90), (137, 103)),
    ("IVF512,Flat", (16_384, 124_259), (185, 510), (136, 92, 188), (393, 366)),
    ("IVF512,PQ192x4fs", (6_162, 119_259), (115, 512), (41.7, 20.9, 27.8), (106.8, 67.9)),
    ("IVF512,PQ96x4fs", (6_162, 119_259), (115, 512), (36.1, 18.0, 23.3), (106.0, 62.9)),
    ("IVF256,PQ192x4fs", (6_162, 119_259), (58, 256), (37.4, 19.8, 26.8), (99.1, 67.8)),
    ("IVF1024,PQ192x4fs", (6_162, 119_259), (229, 1024), (47.9, 23.7, 32.0), (130.3, 77.7)),
    ("HNSW16,Flat", (6_162, 119_259), (0, 0), (69.0, 26.8, 40.7), (145.0, 108.3)),
    ("IVF1024,PQ128x4fs", (15_000, 296_000), (230, 1024), (38.4, 17.7, 22.8), (76.2, 45.6)),
    ("IVF512,PQ128x4fs", (15_000, 296_000), (115, 512), (33.4, 16.2, 21.2), (75.4, 48.5)),
    ("HNSW16,Flat", (15_000, 296_000), (0, 0), (50.7, 22.7, 30.6), (85.8, 45.2)),
]


@pytest.mark.parametrize(
    ("name", "rows", "lists", "sampled", "real"), REAL, ids=[f"{each[0]} from {each[1][0]}" for each in REAL]
)
def test_what_is_expected_is_near_what_was_measured(
    name: str, rows: tuple[int, int], lists: tuple[int, int], sampled: tuple[float, ...], real: tuple[float, float]
) -> None:
    single, batch, wide = sampled
    spec = IndexSpec(Family.IVF_PQ if lists[0] else Family.HNSW, nlist=lists[0])
    measured = Sampled(spec, rows[0], Effort(), 0.95, single, batch, wide, 1, 1)
    expected = search_us(measured, replace(spec, nlist=lists[1]), rows[1])
    assert expected == pytest.approx(real, rel=0.35 if lists[0] else 0.4)


def test_the_cost_of_training_grows_with_the_square_of_the_lists() -> None:
    # 1 s of k-means becomes 16, 2 s of training codes stay, .1 s of adding becomes 16 * 2 * .1.
    assert build_seconds(LISTS, PQ, 256_000) == pytest.approx(16 + 2 + 3.2)


@pytest.mark.parametrize("rows", [1_000, 5_000])
@pytest.mark.parametrize(
    "spec",
    [
        spec
        for first in first_candidates(5_000, 32, Fixed())
        for spec in (first, *variations(first, 5_000, 32, Fixed()))
    ],
)
def test_sizes_are_those_of_real_files(tmp_path: object, spec: IndexSpec, rows: int) -> None:
    vectors = prepare(clustered(rows), Metric.COSINE)
    every = np.arange(rows, dtype=np.int64)
    spec = on_sample(spec, 5_000, rows)
    index = Index.train(spec, Metric.COSINE, vectors, every)
    index.add(every)
    index.finish()
    path = tmp_path / "index"  # type: ignore[operator]
    index.save(path)
    assert index_bytes(spec, rows, 32) == pytest.approx(path.stat().st_size, rel=0.08)


def test_a_flat_index_has_no_file() -> None:
    assert index_bytes(IndexSpec(Family.FLAT), 10**6, 384) == 0


def test_no_rotation_of_very_many_dimensions() -> None:
    families = {
        dimension: {spec.family for spec in first_candidates(100_000, dimension, Fixed())} for dimension in (384, 8_000)
    }
    assert families[384] - families[8_000] == {Family.IVF_RABITQ}


def test_candidates_keep_what_the_user_fixed() -> None:
    fixed = Fixed(nlist=300, m=12)
    firsts = first_candidates(100_000, 384, fixed)
    every = [spec for first in firsts for spec in (first, *variations(first, 100_000, 384, fixed))]
    assert {spec.nlist for spec in every if spec.nlist} == {300}
    assert {spec.m for spec in every if not spec.nlist} == {12}


@pytest.mark.parametrize(
    ("dimension", "codes"), [(384, {192, 128, 96, 64, 48, 32, 24}), (100, {100, 50, 25}), (7, {7})]
)
def test_codes_divide_the_dimension(dimension: int, codes: set[int]) -> None:
    first = choose_spec(Family.IVF_PQ, 100_000, dimension)
    every = [first, *variations(first, 100_000, dimension, Fixed())]
    assert {spec.subquantisers for spec in every} == codes
    assert {spec.nlist for spec in every} == {first.nlist // 2, first.nlist, first.nlist * 2}
    assert len(set(every)) == len(every)


def test_a_sample_has_lists_as_the_root_of_its_rows() -> None:
    assert on_sample(PQ, 160_000, 10_000).nlist == 128
    assert on_sample(PQ, 160_000, 4).nlist == 3
    assert on_sample(HNSW, 160_000, 10_000) == HNSW


@pytest.mark.parametrize(
    ("rows", "dimension", "sample"),
    [(10_000, 400, 4_096), (123_259, 384, 4_930), (10**7, 100, 16_384), (10**6, 4_000, 4_000), (500, 65_000, 1_000)],
)
def test_a_sample_grows_with_the_collection(rows: int, dimension: int, sample: int) -> None:
    assert sample_rows(rows, dimension) == sample


@pytest.mark.parametrize(
    ("rows", "limits", "seconds"),
    [(10_000, Limits(), 3), (600_000, Limits(), 15), (10**7, Limits(), 60), (600_000, Limits(max_build_seconds=8), 2)],
)
def test_a_tournament_takes_a_share_of_the_build(rows: int, limits: Limits, seconds: float) -> None:
    assert allowance(rows, 400, limits) == seconds
