"""Recall and speed of MiniLM over the WordNet glosses, asked through gRPC with held-out queries.

    python tests/benchmarks/bench_recall.py [--data ../shared/data] [--data-dir FOLDER]

Builds a collection of 115,659 glosses with the command line (minutes: MiniLM embeds each), keeps 2,000 glosses out,
starts the real server and asks it for the held-out ones: by default, and exactly, which is the truth. One JSON line.
With --data-dir the collection is kept and used again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from commands import running, vecinity
from reporting import ROOT, commit, dataset

from vecinity.client import BatchSearchResult, Client
from vecinity.indexer.evaluation import recall_at_k_with_ties

COLLECTION = "glosses"
HELD_OUT = 2_000
UNARY = 1_000
K = 10
TARGET = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--index", default="auto")
    arguments = parser.parse_args()
    source = arguments.data / "glosses.tsv.gz"
    if not source.exists():
        sys.stderr.write(f"{source} is missing: this benchmark needs it\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        kept, held_out = split(source, Path(folder))
        data_dir = arguments.data_dir or Path(folder) / "data"
        seconds = build(kept, data_dir, arguments.index)
        measured = ask(data_dir, held_out)
    recall = measured["recall"]
    print(
        json.dumps(
            {
                "benchmark": "recall",
                "claim": f"recall@{K} through gRPC on held-out queries",
                "commit": commit(),
                "dataset": dataset(source),
                "threads": len(os.sched_getaffinity(0)),
                "build_seconds": seconds,
                **measured,
                "ours": recall,
                "target": TARGET,
                "met": recall >= TARGET,
            }
        )
    )
    return 0


def split(source: Path, folder: Path) -> tuple[Path, list[str]]:
    """The glosses to index, as a TSV file, and the texts held out."""
    lines = gzip.open(source, "rt", encoding="utf-8").read().splitlines()
    random.Random(1).shuffle(lines)
    kept = folder / "glosses.tsv"
    kept.write_text("".join(f"{line}\n" for line in lines[HELD_OUT:]), encoding="utf-8")
    return kept, [line.split("\t")[3] for line in lines[:HELD_OUT]]


def build(source: Path, data_dir: Path, index: str) -> float:
    """Seconds of the build, 0 if the collection was there."""
    if (data_dir / "catalog.db").exists():
        return 0.0
    began = time.perf_counter()
    columns = ["--columns", "part,offset,word,definition", "--text-column", "definition", "--id-column", "part,offset"]
    where = ["--index", index, "--data-dir", data_dir, "--json"]
    subprocess.run(
        vecinity("build", COLLECTION, source, "--embedder", "minilm", *columns, *where),
        check=True,
        stdout=sys.stderr,
    )
    return round(time.perf_counter() - began, 1)


def ask(data_dir: Path, texts: list[str]) -> dict[str, object]:
    """Recall against the exact answers, and latency one by one and in batches."""
    serving = running(vecinity("serve", "--data-dir", data_dir, "--listen", "127.0.0.1:0"))
    with serving as address, Client(address, timeout=600) as client:
        queries = np.vstack([client.embed(COLLECTION, texts[i : i + 500]).vectors for i in range(0, len(texts), 500)])
        truth = client.batch_search(COLLECTION, vectors=queries, k=K, exact=True)
        client.batch_search(COLLECTION, vectors=queries[:100], k=K)
        began = time.perf_counter()
        found = client.batch_search(COLLECTION, vectors=queries, k=K)
        batch_seconds = time.perf_counter() - began
        times = []
        for query in queries[:UNARY]:
            began = time.perf_counter()
            client.search(COLLECTION, vector=query, k=K)
            times.append((time.perf_counter() - began) * 1e3)
        collection = client.get_collection(COLLECTION)
    cuts = statistics.quantiles(times, n=100)
    return {
        "items": collection.item_count,
        "index": collection.index.description,
        "recall": round(recall_at_k_with_ties(scores_of(found), scores_of(truth)), 4),
        "predicted_recall": round(found.predicted_recall, 4),
        "queries": len(texts),
        "batch_queries_per_second": round(len(texts) / batch_seconds),
        "unary_p50_ms": round(cuts[49], 3),
        "unary_p99_ms": round(cuts[98], 3),
    }


def scores_of(batch: BatchSearchResult) -> np.ndarray:
    return np.stack([hits.scores for hits in batch])


if __name__ == "__main__":
    sys.exit(main())
