"""How texts are embedded for calls. A model of words stands for one that computes, which takes the same road."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.metric import Vectors
from vecinity.indexer.unknown_words import UnknownWords
from vecinity.service.call import Call
from vecinity.service.errors import DeadlineError
from vecinity.service.pools import Pools
from vecinity.service.reading import Reader
from vecinity.service.store import OpenVersion, Store

WORDS = ["king", "queen", "prince", "table", "house", "river"]


class Asked:
    """The embedder of a version, which notes what it is asked and can be held up."""

    def __init__(self, version: OpenVersion) -> None:
        assert version.embedder is not None
        version.embedder.computes = True
        self.itself = version.embedder.open()
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        assert self.go.wait(20)
        return self.itself.embed(texts)


@pytest.fixture
async def version(collections_dir: Path) -> AsyncIterator[OpenVersion]:
    store = Store(collections_dir)
    store.refresh()
    yield await store.get("words")
    store.close()


@pytest.fixture
def asked(version: OpenVersion, monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked(version)
    monkeypatch.setattr(version.embedder, "open", lambda: made)
    return made


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    made = Pools(2)
    yield made
    made.close()


async def read(reader: Reader, version: OpenVersion, *texts: str, call: Call | None = None) -> Vectors:
    vectors, rows, known, met = await reader.read(call or Call("search"), version, texts, UnknownWords.ERROR)
    assert vectors.shape == (len(texts), 50) and known.all() and not met
    np.testing.assert_array_equal(rows[:, 0], version.segment.find_rows(texts))
    return vectors


def unit(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def test_vectors_are_remembered_until_newer_ones_need_the_room(
    version: OpenVersion, asked: Asked, pools: Pools
) -> None:
    reader = Reader(pools, kept=3)
    first = await read(reader, version, "king")
    np.testing.assert_allclose(first, unit(asked.itself.embed(["king"])), rtol=1e-6)
    np.testing.assert_array_equal(await read(reader, version, "king"), first)
    assert asked.batches == [["king"]]
    await read(reader, version, "queen", "prince")
    np.testing.assert_array_equal((await read(reader, version, "king", "table"))[:1], first)
    assert asked.batches[1:] == [["queen", "prince"], ["table"]] and len(reader._kept) == 3
    await read(reader, version, "king", "prince", "table", "queen")  # of these one had to go
    assert asked.batches[3:] == [["queen"]]


async def test_what_is_remembered_can_not_be_changed_and_is_no_part_of_a_batch(
    version: OpenVersion, asked: Asked, pools: Pools
) -> None:
    reader = Reader(pools, kept=10)
    (await read(reader, version, *WORDS))[:] = 0
    np.testing.assert_allclose(await read(reader, version, *WORDS), unit(asked.itself.embed(WORDS)), rtol=1e-6)
    assert len(asked.batches) == 1
    for vector in reader._kept.values():
        assert not vector.flags.writeable and vector.base is None and vector.nbytes == 200


async def test_nothing_is_remembered_where_there_is_no_room(version: OpenVersion, asked: Asked, pools: Pools) -> None:
    reader = Reader(pools, kept=0)
    for _ in range(2):
        await read(reader, version, "king")
        await read(reader, version, "king", "queen")
    assert len(asked.batches) == 4 and not reader._kept


async def test_a_model_that_looks_words_up_has_nothing_to_remember(version: OpenVersion, pools: Pools) -> None:
    reader = Reader(pools, kept=10)
    await read(reader, version, "king")
    await read(reader, version, "king", "queen")
    assert not reader._kept


async def test_calls_are_told_what_was_remembered(version: OpenVersion, asked: Asked, pools: Pools) -> None:
    reader = Reader(pools, kept=10)
    counts = []
    for texts in (["king"], ["king", "queen"], ["queen", "king", "table"], ["table"]):
        call = Call("search")
        call.keep_times()
        await read(reader, version, *texts, call=call)
        assert call.times is not None
        counts.append(call.times.texts_remembered)
    assert counts == [0, 1, 2, 1]


async def test_many_texts_come_back_in_the_order_of_the_caller(
    version: OpenVersion, asked: Asked, pools: Pools, rng: np.random.Generator
) -> None:
    reader = Reader(pools, kept=20)
    texts = list(dict.fromkeys(" ".join(rng.choice(WORDS, size)) for size in rng.integers(1, 40, 150)))
    vectors = await read(reader, version, *texts)
    np.testing.assert_allclose(vectors, unit(asked.itself.embed(texts)), rtol=1e-5, atol=1e-6)
    assert max(map(len, asked.batches)) == 32 and sorted(chain(*asked.batches)) == sorted(texts)
    assert len(reader._kept) == 20
    long = [f"{word} " * 2_000 for word in WORDS]
    asked.batches.clear()
    await read(reader, version, *long)
    assert [len(batch) for batch in asked.batches] == [1] * 6


async def test_others_have_their_turn_between_the_parts_of_a_large_request(
    version: OpenVersion, asked: Asked, pools: Pools
) -> None:
    reader = Reader(pools, kept=0)
    asked.go.clear()
    texts = [f"king {'queen ' * number}" for number in range(100)]
    large = asyncio.create_task(read(reader, version, *texts))
    await asyncio.sleep(0.05)
    single = asyncio.create_task(read(reader, version, "table"))
    await asyncio.sleep(0.05)
    asked.go.set()
    await asyncio.gather(large, single)
    assert asked.batches.index(["table"]) == 1 and len(asked.batches) > 4


async def test_single_texts_that_come_together_are_embedded_together(
    version: OpenVersion, asked: Asked, pools: Pools
) -> None:
    reader = Reader(pools, kept=10)
    asked.go.clear()
    first = asyncio.create_task(read(reader, version, "river"))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(read(reader, version, word)) for word in [*WORDS[:3], *WORDS[:3]]]
    await asyncio.sleep(0.05)
    asked.go.set()
    found = await asyncio.gather(first, *others)
    assert asked.batches == [["river"], WORDS[:3]]
    np.testing.assert_array_equal(found[1], found[4])


async def test_what_nobody_waits_for_is_not_embedded(version: OpenVersion, asked: Asked, pools: Pools) -> None:
    reader = Reader(pools, kept=10)
    asked.go.clear()
    first = asyncio.create_task(read(reader, version, "river"))
    await asyncio.sleep(0.05)
    late = [Call("search", deadline=time.monotonic() + 0.1) for _ in range(2)]
    gone = Call("search")
    tasks = [
        asyncio.create_task(read(reader, version, *texts, call=call))
        for texts, call in ((["king"], late[0]), (["queen", "prince"], late[1]), (["table"], gone))
    ]
    await asyncio.sleep(0.2)
    gone.cancelled.set()
    asked.go.set()
    await first
    for task in tasks:
        with pytest.raises(DeadlineError):
            await task
    assert asked.batches == [["river"]]


async def test_words_do_not_wait_for_a_model(version: OpenVersion, collections_dir: Path, pools: Pools) -> None:
    """Two collections: one by a model that is at work, one by words."""
    reader = Reader(pools, kept=10)
    held = threading.Event()
    working = asyncio.create_task(pools.embedders.run(lambda: held.wait(20)))
    await asyncio.sleep(0.05)
    await read(reader, version, "king")
    await read(reader, version, "king", "queen")
    assert not working.done()
    held.set()
    await working
