from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vecinity.indexer.ann import Effort, Family, IndexSpec
from vecinity.indexer.errors import SettingError
from vecinity.indexer.tournament.choosing import Limits, _about, fallbacks, in_units, ranked, reason
from vecinity.indexer.tournament.report import Entry, TournamentReport

MB = 10**6
PQ = IndexSpec(Family.IVF_PQ, nlist=512, subquantisers=192)
SMALL_PQ = IndexSpec(Family.IVF_PQ, nlist=512, subquantisers=96)
HNSW = IndexSpec(Family.HNSW, m=16, ef_construction=100)
IVF = IndexSpec(Family.IVF_FLAT, nlist=512)


def entry(spec: IndexSpec, us: float, size: int, seconds: float, *, recall: float = 0.95, rows: int = 16_384) -> Entry:
    return Entry(spec, rows, Effort(nprobe=8), recall, us, us, seconds, size)


ENTRIES = [
    entry(IVF, 300, 190 * MB, 2),
    entry(PQ, 100, 14 * MB, 3),
    entry(HNSW, 80, 211 * MB, 30),
    entry(SMALL_PQ, 130, 8 * MB, 2.5),
]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(), [HNSW, PQ, SMALL_PQ, IVF]),
        (Limits(max_memory_bytes=200 * MB), [PQ, SMALL_PQ, IVF]),
        (Limits(max_memory_bytes=14 * MB), [PQ, SMALL_PQ]),
        (Limits(max_memory_bytes=14 * MB - 1), [SMALL_PQ]),
        (Limits(max_build_seconds=34), [HNSW, PQ, SMALL_PQ, IVF]),
        (Limits(max_build_seconds=33), [PQ, SMALL_PQ, IVF]),  # 30 s, and 4 s went into the tournament
        (Limits(max_build_seconds=6.6), [SMALL_PQ, IVF]),
        (Limits(max_build_seconds=6.6, max_memory_bytes=100 * MB), [SMALL_PQ]),
    ],
)
def test_the_quickest_under_the_limits_comes_first(limits: Limits, expected: list[IndexSpec]) -> None:
    order = ranked(ENTRIES, limits, spent_seconds=4)
    assert len(order) == len(ENTRIES)
    assert [e.spec for e in order if not e.excluded] == expected
    assert all(e.excluded in ("over --max-memory", "over --max-build-time") for e in order[len(expected) :])


@pytest.mark.parametrize(("us", "first"), [(102.9, SMALL_PQ), (103.1, PQ)])
def test_of_two_that_are_as_fast_the_smaller_is_taken(us: float, first: IndexSpec) -> None:
    order = ranked([entry(PQ, 100, 14 * MB, 3), entry(SMALL_PQ, us, 8 * MB, 2)], Limits(), 1)
    assert order[0].spec == first
    if first == SMALL_PQ:
        assert "practically as fast as IVF512,PQ192x4fs and 0.57 times its size" in reason(order, Limits())


@pytest.mark.parametrize(("us", "first"), [(114, PQ), (116, HNSW)])
def test_a_graph_must_beat_lists_clearly(us: float, first: IndexSpec) -> None:
    graph, lists = entry(HNSW, 100, 20 * MB, 30), entry(PQ, us, 14 * MB, 3)
    order = ranked([graph, lists, entry(SMALL_PQ, 130, MB, 2)], Limits(), 1)
    assert order[0].spec == first
    assert ("must be 1.15 times as fast" in reason(order, Limits())) == (first == PQ)


def test_a_later_round_decides() -> None:
    early, late = entry(SMALL_PQ, 90, 8 * MB, 2), entry(PQ, 100, 14 * MB, 3, rows=65_536)
    order = ranked([early, late, entry(HNSW, 95, MB, 2)], Limits(), 0)
    assert [e.spec for e in order] == [PQ, SMALL_PQ, HNSW]


def test_alone_and_in_batches_count_the_same() -> None:
    good_alone = Entry(HNSW, 1, Effort(), 0.95, 90, 110, 1, 1)
    good_in_batches = Entry(PQ, 1, Effort(), 0.95, 150, 60, 1, 1)
    assert ranked([good_alone, good_in_batches], Limits(), 0)[0].spec == PQ
    assert good_in_batches.query_us == pytest.approx(94.868, abs=0.001)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            Limits(max_memory_bytes=MB),
            r"no index fits into --max-memory 1 MB: the smallest, IVF512,PQ96x4fs, needs 8 MB; .*--index flat",
        ),
        (
            Limits(max_build_seconds=2),
            r"that fits is built within --max-build-time 2 s: the quickest measured, IVF512,Flat, needs about 6 s",
        ),
        (
            Limits(max_build_seconds=2, max_memory_bytes=100 * MB),
            r"within --max-build-time 2 s: the quickest measured, IVF512,PQ96x4fs, needs about 7 s",
        ),
    ],
)
def test_limits_that_nothing_meets_say_what_would(limits: Limits, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        ranked(ENTRIES, limits, spent_seconds=4)


@pytest.mark.parametrize(("field", "value"), [("max_memory_bytes", 0), ("max_build_seconds", -1.0)])
def test_limits_are_checked(field: str, value: float) -> None:
    with pytest.raises(SettingError, match=r"max_(memory|build_time) is .* must be more than 0"):
        Limits(**{field: value})  # type: ignore[arg-type]


def test_what_misses_the_target_or_was_not_measured_cannot_win() -> None:
    missed = entry(PQ, 50, MB, 1, recall=0)
    unmeasured = entry(SMALL_PQ, 0, MB, 0, rows=0, recall=0)
    order = ranked([missed, unmeasured, entry(HNSW, 80, MB, 1)], Limits(), 0)
    assert [(e.spec, e.excluded) for e in order] == [
        (HNSW, ""),
        (PQ, "misses --target-recall"),
        (SMALL_PQ, "not measured"),
    ]


def test_where_no_candidate_reaches_the_target_nothing_is_built_but_a_scan() -> None:
    order = ranked([entry(PQ, 50, MB, 1, recall=0)], Limits(), 0)
    assert fallbacks(order) == []
    assert reason(order, Limits()) == (
        "no index reached recall@10 0.95 on a sample at any effort, so every search scans all"
    )


def test_where_the_limits_leave_nothing_that_reaches_the_target_they_are_named() -> None:
    tried = [entry(PQ, 50, MB, 1, recall=0), entry(HNSW, 80, MB, 100)]
    limits = Limits(max_build_seconds=15)
    assert reason(ranked(tried, limits, 1), limits) == (
        "HNSW16,Flat reaches recall@10 0.95 but is over --max-build-time, so every search scans all"
    )
    limits = Limits(max_memory_bytes=2 * MB)
    tried = [entry(PQ, 50, MB, 1, recall=0), entry(HNSW, 0, 3 * MB, 0, rows=0, recall=0)]
    assert reason(ranked(tried, limits, 1), limits) == (
        "of 1 indexes that are not over --max-memory, none reached recall@10 0.95, so every search scans all"
    )


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (
            Limits(),
            "HNSW16,Flat reached recall@10 0.95 on a sample, and is expected to take 80 µs with all items, "
            "1.25 times as fast as IVF512,PQ192x4fs and 15 times its size",
        ),
        (
            Limits(max_memory_bytes=100 * MB),
            "IVF512,PQ192x4fs reached recall@10 0.95 on a sample, and is expected to take 100 µs with all items, "
            "1.30 times as fast as IVF512,PQ96x4fs and 1.8 times its size; "
            "within the limits none was found of hnsw, ivf-flat",
        ),
    ],
)
def test_the_reason_is_a_sentence(limits: Limits, sentence: str) -> None:
    assert reason(ranked(ENTRIES, limits, 0), limits) == sentence


def test_a_family_of_which_some_miss_the_target_and_some_the_limits_is_named() -> None:
    tried = [entry(HNSW, 80, MB, 1), entry(PQ, 50, 14 * MB, 1), entry(SMALL_PQ, 50, 8 * MB, 1, recall=0)]
    limits = Limits(max_memory_bytes=10 * MB)
    assert reason(ranked(tried, limits, 1), limits).endswith(
        "with all items; within the limits none was found of ivf-pq"
    )


@pytest.mark.parametrize("times", [0.98, 1.02])
def test_what_is_as_fast_is_not_given_a_figure(times: float) -> None:
    order = ranked([entry(HNSW, 100, MB, 1), entry(PQ, 100 * times, 14 * MB, 1)], Limits(), 1)
    assert "practically as fast as" in reason(order, Limits())


def test_the_next_to_build_is_finer_or_of_another_family() -> None:
    assert [e.spec for e in fallbacks(ranked(ENTRIES, Limits(), 0))] == [HNSW, PQ, IVF]
    assert [e.spec for e in fallbacks(ranked(ENTRIES, Limits(max_memory_bytes=100 * MB), 0))] == [PQ]
    coarse_first = [entry(SMALL_PQ, 90, 8 * MB, 2), *ENTRIES[:3]]
    assert [e.spec for e in fallbacks(ranked(coarse_first, Limits(max_memory_bytes=200 * MB), 0))] == [
        SMALL_PQ,
        PQ,
        IVF,
    ]


def test_a_report_survives_json() -> None:
    report = TournamentReport(ranked(ENTRIES, Limits(max_memory_bytes=100 * MB), 0), "because", 4.25, 0.95)
    assert TournamentReport.from_json(json.loads(json.dumps(report.to_json()))) == report


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (14_600_000, "14.6 MB"), (2 * 10**9, "2 GB")]
)
def test_sizes_in_units(size: int, text: str) -> None:
    assert in_units(size) == text


def test_a_build_of_less_than_a_second_is_not_said_to_need_none() -> None:
    quick = [replace(entry, build_seconds=0.04) for entry in ENTRIES]
    with pytest.raises(SettingError, match=r"needs about 0\.04 s"):
        ranked(quick, Limits(max_build_seconds=1e-6), spent_seconds=0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.02"), (0.8, "0.8"), (1.0, "1"), (1.01, "2"), (9.6, "10"), (10.2, "11"), (120, "120")],
)
def test_what_is_needed_is_enough(seconds: float, text: str) -> None:
    assert _about(seconds) == text
