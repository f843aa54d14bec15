from __future__ import annotations

import asyncio
import time

import pytest
from google.rpc import code_pb2

from vecinity.service.call import Call
from vecinity.service.errors import DeadlineError
from vecinity.service.handlers import Method
from vecinity.service.pipeline import Pipeline, StatusError
from vecinity.v1 import core_pb2

ECHO, SLOW, BROKEN = "/t.T/Echo", "/t.T/Slow", "/t.T/Broken"


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
    methods = {name: Method(core_pb2.StringList, handler) for name, handler in handlers.items()}
    return Pipeline(methods, calls_max=2)


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
