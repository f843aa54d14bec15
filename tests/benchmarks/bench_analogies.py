"""Analogies in batches against gensim's loop: agreement and speed, by index and exactly, over gRPC and in process.

    python tests/benchmarks/bench_analogies.py [--data ../shared/data] [--data-dir FOLDER] [--questions N]

Trains word2vec on words.txt.gz (a minute; kept and used again with --data-dir), loads the same vectors into gensim's
KeyedVectors, and asks both for every question of questions-words.txt whose words are known. gensim's
``most_similar`` and ``most_similar_cosmul`` are asked one by one, which is all they can; their threads are NumPy's.
A table on standard error, one JSON line on standard output.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commands import running, vecinity
from gensim.models import KeyedVectors
from reporting import ROOT, commit, dataset

from vecinity.client import BatchSearchResult, Client
from vecinity.indexer.word2vec import Word2VecModel

COLLECTION = "words"
K = 10
PASSES = 2
BATCH = 10_000
TIE = 2e-6
"""float32 scores closer than this are told apart by rounding alone."""

Question = tuple[str, str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--questions", type=int, default=0, help="ask only so many, evenly chosen; 0 asks all")
    arguments = parser.parse_args()
    source = arguments.data / "words.txt.gz"
    if not source.exists():
        sys.stderr.write(f"{source} is missing: this benchmark needs it\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        data_dir = arguments.data_dir or Path(folder) / "data"
        build(source, data_dir)
        measured = measure(data_dir, arguments.data / "questions-words.txt", arguments.questions)
    show(measured["rows"])
    claims = measured["claims"]
    print(
        json.dumps(
            {
                "benchmark": "analogies",
                "commit": commit(),
                "dataset": dataset(source),
                "threads": len(os.sched_getaffinity(0)),
                **{name: value for name, value in measured.items() if name not in ("rows", "claims")},
                "rows": measured["rows"],
                "claims": claims,
                "met": all(claim["met"] for claim in claims),
            }
        )
    )
    return 0


def build(source: Path, data_dir: Path) -> None:
    if not (data_dir / "catalog.db").exists():
        subprocess.run(
            vecinity("build", COLLECTION, source, "--embedder", "word2vec", "--data-dir", data_dir, "--json"),
            check=True,
            stdout=sys.stderr,
        )


def measure(data_dir: Path, path: Path, wanted: int) -> dict[str, Any]:
    (folder,) = (data_dir / "models").glob("[!.]*")
    model = Word2VecModel.load(folder)
    peer = KeyedVectors(model.dimension)
    peer.add_vectors(list(model.words), model.vectors)
    questions = read_questions(path, model.index)
    questions = questions[:: max(1, len(questions) // wanted)] if wanted else questions
    peer.fill_norms()
    peer_add, seconds_add = timed_loop(lambda a, b, c: peer.most_similar([b, c], [a], topn=K), questions)
    peer_mul, seconds_mul = timed_loop(lambda a, b, c: peer.most_similar_cosmul([b, c], [a], topn=K), questions)
    rows = [
        {"what": "gensim most_similar", "us": us(seconds_add, questions)},
        {"what": "gensim most_similar_cosmul", "us": us(seconds_mul, questions)},
    ]
    claims = []
    with Client.in_process(data_dir, timeout=600) as client:
        index = client.get_collection(COLLECTION).index.description
        of_kind = {"in process": run_all(client, questions)}
    serving = running(vecinity("serve", "--data-dir", data_dir, "--listen", "127.0.0.1:0"))
    with serving as address, Client(address, timeout=600) as client:
        of_kind["gRPC"] = run_all(client, questions)
        searching = {target: search_all(client, model, questions, target) for target in (0.95, 0.995)}
    for edge, runs in of_kind.items():
        for name, (found, seconds) in runs.items():
            theirs, peer_seconds = (peer_mul, seconds_mul) if "3cosmul" in name else (peer_add, seconds_add)
            if "pair-direction" in name:  # gensim has none: what the index finds is compared with what a scan does
                exact = runs["pair-direction exact"][0]
                theirs = [list(zip(hits.ids, hits.scores.tolist(), strict=True)) for hits in exact]
            agreement, recall = compare(found, theirs), found[0].predicted_recall
            rows.append(
                {
                    "what": f"{name}, {edge}",
                    "us": us(seconds, questions),
                    "ratio": round(peer_seconds / seconds, 1),
                    **agreement,
                    "predicted_recall": None if recall is None else round(recall, 4),
                }
            )
        add = rows[-len(runs)]
        claims.append(
            claim(f"speed of 3CosAdd, {edge}, in questions a second", 1e6 / add["us"], 1e6 / rows[0]["us"], 20)
        )
    by_name = {row["what"]: row for row in rows}
    for target, name in ((0.95, "3cosadd at .95"), (0.995, "3cosadd")):
        rows.append({"what": f"BatchSearch of the same vectors at {target}", "us": us(searching[target], questions)})
        ours, theirs = by_name[f"{name}, gRPC"]["us"], rows[-1]["us"]
        claims.append(claim(f"BatchSolveAnalogies: {name}", 1e6 / ours, 1e6 / theirs, 0.85, f"BatchSearch at {target}"))
    for what, target in (
        ("3cosadd, gRPC", 0.995),
        ("3cosadd exact, gRPC", 1.0),
        ("3cosmul exact, gRPC", 1.0),
    ):
        claims.append(share(f"top 1 of {what} is gensim's, ties aside", by_name[what]["top1_ties"], target))
    exact = of_kind["gRPC"]["3cosmul exact"][0]
    by_index = of_kind["gRPC"]["3cosmul by index"][0]
    same = float(np.mean([a.ids[0] == b.ids[0] for a, b in zip(by_index, exact, strict=True)]))
    claims.append(share("top 1 of 3CosMul by index is that of 3CosMul exact", same, 0.99))
    return {"items": len(model), "index": index, "questions": len(questions), "k": K, "rows": rows, "claims": claims}


def run_all(client: Client, questions: Sequence[Question]) -> dict[str, tuple[list[Any], float]]:
    effort = max(
        client.get_collection(COLLECTION).index.calibration, key=lambda p: (p.recall, p.query_us), default=None
    )
    by_index = {} if effort is None else {"effort": effort.effort}
    kinds: dict[str, dict[str, Any]] = {
        "3cosadd": {},
        "3cosadd exact": {"exact": True},
        "3cosadd at .95": {"target_recall": 0.95},
        "3cosadd by index": by_index,
        "3cosmul": {"method": "3cosmul"},
        "3cosmul exact": {"method": "3cosmul", "exact": True},
        "3cosmul by index": {"method": "3cosmul", **by_index},
        "pair-direction exact": {"method": "pair-direction", "exact": True},
        "pair-direction by index": {"method": "pair-direction", **by_index},
    }
    analogies = [([b, c], [a]) for a, b, c in questions]
    client.batch_solve_analogies(COLLECTION, analogies[:200], k=K)
    results = {}
    for name, options in kinds.items():
        seconds = math.inf
        for _ in range(PASSES):
            settle()
            began = time.perf_counter()
            found: list[BatchSearchResult] = [
                client.batch_solve_analogies(COLLECTION, analogies[begin : begin + BATCH], k=K, **options)
                for begin in range(0, len(analogies), BATCH)
            ]
            seconds = min(seconds, time.perf_counter() - began)
        results[name] = [result for batch in found for result in batch], seconds
    return results


def search_all(client: Client, model: Word2VecModel, questions: Sequence[Question], target: float) -> float:
    """The seconds that BatchSearch takes for the vectors that 3CosAdd makes of the questions, at a target of recall."""
    unit = model.vectors / np.linalg.norm(model.vectors, axis=1, keepdims=True)
    a, b, c = (unit[[model.index[question[place]] for question in questions]] for place in range(3))
    vectors, seconds = b + c - a, math.inf
    for _ in range(PASSES + 1):
        settle()
        began = time.perf_counter()
        for begin in range(0, len(vectors), BATCH):
            client.batch_search(COLLECTION, vectors=vectors[begin : begin + BATCH], k=K, target_recall=target)
        seconds = min(seconds, time.perf_counter() - began)
    return seconds


def read_questions(path: Path, known: dict[str, int]) -> list[Question]:
    lines = [line.lower().split() for line in path.read_text().splitlines() if not line.startswith(":")]
    return [(a, b, c) for a, b, c, d in lines if {a, b, c, d} <= known.keys()]


def timed_loop(
    solve: Callable[[str, str, str], list[tuple[str, float]]], questions: Sequence[Question]
) -> tuple[list[list[tuple[str, float]]], float]:
    seconds = math.inf
    for _ in range(PASSES):
        settle()
        began = time.perf_counter()
        answers = [solve(*question) for question in questions]
        seconds = min(seconds, time.perf_counter() - began)
    return answers, seconds


def settle() -> None:
    """Have the collector look only at what is made from now on: the answers of others must not cost us time."""
    gc.collect()
    gc.freeze()


def compare(found: Sequence[Any], theirs: Sequence[list[tuple[str, float]]]) -> dict[str, float]:
    """The share of questions with one first answer, the same with ties aside, and the mean share of the first ten."""
    first = [ours.ids[0] == peers[0][0] for ours, peers in zip(found, theirs, strict=True)]
    tied = [
        same or abs(float(ours.scores[0]) - peers[0][1]) < TIE * max(1.0, abs(peers[0][1]))
        for same, ours, peers in zip(first, found, theirs, strict=True)
    ]
    shared = [
        len({*ours.ids} & {word for word, _ in peers}) / len(peers) for ours, peers in zip(found, theirs, strict=True)
    ]
    return {
        "top1": round(float(np.mean(first)), 5),
        "top1_ties": round(float(np.mean(tied)), 5),
        "top10": round(float(np.mean(shared)), 5),
    }


def claim(what: str, ours: float, theirs: float, target: float, peer: str = "gensim") -> dict[str, Any]:
    ratio = round(ours / theirs, 2)
    return {
        "claim": what,
        "ours": round(ours),
        "peer": peer,
        "theirs": round(theirs),
        "ratio": ratio,
        "target": target,
        "met": ratio >= target,
    }


def share(what: str, ours: float, target: float) -> dict[str, Any]:
    return {"claim": what, "ours": round(ours, 5), "target": target, "met": ours >= target}


def us(seconds: float, questions: Sequence[Question]) -> float:
    return round(seconds / len(questions) * 1e6, 1)


def show(rows: Sequence[dict[str, Any]]) -> None:
    columns = ("us", "ratio", "top1", "top1_ties", "top10", "predicted_recall")
    sys.stderr.write(f"{'':40}" + "".join(f"{name:>18}" for name in columns) + "\n")
    for row in rows:
        sys.stderr.write(f"{row['what']:40}" + "".join(f"{row.get(name, '')!s:>18}" for name in columns) + "\n")


if __name__ == "__main__":
    sys.exit(main())
