"""The tournament itself: rounds of candidates on growing samples, within an allowance of time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np

from vecinity.indexer.ann import Family, IndexSpec, Rows, set_threads
from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.errors import InputError
from vecinity.indexer.metric import Metric
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.stored_vectors import StoredVectors, VectorType, as_float32
from vecinity.indexer.tournament.candidates import Fixed, first_candidates, on_sample, variations
from vecinity.indexer.tournament.choosing import Limits, ranked, reason, too_large
from vecinity.indexer.tournament.extrapolation import Sampled, build_seconds, search_us
from vecinity.indexer.tournament.measuring import Round, Trial, build_trial, find_effort, time_trials
from vecinity.indexer.tournament.memory import index_bytes
from vecinity.indexer.tournament.report import Entry, TournamentReport

_ROWS_MIN, _ROWS_MAX = 4_096, 16_384
_ROWS_LEAST = 1_000
"""However large `_NUMBERS_MAX` lets them be."""
_SHARE_OF_ROWS = 1 / 25
"""A sample of the first round: with twice the rows the choice was no better, and took twice as long."""
_NUMBERS_MAX = 16_000_000
"""Rows × dimensions of a sample: several indexes of it are in memory at once."""
_REPEATS = 2
"""Enough to say which few are compared again."""
_COMPARED = 8
_COMPARED_REPEATS = 6
_STILL_IN = 1.25
"""A family that costs this many times the best is not tried with other settings."""
_FIRST_FAMILIES, _CODES_TRIED_FIRST = 3, 3
"""What is built first: families in the order of `first_candidates`, and codes beside those of the first."""
_GROWTH = 4
_FINALISTS = 3
_SHARE_OF_BUILD_TIME = 0.25


@dataclass(slots=True)
class _Contest:
    """The state of a tournament.

    Attributes:
        allowance: Processor seconds of each worker that may be spent: the same candidates are tried on a busy machine.
        ends: When, by `time.perf_counter`, no more candidates are begun.
        took: Of each candidate, in its last round; as `spent` and `allowance`.
        trials: Of each candidate, in its last round.
        list_seconds: By lists and rows, what k-means for them took.
    """

    vectors: StoredVectors
    metric: Metric
    limits: Limits
    progress: Progress
    seed: int
    allowance: float
    ends: float
    workers: int = field(default_factory=available_cpus)
    spent: float = 0.0
    lock: Lock = field(default_factory=Lock)
    lists_lock: Lock = field(default_factory=Lock)
    entries: dict[IndexSpec, Entry] = field(default_factory=dict)
    list_seconds: dict[tuple[int, int], float] = field(default_factory=dict)
    took: dict[IndexSpec, float] = field(default_factory=dict)
    trials: dict[IndexSpec, Trial] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.vectors)

    def enter(self, specs: Sequence[IndexSpec]) -> list[IndexSpec]:
        """Note candidates; returns those that fit into the memory allowed."""
        for spec in specs:
            size = index_bytes(spec, self.rows, self.vectors.shape[1], VectorType(self.vectors.dtype.name))
            self.entries.setdefault(spec, Entry(spec, index_bytes=size))
        return [spec for spec in specs if not too_large(self.entries[spec], self.limits)]

    def play(self, held: Round, specs: Sequence[IndexSpec], slower: float = 1.0) -> None:
        """Build and measure candidates on the rows of a round, the first ones first, while time lasts.

        Args:
            slower: How many times as long this round takes as the one before.
        """
        trials: list[tuple[IndexSpec, Trial]] = []
        with ThreadPoolExecutor(self.workers) as pool:
            jobs = [(spec, pool.submit(self._try, spec, held, slower)) for spec in specs]
            for spec, job in jobs:
                self.progress("tournament", self._measured, len(self.entries), "candidates", spec.description)
                try:
                    if (trial := job.result()) is not None:
                        trials.append((spec, trial))
                except InputError:  # FAISS can't train it on these rows
                    self.entries[spec] = replace(self.entries[spec], excluded="can't be trained on a sample")
        self.trials.update(trials)
        self._time([spec for spec, _ in trials], held, _REPEATS)

    def compare(self, held: Round) -> None:
        """Time the best candidates of a round together: those of different plays were timed at different moments."""
        best = [entry.spec for entry in self.best() if entry.rows == len(held.rows)]
        self._time(best[:_COMPARED], held, _COMPARED_REPEATS)

    def _time(self, specs: Sequence[IndexSpec], held: Round, repeats: int) -> None:
        began = time.thread_time()
        time_trials([self.trials[spec] for spec in specs], held, repeats)
        self.spent += (time.thread_time() - began) / self.workers
        for spec in specs:
            self.entries[spec] = self._expected(spec, self.trials[spec], len(held.rows))

    def _try(self, spec: IndexSpec, held: Round, slower: float) -> Trial | None:
        """Build a candidate and find its effort; None if there is no time for that."""
        expected = slower * self.took.get(spec, min(self.took.values(), default=0.0))
        # What comes first in the first round is always measured: there must be a winner.
        if self.spent and (self.spent + expected > self.allowance or time.perf_counter() + expected > self.ends):
            return None
        began = time.thread_time()
        scaled = on_sample(spec, self.rows, len(held.rows))
        key = (scaled.nlist, len(held.rows))
        with self.lists_lock:  # once for all the candidates that wait
            if scaled.nlist and key not in self.list_seconds:
                lists_alone = IndexSpec(Family.IVF_FLAT, nlist=scaled.nlist)
                self.list_seconds[key] = build_trial(lists_alone, held, self.seed).train_seconds
        trial = build_trial(scaled, held, self.seed)
        find_effort(trial, held, self.limits.target_recall)
        took = (time.thread_time() - began) / self.workers
        with self.lock:
            self.took[spec] = took
            self.spent += took
        return trial

    @property
    def _measured(self) -> int:
        return sum(bool(entry.rows) for entry in self.entries.values())

    def _expected(self, spec: IndexSpec, trial: Trial, rows: int) -> Entry:
        size = self.entries[spec].index_bytes
        if trial.effort is None:
            return Entry(spec, rows, index_bytes=size)
        sampled = Sampled(
            trial.spec,
            rows,
            trial.effort,
            trial.recall,
            trial.single_us - trial.spare_us,
            trial.batch_us - trial.spare_us,
            trial.wide_us - trial.spare_us,
            trial.train_seconds / self.workers,
            trial.add_seconds / self.workers,
            self.list_seconds.get((trial.spec.nlist, rows), 0.0) / self.workers,
        )
        single_us, batch_us = search_us(sampled, spec, self.rows)
        return Entry(
            spec,
            rows,
            trial.effort,
            trial.recall,
            single_us,
            batch_us,
            build_seconds(sampled, spec, self.rows),
            size,
        )

    def best(self) -> list[Entry]:
        """Measured candidates that reach the target, quickest first."""
        return sorted((e for e in self.entries.values() if e.recall), key=lambda e: e.query_us)


def run_tournament(
    vectors: StoredVectors,
    metric: Metric,
    held_out: Rows,
    limits: Limits,
    fixed: Fixed = Fixed(),  # noqa: B008
    progress: Progress = silent,
    seed: int = 1,
) -> TournamentReport:
    """Find the index that reaches the target recall at the least cost, under the limits.

    The first candidate of every family follows from the data and the seed alone, and so does the effort of one that is
    not re-ranked. How many candidates are re-ranked, which settings are tried beside the best, and which of several
    close ones wins, is decided by time measured on this machine, and may differ from run to run.

    Args:
        vectors: float32 or float16 (rows, d), prepared, usually memory-mapped.
        held_out: int64, rows that serve as queries.
        limits: What the user asks for.
        fixed: Settings the user has chosen.

    Raises:
        SettingError: Nothing can meet the limits on memory and time.
    """
    began = time.perf_counter()
    rows, dimension = vectors.shape
    ends = began + _SHARE_OF_BUILD_TIME * (limits.max_build_seconds or math.inf)
    contest = _Contest(vectors, metric, limits, progress, seed, allowance(rows, dimension, limits), ends)
    rng = np.random.default_rng(seed)
    # An order of all rows but the queries: the rows of the first round are also in the second.
    order = rng.permutation(np.setdiff1d(np.arange(rows, dtype=np.int64), held_out, assume_unique=True))
    queries = as_float32(vectors[rng.permutation(held_out)])

    def draw(count: int) -> Round:
        set_threads(contest.workers)
        return Round.draw(vectors, metric, np.sort(order[:count]), queries)

    firsts = first_candidates(rows, dimension, fixed)
    others = {first: variations(first, rows, dimension, fixed) for first in firsts}
    fitting = {first: contest.enter([first, *others[first]]) for first in firsts}
    # A family may have smaller settings where its first is too large.
    entering = [specs[0] for specs in fitting.values() if specs]
    if entering:
        count = min(len(order), sample_rows(rows, dimension))
        held = draw(count)
        # Codes are tried while the graphs, which take longest, are still being built.
        codes = [code for specs in fitting.values() for code in _other_codes(specs)]
        contest.play(held, [*entering[:_FIRST_FAMILIES], *codes])
        # Settings are varied one by one: what is good together with the best of another is seen only now.
        contest.play(held, [*contest.enter(_beside_best(contest, fixed)), *entering[_FIRST_FAMILIES:]])
        others_left = _other_settings([specs for specs in fitting.values() if specs], contest.best(), contest.took)
        contest.play(held, [spec for spec in others_left if spec.nlist])
        contest.play(held, [spec for spec in others_left if not spec.nlist])
        contest.compare(held)
        contest.trials.clear()  # which takes as much memory as the next round needs
        while (more_rows := min(len(order), _GROWTH * count)) >= 2 * count:
            if not _play_finals(contest, draw(more_rows), more_rows / count):
                break
            count = more_rows
    progress("tournament", len(contest.entries), len(contest.entries), "candidates")
    seconds = time.perf_counter() - began
    entries = ranked(list(contest.entries.values()), limits, seconds)
    return TournamentReport(entries, reason(entries, limits), round(seconds, 2), limits.target_recall)


def _other_codes(specs: Sequence[IndexSpec]) -> list[IndexSpec]:
    """The most promising codes to try besides those of the first, in lists as many."""
    codes = [spec for spec in specs[1:] if spec.subquantisers and spec.nlist == specs[0].nlist]
    return codes[:_CODES_TRIED_FIRST]


def _other_settings(
    families: Sequence[Sequence[IndexSpec]], best: Sequence[Entry], took: Mapping[IndexSpec, float]
) -> list[IndexSpec]:
    """Settings to try besides those tried, of the families that did well: the families that take least time first.

    Of every family, where none has reached the target yet.
    """
    alive = {e.spec.family for e in best if e.query_us <= _STILL_IN * best[0].query_us}
    trying = [specs for specs in families if not best or specs[0].family in alive]
    trying.sort(key=lambda specs: took.get(specs[0], math.inf))
    return [spec for specs in trying for spec in specs[1:] if spec not in took]


def _beside_best(contest: _Contest, fixed: Fixed) -> list[IndexSpec]:
    """Variations of the best lists that have not been tried yet, other numbers of lists first."""
    best = next((entry.spec for entry in contest.best() if entry.spec.nlist), None)
    if best is None:
        return []
    rows, dimension = contest.vectors.shape
    others = [spec for spec in variations(best, rows, dimension, fixed) if spec not in contest.took]
    return sorted(others, key=lambda spec: spec.nlist == best.nlist)


def _play_finals(contest: _Contest, held: Round, slower: float) -> bool:
    """Measure the best few on more rows; where one misses the target there, the next takes its place.

    Returns:
        False if there was no time for all: then the round before stands, as the best may be among those not measured.
    """
    before = dict(contest.entries)
    waiting = [entry.spec for entry in contest.best()]
    passed = 0
    while waiting and passed < _FINALISTS:
        playing, waiting = waiting[: _FINALISTS - passed], waiting[_FINALISTS - passed :]
        contest.play(held, playing, slower)
        measured = [contest.entries[spec] for spec in playing if contest.entries[spec].rows == len(held.rows)]
        if len(measured) < len(playing):
            contest.entries = {spec: before[spec] if e.recall else e for spec, e in contest.entries.items()}
            contest.trials.clear()
            return False
        passed += sum(bool(entry.recall) for entry in measured)
    contest.compare(held)
    contest.trials.clear()
    return passed > 0


def sample_rows(rows: int, dimension: int) -> int:
    """Rows of the first round, of a collection of `rows` × `dimension`."""
    count = min(max(int(rows * _SHARE_OF_ROWS), _ROWS_MIN), _ROWS_MAX)
    return max(min(count, _NUMBERS_MAX // dimension), _ROWS_LEAST)


def allowance(rows: int, dimension: int, limits: Limits) -> float:
    """Processor seconds of each worker that a tournament may take.

    They grow with what a build takes: an eighth of HNSW16's for 123,000 × 384. They are a share of a limit on that.
    """
    seconds = min(max(rows * dimension / 16e6, 3.0), 60.0)
    if limits.max_build_seconds is not None:
        seconds = min(seconds, _SHARE_OF_BUILD_TIME * limits.max_build_seconds)
    return seconds
