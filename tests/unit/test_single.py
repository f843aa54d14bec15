"""Searches that come together: each has the answer that it would have alone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from conftest import clustered, publish_vectors

from vecinity.client import AsyncClient, InvalidArgumentError
from vecinity.indexer.ann import Effort, Family
from vecinity.service.call import Call
from vecinity.service.config import Config
from vecinity.service.planner import Plan
from vecinity.service.query import Search
from vecinity.service.server import Service
from vecinity.service.single import share_queries
from vecinity.service.store import OpenVersion


async def test_searches_that_leave_out_few_and_many_items_can_come_together(tmp_path: Path) -> None:
    publish_vectors(tmp_path / "data", "mine", clustered(), tmp_path)
    asked: list[dict[str, Any]] = [
        {"positive": ["1", "2"]},
        {"positive": ["3", "4", "5"], "negative": ["6"]},
        {"id": "7"},
        {"positive": ["8", "9"]},
        {"vector": clustered()[10]},
    ]
    async with AsyncClient.in_process(tmp_path / "data") as client:
        together = await asyncio.gather(*(client.search("mine", k=3, **one) for one in asked))
        alone = [await client.search("mine", k=3, **one) for one in asked]
    assert [result.ids for result in together] == [result.ids for result in alone]
    assert all(len(result) == 3 for result in alone)


async def test_vectors_that_are_none_leave_the_others_together(tmp_path: Path) -> None:
    publish_vectors(tmp_path / "data", "mine", clustered(), tmp_path)
    vectors = clustered()[:8].copy()
    vectors[0], vectors[3], vectors[7] = np.nan, 0.0, np.inf
    async with AsyncClient.in_process(tmp_path / "data") as client:
        asked = (client.search("mine", vector=vector, k=1) for vector in vectors)
        found = await asyncio.gather(*asked, return_exceptions=True)
    for number, result in enumerate(found):
        if number in (0, 3, 7):
            assert isinstance(result, InvalidArgumentError)
        else:
            assert not isinstance(result, BaseException) and result.ids == [str(number)]


@pytest.mark.parametrize("family", [Family.FLAT, Family.HNSW, Family.IVF_FLAT, Family.IVF_PQ])
async def test_a_version_that_was_asked_is_let_go(tmp_path: Path, family: Family) -> None:
    """Also one that was there at the start, which the garbage collector is told not to look at."""
    publish_vectors(tmp_path / "data", "mine", clustered(), tmp_path, family=family)
    service = Service(Config(data_dir=tmp_path / "data"), embeds_apart=False)
    await service.start()
    gc.collect()
    gc.freeze()
    try:
        version = await service.store.get("mine")
        gone = weakref.ref(version.segment)
        search = Search("mine", 3)
        ready = service.engine.ready(1, search, 32)
        assert ready is not None
        told = asyncio.get_running_loop().create_future()
        service.engine.ask(Call("/"), ready, clustered()[:1], told.set_result)
        assert (await told).version == 1
        del version, ready
        publish_vectors(tmp_path / "data", "mine", clustered(100), tmp_path)
        async with asyncio.timeout(10):
            while (await service.store.get("mine")).record.number == 1:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0)
        assert gone() is None
    finally:
        gc.unfreeze()
        await service.stop()


@pytest.mark.parametrize(
    ("queries", "threads", "query_us", "k", "share"),
    [
        (1_000, 2, 50, 10, 256),
        (100, 2, 50, 10, 50),
        (100, 16, 50, 10, 32),  # not less: a search of a few takes as long as one of many
        (10_000, 2, 1_000, 10, 64),  # twenty milliseconds would be 20: not less than a batch of single searches
        (10_000, 2, 200, 10, 100),
        (10_000, 2, 50, 1_000, 65),
        (10_000, 2, 0, 10, 64),  # unmeasured
    ],
)
def test_what_a_thread_takes_of_a_call(queries: int, threads: int, query_us: float, k: int, share: int) -> None:
    version = cast(OpenVersion, None)  # of which only an exact search asks
    chosen = Plan(Effort(nprobe=8), 0.95, query_us=query_us)
    assert share_queries(version, chosen, k, queries, threads) == share
