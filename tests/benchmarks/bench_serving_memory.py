"""What a server takes in memory: for a connection, and for one more worker over a large collection.

    python tests/benchmarks/bench_serving_memory.py --cache FOLDER [--data ../shared/data] [--rows 1000000]

The collection is of rows × 384, sentences and mixtures of neighbours (data_sets.py), in an ivf-pq index. Connections
are opened and asked one search each over HTTP/2, and then left alone. Also how long it takes from the start of `serve`
until the first search is answered. One JSON line for each.

Of a process, three figures: RSS, with every page it has touched of files that all workers share; PSS, where a shared
page counts in equal parts for all who have it; and the anonymous memory, which is its own.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hpack
import hyperframe.frame as frames
import numpy as np
from bench_serving import SEARCH, K
from commands import vecinity
from data_sets import many_sentences
from reporting import ROOT, commit

from vecinity.client import Client
from vecinity.v1 import core_pb2, search_service_pb2

COLLECTION = "many"
DIMENSION = 384
SEARCHES = 2_000
CONNECTION_BYTES = 8 << 10
IDLE_BYTES = 100 << 20
WORKER_BYTES = 100 << 20
OPEN_SECONDS = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=1_000)
    arguments = parser.parse_args()
    data_dir, queries = build(arguments)
    common = {"benchmark": "serving_memory", "commit": commit(), "rows": arguments.rows, "dimension": DIMENSION}
    for line in (*of_connections(data_dir, queries, arguments.connections), *of_workers(data_dir, queries)):
        print(json.dumps({**common, **line}), flush=True)
    return 0


def build(arguments: argparse.Namespace) -> tuple[Path, np.ndarray]:
    data_dir = arguments.cache / f"many-{arguments.rows}"
    vectors = many_sentences(arguments.rows, DIMENSION, arguments.data, arguments.cache)
    if not (data_dir / "catalog.db").exists():
        source = arguments.cache / f"sentences-{arguments.rows}x{DIMENSION}.npy"
        command = vecinity(
            "build", COLLECTION, source, "--embedder", "none", "--index", "ivf-pq", "--data-dir", data_dir
        )
        subprocess.run(command, check=True, stdout=sys.stderr)
    chosen = np.random.default_rng(3).choice(len(vectors), SEARCHES, replace=False)
    return data_dir, np.ascontiguousarray(vectors[np.sort(chosen)])


def of_connections(data_dir: Path, queries: np.ndarray, count: int) -> Iterator[dict[str, Any]]:
    with serving(data_dir, 1) as (address, process, _):
        ask(address, queries)
        (worker,) = workers(process)
        before = memory(worker)
        made = [asking(address, queries[number % len(queries)]) for number in range(count)]
        time.sleep(1)
        after = memory(worker)
        for each in made:
            each.close()
    taken = after["anonymous"] - before["anonymous"]
    yield {
        "what": f"{count} connections, a search on each, idle",
        **claimed("bytes of a connection", taken / count, CONNECTION_BYTES),
    }
    yield {
        "what": f"{count} connections, a search on each, idle",
        **claimed("bytes of them all", taken, IDLE_BYTES),
    }


def of_workers(data_dir: Path, queries: np.ndarray) -> Iterator[dict[str, Any]]:
    with serving(data_dir, 2) as (address, process, seconds):
        ask(address, queries)
        found = [memory(worker) for worker in workers(process)]
    least = min(found, key=lambda each: each["anonymous"])
    yield {
        "what": "the second of two workers",
        **{f"{name}_mb": round(value / 1e6, 1) for name, value in least.items()},
        **claimed("bytes of its own", least["anonymous"], WORKER_BYTES),
    }
    yield {
        "what": "two workers, from the start of serve to the first answer",
        **claimed("seconds", seconds, OPEN_SECONDS),
    }


def claimed(claim: str, ours: float, target: float) -> dict[str, Any]:
    return {"claim": claim, "ours": round(ours, 2), "target": target, "met": ours <= target}


@contextmanager
def serving(data_dir: Path, count: int) -> Iterator[tuple[str, int, float]]:
    """A server: its address, its process, and the seconds from its start until a search was answered."""
    began = time.perf_counter()
    command = vecinity("serve", "--data-dir", data_dir, "--listen", "127.0.0.1:0", "--workers", count)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().split()[-1]
        with Client(address) as client:
            client.search(COLLECTION, vector=np.ones(DIMENSION, dtype=np.float32), k=1)
            seconds = time.perf_counter() - began
        yield address, process.pid, seconds
    finally:
        process.terminate()
        process.wait(30)


def ask(address: str, queries: np.ndarray) -> None:
    """Searches on several connections, so that each worker has some."""
    clients = [Client(address) for _ in range(4)]
    for client, part in zip(clients, np.array_split(queries, 4), strict=True):
        client.batch_search(COLLECTION, vectors=part, k=K)
        for vector in part[:100]:
            client.search(COLLECTION, vector=vector, k=K)
    for client in clients:
        client.close()
    time.sleep(1)


def asking(address: str, query: np.ndarray) -> socket.socket:
    """A connection on which one search has been answered."""
    host, _, port = address.rpartition(":")
    made = socket.create_connection((host, int(port)), timeout=10)
    vector = core_pb2.Vector(packed=query.astype("<f4").tobytes())
    request = search_service_pb2.SearchRequest(collection=COLLECTION, query=core_pb2.Query(vector=vector), k=K)
    payload = request.SerializeToString()
    headers = [
        (":method", "POST"), (":scheme", "http"), (":path", SEARCH), (":authority", address), ("te", "trailers"),
        ("content-type", "application/grpc"), ("user-agent", "grpc-python/1.80"),
    ]  # fmt: skip
    head = frames.HeadersFrame(1, hpack.Encoder().encode(headers), flags=("END_HEADERS",))
    body = frames.DataFrame(1, b"\0" + len(payload).to_bytes(4, "big") + payload, flags=("END_STREAM",))
    parts = (frames.SettingsFrame(0), frames.SettingsFrame(0, flags=("ACK",)), head, body)
    made.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"".join(part.serialize() for part in parts))
    received = b""
    while b"grpc-status" not in received and not received.endswith(b"\x010"):
        chunk = made.recv(1 << 16)
        if not chunk:
            sys.exit("the server closed a connection")
        received += chunk
        if len(received) > 150:  # SETTINGS and a whole answer
            break
    return made


def workers(process: int) -> list[int]:
    """The processes that serve: the supervisor's, or the process itself where it has none."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    found = [int(child) for child in listed if b"service.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return found or [process]


def memory(process: int) -> dict[str, int]:
    """Bytes: RSS, PSS and anonymous."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:])
    names = {"rss": "Rss", "pss": "Pss", "anonymous": "Anonymous"}
    return {name: int(fields[field].split()[0]) << 10 for name, field in names.items()}


if __name__ == "__main__":
    sys.exit(main())
