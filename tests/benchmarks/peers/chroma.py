"""Chroma's server, asked by its Python client over HTTP.

    python chroma.py ROWS.npy QUERIES.npy TRUTH.npy --in-flight 1,16 --seconds 5 --folder FOLDER

Runs in the peers' virtual environment (requirements.txt). ef_search is the least of a ladder that finds .95 of the
true neighbours. One JSON line for each number of clients.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import chromadb
import numpy as np

K = 10
TARGET = 0.95
ROUNDS = 3
_CHUNK = 5_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("truth", type=Path, help="scores of the true neighbours, (n, 10)")
    parser.add_argument("--in-flight", default="1,16")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    rows, queries, truth = np.load(arguments.rows), np.load(arguments.queries), np.load(arguments.truth)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "chroma"
    command = [str(program), "run", "--host", "127.0.0.1", "--port", str(port), "--path", str(arguments.folder / "db")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client = connected(port)
        began = time.perf_counter()
        collection = fill(client, rows)
        seconds = time.perf_counter() - began
        ef_search, recall = tuned(collection, rows, queries, truth)
        for clients in map(int, arguments.in_flight.split(",")):
            speeds = [ask(port, queries, clients, arguments.seconds) for _ in range(ROUNDS)]
            line = {
                "server": "Chroma by its Python client",
                "in_flight": clients,
                "recall": round(recall, 4),
                "calls_per_second": float(np.median(speeds)),
                "ef_search": ef_search,
                "build_seconds": round(seconds, 1),
            }
            print(json.dumps(line), flush=True)
    finally:
        server.terminate()
        server.wait(30)


def connected(port: int) -> chromadb.ClientAPI:
    end = time.monotonic() + 60
    while True:
        try:
            return chromadb.HttpClient(host="127.0.0.1", port=port)
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def fill(client: chromadb.ClientAPI, rows: np.ndarray) -> chromadb.Collection:
    """The collection, of earlier runs if it is there."""
    collection = client.get_or_create_collection("glosses", configuration={"hnsw": {"space": "cosine"}})
    for begin in range(collection.count(), len(rows), _CHUNK):
        part = rows[begin : begin + _CHUNK]
        collection.add(ids=[str(begin + number) for number in range(len(part))], embeddings=part)
    return collection


def tuned(
    collection: chromadb.Collection, rows: np.ndarray, queries: np.ndarray, truth: np.ndarray
) -> tuple[int, float]:
    for ef_search in (50, 100, 150, 200, 300, 400, 600):
        collection.modify(configuration={"hnsw": {"ef_search": ef_search}})
        sample = range(0, len(queries), 4)
        found = 0
        for number in sample:
            hits = collection.query(query_embeddings=queries[number : number + 1], n_results=K, include=[])["ids"][0]
            scores = rows[list(map(int, hits))] @ queries[number]
            found += int((scores >= truth[number, -1] - 1e-5).sum())
        recall = found / (len(sample) * K)
        if recall >= TARGET:
            return ef_search, recall
    sys.exit("Chroma does not reach the target")


def ask(port: int, queries: np.ndarray, clients: int, seconds: float) -> float:
    """Searches a second, a client for each thread."""
    collections = [connected(port).get_collection("glosses") for _ in range(clients)]
    end = time.perf_counter() + seconds

    def one(collection: chromadb.Collection, begin: int) -> int:
        asked = 0
        while time.perf_counter() < end:
            number = (begin + asked) % len(queries)
            vectors = queries[number : number + 1]
            hits = collection.query(query_embeddings=vectors, n_results=K, include=["distances"])
            assert len(hits["ids"][0]) == K
            asked += 1
        return asked

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(one, collections, range(0, 97 * clients, 97))) / seconds


if __name__ == "__main__":
    main()
