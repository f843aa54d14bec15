"""What is done together, in which order, for whom, and where."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import pytest
from waiting import until

from vecinity.service.batching import Batches
from vecinity.service.call import Call
from vecinity.service.errors import DeadlineError, ShuttingDownError
from vecinity.service.pools import Pool
from vecinity.service.times import Part


class Kind(NamedTuple):
    name: str = "a"
    seconds_each: float = 0.0
    batch_max: int = 4


SHORT, LONG = Kind(), Kind("long", 1.0)


class Recorder:
    """Work that notes what it was given, and where; it can be held up and told to fail."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[int]]] = []
        self.threads: list[int] = []
        self.wait = True
        self.go = threading.Event()
        self.go.set()

    def __call__(self, kind: Kind, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append((kind.name, list(items)))
        self.threads.append(threading.get_ident())
        assert not self.wait or self.go.wait(10)
        if -1 in items:
            raise ZeroDivisionError
        return [ValueError(f"{item} is odd luck") if item == 13 else 10 * item for item in items]


@pytest.fixture
def work() -> Recorder:
    return Recorder()


@pytest.fixture(params=[1, 2])
async def batches(work: Recorder, request: pytest.FixtureRequest) -> AsyncIterator[Batches[Kind, int, int]]:
    pool = Pool(request.param, "work")
    yield Batches(pool, work, Part.SEARCH)
    work.go.set()
    pool.close()


Asked = Callable[..., asyncio.Task[int]]


@pytest.fixture
def ask(batches: Batches[Kind, int, int]) -> Asked:
    def ask(item: int, kind: Kind = SHORT, call: Call | None = None) -> asyncio.Task[int]:
        return asyncio.create_task(batches.do(call or Call("m"), kind, item))

    return ask


async def test_calls_of_one_turn_of_the_loop_are_one_batch(ask: Asked, work: Recorder) -> None:
    assert await asyncio.gather(ask(1), ask(2), ask(3)) == [10, 20, 30]
    assert work.batches == [("a", [1, 2, 3])]


async def test_a_lone_short_call_is_done_on_the_loop(ask: Asked, work: Recorder) -> None:
    assert await ask(1) == 10
    assert work.threads == [threading.get_ident()]


async def test_long_work_leaves_the_loop_free(ask: Asked, work: Recorder) -> None:
    work.go.clear()
    task = ask(1, LONG)
    await until(lambda: bool(work.batches))
    assert work.threads != [threading.get_ident()]
    work.go.set()
    assert await task == 10


async def test_what_comes_while_all_threads_work_is_the_next_batch(
    ask: Asked, work: Recorder, batches: Batches[Kind, int, int]
) -> None:
    work.go.clear()
    threads = batches._pool.threads
    first = []
    for number in range(threads):
        first.append(ask(number, LONG))
        await until(lambda: len(work.batches) == len(first))
    later = [ask(number, LONG) for number in (7, 8, 9)]
    await asyncio.sleep(0.02)
    assert len(work.batches) == threads
    work.go.set()
    assert await asyncio.gather(*later) == [70, 80, 90]
    assert work.batches[threads:] == [("long", [7, 8, 9])]


async def test_short_work_does_not_wait_for_threads(
    ask: Asked, work: Recorder, batches: Batches[Kind, int, int]
) -> None:
    work.go.clear()
    held_up = []
    for number in range(batches._pool.threads):
        held_up.append(ask(number, Kind(f"long {number}", 1.0)))
        await until(lambda: len(work.batches) == len(held_up))
    later = ask(7, LONG)
    await asyncio.sleep(0.02)
    work.wait = False
    assert await ask(1) == 10
    assert not later.done()
    work.go.set()
    assert await asyncio.gather(*held_up, later) == [*range(0, 10 * len(held_up), 10), 70]


async def test_what_differs_is_not_done_together(ask: Asked, work: Recorder) -> None:
    assert await asyncio.gather(ask(1), ask(2, Kind("b")), ask(3)) == [10, 20, 30]
    assert work.batches == [("a", [1, 3]), ("b", [2])]


async def test_large_batches_are_cut_and_clients_take_turns(ask: Asked, work: Recorder) -> None:
    greedy = [ask(number, call=Call("m", peer="greedy")) for number in range(6)]
    modest = ask(9, call=Call("m", peer="modest"))
    assert await asyncio.gather(*greedy, modest) == [0, 10, 20, 30, 40, 50, 90]
    assert work.batches == [("a", [0, 9, 1, 2]), ("a", [3, 4, 5])]


async def test_a_group_that_is_cut_lets_the_others_go_first(ask: Asked, work: Recorder) -> None:
    await asyncio.gather(*(ask(number) for number in range(6)), ask(9, Kind("b")))
    assert work.batches == [("a", [0, 1, 2, 3]), ("b", [9]), ("a", [4, 5])]


async def test_calls_that_are_over_never_reach_the_work(ask: Asked, work: Recorder) -> None:
    gone = Call("m")
    gone.cancelled.set()
    late = Call("m", deadline=time.monotonic() - 1)
    outcomes = await asyncio.gather(ask(1, call=gone), ask(2, call=late), ask(3), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DeadlineError, DeadlineError, int]
    assert work.batches == [("a", [3])]


async def test_who_stops_waiting_is_left_out(ask: Asked, work: Recorder) -> None:
    task, other = ask(1), ask(2)
    await asyncio.sleep(0)
    task.cancel()
    assert await other == 20
    assert task.cancelled()
    assert work.batches == [("a", [2])]


@pytest.mark.parametrize("kind", [SHORT, LONG])
async def test_a_failure_is_that_of_its_batch_alone(ask: Asked, kind: Kind) -> None:
    outcomes = await asyncio.gather(ask(-1, kind), ask(2, kind), ask(3, Kind("b")), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError, ZeroDivisionError, int]
    assert await ask(4, kind) == 40


async def test_a_result_may_be_an_exception_for_its_call_alone(ask: Asked, work: Recorder) -> None:
    outcomes = await asyncio.gather(ask(1), ask(13), ask(2), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["10", "13 is odd luck", "20"]
    assert len(work.batches) == 1


async def test_times_are_noted_for_who_asks(ask: Asked) -> None:
    call = Call("m")
    call.keep_times()
    await asyncio.gather(ask(1, call=call), ask(2))
    assert call.times is not None and {Part.QUEUE, Part.SEARCH} <= call.times.seconds.keys()


async def test_threads_that_are_shut_down_leave_nobody_waiting(ask: Asked, batches: Batches[Kind, int, int]) -> None:
    batches._pool.close()
    outcome = (await asyncio.gather(ask(1, LONG), return_exceptions=True))[0]
    assert isinstance(outcome, ShuttingDownError)
