"""What a search spends, in the terms of each family."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vecinity.indexer.ann.spec import GRAPHS, INVERTED_LISTS, IndexSpec, Tunable

NPROBE = Tunable(0, 1, 1 << 20)
EF_SEARCH = Tunable(0, 1, 1 << 16)
K_FACTOR = Tunable(32, 1, 1_000)

CANDIDATES_K_MIN = 10
"""A search for fewer hits re-ranks as many candidates as one for this many: with few, codes decide too much."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a search spends; 0 stands for "not of this family". `EXACT` compares with every row.

    Attributes:
        nprobe: Inverted lists visited.
        ef_search: Candidates kept on the way through a graph.
        k_factor: Candidates re-ranked exactly, as a multiple of k (of 10 if k is smaller).
    """

    nprobe: int = 0
    ef_search: int = 0
    k_factor: int = 0
    exact: bool = False

    @property
    def depth(self) -> int:
        """How far the index is searched: the lists visited, or the candidates kept on the way through a graph."""
        return self.nprobe or self.ef_search

    def at_depth(self, depth: int) -> Effort:
        """The same effort, but for its depth."""
        return replace(self, nprobe=depth) if self.nprobe else replace(self, ef_search=depth)


EXACT = Effort(exact=True)

_LISTS_MIN = 64


def effort_of(spec: IndexSpec, depth: int, k_factor: int = 0) -> Effort:
    """The effort of a depth, for an index that is not flat."""
    return Effort(nprobe=depth, k_factor=k_factor) if spec.nlist else Effort(ef_search=depth, k_factor=k_factor)


def effort_settings(spec: IndexSpec) -> dict[str, Tunable]:
    """The fields of `Effort` that searches of such an index take; none for a flat one."""
    settings = {}
    if spec.family in INVERTED_LISTS:
        settings["nprobe"] = NPROBE
    if spec.family in GRAPHS:
        settings["ef_search"] = EF_SEARCH
    if spec.needs_rerank:
        settings["k_factor"] = K_FACTOR
    return settings


def lists_worth_visiting(spec: IndexSpec) -> int:
    """The largest nprobe worth its cost: past a quarter of the lists a scan of the raw vectors takes hardly longer."""
    return min(spec.nlist, max(spec.nlist // 4, _LISTS_MIN))
