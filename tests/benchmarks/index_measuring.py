"""An index built in full and measured at every effort; what `bench_sweep` and `bench_scale` share."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import (
    Effort,
    Family,
    Index,
    IndexSpec,
    effort_of,
    exact_scores,
    exact_search,
    lists_worth_visiting,
    set_threads,
)
from vecinity.indexer.calibration.ladder import depths
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.evaluation import recall_at_k_with_ties
from vecinity.indexer.metric import Metric

K = 10
BATCH = 64
CEILING = 0.99
_EF_SEARCH_MAX = 512
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Built:
    """An index of all rows.

    Attributes:
        build_seconds: By the clock, with all processors.
        build_cpu_seconds: The processor time of that.
        index_bytes: Of its file.
    """

    index: Index
    build_seconds: float
    build_cpu_seconds: float
    index_bytes: int


@dataclass(frozen=True, slots=True)
class Point:
    """An effort: its recall@10, and the time of a query in microseconds.

    Attributes:
        single_us, batch_us: Processor time, one thread, the least of several repeats.
        clock_us: By the clock, in batches, two threads that search one batch each, as a server's do.
    """

    effort: Effort
    recall: float
    single_us: float
    batch_us: float
    clock_us: float

    @property
    def query_us(self) -> float:
        return math.sqrt(self.single_us * self.batch_us)


def truth_of(queries: Vectors, vectors: Vectors) -> Vectors:
    """The scores of the true neighbours, float32 (n, K), computed as an index computes them."""
    return exact_scores(queries, vectors, exact_search(queries, vectors, K, Metric.COSINE)[1], Metric.COSINE)


def build_index(spec: IndexSpec, vectors: Vectors, threads: int) -> Built:
    set_threads(threads)
    rows = np.arange(len(vectors), dtype=np.int64)
    sample = rows
    if 0 < spec.training_rows < len(rows):
        sample = np.sort(np.random.default_rng(1).choice(rows, spec.training_rows, replace=False))
    began, began_cpu = time.perf_counter(), time.process_time()
    index = Index.train(spec, Metric.COSINE, vectors, sample)
    for begin in range(0, len(rows), 8_192):
        index.add(rows[begin : begin + 8_192])
    index.finish()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path)
        size = path.stat().st_size if path.exists() else 0
    return Built(index, seconds, cpu_seconds, size)


def measured(built: Built, queries: Vectors, truth: Vectors, floor: float, repeats: int) -> list[Point]:
    """Every effort that finds at least `floor`, until it finds `CEILING` or hardly more."""
    points: list[Point] = []
    best = 0.0
    for ladder in _efforts(built.index.spec, len(built.index.vectors)):
        reached = 0.0
        for effort in ladder:
            set_threads(available_cpus())
            found, _ = built.index.search(queries, K, effort, complete=False)
            recall = recall_at_k_with_ties(found, truth)
            if recall >= floor:
                points.append(_timed(built.index, queries, effort, recall, repeats))
            gain, reached = recall - reached, max(reached, recall)
            if recall >= CEILING or (recall >= floor and gain < 0.0005):
                break
        if best >= CEILING or reached - best < 0.0005:
            break  # more candidates to re-rank find no more
        best = reached
    return points


def _efforts(spec: IndexSpec, rows: int) -> Iterator[list[Effort]]:
    """For each k_factor efforts of growing depth; flat has none."""
    if spec.nlist:
        # Every other step of the calibration: about a sixth more lists each time.
        steps = [depth for depth in depths(spec, rows)[::2] if depth <= lists_worth_visiting(spec)]
    elif spec.family is Family.FLAT:
        return
    else:
        steps = [depth for depth in depths(spec, rows) if K <= depth <= _EF_SEARCH_MAX]
    for factor in ((4, 8, 16, 32) if spec.nlist else (1, 2, 4)) if spec.needs_rerank else (0,):
        yield [effort_of(spec, depth, factor) for depth in steps]


def timed_in_turns(
    runners: Mapping[str, tuple[Index, Sequence[Point]]], queries: Vectors, turns: int
) -> dict[str, list[Point]]:
    """Efforts of several indexes, each timed once in every turn: what slows the machine down slows all of them."""
    best = {(name, point.effort): point for name, (_, points) in runners.items() for point in points}
    for turn in range(turns):
        for (name, effort), point in [*best.items()]:
            now = _timed(runners[name][0], queries, effort, point.recall, 1)
            if turn:
                single, batch = min(now.single_us, point.single_us), min(now.batch_us, point.batch_us)
                now = Point(effort, point.recall, single, batch, min(now.clock_us, point.clock_us))
            best[name, effort] = now
    return {name: [best[name, point.effort] for point in points] for name, (_, points) in runners.items()}


def about_target(points: Sequence[Point], target: float) -> list[Point]:
    """Of each k_factor whose cost at the target is near the least, the efforts just below and above the target."""
    lines = []
    for factor in {point.effort.k_factor for point in points}:
        line = sorted((p for p in points if p.effort.k_factor == factor), key=lambda p: p.effort.depth)
        cost = cost_at(line, target, "query_us")
        if cost is not None:
            above = next(i for i, point in enumerate(line) if point.recall >= target)
            lines.append((cost, line[max(above - 1, 0) : above + 1]))
    least = min((cost for cost, _ in lines), default=0.0)
    return [point for cost, line in lines if cost <= 1.2 * least for point in line]


def _timed(index: Index, queries: Vectors, effort: Effort, recall: float, repeats: int) -> Point:
    single = batch = clock = math.inf
    batches = [queries[i : i + BATCH] for i in range(0, min(len(queries), 8 * BATCH), BATCH)]
    count = sum(map(len, batches))
    for _ in range(repeats):
        set_threads(1)
        began = time.thread_time()
        for each in batches:
            index.search(each, K, effort, complete=False)
        batch = min(batch, (time.thread_time() - began) / count)
        began = time.thread_time()
        for i in range(2 * BATCH):
            index.search(queries[i : i + 1], K, effort, complete=False)
        single = min(single, (time.thread_time() - began) / (2 * BATCH))
        began = time.perf_counter()
        with ThreadPoolExecutor(2, initializer=set_threads, initargs=(1,)) as pool:
            [*pool.map(lambda each: index.search(each, K, effort, complete=False), batches)]
        clock = min(clock, (time.perf_counter() - began) / count)
    return Point(effort, recall, single * 1e6, batch * 1e6, clock * 1e6)


def cost_at(points: Sequence[Point], target: float, cost: str) -> float | None:
    """The least cost (`single_us`, `batch_us`, `query_us`) at exactly the target; None if it is not reached.

    Between two efforts of one k_factor the logarithm of the cost is taken to be linear in recall: a comparison at the
    target must not hang on where the rungs of a ladder happen to lie.
    """
    best: float | None = None
    for factor in {point.effort.k_factor for point in points}:
        line = sorted((p for p in points if p.effort.k_factor == factor), key=lambda p: p.effort.depth)
        reached = next((i for i, p in enumerate(line) if p.recall >= target), None)
        if reached is None:
            continue
        high = line[reached]
        value: float = getattr(high, cost)
        if reached and high.recall > line[reached - 1].recall:
            low = line[reached - 1]
            share = (target - low.recall) / (high.recall - low.recall)
            value = math.exp((1 - share) * math.log(getattr(low, cost)) + share * math.log(value))
        best = value if best is None else min(best, value)
    return best
