"""Every index worth trying on 125,259 sentences, built in full; and how near `--index auto` comes to the best.

    python tests/benchmarks/bench_sweep.py --cache FOLDER [--data ../shared/data] [--out sweep.jsonl] [--plot FILE]

2,000 sentences are held out as queries. One JSON line for each effort of each index into --out, and one for each
comparison, which is also printed.
With --rows fewer sentences are taken: quick, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from data_sets import sentences
from index_measuring import Built, Point, about_target, build_index, cost_at, measured, timed_in_turns, truth_of
from reporting import ROOT, commit, dataset, pyplot, save

from vecinity.indexer.ann import EF_CONSTRUCTION, Family, IndexSpec, Transform, choose_spec
from vecinity.indexer.calibration import hold_out
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.metric import Metric
from vecinity.indexer.tournament import Fixed, Limits, TournamentReport, run_tournament
from vecinity.indexer.tournament.candidates import first_candidates, variations

QUERIES = 2_000
TARGET = 0.95
FLOOR = 0.88
HNSW = "HNSW16,Flat"
BEST = 10
TURNS = 25


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("sweep.jsonl"))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="Indexes whose description begins so, with ; between.")
    arguments = parser.parse_args()
    every = sentences(arguments.data, arguments.cache)
    queries, vectors = every[:QUERIES], every[QUERIES : QUERIES + (arguments.rows or len(every))]
    truth = truth_of(queries, vectors)
    common = {
        "benchmark": "sweep",
        "commit": commit(),
        "dataset": dataset(vectors.data),
        "rows": len(vectors),
        "threads": available_cpus(),
    }
    chosen = {"auto": tournament(vectors, None)}
    results: dict[str, tuple[Built, list[Point]]] = {}
    with arguments.out.open("w", encoding="utf-8") as out:

        def report(line: dict[str, Any]) -> None:
            text = json.dumps({**common, **line})
            out.write(text + "\n")
            out.flush()
            if "claim" in line:
                print(text)

        def sweep(spec: IndexSpec) -> None:
            built = build_index(spec, vectors, available_cpus())
            sys.stderr.write(f"{name_of(spec)}: {built.build_seconds:.1f} s\n")
            points = measured(built, queries, truth, FLOOR, arguments.repeats)
            for point in points:
                report({"index": name_of(spec), **figures(built), **figures_of(point)})
            results[name_of(spec)] = (built, points)

        prefixes = tuple(arguments.only.split(";"))
        for spec in specs(len(vectors), vectors.shape[1]):
            if spec.description.startswith((*prefixes, HNSW) if arguments.only else ""):
                sweep(spec)
        # FAISS's HNSW16 holds the vectors, and ours reads them all over the matrix: they are part of its memory.
        memory = results[HNSW][0].index_bytes + vectors.nbytes
        chosen["auto at a fifth of the memory"] = tournament(vectors, memory // 5)
        for held in chosen.values():
            if name_of(held.entries[0].spec) not in results:
                sweep(held.entries[0].spec)
        names = [HNSW, *(name_of(held.entries[0].spec) for held in chosen.values())]
        for name, points in compared(results, names, queries).items():
            results[name] = (results[name][0], points)
            for point in points:
                report({"index": name, "in_turns": True, **figures_of(point)})
        for line in comparisons(results, chosen):
            report(line)
    if arguments.plot:
        plot(results, chosen, arguments.plot)
    return 0


def specs(rows: int, dimension: int) -> list[IndexSpec]:
    """One of each family, also of what auto leaves out, with one setting varied, then pairs of settings of lists."""
    firsts = first_candidates(rows, dimension, Fixed())
    tried = {first.family for first in firsts}
    firsts += [choose_spec(family, rows, dimension) for family in Family if family not in (*tried, Family.FLAT)]
    ones = [spec for first in firsts for spec in (first, *variations(first, rows, dimension, Fixed()))]
    pairs = [
        replace(one, nlist=other.nlist)
        for one in ones
        for other in ones
        if one.nlist and other.nlist and one.family is other.family
    ]
    denser = [replace(one, ef_construction=ef) for one in ones if one.ef_construction for ef in (40, 200)]
    reduced = [
        choose_spec(Family.IVF_PQ, rows, dimension, transform=transform, subquantisers=codes)
        for transform in (Transform.OPQ, Transform.PCA)
        for codes in (dimension // 2, dimension // 4)
    ]
    return [*dict.fromkeys([*ones, *pairs, *reduced, *denser])]


def name_of(spec: IndexSpec) -> str:
    """FAISS's description, and how wide a graph's links were looked for where that is not the default."""
    usual = spec.ef_construction in (0, EF_CONSTRUCTION.default)
    return spec.description if usual else f"{spec.description} (ef_construction {spec.ef_construction})"


def tournament(vectors: np.ndarray, max_memory_bytes: int | None) -> TournamentReport:
    limits = Limits(TARGET, max_memory_bytes)
    return run_tournament(vectors, Metric.COSINE, hold_out(len(vectors), 1, vectors.shape[1]), limits)


def compared(
    results: dict[str, tuple[Built, list[Point]]], names: list[str], queries: np.ndarray
) -> dict[str, list[Point]]:
    """The best indexes, and those named, timed again about the target and in turns.

    In half an hour the machine's speed changes by more than these indexes differ.
    """
    costs = {name: cost_at(points, TARGET, "query_us") for name, (_, points) in results.items()}
    reached = sorted((name for name, cost in costs.items() if cost), key=lambda name: costs[name] or 0)
    runners = {}
    for name in dict.fromkeys([*reached[:BEST], *names]):
        built, points = results[name]
        if about := about_target(points, TARGET):
            runners[name] = (built.index, about)
    return timed_in_turns(runners, queries, TURNS)


def comparisons(
    results: dict[str, tuple[Built, list[Point]]], chosen: dict[str, TournamentReport]
) -> list[dict[str, Any]]:
    """What auto chose against the best, against HNSW16, and against that at a fifth of its memory."""
    lines = []
    for cost in ("single_us", "batch_us", "query_us"):
        at = {name: cost_at(points, TARGET, cost) for name, (_, points) in results.items()}
        reached = {name: value for name, value in at.items() if value is not None}
        best = min(reached, key=lambda name: reached[name])
        auto = name_of(chosen["auto"].entries[0].spec)
        small = name_of(chosen["auto at a fifth of the memory"].entries[0].spec)
        for claim, ours, peer, target in (
            ("auto as fast as the best of the sweep", auto, best, 0.95),
            ("auto never slower than HNSW16", auto, HNSW, 1.0),
            ("a fifth of HNSW16's memory with its vectors, at most a fifth slower", small, HNSW, 0.8),
        ):
            if ours not in reached or peer not in reached:
                continue
            ratio = reached[peer] / reached[ours]
            lines.append(
                {
                    "claim": f"{claim} ({cost})",
                    "ours": round(1e6 / reached[ours]),
                    "peer": peer,
                    "theirs": round(1e6 / reached[peer]),
                    "ratio": round(ratio, 3),
                    "target": target,
                    "met": ratio >= target,
                    "index": ours,
                    "recall": TARGET,
                }
            )
    small_report = chosen["auto at a fifth of the memory"]
    built = results[name_of(small_report.entries[0].spec)][0]
    hnsw = results[HNSW][0]
    at_40 = results.get(f"{HNSW} (ef_construction 40)")  # FAISS's default
    seconds = built.build_seconds + small_report.seconds
    lines.append(
        {
            "claim": "a fifth of HNSW16's build time, tournament included",
            "ours": round(seconds, 2),
            "tournament_seconds": small_report.seconds,
            "theirs_at_ef_construction_40": at_40 and round(at_40[0].build_seconds, 2),
            "peer": HNSW,
            "theirs": round(hnsw.build_seconds, 2),
            "ratio": round(seconds / hnsw.build_seconds, 3),
            "target": 0.2,
            "met": seconds <= 0.2 * hnsw.build_seconds,
        }
    )
    for name, report in chosen.items():
        entry = report.entries[0]
        real, points = results[name_of(entry.spec)]
        cost = cost_at(points, TARGET, "query_us")
        lines.append(
            {
                "claim": f"what the tournament expected of its winner ({name})",
                "index": name_of(entry.spec),
                "reason": report.reason,
                "query_us_expected": round(entry.query_us, 1),
                "query_us": cost and round(cost, 1),
                "build_seconds_expected": round(entry.build_seconds, 2),
                "build_seconds": round(real.build_seconds, 2),
                "index_bytes_expected": entry.index_bytes,
                "index_bytes": real.index_bytes,
            }
        )
    return lines


def figures(built: Built) -> dict[str, Any]:
    return {
        "build_seconds": round(built.build_seconds, 2),
        "build_cpu_seconds": round(built.build_cpu_seconds, 2),
        "index_bytes": built.index_bytes,
    }


def figures_of(point: Point) -> dict[str, Any]:
    return {
        "nprobe": point.effort.nprobe,
        "ef_search": point.effort.ef_search,
        "k_factor": point.effort.k_factor,
        "recall": round(point.recall, 4),
        "single_queries_per_second": round(1e6 / point.single_us),
        "batch_queries_per_second": round(1e6 / point.batch_us),
        "two_thread_queries_per_second": round(1e6 / point.clock_us),
    }


def plot(results: dict[str, tuple[Built, list[Point]]], chosen: dict[str, TournamentReport], path: Path) -> None:
    """Recall against speed: the best line of each index, auto's choices drawn thick."""
    winners = {name_of(report.entries[0].spec): name for name, report in chosen.items()}
    figure, axes = pyplot().subplots(1, 2, figsize=(12, 5), sharey=True)
    for axis, cost, title in zip(axes, ("single_us", "batch_us"), ("one by one", "in batches of 64"), strict=True):
        for name, (_, points) in results.items():
            line = frontier([(point.recall, 1e6 / getattr(point, cost)) for point in points])
            label = f"{name} ({winners[name]})" if name in winners else name
            axis.plot(*zip(*line, strict=True), label=label, linewidth=3 if name in winners else 1, marker=".")
        axis.axvline(TARGET, color="grey", linestyle=":")
        axis.set(xlabel="recall@10", title=f"queries a second, one thread, {title}", yscale="log")
    axes[1].legend(fontsize="xx-small", ncols=2)
    save(figure, path)


def frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (recall, speed), those that nothing beats in both; by recall."""
    kept: list[tuple[float, float]] = []
    for recall, speed in sorted(points, reverse=True):
        if not kept or speed > kept[-1][1]:
            kept.append((recall, speed))
    return kept[::-1]


if __name__ == "__main__":
    sys.exit(main())
