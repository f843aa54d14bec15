"""Whether a target recall is kept: what is promised, against what other queries than those of the calibration find.

    python tests/benchmarks/bench_promise.py NAME=ROWS.npy[:QUERIES.npy] ... [--index auto] [--k 1,10,100] [--json FILE]

ROWS.npy are the vectors of a data set, float32 (n, d). 2,000 of them are kept out of the collection, which is built
with the rest, and asked of it for each target. With QUERIES.npy, vectors of another kind, half of those are given to
the build to calibrate with, and 2,000 of the other half are asked. The recall must lie in [target - .005,
target + .03]; above only where the cheapest plan of all is the one chosen. A table on standard error, one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vecinity.client import Client
from vecinity.indexer.ann import Family
from vecinity.indexer.build import Build
from vecinity.indexer.dataset import Source
from vecinity.indexer.evaluation import shares_found
from vecinity.indexer.indexing import IndexSettings
from vecinity.indexer.metric import Metric, Vectors

TARGETS = (0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
ASKED = 2_000
BELOW, ABOVE = 0.005, 0.03
_CHUNK = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--index", default="auto")
    parser.add_argument("--k", default="1,3,10,30,100")
    parser.add_argument("--targets", default=",".join(map(str, TARGETS)))
    parser.add_argument("--metric", default="cosine")
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    ks = [int(k) for k in arguments.k.split(",")]
    targets = [float(target) for target in arguments.targets.split(",")]
    lines = []
    for given in arguments.data:
        name, _, paths = given.partition("=")
        rows, _, queries = paths.partition(":")
        lines += measure(name, Path(rows), Path(queries) if queries else None, ks, targets, arguments)
    missed = [line for line in lines if not line["held"]]
    summary = {"benchmark": "promise", "index": arguments.index, "checks": len(lines), "missed": len(missed)}
    print(json.dumps({**summary, "all": lines}))
    return 1 if missed else 0


def measure(
    name: str, path: Path, queries: Path | None, ks: list[int], targets: list[float], arguments: argparse.Namespace
) -> list[dict[str, object]]:
    """A line for each k and target of one data set."""
    rng = np.random.default_rng(arguments.seed)
    vectors = np.load(path).astype(np.float32)
    calibrate_with, asked = None, None
    if queries is None:
        order = rng.permutation(len(vectors))
        asked, vectors = vectors[order[:ASKED]], vectors[np.sort(order[ASKED:])]
    with tempfile.TemporaryDirectory() as folder:
        if queries is not None:
            others = np.load(queries).astype(np.float32)
            order = rng.permutation(len(others))
            half = len(others) // 2
            asked = others[order[half : half + ASKED]]
            np.save(Path(folder) / "queries.npy", others[order[:half]])
            calibrate_with = Source(Path(folder) / "queries.npy")
        np.save(Path(folder) / "rows.npy", vectors)
        settings = IndexSettings(
            metric=Metric(arguments.metric),
            family=None if arguments.index == "auto" else Family(arguments.index),
            target_recall=0.95 if arguments.index == "auto" else 0.5,  # what auto is to be good at; else no gate
            calibration_queries=calibrate_with,
        )
        began = time.perf_counter()
        with Build(Path(folder) / "data", name, settings) as build:
            report = build.from_vectors(Path(folder) / "rows.npy", None)
        sys.stderr.write(
            f"{name}: {vectors.shape}, {report.spec.description}, {len(report.calibration.points)} points, "
            f"{time.perf_counter() - began:.1f} s\n"
        )
        assert asked is not None
        with Client.in_process(Path(folder) / "data", timeout=600) as client:
            return [line for k in ks for line in ask(client, name, asked, k, targets)]


def ask(client: Client, name: str, asked: Vectors, k: int, targets: list[float]) -> list[dict[str, object]]:
    truth = scores(client, name, asked, k, exact=True)[0]
    lines: list[dict[str, object]] = []
    for target in targets:
        found, predicted, seconds = scores(client, name, asked, k, target_recall=target)
        shares = shares_found(found, truth)
        recall = float(shares.mean())
        cheapest = bool(lines) and lines[-1]["predicted"] == predicted and lines[-1]["above_by_cheapest"]
        if not lines:  # a target that any plan reaches is given the cheapest there is
            cheapest = scores(client, name, asked[:1], k, target_recall=0.001)[1] == predicted
        held = recall >= target - BELOW and (recall <= target + ABOVE or bool(cheapest) or predicted == 1.0)
        lines.append(
            {
                "data": name,
                "k": k,
                "target": target,
                "recall": round(recall, 4),
                "predicted": predicted,
                "deviation": round(float(shares.std() / len(shares) ** 0.5), 4),
                "us": round(seconds / len(asked) * 1e6, 1),
                "above_by_cheapest": bool(cheapest),
                "held": held,
            }
        )
        sys.stderr.write(
            f"{name:16} k {k:4} target {target:.2f} recall {recall:.4f} predicted {predicted:.4f} "
            f"± {lines[-1]['deviation']:.4f} {lines[-1]['us']:7.1f} µs{'' if held else '   MISSED'}\n"
        )
    return lines


def scores(client: Client, name: str, asked: Vectors, k: int, **options: object) -> tuple[Vectors, float, float]:
    """Scores, float32 (n, k), the predicted recall, and the seconds it took."""
    began = time.perf_counter()
    found = [
        client.batch_search(name, vectors=asked[begin : begin + _CHUNK], k=k, **options)  # type: ignore[arg-type]
        for begin in range(0, len(asked), _CHUNK)
    ]
    seconds = time.perf_counter() - began
    predicted = found[0].predicted_recall
    assert predicted is not None
    return np.stack([hits.scores for batch in found for hits in batch]), predicted, seconds


if __name__ == "__main__":
    sys.exit(main())
