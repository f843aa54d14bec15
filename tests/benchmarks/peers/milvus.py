"""Milvus Lite's server, asked by pymilvus over gRPC.

    python milvus.py ROWS.npy QUERIES.npy TRUTH.npy --in-flight 1,16 --seconds 5 --folder FOLDER

Runs in the peers' virtual environment (requirements.txt). HNSW with Milvus's own defaults; ef is the least of a ladder
that finds .95 of the true neighbours. One JSON line for each number of clients.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pymilvus import DataType, MilvusClient

K = 10
TARGET = 0.95
ROUNDS = 3
_CHUNK = 5_000
_NAME = "glosses"


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
    client = MilvusClient(str(arguments.folder / "milvus.db"))
    began = time.perf_counter()
    fill(client, rows)
    seconds = time.perf_counter() - began
    ef, recall = tuned(client, rows, queries, truth)
    for clients in map(int, arguments.in_flight.split(",")):
        speeds = [ask(client, ef, queries, clients, arguments.seconds) for _ in range(ROUNDS)]
        line = {
            "server": "Milvus Lite by its Python client",
            "in_flight": clients,
            "recall": round(recall, 4),
            "calls_per_second": float(np.median(speeds)),
            "ef_search": ef,
            "build_seconds": round(seconds, 1),
        }
        print(json.dumps(line), flush=True)
    client.close()


def fill(client: MilvusClient, rows: np.ndarray) -> None:
    """The collection, of earlier runs if it is there."""
    if not client.has_collection(_NAME):
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=rows.shape[1])
        client.create_collection(_NAME, schema=schema)
        for begin in range(0, len(rows), _CHUNK):
            part = rows[begin : begin + _CHUNK]
            client.insert(_NAME, [{"id": begin + number, "vector": row} for number, row in enumerate(part)])
        client.flush(_NAME)
        index = client.prepare_index_params()
        index.add_index("vector", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 200})
        client.create_index(_NAME, index)
    client.load_collection(_NAME)


def tuned(client: MilvusClient, rows: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> tuple[int, float]:
    for ef in (30, 50, 100, 150, 200, 300, 400, 600):
        sample = range(0, len(queries), 4)
        found = 0
        for number in sample:
            hits = search(client, ef, queries[number])
            scores = rows[[hit["id"] for hit in hits]] @ queries[number]
            found += int((scores >= truth[number, -1] - 1e-5).sum())
        recall = found / (len(sample) * K)
        if recall >= TARGET:
            return ef, recall
    sys.exit("Milvus Lite does not reach the target")


def search(client: MilvusClient, ef: int, query: np.ndarray) -> list[dict[str, int]]:
    parameters = {"metric_type": "COSINE", "params": {"ef": ef}}
    return list(client.search(_NAME, [query], limit=K, search_params=parameters)[0])


def ask(client: MilvusClient, ef: int, queries: np.ndarray, clients: int, seconds: float) -> float:
    """Searches a second, from as many threads."""
    end = time.perf_counter() + seconds

    def one(begin: int) -> int:
        asked = 0
        while time.perf_counter() < end:
            assert len(search(client, ef, queries[(begin + asked) % len(queries)])) == K
            asked += 1
        return asked

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(one, range(0, 97 * clients, 97))) / seconds


if __name__ == "__main__":
    main()
