from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import clustered

from vecinity.indexer.ann import GRAPHS, INVERTED_LISTS, Effort, Family, IndexSpec
from vecinity.indexer.errors import SettingError
from vecinity.indexer.metric import Metric, prepare
from vecinity.indexer.progress import silent
from vecinity.indexer.tournament import Entry, Fixed, Limits, run_tournament
from vecinity.indexer.tournament import contest as contest_module
from vecinity.indexer.tournament.candidates import variations
from vecinity.indexer.tournament.choosing import _AS_FAST, _SURELY_FASTER
from vecinity.indexer.tournament.contest import _beside_best, _Contest, _other_codes, _other_settings

HELD_OUT = np.arange(0, 3_000, 10, dtype=np.int64)


def best(*times: tuple[Family, float]) -> list[Entry]:
    return [Entry(IndexSpec(family), 1, Effort(nprobe=1), 0.95, us, us) for family, us in times]


def settings(family: Family, *numbers: int) -> list[IndexSpec]:
    return [replace(IndexSpec(family), m=number) for number in numbers]


def test_settings_are_tried_of_good_families_the_quickest_tried_first() -> None:
    pq, hnsw, slow = settings(Family.IVF_PQ, 1, 2, 3), settings(Family.HNSW, 4, 5), settings(Family.IVF_FLAT, 6, 7)
    took = {hnsw[0]: 3.0, pq[0]: 1.0, slow[0]: 2.0}
    measured = best((Family.HNSW, 100), (Family.HNSW, 110), (Family.IVF_PQ, 124), (Family.IVF_FLAT, 126))
    assert _other_settings([hnsw, pq, slow], measured, took) == [*pq[1:], hnsw[1]]
    assert _other_settings([hnsw, pq, slow], [], took) == [*pq[1:], slow[1], hnsw[1]]
    assert _other_settings([hnsw[:1]], measured, took) == []
    assert _other_settings([pq], measured, {**took, pq[1]: 1.0}) == [pq[2]]


def test_other_numbers_of_lists_are_tried_with_the_best_codes() -> None:
    first = IndexSpec(Family.IVF_PQ, nlist=512, subquantisers=192)
    for codes in (192, 96):
        winner = replace(first, subquantisers=codes)
        contest = _Contest(np.empty((100_000, 384), np.float32), Metric.COSINE, Limits(), silent, 1, 5.0, np.inf)
        # All are entered before any is tried: the memory they would take is looked at first.
        contest.enter([first, *variations(first, 100_000, 384, Fixed())])
        contest.entries[winner] = Entry(winner, 1, Effort(nprobe=1), 0.95, 50, 50)
        contest.took[first] = contest.took[winner] = 1.0
        trying = _beside_best(contest, Fixed())
        assert [(spec.nlist, spec.subquantisers) for spec in trying[:2]] == [(256, codes), (1024, codes)]
        assert first not in trying and winner not in trying


def test_codes_are_tried_in_as_many_lists_as_the_first_has() -> None:
    first = IndexSpec(Family.IVF_PQ, nlist=8, subquantisers=48)
    codes = [replace(first, subquantisers=number) for number in (32, 24, 16, 12)]
    lists = replace(first, nlist=4)
    assert _other_codes([first, codes[0], lists, *codes[1:]]) == codes[:3]
    assert _other_codes(settings(Family.HNSW, 4, 5)) == []


@pytest.mark.parametrize("metric", Metric)
def test_the_winner_reaches_the_target_on_the_sample(metric: Metric) -> None:
    vectors = prepare(clustered(3_000), metric)
    report = run_tournament(vectors, metric, HELD_OUT, Limits(0.9))
    winner = report.entries[0]
    assert not winner.excluded and winner.recall >= 0.9 and winner.rows == 2_700
    able = [entry for entry in report.entries if not entry.excluded]
    assert all(entry.single_us > 0 and entry.batch_us > 0 and entry.build_seconds > 0 for entry in able)
    graph, quickest = winner.spec.family in GRAPHS, min(able, key=lambda entry: entry.query_us)
    alike = [entry.query_us for entry in able if (entry.spec.family in GRAPHS) == graph]
    assert winner.query_us <= _AS_FAST * min(alike)
    if graph:  # it has beaten lists by more than what its cost may be off by
        others = [entry.query_us for entry in able if entry.spec.family in INVERTED_LISTS]
        assert not others or min(others) > _SURELY_FASTER * quickest.query_us
    elif quickest.spec.family in GRAPHS:
        assert min(alike) <= _SURELY_FASTER * quickest.query_us
    assert report.reason.startswith(winner.spec.description)
    assert {entry.spec.family for entry in report.entries} >= {Family.IVF_PQ, Family.HNSW, Family.IVF_FLAT}


def test_later_rounds_have_more_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest_module, "sample_rows", lambda *_: 600)
    vectors = prepare(clustered(3_000), Metric.COSINE)
    report = run_tournament(vectors, Metric.COSINE, HELD_OUT, Limits(0.9))
    assert report.entries[0].rows == 2_400
    assert {entry.rows for entry in report.entries} >= {600, 2_400}


def test_a_round_that_there_is_no_time_for_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest_module, "sample_rows", lambda *_: 600)
    try_one = contest_module._Contest._try
    late: list[IndexSpec] = []

    def only_the_second(self, spec, held, slower):  # type: ignore[no-untyped-def]
        if len(held.rows) > 600:
            late.append(spec)
            if len(late) != 2:
                return None
        return try_one(self, spec, held, slower)

    monkeypatch.setattr(contest_module._Contest, "_try", only_the_second)
    report = run_tournament(prepare(clustered(3_000), Metric.COSINE), Metric.COSINE, HELD_OUT, Limits(0.9))
    assert len(late) == 3
    assert {entry.rows for entry in report.entries if entry.recall} == {600}


def test_when_time_is_short_the_first_is_measured_all_the_same() -> None:
    vectors = prepare(clustered(3_000), Metric.COSINE)
    with pytest.raises(
        SettingError, match=r"no index that fits is built within --max-build-time 1e-06 s: the quickest measured"
    ):
        run_tournament(vectors, Metric.COSINE, HELD_OUT, Limits(0.9, max_build_seconds=1e-6))


def test_what_is_not_a_time_is_always_the_same() -> None:
    vectors = prepare(clustered(3_000), Metric.COSINE)
    first, second = (run_tournament(vectors, Metric.COSINE, HELD_OUT, Limits(0.9)) for _ in range(2))
    # Which settings are tried beside the best, and how many candidates are re-ranked, is decided by time.
    measured = [{e.spec: e for e in report.entries if e.rows} for report in (first, second)]
    families = [{spec.family for spec in specs} for specs in measured]
    assert families[0] == families[1]
    both = measured[0].keys() & measured[1].keys()
    assert {spec: measured[0][spec].index_bytes for spec in both} == {s: measured[1][s].index_bytes for s in both}
    plain = [spec for spec in both if spec.family is Family.IVF_FLAT]  # which is not re-ranked
    assert plain
    for spec in plain:
        assert (measured[0][spec].effort, measured[0][spec].recall) == (
            measured[1][spec].effort,
            measured[1][spec].recall,
        )


def test_what_the_user_fixed_stays() -> None:
    vectors = prepare(clustered(3_000), Metric.COSINE)
    report = run_tournament(vectors, Metric.COSINE, HELD_OUT, Limits(0.5), Fixed(nlist=20, m=6))
    assert {entry.spec.nlist for entry in report.entries} == {0, 20}
    assert {entry.spec.m for entry in report.entries} == {0, 6}
    with pytest.raises(SettingError, match="nlist is 4000, but there are only 3000 items"):
        run_tournament(vectors, Metric.COSINE, HELD_OUT, Limits(0.5), Fixed(nlist=4_000))


def test_a_target_that_nothing_reaches_leaves_the_scan() -> None:
    vectors = np.random.default_rng(1).normal(size=(3_000, 32)).astype(np.float32)
    limits = Limits(0.999, max_memory_bytes=55_000)
    report = run_tournament(vectors, Metric.EUCLIDEAN, HELD_OUT, limits)
    assert all(entry.excluded for entry in report.entries)
    assert "so every search scans all" in report.reason
