"""An edge around a pipeline of small methods, for tests of edges: in a thread, or in a process of its own.

    python edge_server.py LIMITS

serves until its standard input ends, and writes a line with what it holds for each line that it reads.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vecinity.service.call import Call
from vecinity.service.config import Config
from vecinity.service.edge.nghttp2.edge import Nghttp2Edge
from vecinity.service.edge.nghttp2.limits import EdgeLimits
from vecinity.service.edge.nghttp2.stream import Stream
from vecinity.service.handlers.method import Method, StreamMethod
from vecinity.service.pipeline import Pipeline
from vecinity.v1 import core_pb2

Strings = core_pb2.StringList
SERVICE = "/vecinity.test.Edge/"
ECHO, NAP, SLOW, BROKEN, WHO, BIG, PARTS, ENDLESS, LATE_FAULT = (
    SERVICE + name for name in ("Echo", "Nap", "Slow", "Broken", "Who", "Big", "Parts", "Endless", "LateFault")
)
BIDI, COLLECT = SERVICE + "Bidi", SERVICE + "Collect"


class EdgeServer:
    """A running edge.

    Attributes:
        kind: "grpcio" or "nghttp2".
        target: host:port.
        cancelled: How many calls of Slow and Endless have been cancelled.
        made: How many parts Endless has made.
    """

    def __init__(self, kind: str, config: Config) -> None:
        self.kind = kind
        self.config = config
        self.cancelled = 0
        self.made = 0
        self.target = ""
        self.edge: Any
        self.pipeline: Pipeline
        self.loop: asyncio.AbstractEventLoop

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.target.rpartition(":")
        return host, int(port)

    def methods(self) -> dict[str, Method | StreamMethod]:
        async def echo(call: Call, request: Strings) -> Strings:
            return request

        async def nap(call: Call, request: Strings) -> Strings:
            await asyncio.sleep(0.02)
            return request

        async def slow(call: Call, request: Strings) -> Strings:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return request

        async def broken(call: Call, request: Strings) -> Strings:
            raise ZeroDivisionError

        async def who(call: Call, request: Strings) -> Strings:
            left = call.remaining()
            metadata = [f"{key}={value!r}" for key, value in sorted(call.metadata.items())]
            return Strings(values=[call.method, call.peer, "" if left is None else f"{left:.3f}", *metadata])

        async def big(call: Call, request: Strings) -> Strings:
            return Strings(values=["x" * int(request.values[0])])

        async def parts(call: Call, request: Strings) -> AsyncGenerator[Strings, None]:
            for number in range(int(request.values[0])):
                yield Strings(values=[str(number)])

        async def endless(call: Call, request: Strings) -> AsyncGenerator[Strings, None]:
            try:
                while True:
                    self.made += 1
                    yield Strings(values=["y" * (64 << 10)])
            finally:
                self.cancelled += 1

        async def late_fault(call: Call, request: Strings) -> AsyncGenerator[Strings, None]:
            yield request
            raise ZeroDivisionError

        unary = {ECHO: echo, NAP: nap, SLOW: slow, BROKEN: broken, WHO: who, BIG: big}
        streams = {PARTS: parts, ENDLESS: endless, LATE_FAULT: late_fault}
        return {
            **{name: Method(Strings, handler) for name, handler in unary.items()},
            **{name: StreamMethod(Strings, handler) for name, handler in streams.items()},
        }

    def sync(self, work: Any, seconds: float = 20) -> Any:
        """Run a coroutine on the edge's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def another_edge(self) -> Any:
        """A second edge of the same kind, neither bound nor started."""

        async def make() -> Any:
            return type(self.edge)(self.pipeline, self.config)

        return self.sync(make())

    def streams(self) -> int:
        """Calls begun on connections that are open."""

        async def look() -> int:
            return sum(len(connection.session.streams) for connection in self.edge.connections)

        return int(self.sync(look()))

    def held(self) -> int:
        """Bytes that the edge holds for its clients."""

        async def look() -> int:
            return int(self.edge.held.total)

        return int(self.sync(look()))


async def _bidi(call: Call, messages: AsyncIterator[bytes], stream: Stream) -> None:
    async for payload in messages:
        await stream.send(payload)


async def _collect(call: Call, messages: AsyncIterator[bytes], stream: Stream) -> None:
    values: list[str] = []
    async for payload in messages:
        values += Strings.FromString(payload).values
    await stream.send(Strings(values=values).SerializeToString())


@contextmanager
def edge_server(
    kind: str = "nghttp2", *, limits: dict[str, Any] | None = None, uvloop: bool = False, **settings: Any
) -> Iterator[EdgeServer]:
    """A server over one edge, on a free port of the loopback address."""
    config = Config(**{"data_dir": Path("unused"), "reflection": True, "calls_max": 64, **settings})
    server = EdgeServer(kind, config)
    server.pipeline = Pipeline(server.methods(), calls_max=config.calls_max)
    ready = threading.Event()
    trouble: list[BaseException] = []
    stop = asyncio.Event()

    async def live() -> None:
        try:
            if kind == "nghttp2":
                chosen = EdgeLimits(**limits) if limits is not None else None
                server.edge = Nghttp2Edge(server.pipeline, config, limits=chosen, raw={BIDI: _bidi, COLLECT: _collect})
            else:
                from vecinity.service.edge.grpcio import GrpcEdge

                server.edge = GrpcEdge(server.pipeline, config)
            server.target = server.edge.bind("127.0.0.1:0")
            await server.edge.start(["words"])
            server.loop = asyncio.get_running_loop()
        except BaseException as error:
            trouble.append(error)
            return
        finally:
            ready.set()
        await stop.wait()
        await server.edge.tell_stopping()
        await server.edge.stop()

    def run() -> None:
        if uvloop:
            import uvloop as library

            library.run(live())
        else:
            asyncio.run(live())

    thread = threading.Thread(target=run, name="edge")
    thread.start()
    ready.wait(30)
    if trouble:
        thread.join()
        raise trouble[0]
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()


class EdgeProcess:
    """A running edge whose memory is its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        host, _, port = self._line().rpartition(":")
        self.address = host, int(port)

    def holds(self) -> tuple[int, int]:
        """Bytes that the edge holds for its clients, and calls under way."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        held, calls = map(int, self._line().split())
        return held, calls

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def edge_process(**limits: Any) -> Iterator[EdgeProcess]:
    """A server over the nghttp2 edge in a process of its own."""
    with subprocess.Popen(
        [sys.executable, __file__, json.dumps(limits)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield EdgeProcess(process)
            process.communicate(timeout=30)
            assert process.returncode == 0
        finally:
            process.kill()


def _main(limits: dict[str, Any]) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # where the log goes
    with edge_server(limits=limits) as server:
        print(server.target, file=answers, flush=True)
        for _ in sys.stdin:
            print(server.held(), server.pipeline.calls, file=answers, flush=True)


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
