"""How an index's build time, size and speed grow with the rows: 10,000, 100,000 and a million of 128 dimensions.

    python tests/benchmarks/bench_scale.py --cache FOLDER [--data ../shared/data] [--sizes 10000,100000,1000000]

Sentences reduced to their principal components, and mixtures of neighbours (data_sets.py). 1,000 rows are held out as
queries. One JSON line for each index and size; the index that `--index auto` takes is named in each.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from bench_sweep import TARGET
from data_sets import many_sentences
from index_measuring import build_index, cost_at, measured, truth_of
from reporting import ROOT, commit, dataset, pyplot, save

from vecinity.indexer.ann import FLAT_NUMBERS_MAX, Family, IndexSpec
from vecinity.indexer.calibration import hold_out
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.metric import Metric
from vecinity.indexer.tournament import Fixed, Limits, run_tournament
from vecinity.indexer.tournament.candidates import first_candidates

DIMENSION = 128
QUERIES = 1_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    lines: list[dict[str, Any]] = []
    sizes = [int(size) for size in arguments.sizes.split(",")]
    every = many_sentences(max(sizes) + QUERIES, DIMENSION, arguments.data, arguments.cache)
    for size in sizes:
        for line in measure(every[:QUERIES], every[QUERIES : QUERIES + size], arguments.repeats):
            lines.append(line)
            print(json.dumps(line), flush=True)
    if arguments.plot:
        plot(lines, arguments.plot)
    return 0


def measure(queries: np.ndarray, vectors: np.ndarray, repeats: int) -> list[dict[str, Any]]:
    rows, dimension = vectors.shape
    truth = truth_of(queries, vectors)
    if rows * dimension <= FLAT_NUMBERS_MAX:
        auto, entry = IndexSpec(Family.FLAT), None
    else:
        held = run_tournament(vectors, Metric.COSINE, hold_out(rows, 1, dimension), Limits(TARGET))
        auto, entry = held.entries[0].spec, held.entries[0]
    lines = []
    firsts = [spec for spec in first_candidates(rows, dimension, Fixed()) if spec.family is not Family.IVF_FLAT]
    for spec in dict.fromkeys([*firsts, *([auto] if auto.family is not Family.FLAT else [])]):
        built = build_index(spec, vectors, available_cpus())
        points = measured(built, queries, truth, 0.9, repeats)
        costs = {cost: cost_at(points, TARGET, cost) for cost in ("single_us", "batch_us", "query_us")}
        speed = {name: value and round(1e6 / value) for name, value in costs.items()}
        lines.append(
            {
                "benchmark": "scale",
                "commit": commit(),
                "dataset": dataset(vectors.data),
                "threads": available_cpus(),
                "rows": rows,
                "dimension": dimension,
                "index": spec.description,
                "family": spec.family.value,
                "auto": auto.description,
                "recall": TARGET,
                "single_queries_per_second": speed["single_us"],
                "batch_queries_per_second": speed["batch_us"],
                "build_seconds": round(built.build_seconds, 2),
                "build_cpu_seconds": round(built.build_cpu_seconds, 2),
                "index_bytes": built.index_bytes,
                "query_us": costs["query_us"] and round(costs["query_us"], 1),
                **(
                    {
                        "query_us_expected": round(entry.query_us, 1),
                        "build_seconds_expected": round(entry.build_seconds, 2),
                        "tournament_seconds": held.seconds,
                    }
                    if entry is not None and spec == auto
                    else {}
                ),
            }
        )
        sys.stderr.write(f"{rows:,} {spec.description}\n")
    return lines


def plot(lines: list[dict[str, Any]], path: Path) -> None:
    """Three panels over the rows: speed, build time, size; what auto took is ringed."""
    figure, axes = pyplot().subplots(1, 3, figsize=(13, 4))
    for axis, name, title in zip(
        axes,
        ("batch_queries_per_second", "build_cpu_seconds", "index_bytes"),
        (
            f"queries a second at recall {TARGET}, one thread, batches of 64",
            "processor seconds to build",
            "bytes of the index",
        ),
        strict=True,
    ):
        for family in dict.fromkeys(line["family"] for line in lines):
            of_family = [line for line in lines if line["family"] == family and line[name]]
            best: dict[int, dict[str, Any]] = {}
            for line in of_family:  # of several settings, the one that auto took
                if line["rows"] not in best or line["index"] == line["auto"]:
                    best[line["rows"]] = line
            axis.plot([*best], [line[name] for line in best.values()], marker=".", label=family)
            taken = [line for line in best.values() if line["index"] == line["auto"]]
            axis.scatter([t["rows"] for t in taken], [t[name] for t in taken], s=90, facecolors="none", edgecolors="k")
        axis.set(xlabel="rows", title=title, xscale="log", yscale="log")
        axis.title.set_fontsize("small")
    axes[0].legend(title="ringed: taken by auto")
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
