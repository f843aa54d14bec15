from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2

from vecinity.service.call import Call
from vecinity.service.errors import DeadlineError, InvalidArgumentError
from vecinity.service.handlers import Method, StreamMethod
from vecinity.service.handlers.method import Tell
from vecinity.service.pipeline import Pipeline, StatusError
from vecinity.v1 import core_pb2

ECHO, SLOW, BROKEN, COUNT = "/t.T/Echo", "/t.T/Slow", "/t.T/Broken", "/t.T/Count"


@pytest.fixture
def pipeline() -> Pipeline:
    async def echo(call: Call, request: core_pb2.StringList) -> core_pb2.StringList:
        return request

    async def slow(call: Call, request: core_pb2.StringList) -> core_pb2.StringList:
        await asyncio.sleep(30)
        return request

    async def broken(call: Call, request: core_pb2.StringList) -> core_pb2.StringList:
        raise ZeroDivisionError

    handlers = {ECHO: echo, SLOW: slow, BROKEN: broken}
    methods: dict[str, Method | StreamMethod] = {
        name: Method(core_pb2.StringList, handler) for name, handler in handlers.items()
    }
    return Pipeline({**methods, COUNT: StreamMethod(core_pb2.StringList, count)}, calls_max=2)


MADE: list[str] = []
"""What `count` has done, the end of it too."""


async def count(call: Call, request: core_pb2.StringList) -> AsyncGenerator[core_pb2.StringList, None]:
    """A part for each value: "slow" takes its time, "broken" is a fault."""
    MADE.clear()
    try:
        for value in request.values:
            if value == "slow":
                await asyncio.sleep(30)
            if value == "broken":
                raise ZeroDivisionError
            MADE.append(value)
            yield core_pb2.StringList(values=[value])
    finally:
        MADE.append("end")


async def parts_of(pipeline: Pipeline, call: Call, *values: str) -> list[str]:
    """The parts of an answer, and how it ended if not well."""
    got = []
    try:
        async with aclosing(pipeline.stream(call, core_pb2.StringList(values=values))) as parts:
            async for part in parts:
                assert isinstance(part, core_pb2.StringList)
                got += part.values
    except StatusError as error:
        got.append(code_pb2.Code.Name(error.status.code))
    return got


REQUEST = core_pb2.StringList(values=["a"])


async def code_of(pipeline: Pipeline, call: Call) -> str:
    with pytest.raises(StatusError) as caught:
        await pipeline.serve(call, REQUEST)
    return code_pb2.Code.Name(caught.value.status.code)


async def test_an_answer(pipeline: Pipeline) -> None:
    assert await pipeline.serve(Call(ECHO), REQUEST) == REQUEST
    assert await pipeline.serve(Call(ECHO, deadline=time.monotonic() + 5), REQUEST) == REQUEST


async def test_a_deadline_that_passes_ends_the_handler_and_tells_its_threads(pipeline: Pipeline) -> None:
    call = Call(SLOW, deadline=time.monotonic() + 0.05)
    began = time.monotonic()
    assert await code_of(pipeline, call) == "DEADLINE_EXCEEDED"
    assert time.monotonic() - began < 5
    assert call.cancelled.is_set()
    with pytest.raises(DeadlineError):
        call.check()
    assert pipeline.calls == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_deadline_that_has_passed_never_reaches_the_handler(pipeline: Pipeline, seconds: float) -> None:
    assert await code_of(pipeline, Call(BROKEN, deadline=time.monotonic() + seconds)) == "DEADLINE_EXCEEDED"


async def test_a_caller_who_goes_ends_the_handler(pipeline: Pipeline) -> None:
    call = Call(SLOW)
    task = asyncio.create_task(pipeline.serve(call, REQUEST))
    await asyncio.sleep(0.01)
    assert pipeline.calls == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.cancelled.is_set() and pipeline.calls == 0


async def test_too_many_calls_are_refused_and_places_come_back(pipeline: Pipeline) -> None:
    tasks = [asyncio.create_task(pipeline.serve(Call(SLOW), REQUEST)) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert await code_of(pipeline, Call(ECHO)) == "RESOURCE_EXHAUSTED"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await pipeline.serve(Call(ECHO), REQUEST) == REQUEST


async def test_faults_become_internal_and_the_next_call_works(pipeline: Pipeline) -> None:
    assert await code_of(pipeline, Call(BROKEN)) == "INTERNAL"
    assert await pipeline.serve(Call(ECHO), REQUEST) == REQUEST


async def test_draining(pipeline: Pipeline) -> None:
    pipeline.draining = True
    assert await code_of(pipeline, Call(ECHO)) == "UNAVAILABLE"


async def test_unknown_methods(pipeline: Pipeline) -> None:
    assert await code_of(pipeline, Call("/t.T/None")) == "UNIMPLEMENTED"


@pytest.mark.parametrize(("method", "code"), [(ECHO, "INVALID_ARGUMENT"), ("/t.T/None", "UNIMPLEMENTED")])
def test_bytes_that_are_no_request(pipeline: Pipeline, method: str, code: str) -> None:
    with pytest.raises(StatusError) as caught:
        pipeline.decode(method, b"\xff\xff\xff")
    assert code_pb2.Code.Name(caught.value.status.code) == code
    assert pipeline.decode(ECHO, REQUEST.SerializeToString()) == REQUEST


class TestStreams:
    async def test_parts_in_order(self, pipeline: Pipeline) -> None:
        assert pipeline.streams(COUNT) and not pipeline.streams(ECHO) and not pipeline.streams("/t.T/None")
        assert await parts_of(pipeline, Call(COUNT), "a", "b", "c") == ["a", "b", "c"]
        assert await parts_of(pipeline, Call(COUNT, deadline=time.monotonic() + 5), "a") == ["a"]
        assert await parts_of(pipeline, Call(COUNT)) == []
        assert pipeline.calls == 0

    async def test_nothing_is_made_before_it_is_asked_for(self, pipeline: Pipeline) -> None:
        call = Call(COUNT)
        async with aclosing(pipeline.stream(call, core_pb2.StringList(values="abc"))) as parts:
            assert pipeline.calls == 0
            await anext(parts)
            await asyncio.sleep(0.01)
            assert MADE == ["a"] and pipeline.calls == 1 and not call.cancelled.is_set()
        assert MADE == ["a", "end"] and pipeline.calls == 0 and call.cancelled.is_set()

    async def test_faults_between_parts(self, pipeline: Pipeline) -> None:
        assert await parts_of(pipeline, Call(COUNT), "a", "broken") == ["a", "INTERNAL"]
        assert pipeline.calls == 0

    async def test_a_deadline_between_parts(self, pipeline: Pipeline) -> None:
        began = time.monotonic()
        call = Call(COUNT, deadline=time.monotonic() + 0.05)
        assert await parts_of(pipeline, call, "a", "slow") == ["a", "DEADLINE_EXCEEDED"]
        assert time.monotonic() - began < 5 and call.cancelled.is_set() and MADE == ["a", "end"]
        assert await parts_of(pipeline, Call(COUNT, deadline=time.monotonic() - 1), "a") == ["DEADLINE_EXCEEDED"]
        assert pipeline.calls == 0

    async def test_a_reader_slower_than_the_deadline(self, pipeline: Pipeline) -> None:
        call = Call(COUNT, deadline=time.monotonic() + 0.05)
        async with aclosing(pipeline.stream(call, core_pb2.StringList(values="abc"))) as parts:
            await anext(parts)
            await asyncio.sleep(0.1)
            with pytest.raises(StatusError, match="deadline"):
                await anext(parts)

    async def test_a_reader_who_goes_while_a_part_is_made(self, pipeline: Pipeline) -> None:
        call = Call(COUNT)
        task = asyncio.create_task(parts_of(pipeline, call, "a", "slow"))
        await asyncio.sleep(0.01)
        assert pipeline.calls == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.cancelled.is_set() and pipeline.calls == 0 and MADE == ["a", "end"]

    async def test_a_stream_is_one_of_the_calls_under_way(self, pipeline: Pipeline) -> None:
        works = [parts_of(pipeline, Call(COUNT), "slow"), pipeline.serve(Call(SLOW), REQUEST)]
        tasks = [asyncio.create_task(work) for work in works]
        await asyncio.sleep(0.01)
        assert await code_of(pipeline, Call(ECHO)) == "RESOURCE_EXHAUSTED"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await parts_of(pipeline, Call(COUNT), "a") == ["a"]

    async def test_streams_leave_half_of_the_places(self, pipeline: Pipeline) -> None:
        task = asyncio.create_task(parts_of(pipeline, Call(COUNT), "slow"))
        await asyncio.sleep(0.01)
        assert await parts_of(pipeline, Call(COUNT), "a") == ["RESOURCE_EXHAUSTED"]
        assert await pipeline.serve(Call(ECHO), REQUEST) == REQUEST
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await parts_of(pipeline, Call(COUNT), "a") == ["a"]

    async def test_one_connection_gets_half_of_the_places_for_streams(self) -> None:
        pipeline = Pipeline({COUNT: StreamMethod(core_pb2.StringList, count)}, calls_max=8)
        tasks = [asyncio.create_task(parts_of(pipeline, Call(COUNT, peer="a"), "slow")) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert await parts_of(pipeline, Call(COUNT, peer="a"), "b") == ["RESOURCE_EXHAUSTED"]
        assert await parts_of(pipeline, Call(COUNT, peer="b"), "b") == ["b"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await parts_of(pipeline, Call(COUNT, peer="a"), "b") == ["b"]
        assert not pipeline.streams_of

    async def test_each_kind_of_method_has_its_way(self, pipeline: Pipeline) -> None:
        assert await parts_of(pipeline, Call(ECHO)) == ["UNIMPLEMENTED"]
        assert await code_of(pipeline, Call(COUNT)) == "UNIMPLEMENTED"
        pipeline.draining = True
        assert await parts_of(pipeline, Call(COUNT), "a") == ["UNAVAILABLE"]


class TestWithoutATask:
    """Calls that are begun, and told."""

    QUICK = "/t.T/Quick"

    @pytest.fixture
    def told(self) -> list[core_pb2.StringList | str]:
        return []

    @pytest.fixture
    def begin(self, told: list[core_pb2.StringList | str]) -> Callable[..., bool]:
        def quick(call: Call, payload: bytes, tell: Tell) -> bool:
            request = core_pb2.StringList.FromString(payload)
            word = request.values[0]
            if word == "not mine":
                return False
            if word == "broken":
                raise ZeroDivisionError
            if word == "fault":
                tell(InvalidArgumentError("values", "is odd"))
            elif word == "later":
                self.later.append(tell)
            else:
                tell(request)
            return True

        async def handler(call: Call, request: core_pb2.StringList) -> core_pb2.StringList:
            return request

        def tell(result: Message | StatusError) -> None:
            assert isinstance(result, core_pb2.StringList | StatusError)
            told.append(result if not isinstance(result, StatusError) else code_pb2.Code.Name(result.status.code))

        self.later: list[Tell] = []
        self.pipeline = Pipeline(
            {self.QUICK: Method(core_pb2.StringList, handler, quick), ECHO: Method(core_pb2.StringList, handler)},
            calls_max=2,
        )

        def begin(word: str | bytes, method: str = self.QUICK, **call: float) -> bool:
            payload = word if isinstance(word, bytes) else core_pb2.StringList(values=[word]).SerializeToString()
            return self.pipeline.begin(Call(method, **call), payload, tell)  # type: ignore[arg-type]

        return begin

    def test_an_answer_and_faults(self, begin: Callable[..., bool], told: list[core_pb2.StringList | str]) -> None:
        assert all(begin(word) for word in ("a", "broken", "fault"))
        assert told == [core_pb2.StringList(values=["a"]), "INTERNAL", "INVALID_ARGUMENT"]
        assert self.pipeline.calls == 0

    def test_what_is_for_serve(self, begin: Callable[..., bool], told: list[core_pb2.StringList | str]) -> None:
        assert not begin("not mine")
        assert not begin("a", ECHO)
        assert not begin("a", "/t.T/Unknown")
        assert not begin(b"\xff\xff")  # `decode` says what is wrong with it
        assert not told and self.pipeline.calls == 0

    def test_deadlines_places_and_draining(
        self, begin: Callable[..., bool], told: list[core_pb2.StringList | str]
    ) -> None:
        assert begin("a", deadline=time.monotonic() - 1)
        assert begin("later") and begin("later") and begin("a")
        assert told == ["DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"] and self.pipeline.calls == 2
        self.later[0](REQUEST)
        assert told[2:] == [REQUEST] and self.pipeline.calls == 1
        self.pipeline.draining = True
        assert begin("a")
        assert told[3:] == ["UNAVAILABLE"]
        self.later[1](REQUEST)
        assert self.pipeline.calls == 0
