"""Which indexes are tried: a first setting of each family, then variations of the families that do well."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vecinity.indexer.ann import FINE_DIMENSION_MAX, GRAPHS, Family, IndexSpec, Transform, choose_spec

_FIRSTS = (
    (Family.IVF_PQ, Transform.NONE),
    (Family.HNSW_SQ8, Transform.NONE),
    (Family.HNSW, Transform.NONE),
    (Family.IVF_RABITQ, Transform.ROTATION),
    (Family.IVF_FLAT, Transform.NONE),
)
"""Left out are nsg, which takes several times as long to build as hnsw and answers no faster, and the scalar codes in
lists, which are scanned a third as fast as ivf-pq's (docs/index-choice.md)."""
_ROTATED_DIMENSION_MAX = 2_048
"""To make a random rotation takes the cube of the dimension: .4 s of 2,000, 3.4 of 4,000, half an hour of 32,000."""

_LINKS = (32, 24, 8)
_DIMENSIONS_PER_CODE = (2, 3, 4, 1)
_DIMENSIONS_PER_COARSE_CODE = (6, 8, 12, 16)
_LISTS = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Settings that the user has chosen; 0 leaves one open."""

    nlist: int = 0
    m: int = 0
    ef_construction: int = 0


def first_candidates(rows: int, dimension: int, fixed: Fixed) -> list[IndexSpec]:
    """One of each family, the most promising family first: that is the order when time runs out.

    Raises:
        SettingError: A fixed setting is out of its range, or asks for more lists than there are rows.
    """
    return [
        choose_spec(
            family,
            rows,
            dimension,
            nlist=0 if family in GRAPHS else fixed.nlist,
            m=fixed.m if family in GRAPHS else 0,
            ef_construction=fixed.ef_construction if family in GRAPHS else 0,
            transform=transform,
        )
        for family, transform in _FIRSTS
        if transform is not Transform.ROTATION or dimension <= _ROTATED_DIMENSION_MAX
    ]


def variations(spec: IndexSpec, rows: int, dimension: int, fixed: Fixed) -> list[IndexSpec]:
    """Neighbours of a first candidate that differ in one setting, the most promising first."""
    return [each for each in dict.fromkeys(_variations(spec, rows, dimension, fixed)) if each != spec]


def _variations(spec: IndexSpec, rows: int, dimension: int, fixed: Fixed) -> Iterator[IndexSpec]:
    if not spec.nlist:
        if not fixed.m:
            yield from (replace(spec, m=m) for m in _LINKS)
        return
    yield from _with_codes(spec, dimension, _DIMENSIONS_PER_CODE)
    if not fixed.nlist:
        yield from (replace(spec, nlist=max(1, min(round(spec.nlist * factor), rows))) for factor in _LISTS)
    yield from _with_codes(spec, dimension, _DIMENSIONS_PER_COARSE_CODE)


def _with_codes(spec: IndexSpec, dimension: int, dimensions_per_code: Sequence[int]) -> Iterator[IndexSpec]:
    for per in dimensions_per_code if spec.subquantisers else ():
        # A code for each of many dimensions takes long to train and to scan, and re-ranking makes up for less.
        if dimension % per == 0 and (per > 1 or dimension <= FINE_DIMENSION_MAX):
            yield replace(spec, subquantisers=dimension // per)


def on_sample(spec: IndexSpec, rows: int, sample_rows: int) -> IndexSpec:
    """The same candidate for fewer rows: lists go with the square root of the rows, as in `choose_spec`."""
    if not spec.nlist:
        return spec
    return replace(spec, nlist=max(1, min(round(spec.nlist * math.sqrt(sample_rows / rows)), sample_rows)))
