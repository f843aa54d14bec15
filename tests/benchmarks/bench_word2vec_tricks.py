"""What each trick of the skip-gram trainer brings: train in several ways, and take the product's time apart.

    python tests/benchmarks/bench_word2vec_tricks.py [--data ../shared/data] [--epochs 5] [--variant exp]

A JSON line for each variant, trained in turn with the product's kernel, a tenth of an epoch after the other, on one
corpus, seed and number of threads. `words_per_s` is raw words over all its time; `ratio`, over the same words of the
product, is the median of the parts' ratios: below 1 the product is faster. `…cpu…` are of CPU time, which other work on
the machine changes less; `best_…` is of the fastest tenth of the parts, as neighbours of a virtual machine slow it down
unseen from within. `others_cpu` is the share of all CPUs that other work took meanwhile. Then a line of the product, of
all its trainings, and lines of what bounds its kernel: the time of a window with parts of the work left out, in one
thread.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import word2vec_variants as variants
from bench_word2vec import quality
from reporting import ROOT, commit, dataset
from word2vec_variants import Kernel, walk

from vecinity.indexer.word2vec import Word2VecSettings, kernels, matrices, sampling, simd
from vecinity.indexer.word2vec.encoded import encode
from vecinity.indexer.word2vec.trainer import Matrices, tables

SETTINGS = Word2VecSettings(learning_rate=0.025, min_learning_rate=0.0025)
AVX2 = {"NUMBA_CPU_NAME": "znver2", "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx,+sse4.2,+bmi,+bmi2,+f16c,+popcnt,+lzcnt"}
PARTS = 10  # Of an epoch, so short that the machine is alike for both.
IDLE = 0.85  # The share of all CPUs that must be idle before a run.
CLOCKED = 50_000_000
SCORES = "google_analogies", "wordsim353", "simlex999"

Part = dict[str, float]


@dataclass(frozen=True)
class Variant:
    """A way to train: how it differs, and what makes its kernel.

    Args:
        threads: 0 takes as many as the product has.
        shift: Floats by which the matrices begin behind the start of a cache line.
        environment: If any, the variant is the product in a process of its own with these variables.
    """

    what: str
    kernel: Callable[[], Kernel] = lambda: variants.product
    threads: int = 0
    shift: int = 0
    environment: dict[str, str] = field(default_factory=dict)


VARIANTS = {
    "word2vec.c": Variant("pair by pair, own noise, plain loops, no prefetch", lambda: variants.plain_pairs),
    "registers": Variant("pair by pair, own noise, vectors in registers, no prefetch", partial(walk, group=1, ahead=0)),
    "share-2": Variant("noise shared by 2 neighbours, no prefetch", partial(walk, group=2, ahead=0)),
    "share-3": Variant("noise shared by 3 neighbours, no prefetch", partial(walk, group=3, ahead=0)),
    "share-window": Variant("noise shared by the window, no prefetch", partial(walk, ahead=0)),
    "ahead-1": Variant("the product's settings: shared by the window, prefetch one position ahead", walk),
    "ahead-2": Variant("prefetch two positions ahead", partial(walk, ahead=2)),
    "registers-ahead-1": Variant("pair by pair, own noise, prefetch one position ahead", partial(walk, group=1)),
    "positions-2": Variant("noise shared by 2 successive positions", partial(walk, positions=2)),
    "positions-4": Variant("noise shared by 4 successive positions", partial(walk, positions=4)),
    "blas": Variant("rows gathered, multiplied by BLAS, scattered", partial(walk, variants.exchange_by_blas)),
    "ring": Variant("input rows copied while in reach", partial(walk, ring=True)),
    "exp": Variant("σ by the library's exp", lambda: walk(variants.exchange_with(variants.by_exp))),
    "table": Variant("σ by a table", lambda: walk(variants.exchange_with(variants.by_table))),
    # Rows of 100 floats, not padded to 112, can't be tried: they are no whole number of vectors.
    "off-line": Variant("matrices begin 4 bytes behind a cache line: each vector lies in two", shift=1),
    "avx2": Variant("compiled for AVX2 instead of AVX-512", environment=AVX2),
    "one-thread": Variant("1 thread", threads=1),
}


@dataclass(frozen=True)
class Corpus:
    words: list[str]
    counts: Any
    raw_words: int
    chunks: list[Any]
    tables: kernels.Tables

    @classmethod
    def read(cls, packed: Path) -> "Corpus":
        lines = gzip.decompress(packed.read_bytes()).decode().splitlines()
        with tempfile.TemporaryDirectory() as folder:
            vocabulary, corpus = encode(lines, Path(folder), min_count=SETTINGS.min_count, processes=1)
            chunks = [np.array(corpus.chunk(i)) for i in range(corpus.chunk_count)]
        raw_words = sum(len(line.split()) for line in lines)
        return cls(vocabulary.words, vocabulary.counts, raw_words, chunks, tables(vocabulary, SETTINGS))


class Training:
    """One training, epoch by epoch."""

    def __init__(self, corpus: Corpus, kernel: Kernel, threads: int, seed: int, epochs: int, shift: int = 0) -> None:
        self._corpus, self._kernel, self._seed, self._epochs = corpus, kernel, seed, epochs
        untrained = Matrices.untrained(len(corpus.words), replace(SETTINGS, seed=seed))
        self._inputs, self._outputs = shifted(untrained.inputs, shift), shifted(untrained.outputs, shift)
        sizes = SETTINGS.dimension, SETTINGS.window, SETTINGS.negative
        self._own = [variants.workspace(*sizes, corpus.tables) for _ in range(threads)]
        self._run(np.zeros(0, np.int32), self._own[0], 0.0, 0)  # Compiles.

    def _run(self, rows: Any, own: kernels.Workspace, rate: float, seed: int) -> int:
        numbers = SETTINGS.window, SETTINGS.negative, np.float32(rate), np.uint64(seed)
        return self._kernel(self._inputs, self._outputs, rows, self._corpus.tables, own, *numbers)

    def part(self, number: int) -> Part:
        """Train on one part of `PARTS` of an epoch: seconds, CPU seconds, ticks of the machine, and pairs."""
        count = len(self._corpus.chunks)
        # One iterator for all threads: it steps under the GIL.
        chunks = iter(range(count * number // PARTS, count * (number + 1) // PARTS))

        def work(own: kernels.Workspace) -> int:
            pairs = 0
            for chunk in chunks:
                progress = chunk / (count * self._epochs)
                rate = sampling.learning_rate_at(progress, SETTINGS.first_rate, SETTINGS.last_rate)
                seed = sampling.chunk_seed(self._seed, *divmod(chunk, count))
                pairs += self._run(self._corpus.chunks[chunk % count], own, rate, seed)
            return pairs

        (busy, every), began, cpu_began = machine_ticks(), time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(len(self._own)) as pool:
            pairs = sum(pool.map(work, self._own))
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        now_busy, now_every = machine_ticks()
        return {"s": seconds, "cpu_s": cpu_s, "busy": now_busy - busy, "every": now_every - every, "pairs": pairs}

    def quality(self, data: Path) -> dict[str, float]:
        return quality(self._corpus.words, self._inputs[:, : SETTINGS.dimension], data)


def shifted(matrix: Any, floats: int) -> Any:
    """A copy that begins `floats` floats behind the start of a cache line."""
    memory = matrices.zeros(len(matrix) + 1, matrix.shape[1]).reshape(-1)
    copy = memory[floats : floats + matrix.size].reshape(matrix.shape)
    copy[:] = matrix
    return copy


def machine_ticks() -> tuple[int, int]:
    """Ticks that CPUs were busy, and all their ticks, since the machine began."""
    ticks = [int(number) for number in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def wait_until_idle(limit_s: float) -> float:
    """Wait until the machine was idle for half a second; the seconds that were waited."""
    began = time.monotonic()
    while True:
        busy, every = machine_ticks()
        time.sleep(0.5)
        busy, every = machine_ticks()[0] - busy, machine_ticks()[1] - every
        if busy <= (1 - IDLE) * every or time.monotonic() - began > limit_s:
            return time.monotonic() - began


def in_turn(trainings: list[Training], epochs: range, wait_s: float) -> list[list[Part]]:
    """The parts of these epochs of each training, all of which go on part by part."""
    runs: list[list[Part]] = [[] for _ in trainings]
    for epoch in epochs:
        wait_s -= wait_until_idle(wait_s)
        for number in range(epoch * PARTS, (epoch + 1) * PARTS):
            for run, training in zip(runs, trainings, strict=True):
                run.append(training.part(number))
    return runs


def compare(corpus: Corpus, name: str, seed: int, arguments: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Train a variant and the product in turn: the variant's line, and the product's epochs and quality."""
    variant, epochs = VARIANTS[name], arguments.epochs
    training = partial(Training, corpus, seed=seed, epochs=epochs)
    ours = training(variants.product, arguments.threads)
    if variant.environment:
        half = epochs // 2
        (our_run,) = in_turn([ours], range(half), arguments.wait_s)
        command = [sys.executable, __file__, "--data", str(arguments.data), "--epochs", str(epochs), "--child"]
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | variant.environment | {"NUMBA_CACHE_DIR": cache}
            child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        their_run, their_quality = json.loads(child.stdout)
        our_run += in_turn([ours], range(half, epochs), arguments.wait_s)[0]
    else:
        theirs = training(variant.kernel(), variant.threads or arguments.threads, shift=variant.shift)
        our_run, their_run = in_turn([ours, theirs], range(epochs), arguments.wait_s)
        their_quality = theirs.quality(arguments.data)
    our_quality = ours.quality(arguments.data)
    ratios, cpu_ratios = (
        [our[key] / their[key] for our, their in zip(our_run, their_run, strict=True)] for key in ("s", "cpu_s")
    )
    line = {
        "name": name,
        "what": variant.what,
        "epochs": epochs,
        **speed(corpus, their_run),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_quartiles": [round(float(np.quantile(ratios, q)), 3) for q in (0.25, 0.75)],
        "cpu_ratio": round(statistics.median(cpu_ratios), 3),
        "best_cpu_ratio": round(best(our_run) / best(their_run), 3),
        **their_quality,
        # A kernel with a fault solves no analogies; a few hundredths are chance.
        "learns": their_quality["google_analogies"] > 0.75 * our_quality["google_analogies"]
        and all(their_quality[key] > our_quality[key] - 0.06 for key in SCORES[1:]),
    }
    return line, our_run, our_quality


def best(run: list[Part]) -> float:
    """CPU seconds of a part of the fastest tenth."""
    return float(np.quantile([part["cpu_s"] for part in run], 0.1))


def speed(corpus: Corpus, run: list[Part]) -> dict[str, Any]:
    seconds, cpu_s, busy, every = (sum(part[key] for part in run) for key in ("s", "cpu_s", "busy", "every"))
    words = corpus.raw_words / PARTS
    return {
        "words_per_s": round(words * len(run) / seconds),
        "words_per_cpu_s": round(words * len(run) / cpu_s),
        "best_words_per_cpu_s": round(words / best(run)),
        "others_cpu": round(max(0.0, (busy - cpu_s * os.sysconf("SC_CLK_TCK")) / max(1, every)), 3),
    }


def bounds(corpus: Corpus, rounds: int = 3) -> list[dict[str, Any]]:
    """Lines of how long a window takes in one thread, with parts of the work left out: the fastest tenth of parts."""
    plain = thinned(corpus)
    frequent = replace(plain, chunks=[np.where(rows < 0, rows, rows % 500).astype(np.int32) for rows in plain.chunks])
    cached = with_frequent_noise(frequent, 500)
    runs: dict[str, tuple[Corpus, Kernel]] = {
        "all": (plain, variants.product),
        "all, and words are thinned out meanwhile": (corpus, variants.product),
        "noise of the 100 most frequent words": (with_frequent_noise(plain, 100), variants.product),
        "corpus of 500 words": (frequent, variants.product),
        "corpus and noise of 500 words: no cache misses": (cached, variants.product),
        "no cache misses, no prefetch": (cached, walk(ahead=0)),
        "no step": (plain, walk(variants.no_step)),
        "no cache misses, no step": (cached, walk(variants.no_step)),
        "no cache misses, only the products": (cached, walk(variants.only_products)),
        "no cache misses, only the products and errors": (cached, walk(variants.only_errors)),
    }
    trainings = [Training(data, kernel, 1, 1, rounds) for data, kernel in runs.values()]
    measured = in_turn(trainings, range(rounds), 60)
    numbers = np.arange(1, 1 + max(variants.FREE_VECTORS, simd.LANES), dtype=np.float32) * np.float32(1e-3)
    hertz = variants.CHAIN_CYCLES / seconds_each(variants.chain, np.uint64(1))
    peak = variants.FREE_VECTORS * simd.LANES / seconds_each(variants.free_multiply_adds, numbers)
    lines: list[dict[str, Any]] = [
        {"name": "one core", "ghz": round(hertz / 1e9, 2), "multiply_adds_per_cycle": round(peak / hertz, 1)}
    ]
    windows = sum(windows_of(rows) for rows in plain.chunks)
    for (name, (_, kernel)), run in zip(runs.items(), measured, strict=True):
        pairs = sum(part["pairs"] for part in run) / (windows * rounds)
        seconds = best(run) * PARTS / windows
        line = {"name": name, "ns_per_window": round(seconds * 1e9, 1), "cycles_per_window": round(seconds * hertz)}
        if kernel is variants.product:
            # For each float of a pair of rows three: for the product, and for each of the two updates.
            work = pairs * (1 + SETTINGS.negative) * matrices.padded(SETTINGS.dimension) * 3
            line |= {"multiply_adds_per_window": round(work), "share_of_peak": round(work / seconds / peak, 3)}
        others_cpu = speed(corpus, run)["others_cpu"]
        lines.append(line | {"windows": windows, "pairs_per_window": round(pairs, 2), "others_cpu": others_cpu})
    return lines


def thinned(corpus: Corpus) -> Corpus:
    """The corpus as one epoch sees it, so that a kernel reads only words that it learns from."""
    random = np.random.default_rng(1)
    keep = corpus.tables.keep
    chunks = [
        rows[(rows < 0) | (random.integers(0, 2**32, len(rows)) <= keep[rows])].astype(np.int32)
        for rows in corpus.chunks
    ]
    return replace(corpus, chunks=chunks, tables=corpus.tables._replace(keep=np.full_like(keep, 2**32 - 1)))


def with_frequent_noise(corpus: Corpus, words: int) -> Corpus:
    """The corpus, with noise of its `words` most frequent words only."""
    counts = np.where(np.arange(len(corpus.counts)) < words, corpus.counts, 0)
    thresholds, aliases = sampling.alias_table(sampling.noise_probabilities(counts))
    return replace(corpus, tables=corpus.tables._replace(thresholds=thresholds, aliases=aliases))


def windows_of(rows: Any) -> int:
    """Words of a chunk that have a neighbour."""
    lengths = np.diff(np.flatnonzero(np.concatenate([[-1], rows]) < 0)) - 1
    return int(lengths[lengths > 1].sum())


def seconds_each(function: Any, argument: Any) -> float:
    """CPU seconds of one of the times that a compiled function does something."""
    function(1, argument)
    took = []
    for _ in range(3):
        began = time.process_time()
        function(CLOCKED, argument)
        took.append(time.process_time() - began)
    return statistics.median(took) / CLOCKED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--variant", choices=[*VARIANTS, "bounds"], action="append", help="default: all")
    parser.add_argument("--epochs", type=int, default=SETTINGS.epochs)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wait-s", type=float, default=180, help="for an idle machine, for each variant")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    packed = arguments.data / "words.txt.gz"
    corpus = Corpus.read(packed)
    if arguments.child:
        training = Training(corpus, variants.product, arguments.threads, 1, arguments.epochs)
        (run,) = in_turn([training], range(arguments.epochs), arguments.wait_s)
        print(json.dumps([run, training.quality(arguments.data)]))
        return
    about = {
        "benchmark": "word2vec-tricks",
        "commit": commit(whole=True),
        "dataset": dataset(packed),
        "lanes": simd.LANES,
        "threads": arguments.threads,
    }
    failed: list[str] = []
    parts: list[Part] = []
    qualities: list[dict[str, float]] = []
    names = arguments.variant or [*VARIANTS, "bounds"]
    for seed, name in enumerate([name for name in names if name != "bounds"], start=1):
        if VARIANTS[name].environment and simd.LANES == 8:
            continue  # No AVX-512 to compare with.
        line, our_run, our_quality = compare(corpus, name, seed, arguments)
        print(json.dumps(about | line, ensure_ascii=False), flush=True)
        parts, qualities = parts + our_run, [*qualities, our_quality]
        failed += [] if line["learns"] else [name]
    if parts:
        line = {"name": "the product", **speed(corpus, parts)}
        for key in SCORES:
            scores = [scored[key] for scored in qualities]
            line |= {key: round(statistics.mean(scores), 4), f"{key}_range": [min(scores), max(scores)]}
        print(json.dumps(about | line), flush=True)
    for line in bounds(corpus) if "bounds" in names else []:
        print(json.dumps(about | {"threads": 1} | line), flush=True)
    if failed:
        sys.exit(f"worse vectors than the product's: {', '.join(failed)}")


if __name__ == "__main__":
    main()
