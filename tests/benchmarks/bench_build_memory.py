"""Memory, time and disk that `vecinity build` needs for many vectors.

    python tests/benchmarks/bench_build_memory.py --embeddings FILE.npy [--rows 10000000] [--folder FOLDER] [-- OPTIONS]

Makes a .npy of so many vectors of 100 dimensions out of real ones: each is a mixture of a vector, one of its
neighbours and any other, after PCA. It is written in blocks, built with ``--embedder none`` in a process of its own,
and that process is watched. One JSON line.

Pages of mapped files (the source, the segment's vectors) count in a process's RSS while they are in the page cache, and
the kernel takes them back when somebody needs the room. What a build *needs* is its anonymous memory; both are shown.
With --folder the vectors are kept and used again. What follows `--` goes to ``vecinity build``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from commands import vecinity
from reporting import commit

from vecinity.indexer.ann import exact_search
from vecinity.indexer.metric import Metric, normalise

DIMENSION = 100
BASE_ROWS = 30_000
NEIGHBOURS = 8
BLOCK_ROWS = 100_000
POLL_SECONDS = 0.2
LIMIT = 8 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embeddings", type=Path, required=True, help="a 2-d .npy of real embeddings")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("options", nargs="*", help="for vecinity build")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = arguments.folder or Path(temporary)
        vectors = folder / f"mixtures-{arguments.rows}.npy"
        if not vectors.exists():
            write_mixtures(arguments.embeddings, arguments.rows, vectors)
        measured = watch(vectors, Path(temporary) / "data", arguments.options)
    report = {
        "benchmark": "build_memory",
        "claim": f"builds {arguments.rows:,} × {DIMENSION} within 8 GiB",
        "commit": commit(),
        "embeddings": arguments.embeddings.name,
        "threads": os.environ.get("OMP_NUM_THREADS", os.cpu_count()),
        "rows": arguments.rows,
        "dimension": DIMENSION,
        **measured,
        "ours": measured["anonymous_bytes_peak"],
        "target": LIMIT,
        "met": bool(measured["anonymous_bytes_peak"] <= LIMIT),
    }
    print(json.dumps(report))
    return 0 if report["met"] else 1


def write_mixtures(embeddings: Path, rows: int, path: Path) -> None:
    """Mixtures of embeddings, float32 (rows, 100), a block at a time."""
    source = np.load(embeddings, mmap_mode="r")
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(len(source), min(BASE_ROWS, len(source)), replace=False))
    base = np.asarray(source[chosen], dtype=np.float32)
    base -= base.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(base, rowvar=False))
    base = normalise((base @ directions[:, ::-1][:, :DIMENSION]).astype(np.float32))
    _, near = exact_search(base, base, NEIGHBOURS + 1, Metric.COSINE)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, DIMENSION)}
        np.lib.format.write_array_header_1_0(file, header)
        for begin in range(0, rows, BLOCK_ROWS):
            count = min(BLOCK_ROWS, rows - begin)
            one, other = rng.integers(0, len(base), (2, count))
            beside = near[one, rng.integers(1, NEIGHBOURS + 1, count)]
            to_near, to_other = rng.uniform(0, [[1.0], [0.5]], (2, count)).astype(np.float32)
            mixed = base[one] + to_near[:, None] * base[beside] + to_other[:, None] * base[other]
            file.write(mixed.astype("<f4").tobytes())
    unfinished.rename(path)


def watch(vectors: Path, data_dir: Path, options: list[str]) -> dict[str, object]:
    """Build, and see how much memory the process takes meanwhile."""
    command = vecinity("build", "mixtures", vectors, "--embedder", "none", "--json", "--data-dir", data_dir)
    began = time.perf_counter()
    anonymous = resident = 0
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([*command, *options], stdout=output)
        while process.poll() is None:
            try:
                sizes = memory(process.pid)
            except (ProcessLookupError, FileNotFoundError):
                break
            anonymous, resident = max(anonymous, sizes["Anonymous"]), max(resident, sizes["Rss"])
            time.sleep(POLL_SECONDS)
        if process.wait():
            raise SystemExit(f"vecinity build ended with {process.returncode}")
        seconds = time.perf_counter() - began
        output.seek(0)
        report = json.load(output)
    segment = next(data_dir.glob("collections/mixtures/segments/*"))
    return {
        "index": report["index"],
        "recall_at_10": report["recall_at_10_reached"],
        "seconds": round(seconds, 1),
        "anonymous_bytes_peak": anonymous,
        "resident_bytes_peak": resident,
        "segment_bytes": {file.name: file.stat().st_size for file in sorted(segment.iterdir())},
    }


def memory(process: int) -> dict[str, int]:
    """Sizes in bytes, by their names in /proc/PID/smaps_rollup."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    return {name.rstrip(":"): 1024 * int(kib) for name, kib, _ in map(str.split, lines)}


if __name__ == "__main__":
    sys.exit(main())
