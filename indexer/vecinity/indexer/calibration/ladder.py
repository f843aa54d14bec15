"""The efforts that are measured.

An effort has a depth (`Effort.depth`) and, where scores of codes are re-ranked, a number of candidates, which k_factor
says in terms of k.
"""

from __future__ import annotations

from vecinity.indexer.ann import CANDIDATES_K_MIN, EF_SEARCH, K_FACTOR, Index, IndexSpec

CALIBRATED_K = (1, 3, 10, 30, 100, 300, 1_000)

_RATIO = 1.08
_EF_RATIO = 1.25
_FACTORS_MAX = {1: 64, 3: 64, 10: 64, 30: 24, 100: 20, 300: 10, 1_000: 4}
"""For each k, the most candidates looked at as a multiple of k (of 10 if k is smaller)."""

_GRAPH_FACTOR_MAX = 8
"""A graph keeps no more candidates than its ef_search, and its codes are fine."""


def calibrated_k(rows: int) -> list[int]:
    """The k's worth measuring for so many rows: those of which the rows are many times as many, and the first three."""
    return [k for k in CALIBRATED_K if k <= (rows if k <= CANDIDATES_K_MIN else rows // 10)]


def depths(spec: IndexSpec, rows: int) -> list[int]:
    """Every depth worth knowing, ascending: each number at first, then steps of some percent."""
    if not spec.nlist:
        return _steps(4, min(EF_SEARCH.maximum, 1_024, max(rows, 10)), _EF_RATIO, also=CALIBRATED_K)
    return _steps(1, spec.nlist, _RATIO)


def k_factors(index: Index, k: int) -> list[int]:
    """Every k_factor worth knowing for a calibrated k, ascending; 0 alone where nothing is re-ranked."""
    if not index.needs_rerank:
        return [0]
    most = _FACTORS_MAX[k] if index.spec.nlist else min(_FACTORS_MAX[k], _GRAPH_FACTOR_MAX)
    return _steps(1, min(K_FACTOR.maximum, most), _RATIO)


def candidates_of(k: int, k_factor: int) -> int:
    """How many candidates a search for k hits looks at."""
    return max(k, CANDIDATES_K_MIN) * k_factor if k_factor else k


def _steps(first: int, last: int, ratio: float, also: tuple[int, ...] = ()) -> list[int]:
    steps = {number for number in also if first <= number <= last}
    number = first
    while number < last:
        steps.add(number)
        number = max(number + 1, round(number * ratio))
    return sorted(steps | {last})
