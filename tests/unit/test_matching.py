"""What was found for filters: once, whoever asks, and within bounds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import clustered, publish_vectors
from tagged import items, write_json_lines

from vecinity.indexer.ann import FilteredIndex
from vecinity.indexer.attributes import AttributeType
from vecinity.indexer.catalog import Catalog
from vecinity.indexer.filters import AllOf, AnyOf, Comparison, Exists, Filter, Literal, Not, OneOf, Operator
from vecinity.indexer.segment import Segment
from vecinity.service import matching
from vecinity.service.errors import DeadlineError, InvalidArgumentError
from vecinity.service.matching import Matches

YEAR = Exists("year")


def not_before(year: int) -> Filter:
    return Comparison("year", Operator.GREATER_OR_EQUAL, Literal(AttributeType.INT64, year))


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    records = write_json_lines(tmp_path / "a.jsonl", items(300))
    publish_vectors(tmp_path / "data", "mine", clustered(300), tmp_path, attributes=records)
    catalog = Catalog(tmp_path / "data")
    return Segment(catalog.segment_folder(catalog.version("mine")))


class Evaluated:
    """Counts evaluations, and holds them back until told."""

    def __init__(self) -> None:
        self.filters: list[Filter] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, segment: Segment, tree: Filter, check: Callable[[], None]) -> FilteredIndex:
        self.filters.append(tree)
        assert self.go_on.wait(10)
        return MATCHES_OF(segment, tree, check)


MATCHES_OF = matching.matches_of


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> Evaluated:
    made = Evaluated()
    monkeypatch.setattr(matching, "matches_of", made)
    return made


async def run(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


async def test_a_filter_is_evaluated_once_for_all_who_ask_at_once(segment: Segment, evaluated: Evaluated) -> None:
    matches = Matches(segment)
    evaluated.go_on.clear()
    calls = [asyncio.create_task(matches.find(YEAR, run)) for _ in range(20)]
    await asyncio.sleep(0.05)
    evaluated.go_on.set()
    found = await asyncio.gather(*calls)
    assert len({id(one) for one in found}) == 1 and evaluated.filters == [YEAR]
    assert found[0].count == segment.rows - segment.columns["year"][1].null_count
    assert await matches.find(YEAR, run) is found[0] and evaluated.filters == [YEAR]


async def test_one_who_gives_up_does_not_stop_the_others(segment: Segment, evaluated: Evaluated) -> None:
    matches = Matches(segment)
    evaluated.go_on.clear()
    first, second = (asyncio.create_task(matches.find(YEAR, run)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    evaluated.go_on.set()
    assert (await second).count and evaluated.filters == [YEAR]


async def test_an_evaluation_ends_when_all_have_given_up_and_the_next_call_has_its_own(
    segment: Segment, evaluated: Evaluated
) -> None:
    matches = Matches(segment)
    evaluated.go_on.clear()
    only = asyncio.create_task(matches.find(YEAR, run))
    await asyncio.sleep(0.05)
    task = next(iter(matches._under_way.values())).task
    only.cancel()
    await asyncio.sleep(0.05)
    next_one = asyncio.create_task(matches.find(YEAR, run))
    await asyncio.sleep(0.05)
    evaluated.go_on.set()
    assert (await next_one).count and evaluated.filters == [YEAR, YEAR]
    with pytest.raises(DeadlineError):
        await task


async def test_errors_come_to_all_and_are_not_kept(segment: Segment, evaluated: Evaluated) -> None:
    matches = Matches(segment)
    bad = Not(AllOf((YEAR, Exists("yaer"))))
    for found in await asyncio.gather(*(matches.find(bad, run) for _ in range(3)), return_exceptions=True):
        assert isinstance(found, InvalidArgumentError)
        assert found.field == "selection.filter.not.all_of[1].exists" and "'year'" in found.fault
    assert evaluated.filters == [bad] and not matches._under_way


async def test_what_was_asked_least_recently_goes_first(segment: Segment, evaluated: Evaluated) -> None:
    alone = Matches(segment)
    await alone.find(not_before(1990), run)
    one = alone._kept_bytes
    evaluated.filters.clear()
    matches = Matches(segment, bytes_max=int(2.9 * one))
    first, second, third = (not_before(year) for year in (1990, 1991, 1992))
    for tree in (first, second, first, third, first, second):
        await matches.find(tree, run)
    assert evaluated.filters == [first, second, third, second]
    assert matches._kept_bytes == sum(size for _, size in matches._kept.values()) <= 2.9 * one


async def test_a_long_filter_takes_room_too(segment: Segment) -> None:
    matches = Matches(segment, bytes_max=1 << 20)
    for number in range(8):
        words = (f"{number}-{place}-{'x' * 40}" for place in range(1_000))
        tree = OneOf("lang", tuple(Literal(AttributeType.STRING, word) for word in words))
        assert (await matches.find(tree, run)).count == 0
    assert 1 <= len(matches._kept) < 8 and matches._kept_bytes <= 1 << 20


async def test_what_is_larger_than_all_room_is_not_kept(segment: Segment, evaluated: Evaluated) -> None:
    matches = Matches(segment, bytes_max=10)
    for _ in range(2):
        assert (await matches.find(YEAR, run)).count
    assert evaluated.filters == [YEAR, YEAR] and not matches._kept


async def test_the_bytes_are_those_of_its_arrays(segment: Segment) -> None:
    found = await Matches(segment).find(YEAR, run)
    assert found.bytes >= found.within.bits.nbytes + found.within.rows.nbytes
    np.testing.assert_array_equal(found.within.mask, ~segment.columns["year"][1].is_null().to_numpy())


async def test_what_a_filter_with_nan_finds_is_not_kept(segment: Segment) -> None:
    """It does not equal itself, so nobody would find it again, and it would push out what others ask for."""

    def with_nan() -> Filter:
        nan = Literal(AttributeType.DOUBLE, float("nan"))
        return AllOf((YEAR, Not(AnyOf((OneOf("price", (nan,)), Comparison("price", Operator.NOT_EQUAL, nan))))))

    matches = Matches(segment)
    kept = await matches.find(YEAR, run)
    for _ in range(3):
        await matches.find(with_nan(), run)
    assert [*matches._kept] == [YEAR] and not matches._under_way
    assert matches._kept_bytes == matches._kept[YEAR][1] and await matches.find(YEAR, run) is kept
