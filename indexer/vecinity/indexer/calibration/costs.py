"""What a search of any effort takes, from few that are timed.

The time of a search grows nearly in proportion to the lists visited and to the candidates re-ranked (to the candidates
kept, in a graph), so between searches timed on a coarse grid it is interpolated. That is also steadier than a time
measured for each effort, of which two neighbours would differ by less than the noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Index, effort_of, exact_search
from vecinity.indexer.calibration.ladder import candidates_of, k_factors
from vecinity.indexer.metric import Vectors

BATCH = 64
"""Queries that a server searches at a time."""

_REPEATS = 2
_TIMED_K = ((10, 64), (100, 64), (1_000, 64))
"""The k's that are timed, with how many queries: a k below costs as the first of them that is not below it."""

_DEPTHS = 6
_FACTORS = 5


class Costs:
    """Times an index, and says what each effort takes. One thread must be set (`ann.set_threads`).

    Args:
        queries: float32 (n, d), prepared; n at least 1.
        depths: The depths to know, ascending.
        k_max: The largest k to know.
    """

    def __init__(self, index: Index, queries: Vectors, depths: Sequence[int], k_max: int) -> None:
        self._depths = _spread(depths, _DEPTHS)
        self._grids: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = []
        for k, count in _TIMED_K:
            factors = _spread(k_factors(index, k), _FACTORS)
            candidates = np.array([candidates_of(k, factor) for factor in factors], dtype=np.float64)
            asked = _repeated(queries, count)
            works = [
                _searching(index, asked, min(k, len(index.vectors)), depth, factor)
                for depth in self._depths
                for factor in factors
            ]
            times = _shortest(works).reshape(len(self._depths), len(factors)) / count * 1e6
            # More work takes no less time: what says so is noise.
            self._grids.append((k, candidates, np.maximum.accumulate(np.maximum.accumulate(times, 0), 1)))
            if k >= k_max:
                break

    def query_us(self, depths: Sequence[int], candidates: int, k: int) -> list[float]:
        """Processor time of one query in a batch, in microseconds, for each of some depths."""
        grid = next((grid for grid in self._grids if k <= grid[0]), self._grids[-1])
        by_depth = [np.interp(candidates, grid[1], line) for line in grid[2]]
        times: list[float] = np.interp(depths, self._depths, by_depth).tolist()
        return times


def exact_costs(index: Index, queries: Vectors) -> tuple[float, float]:
    """Processor time of comparing a query with every row, in microseconds: in a batch, and alone."""
    batch, single = _repeated(queries, BATCH), queries[:1]
    k = min(10, len(index.vectors))
    works = [lambda: exact_search(batch, index.vectors, k, index.metric)]
    works.append(lambda: exact_search(single, index.vectors, k, index.metric))
    times = _shortest(works)
    return float(times[0] / len(batch) * 1e6), float(times[1] * 1e6)


def _searching(index: Index, queries: Vectors, k: int, depth: int, factor: int) -> Callable[[], object]:
    effort = effort_of(index.spec, depth, factor)
    parts = [queries[begin : begin + BATCH] for begin in range(0, len(queries), BATCH)]
    return lambda: [index.search(part, k, effort, complete=False) for part in parts]


def _shortest(works: Sequence[Callable[[], object]]) -> NDArray[np.float64]:
    """Seconds of processor time, the least of some repeats; these are rounds, so that a slow moment meets all alike."""
    best = np.full(len(works), np.inf)
    for _ in range(_REPEATS):
        for place, work in enumerate(works):
            began = time.process_time()
            work()
            best[place] = min(best[place], time.process_time() - began)
    return best


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """Some of the numbers, the first and the last among them, evenly by their ratio."""
    wanted = np.geomspace(numbers[0], numbers[-1], count) if numbers[0] > 0 else [numbers[0]]
    return sorted({min(numbers, key=lambda number: abs(number - value)) for value in wanted})


def _repeated(queries: Vectors, count: int) -> Vectors:
    return np.ascontiguousarray(np.resize(queries, (count, queries.shape[1])))
