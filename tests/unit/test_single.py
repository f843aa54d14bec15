"""Searches that come together: each has the answer that it would have alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from conftest import clustered, publish_vectors

from vecinity.client import AsyncClient


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
