"""Where the microseconds of a search go, in one worker without sockets: the edge, what is between, the index.

    python tests/benchmarks/bench_call.py --cache FOLDER [--repeats 15]

The collection and the requests are those of bench_serving, which makes them. Bytes as a client sends them are given to
the edge over libnghttp2, for 64 calls on 16 connections at a time and one by one; what it would write is thrown away.
Processor time of the one thread, the least of several repeats. Three servers: one whose answer is always the same, one
whose index answers at once, and the whole. One JSON line for each.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hpack
import hyperframe.frame as frames
import numpy as np
import structlog
from bench_serving import SEARCH
from reporting import commit

from vecinity.indexer.ann import Index
from vecinity.service.call import Call
from vecinity.service.config import Config
from vecinity.service.edge.nghttp2.connection import Connection
from vecinity.service.edge.nghttp2.edge import Nghttp2Edge
from vecinity.service.event_loop import new_event_loop
from vecinity.service.handlers.method import Method, Tell
from vecinity.service.server import Service
from vecinity.v1 import core_pb2, search_service_pb2

ROUNDS = 16
TOGETHER = {"64 together": (16, 4), "one by one": (1, 1)}
"""Connections, and calls on each in a round."""

WARM = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    config = Config(data_dir=arguments.cache / "serving", reuse_port=True)
    content = (arguments.cache / "search.requests").read_bytes()
    new_event_loop(config).run_until_complete(measure(config, [*requests(content)], arguments.repeats))


async def measure(config: Config, payloads: list[bytes], repeats: int) -> None:
    service = Service(config, embeds_apart=False)
    await service.start()
    gc.collect()
    gc.freeze()
    search_of_index = Index.search
    known = service.pipeline.methods
    search = known[SEARCH]
    assert isinstance(search, Method)
    for server in ("the edge alone", "an index that answers at once", "a search"):
        Index.search = search_of_index  # type: ignore[method-assign]
        methods = dict(known)
        if server == "the edge alone":
            methods[SEARCH] = replace(search, quick=always_the_same())
        elif server == "an index that answers at once":
            Index.search = at_once()  # type: ignore[method-assign]
        service.pipeline.methods = methods
        for name, (connections, streams) in TOGETHER.items():
            for deadline in (False, True):
                edge = Nghttp2Edge(service.pipeline, config)
                edge.loop = asyncio.get_running_loop()
                times = [
                    await one_repeat(edge, payloads, connections, streams, deadline=deadline) for _ in range(repeats)
                ]
                line = {"benchmark": "call", "commit": commit(), "server": server, "calls": name, "deadline": deadline}
                sys.stdout.write(json.dumps({**line, "us": round(min(times), 1)}) + "\n")
                sys.stdout.flush()
    await service.stop()


async def one_repeat(
    edge: Nghttp2Edge, payloads: list[bytes], connections: int, streams: int, *, deadline: bool
) -> float:
    """Microseconds of a call."""
    clients = []
    sockets = [NoSocket() for _ in range(connections)]
    for number, socket in enumerate(sockets):
        client = Connection(edge)
        client.connection_made(socket)
        sent = bytes_of_client(payloads, number, streams, deadline=deadline)
        clients.append((client, [next(sent) for _ in range(ROUNDS + WARM)]))
    seconds = 0.0
    for turn in range(ROUNDS + WARM):
        began = time.thread_time()
        for client, chunks in clients:
            edge.buffer[: len(chunks[turn])] = chunks[turn]
            client.buffer_updated(len(chunks[turn]))
        while any(client.session.streams for client, _ in clients):
            await asyncio.sleep(0)
        if turn >= WARM:
            seconds += time.thread_time() - began
    for client, _ in clients:
        client.connection_lost(None)
    answers = (ROUNDS + WARM) * connections * streams
    assert sum(socket.written for socket in sockets) > 100 * answers, "these are no hits"
    return seconds / (ROUNDS * connections * streams) * 1e6


def always_the_same() -> Callable[[Call, bytes, Tell], bool]:
    hits = core_pb2.Hits(ids=[str(number) for number in range(10)], scores=[0.5] * 10)
    response = search_service_pb2.SearchResponse(hits=hits, version=1)

    def quick(call: Call, payload: bytes, tell: Tell) -> bool:
        tell(response)
        return True

    return quick


def at_once() -> Any:
    scores = np.full((64, 10), 0.5, dtype=np.float32)
    rows = np.random.default_rng(1).integers(0, 100_000, (64, 10))
    return lambda self, queries, *_, **__: (scores[: len(queries)], rows[: len(queries)])


def requests(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        yield content[at + 4 : at + 4 + length]
        at += 4 + length


def bytes_of_client(payloads: list[bytes], number: int, streams: int, *, deadline: bool) -> Iterator[bytes]:
    """What a client sends: first all that a connection begins with, then so many calls at a time."""
    encoder = hpack.Encoder()
    settings = frames.SettingsFrame(0, settings={frames.SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 30})
    window = frames.WindowUpdateFrame(0, window_increment=1 << 30)
    out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings.serialize() + window.serialize()
    headers = [
        (":method", "POST"), (":scheme", "http"), (":path", SEARCH), (":authority", "127.0.0.1:50051"),
        ("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "grpc-c++/1.60"),
        ("grpc-accept-encoding", "identity, deflate, gzip"), *([("grpc-timeout", "30S")] if deadline else []),
    ]  # fmt: skip
    stream, turn = 1, 97 * number
    while True:
        for _ in range(streams):
            payload = payloads[turn % len(payloads)]
            head = frames.HeadersFrame(stream, encoder.encode(headers), flags=("END_HEADERS",))
            body = frames.DataFrame(stream, b"\0" + struct.pack(">I", len(payload)) + payload, flags=("END_STREAM",))
            out += head.serialize() + body.serialize()
            stream, turn = stream + 2, turn + 1
        yield out
        out = b""


class NoSocket(asyncio.Transport):
    """Takes what is written, and forgets it."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += len(data)

    def is_closing(self) -> bool:
        return False


if __name__ == "__main__":
    main()
