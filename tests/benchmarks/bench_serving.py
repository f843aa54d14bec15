"""Searches a second over the network, with recall beside each; peers on the same data in the same run.

    python tests/benchmarks/bench_serving.py --cache FOLDER [--data ../shared/data] [--only unary,raw,…] [--seconds 4]

115,659 definitions of WordNet, embedded by MiniLM (384 dimensions); 2,000 others are asked in turn, k = 10, at the
default target of .95. The load generator (load/load.cc, `make build/load`) runs on the same processors. Each figure is
the median of three runs. One JSON line each.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from commands import running, vecinity
from data_sets import glosses
from google.protobuf.message import Message
from reporting import ROOT, commit, dataset, pyplot, save

from vecinity.client import Client
from vecinity.indexer.ann import exact_scores
from vecinity.indexer.ann.mapped_blocks import read_blocks
from vecinity.indexer.evaluation import recall_at_k_with_ties
from vecinity.indexer.metric import Metric, prepare
from vecinity.v1 import core_pb2, search_service_pb2

HERE = Path(__file__).parent
COLLECTION = "glosses"
SEARCH, BATCH_SEARCH = "/vecinity.v1.SearchService/Search", "/vecinity.v1.SearchService/BatchSearch"
HELD_OUT = 2_000
K = 10
ROUNDS = 3
IN_FLIGHT = {1: (1, 1), 16: (8, 2), 64: (16, 4), 256: (32, 8)}
"""Calls under way: connections, and streams on each."""

Measured = dict[str, Any]
ECHO = "empty grpc.aio echo, 2 processes"
RAW = "raw FAISS, 2 threads"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--only", default="unary,raw,batches,open,pgvector,chroma,milvus")
    parser.add_argument("--peers", type=Path, help="python of the virtual environment with peers/requirements.txt")
    parser.add_argument("--in-flight", default="1,16,64,256")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    every = glosses(arguments.data, arguments.cache)
    every = every[np.random.default_rng(1).permutation(len(every))]
    queries, rows = every[:HELD_OUT], every[HELD_OUT:]
    data_dir = build(rows, arguments.cache)
    with serving(data_dir) as address, Client(address) as client:
        truth = np.stack([h.scores for h in client.batch_search(COLLECTION, vectors=queries, k=K, exact=True)])
    requests = arguments.cache / "search.requests"
    write_requests(requests, queries)
    np.save(arguments.cache / "queries.npy", queries)
    common = {
        "benchmark": "serving",
        "commit": commit(),
        "dataset": dataset(rows.data),
        "cpus": len(os.sched_getaffinity(0)),
    }
    lines: list[Measured] = []

    def report(made: Iterable[Measured]) -> None:
        for line in made:
            lines.append(line)
            print(json.dumps({**common, **line}), flush=True)

    steps: dict[str, Callable[[], Iterable[Measured]]] = {
        "unary": lambda: unary(data_dir, requests, truth, arguments),
        "raw": lambda: [raw(data_dir, queries, truth)],
        "batches": lambda: batches(data_dir, queries, truth, arguments),
        "open": lambda: open_loop(data_dir, requests, arguments.cache, arguments.seconds),
        "pgvector": lambda: peer("pgvector", arguments, rows, queries, truth),
        "chroma": lambda: peer("chroma", arguments, rows, queries, truth),
        "milvus": lambda: peer("milvus", arguments, rows, queries, truth),
    }
    for step in arguments.only.split(","):
        if step in ("pgvector", "chroma", "milvus") and not arguments.peers:
            continue
        report(steps[step]())
    report(claims(lines))
    if arguments.plot:
        plot(lines, arguments.plot)
    return 0


def unary(data_dir: Path, requests: Path, truth: np.ndarray, arguments: argparse.Namespace) -> Iterator[Measured]:
    """Single calls to servers that run at once, each asked in turn: the machine's speed changes by the minute."""
    servers = {
        "vecinity, nghttp2": lambda: serving(data_dir, "--edge", "nghttp2"),
        "vecinity, grpcio": lambda: serving(data_dir, "--edge", "grpcio"),
        ECHO: echoing,
    }
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(start()) for name, start in servers.items()}
        for level in map(int, arguments.in_flight.split(",")):
            runs: dict[str, list[Measured]] = {name: [] for name in servers}
            for _ in range(ROUNDS):
                for name, address in addresses.items():
                    answers = arguments.cache / f"answers {name}"
                    runs[name].append(load(address, requests, answers, IN_FLIGHT[level], arguments.seconds))
            for name, each in runs.items():
                line = {key: statistics.median(run[key] for run in each) for key in each[0]}
                found = None if name == ECHO else recall_of(arguments.cache / f"answers {name}", truth)
                yield {"server": name, "in_flight": level, "recall": found, **line}
        yield from python_clients(addresses["vecinity, nghttp2"], np.load(arguments.cache / "queries.npy"), arguments)


def python_clients(address: str, queries: np.ndarray, arguments: argparse.Namespace) -> Iterator[Measured]:
    """Searches by our Python client, a connection for each thread."""
    for count in (1, 16):
        clients = [Client(address) for _ in range(count)]
        speeds = []
        for _ in range(ROUNDS):
            end = time.perf_counter() + arguments.seconds

            def ask(client: Client, begin: int, end: float = end) -> int:
                asked = 0
                while time.perf_counter() < end:
                    client.search(COLLECTION, vector=queries[(begin + asked) % len(queries)], k=K)
                    asked += 1
                return asked

            with ThreadPoolExecutor(count) as pool:
                speeds.append(sum(pool.map(ask, clients, range(0, 97 * count, 97))) / arguments.seconds)
        for client in clients:
            client.close()
        yield {
            "server": "vecinity by its Python client",
            "in_flight": count,
            "calls_per_second": round(statistics.median(speeds)),
        }


def claims(lines: Sequence[Measured]) -> Iterator[Measured]:
    """What these figures come to, beside what they should; only of what was measured."""

    def of(server: str, key: str, **wanted: object) -> float | None:
        found = [line[key] for line in lines if line["server"] == server and wanted.items() <= line.items()]
        return float(max(found)) if found else None

    calls = "calls_per_second"
    batched = {size: of(RAW, f"queries_per_second_in_batches_of_{size}") for size in (64, 100, 1_000)}
    pairs = [
        ("searches a second, ours by an empty gRPC server's", of("vecinity, nghttp2", calls), of(ECHO, calls), 2.2),
        ("searches a second, ours by raw FAISS in batches of 64", of("vecinity, nghttp2", calls), batched[64], 0.65),
        ("over grpcio by an empty gRPC server's", of("vecinity, grpcio", calls), of(ECHO, calls), 1.0),
        (
            "median of a lone client, grpcio's by nghttp2's",
            of("vecinity, grpcio", "p50_ms", in_flight=1),
            of("vecinity, nghttp2", "p50_ms", in_flight=1),
            1 / 0.65,
        ),
        (
            "BatchSearch of 1,000 by raw FAISS in batches of 1,000",
            of("vecinity, BatchSearch of 1000", "queries_per_second"),
            batched[1_000],
            0.9,
        ),
        (
            "BatchSearch of 100 by raw FAISS in batches of 100",
            of("vecinity, BatchSearch of 100", "queries_per_second"),
            batched[100],
            0.75,
        ),
        (
            "BatchSearch of 100 by raw FAISS in batches of 1,000",
            of("vecinity, BatchSearch of 100", "queries_per_second"),
            batched[1_000],
            0.75,
        ),
        ("each at its best, by pgvector's", of("vecinity, nghttp2", calls), of("pgvector by pgbench", calls), 4.5),
        (
            "16 calls under way, by pgvector's",
            of("vecinity, nghttp2", calls, in_flight=16),
            of("pgvector by pgbench", calls, in_flight=16),
            3.5,
        ),
        (
            "a Python client each, 16 threads, by pgvector's",
            of("vecinity by its Python client", calls, in_flight=16),
            of("pgvector by psycopg", calls, in_flight=16),
            2.0,
        ),
        (
            "a Python client each, 16 threads, by Chroma's",
            of("vecinity by its Python client", calls, in_flight=16),
            of("Chroma by its Python client", calls, in_flight=16),
            1.0,
        ),
        (
            "a Python client each, 16 threads, by Milvus Lite's",
            of("vecinity by its Python client", calls, in_flight=16),
            of("Milvus Lite by its Python client", calls, in_flight=16),
            1.0,
        ),
    ]
    for claim, ours, theirs, target in pairs:
        if ours and theirs:
            ratio = ours / theirs
            yield {
                "server": "claim",
                "claim": claim,
                "ours": ours,
                "theirs": theirs,
                "ratio": round(ratio, 3),
                "target": round(target, 3),
                "met": ratio >= target,
            }


def plot(lines: Sequence[Measured], path: Path) -> None:
    """Searches a second against calls under way."""
    figure, axes = pyplot().subplots(figsize=(8, 5))
    by_server: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        if "in_flight" in line and "calls_per_second" in line:
            by_server.setdefault(line["server"], []).append((line["in_flight"], line["calls_per_second"]))
    for server, points in by_server.items():
        axes.plot(*zip(*sorted(points), strict=True), label=server, marker="o")
    axes.set(xscale="log", xlabel="calls under way", ylabel="searches a second", ylim=(0, None))
    axes.legend()
    save(figure, path)


def batches(
    data_dir: Path, queries: np.ndarray, truth: np.ndarray, arguments: argparse.Namespace
) -> Iterator[Measured]:
    """BatchSearch: one call under way, two and four, each on a connection of its own."""
    with serving(data_dir) as address:
        for size in (100, 1_000):
            requests = arguments.cache / f"batches of {size}"
            parts = [queries[begin : begin + size] for begin in range(0, len(queries), size)]
            write_payloads(requests, map(batch_request, parts))
            for under_way in (1, 2, 4):
                answers = arguments.cache / "answers of batches"
                runs = [
                    load(address, requests, answers, (under_way, 1), arguments.seconds, path=BATCH_SEARCH)
                    for _ in range(ROUNDS)
                ]
                yield {
                    "server": f"vecinity, BatchSearch of {size}",
                    "in_flight": under_way,
                    "recall": recall_of(answers, truth, size),
                    "queries_per_second": round(size * statistics.median(run["calls_per_second"] for run in runs)),
                }
            yield from python_batches(address, parts)


def python_batches(address: str, parts: Sequence[np.ndarray]) -> Iterator[Measured]:
    """The same by our Python client, which turns the answers into objects on the same processors."""
    with Client(address) as one, Client(address) as other:
        for clients in ((one,), (one, other)):
            speeds = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                with ThreadPoolExecutor(len(clients)) as pool:
                    tasks = [
                        pool.submit(client.batch_search, COLLECTION, vectors=part, k=K)
                        for _ in range(4)
                        for client, part in zip(clients * len(parts), parts, strict=False)
                    ]
                    for task in tasks:
                        task.result()
                speeds.append(4 * sum(map(len, parts)) / (time.perf_counter() - began))
            yield {
                "server": f"vecinity, BatchSearch of {len(parts[0])} by its Python client",
                "in_flight": len(clients),
                "queries_per_second": round(statistics.median(speeds)),
            }


def open_loop(data_dir: Path, requests: Path, cache: Path, seconds: float) -> Iterator[Measured]:
    """Latency at a constant rate: shares of what the server can, nearly all of it at last; and of an empty server's."""
    for name, start, shares in (
        ("vecinity", lambda: serving(data_dir), (0.5, 0.8, 0.95)),
        (ECHO, echoing, (0.5,)),
    ):
        with start() as address:
            answers = cache / "answers"
            most = load(address, requests, answers, IN_FLIGHT[64], seconds)["calls_per_second"]
            for share in shares:
                runs = [
                    load(address, requests, answers, IN_FLIGHT[64], seconds, rate=share * most) for _ in range(ROUNDS)
                ]
                line = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                yield {"server": f"{name}, open loop", "share_of_capacity": share, "capacity": round(most), **line}


def peer(
    name: str, arguments: argparse.Namespace, rows: np.ndarray, queries: np.ndarray, truth: np.ndarray
) -> Iterator[Measured]:
    """See peers/."""
    folder = arguments.cache / name
    folder.mkdir(exist_ok=True)
    for part, array in (("rows", rows), ("queries", queries), ("truth", truth)):
        np.save(folder / f"{part}.npy", array)
    files = [str(folder / f"{part}.npy") for part in ("rows", "queries", "truth")]
    options = ["--in-flight", "1,16,64", "--seconds", str(arguments.seconds), "--folder", str(folder)]
    # -P: pgvector.py must not be found in the place of the package it imports.
    command = [str(arguments.peers), "-P", str(HERE / "peers" / f"{name}.py"), *files, *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    yield from map(json.loads, done.stdout.splitlines())


def build(rows: np.ndarray, cache: Path) -> Path:
    """A data directory with the collection, of the index that `auto` takes."""
    data_dir = cache / "serving"
    if not (data_dir / "catalog.db").exists():
        np.save(cache / "serving.npy", rows)
        made = [cache / "serving.npy", "--embedder", "none", "--data-dir", data_dir]
        subprocess.run([*vecinity("build", COLLECTION), *made], check=True, stdout=sys.stderr)
    return data_dir


def serving(data_dir: Path, *options: str) -> AbstractContextManager[str]:
    """A running server; gives its address."""
    return running(vecinity("serve", "--data-dir", data_dir, "--listen", "127.0.0.1:0", *options))


def echoing() -> AbstractContextManager[str]:
    return running([sys.executable, str(HERE / "echo_server.py"), "2", str(K)])


def load(
    address: str, requests: Path, answers: Path, in_flight: tuple[int, int], seconds: float, **more: object
) -> Measured:
    """What the load generator measures, with so many connections and calls under way on each."""
    connections, streams = in_flight
    options = {
        "port": address.rpartition(":")[2],
        "path": SEARCH,
        "requests": requests,
        "connections": connections,
        "streams": streams,
        "seconds": seconds,
        "answers": answers,
        **more,
    }
    command = [
        str(ROOT / "build" / "load"),
        *(str(word) for name, value in options.items() for word in (f"--{name}", value)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 2):  # 2: some calls were refused, which the figures say
        sys.exit(f"load: {done.stdout} {done.stderr}")
    measured: Measured = json.loads(done.stdout)
    return measured


def write_requests(path: Path, queries: np.ndarray) -> None:
    write_payloads(path, map(search_request, queries))


def write_payloads(path: Path, requests: Iterable[Message]) -> None:
    """What the load generator sends, in turn."""
    with path.open("wb") as file:
        for request in requests:
            payload = request.SerializeToString()
            file.write(len(payload).to_bytes(4, "little") + payload)


def search_request(query: np.ndarray) -> Message:
    vector = core_pb2.Vector(packed=query.astype("<f4").tobytes())
    return search_service_pb2.SearchRequest(collection=COLLECTION, query=core_pb2.Query(vector=vector), k=K)


def batch_request(queries: np.ndarray) -> Message:
    block = core_pb2.VectorBlock(count=len(queries), packed=queries.astype("<f4").tobytes())
    return search_service_pb2.BatchSearchRequest(collection=COLLECTION, queries=core_pb2.QueryBatch(vectors=block), k=K)


def recall_of(answers: Path, truth: np.ndarray, batch: int = 0) -> float:
    """recall@10 of the answers that came under load, to Search or to BatchSearch of so many."""
    given, content, at = {}, answers.read_bytes(), 0
    while at < len(content):
        number, length = (int.from_bytes(content[at + i : at + i + 4], "little") for i in (0, 4))
        payload = content[at + 8 : at + 8 + length]
        if batch:
            scores = np.frombuffer(search_service_pb2.BatchSearchResponse.FromString(payload).scores, "<f4")
            given.update(enumerate(scores.reshape(-1, K), number * batch))
        else:
            given[number] = search_service_pb2.SearchResponse.FromString(payload).hits.scores
        at += 8 + length
    places = sorted(given)
    return round(recall_at_k_with_ties(np.array([given[n] for n in places], dtype=np.float32), truth[places]), 4)


def raw(data_dir: Path, queries: np.ndarray, truth: np.ndarray) -> Measured:
    """FAISS alone in this process: the server's own index and effort, re-ranked by FAISS's IndexRefineFlat."""
    import faiss

    with Client.in_process(data_dir) as client:
        plan = client.search(COLLECTION, vector=queries[0], k=K, explain=True).plan
    segment = next((data_dir / "collections" / COLLECTION / "segments").iterdir())
    index = read_blocks(str(segment / "index.faiss"))
    vectors = np.load(segment / "vectors.npy")
    refine = faiss.IndexRefineFlat(index, faiss.swig_ptr(vectors))
    parameters = faiss.IndexRefineSearchParameters(
        k_factor=plan.effort.k_factor, base_index_params=faiss.SearchParametersIVF(nprobe=plan.effort.nprobe)
    )
    queries = prepare(queries, Metric.COSINE)  # as the server does: what differs in the last bit loses what ties

    def search(begin: int, size: int) -> np.ndarray:
        return refine.search(queries[begin : begin + size], K, params=parameters)[1]

    scores = -np.sort(-exact_scores(queries, vectors, search(0, len(queries)), Metric.COSINE), axis=1)
    line: Measured = {"server": RAW, "recall": round(recall_at_k_with_ties(scores, truth), 4)}
    for size in (1, 64, 100, 1_000):
        speeds = []
        for _ in range(ROUNDS):
            with ThreadPoolExecutor(2, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
                began = time.perf_counter()
                for _ in range(4):
                    list(pool.map(lambda begin, size=size: search(begin, size), range(0, len(queries), size)))
                speeds.append(4 * len(queries) / (time.perf_counter() - began))
        line[f"queries_per_second_in_batches_of_{size}"] = round(statistics.median(speeds))
    return line


if __name__ == "__main__":
    sys.exit(main())
