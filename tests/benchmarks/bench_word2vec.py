"""Train word2vec on 7.5 million words, ours and gensim's in turn; print speed, memory and quality as JSON lines.

    python tests/benchmarks/bench_word2vec.py [--data ../shared/data] [--architecture cbow] [--rounds 3]

Each training runs in a process of its own, round after round, ours and then gensim's, with another seed each round. A
line for each training; then one for each architecture, whose `comparisons` are of medians (speed, memory) and of
means (quality). Where other programs take processors away, a second of the clock says little; `train_cpu_s` is of
the processors. Words a second are raw words times epochs over the time of the epochs: of ours from the first chunk
done, kernels compiled (`start_s` is the time before that, `cold_start_s` that of the very first start on a machine);
of gensim's from the built vocabulary. Both sides' vectors go through the same evaluation, with gensim's meaning.
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reporting import ROOT, commit, dataset

from vecinity.indexer.word_evaluation import analogy_accuracy, word_pair_correlation

QUALITIES = {
    "google_analogies": ("Google analogies solved, of the 30,000 most frequent words", 0.005),
    "wordsim353": ("WordSim-353, Spearman", 0.02),
    "simlex999": ("SimLex-999, Spearman", 0.02),
}
SPEED_TARGETS = {"skip-gram": 4.0, "cbow": 2.0}
SCALING_TARGET = 1.8
# What gensim takes where it is not told otherwise; ours has another default for CBOW and the end.
LEARNING_RATE = 0.025


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--architecture", choices=["skip-gram", "cbow"], action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help="of both")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(ONE[arguments.one](**json.loads(sys.stdin.read()))))
        return
    packed = arguments.data / "words.txt.gz"
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "words.txt"  # gensim's fastest way in is an uncompressed file.
        corpus.write_bytes(gzip.decompress(packed.read_bytes()))
        paths = {"corpus": str(corpus), "data": str(arguments.data)}
        told = {
            "threads": arguments.threads,
            "epochs": arguments.epochs,
            "learning_rate": arguments.learning_rate,
        }
        about = {
            "benchmark": "word2vec",
            "commit": commit(whole=True),
            "dataset": dataset(packed),
            "raw_words": sum(len(line.split()) for line in corpus.open()),
        }
        for architecture in arguments.architecture or ["skip-gram", "cbow"]:
            compare(about, told | {"architecture": architecture}, paths, arguments.rounds)


def compare(about: dict[str, Any], told: dict[str, Any], paths: dict[str, str], rounds: int) -> None:
    """Run the trainings of one architecture and print their lines."""
    raw_words = about["raw_words"]
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "gensim": [], "ours, 1 thread": []}
    for seed in range(1, rounds + 1):
        for name in runs:
            changes = {"threads": 1} if name == "ours, 1 thread" else {}
            result = run("gensim" if name == "gensim" else "ours", paths | told | {"seed": seed} | changes)
            result["words_per_s"] = round(raw_words * told["epochs"] / result["train_s"])
            result["words_per_cpu_s"] = round(raw_words * told["epochs"] / result["train_cpu_s"])
            runs[name].append(result)
            print(json.dumps(about | {"trainer": name, **told, "seed": seed} | changes | result), flush=True)
    with tempfile.TemporaryDirectory() as empty:
        cold = run("ours", paths | told | {"seed": 1, "epochs": 1}, NUMBA_CACHE_DIR=empty)["start_s"]
    ours, theirs, alone = runs.values()
    architecture = told["architecture"]
    comparisons = [
        claim("raw words trained on a second", median(ours, "words_per_s"), median(theirs, "words_per_s"))
        | target("ratio", SPEED_TARGETS[architecture]),
        claim("raw words trained on in a second of a processor", best(ours), best(theirs))
        | target("ratio", SPEED_TARGETS[architecture]),
        claim("peak memory, MB", median(ours, "peak_mb"), median(theirs, "peak_mb")) | target("ratio", 1.0, lower=True),
        claim("private memory, MB", median(ours, "private_mb"), median(theirs, "private_mb"))
        | target("ratio", 1.0, lower=True),
        claim("words a second, all threads against one", median(ours, "words_per_s"), median(alone, "words_per_s"))
        | {"peer": "ours, 1 thread"}
        | target("ratio", SCALING_TARGET),
        claim("the same, by processor time", told["threads"] * best(ours), best(alone))
        | {"peer": "ours, 1 thread"}
        | target("ratio", SCALING_TARGET),
        *(
            claim(text, mean(ours, key), mean(theirs, key)) | target("difference", -tolerance)
            for key, (text, tolerance) in QUALITIES.items()
        ),
    ]
    for comparison in comparisons:
        better = comparison[comparison["measured_by"]]
        bound = comparison["target"]
        comparison["met"] = better <= bound if comparison.pop("lower") else better >= bound
    line = about | told | {"rounds": rounds, "cold_start_s": cold, "comparisons": comparisons}
    print(json.dumps(line), flush=True)


def median(side: list[dict[str, Any]], key: str) -> float:
    return statistics.median(result[key] for result in side)


def best(side: list[dict[str, Any]]) -> float:
    """Words a second of a processor's time: of the round that other programs disturbed least."""
    return max(result["words_per_cpu_s"] for result in side)


def mean(side: list[dict[str, Any]], key: str) -> float:
    return round(statistics.mean(result[key] for result in side), 4)


def claim(text: str, ours: float, theirs: float) -> dict[str, Any]:
    return {
        "claim": text,
        "ours": ours,
        "peer": "gensim",
        "theirs": theirs,
        "ratio": round(ours / theirs, 3),
        "difference": round(ours - theirs, 4),
    }


def target(measured_by: str, bound: float, lower: bool = False) -> dict[str, Any]:
    return {"measured_by": measured_by, "target": bound, "lower": lower}


def run(trainer: str, told: dict[str, Any], **environment: str) -> dict[str, Any]:
    """One training in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, "--one", trainer],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    if answer.returncode:
        sys.exit(answer.stderr)
    result: dict[str, Any] = json.loads(answer.stdout)
    return result


def train_ours(
    corpus: str, data: str, architecture: str, threads: int, epochs: int, learning_rate: float, seed: int
) -> dict[str, Any]:
    from vecinity.indexer.word2vec import Word2VecSettings, train

    settings = Word2VecSettings(
        architecture=architecture,  # type: ignore[arg-type]
        threads=threads,
        epochs=epochs,
        learning_rate=learning_rate,
        seed=seed,
    )
    times: list[tuple[float, float, int]] = []
    encoded_at = began = time.perf_counter()

    def progress(stage: str, done: int, total: int | None, unit: str, note: str = "") -> None:
        nonlocal encoded_at
        if stage == "train word2vec":
            times.append((time.perf_counter(), time.process_time(), done))
        else:
            encoded_at = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        model = train(lambda: Path(corpus).open(encoding="utf-8"), settings, workdir=Path(folder), progress=progress)
    (first, first_cpu, words), (last, last_cpu, total) = times[0], times[-1]
    return {
        "train_s": round((last - first) * total / (total - words), 2),
        "train_cpu_s": round((last_cpu - first_cpu) * total / (total - words), 2),
        "prepare_s": round(encoded_at - began, 2),
        "start_s": round(first - encoded_at, 2),
        **memory(),
        **quality(model.words, model.vectors, Path(data)),
    }


def train_gensim(
    corpus: str, data: str, architecture: str, threads: int, epochs: int, learning_rate: float, seed: int
) -> dict[str, Any]:
    from gensim.models import Word2Vec

    model = Word2Vec(
        sg=int(architecture == "skip-gram"),
        vector_size=100,
        window=5,
        negative=5,
        sample=1e-4,
        min_count=5,
        alpha=learning_rate,
        seed=seed,
        workers=threads,
    )
    began = time.perf_counter()
    model.build_vocab(corpus_file=corpus)
    start, start_cpu = time.perf_counter(), time.process_time()
    model.train(
        corpus_file=corpus, total_examples=model.corpus_count, total_words=model.corpus_total_words, epochs=epochs
    )
    return {
        "train_s": round(time.perf_counter() - start, 2),
        "train_cpu_s": round(time.process_time() - start_cpu, 2),
        "prepare_s": round(start - began, 2),
        **memory(),
        **quality(model.wv.index_to_key, model.wv.vectors, Path(data)),
    }


ONE = {"ours": train_ours, "gensim": train_gensim}


def memory() -> dict[str, float]:
    """What this process holds, before the evaluation takes its own.

    `peak_mb` is the most it has held, code of libraries included, which processes share; `private_mb` is without it,
    at the end, when both trainers hold the most.
    """
    private = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return {
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "private_mb": round(int(private.split()[1]) / 1024, 1),
    }


def quality(words: list[str], vectors: Any, data: Path) -> dict[str, float]:
    analogies = analogy_accuracy(words, vectors, data / "questions-words.txt", 30_000).total
    return {
        "google_analogies": round(analogies.accuracy, 4),
        "google_questions": analogies.asked,
        "wordsim353": round(word_pair_correlation(words, vectors, data / "wordsim353.tsv").spearman, 4),
        "simlex999": round(word_pair_correlation(words, vectors, data / "simlex999.txt").spearman, 4),
    }


if __name__ == "__main__":
    main()
