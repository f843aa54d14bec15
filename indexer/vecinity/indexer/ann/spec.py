"""What an index is made of: its family and settings, and how those left open are filled in."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from vecinity.indexer.errors import SettingError


class Family(StrEnum):
    """Kinds of index. The values are what users write and segments store."""

    FLAT = "flat"
    IVF_FLAT = "ivf-flat"
    HNSW = "hnsw"
    IVF_PQ = "ivf-pq"
    HNSW_SQ8 = "hnsw-sq8"
    NSG = "nsg"
    IVF_SQ8 = "ivf-sq8"
    IVF_SQ4 = "ivf-sq4"
    IVF_RABITQ = "ivf-rabitq"


GRAPHS = frozenset({Family.HNSW, Family.HNSW_SQ8, Family.NSG})
"""Families that walk from item to item along links."""

INVERTED_LISTS = frozenset(Family) - GRAPHS - {Family.FLAT}
"""Families that put each item into the list of the nearest of nlist centroids."""


class Transform(StrEnum):
    """What is done to vectors before they are coded. Scores stay exact: candidates are re-ranked as they were."""

    NONE = "none"
    PCA = "pca"
    """The directions of most variance, fewer than d."""
    OPQ = "opq"
    """A rotation, to fewer dimensions if asked for, that suits product quantisation (Ge et al. 2013)."""
    ROTATION = "rotation"
    """A random one. RaBitQ's error bound holds for vectors rotated at random (Gao & Long 2024)."""


@dataclass(frozen=True, slots=True)
class Tunable:
    """A setting's default (0: chosen from the data), minimum and maximum."""

    default: int
    minimum: int
    maximum: int

    def check(self, name: str, value: int) -> None:
        """
        Raises:
            SettingError: The value is out of range.
        """
        if not self.minimum <= value <= self.maximum:
            raise SettingError(f"{name} is {value}; it must be from {self.minimum} to {self.maximum}")


NLIST = Tunable(0, 1, 1 << 20)
M = Tunable(16, 4, 128)
EF_CONSTRUCTION = Tunable(100, 8, 2_000)
REDUCED_DIMENSION = Tunable(0, 1, 1 << 16)
SUBQUANTISERS = Tunable(0, 1, 1 << 16)

NSG_LINKS = 32
"""NSG's default of --m: its graph has one layer, so an item takes twice the links that HNSW gives it in each."""

FINE_DIMENSION_MAX = 192
"""Up to here a code is given to each dimension, above to each two. Word vectors of 100 dimensions reach a recall@10 of
.95 at half the cost so; sentence vectors of 384 lose nothing with half the codes."""

FLAT_NUMBERS_MAX = 4_000_000
"""Up to so many rows × dimensions a scan takes about as long as the call around it, and is exact."""

_TRAINING_ROWS_PER_LIST = 64
_TRAINING_ROWS_MIN = 10_000
"""Codes and transforms are learnt from the sample too, however few the lists."""


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """A family and its settings; 0 stands for "not of this family".

    Attributes:
        nlist: Inverted lists.
        m: Links of an item of a graph.
        ef_construction: Candidates kept while an item's links are looked for.
        subquantisers: 4-bit codes of an ivf-pq item.
        transform: Before the codes.
        reduced_dimension: What the transform leaves; 0 if there is none.
    """

    family: Family
    nlist: int = 0
    m: int = 0
    ef_construction: int = 0
    subquantisers: int = 0
    transform: Transform = Transform.NONE
    reduced_dimension: int = 0

    @property
    def description(self) -> str:
        """In the notation of FAISS's index factory."""
        before = {
            Transform.NONE: "",
            Transform.PCA: f"PCA{self.reduced_dimension},",
            Transform.OPQ: f"OPQ{self.subquantisers}_{self.reduced_dimension},",
            Transform.ROTATION: f"RR{self.reduced_dimension},",
        }
        coded = {
            Family.FLAT: "Flat",
            Family.IVF_FLAT: f"IVF{self.nlist},Flat",
            Family.HNSW: f"HNSW{self.m},Flat",
            Family.HNSW_SQ8: f"HNSW{self.m},SQ8",
            Family.NSG: f"NSG{self.m},Flat",
            Family.IVF_PQ: f"IVF{self.nlist},PQ{self.subquantisers}x4fs",
            Family.IVF_SQ8: f"IVF{self.nlist},SQ8",
            Family.IVF_SQ4: f"IVF{self.nlist},SQ4",
            Family.IVF_RABITQ: f"IVF{self.nlist},RaBitQfs",
        }
        return before[self.transform] + coded[self.family]

    @property
    def training_rows(self) -> int:
        """Rows worth training on; 0 if the family needs no training."""
        if self.family is Family.HNSW_SQ8:
            return _TRAINING_ROWS_MIN
        return max(self.nlist * _TRAINING_ROWS_PER_LIST, _TRAINING_ROWS_MIN) if self.nlist else 0

    @property
    def needs_rerank(self) -> bool:
        """Whether FAISS sees codes, not vectors, so that its candidates are scored again from the matrix."""
        return self.family not in (Family.FLAT, Family.IVF_FLAT, Family.HNSW, Family.NSG)

    @property
    def fast_scan(self) -> bool:
        """Whether its lists hold blocks of codes that FAISS scans in registers (FastScan)."""
        return self.family in (Family.IVF_PQ, Family.IVF_RABITQ)

    @property
    def can_add(self) -> bool:
        """Whether rows can be added to an index that has been searched; else it is made anew."""
        return self.family is not Family.NSG

    @property
    def can_select(self) -> bool:
        """Whether FAISS can be told, in a search, which rows may be found."""
        return self.family is not Family.NSG

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> IndexSpec:
        """
        Raises:
            ValueError, KeyError, TypeError: The value is not what `to_json` gives.
        """
        transform = Transform(value.get("transform", Transform.NONE))
        return cls(**{**value, "family": Family(value["family"]), "transform": transform})


def choose_spec(
    family: Family | None,
    rows: int,
    dimension: int,
    *,
    nlist: int = 0,
    m: int = 0,
    ef_construction: int = 0,
    transform: Transform = Transform.NONE,
    reduced_dimension: int = 0,
    subquantisers: int = 0,
) -> IndexSpec:
    """Fill in what the user left open.

    Args:
        family: None chooses: flat for small collections, else ivf-pq where the dimension divides well, else ivf-flat.
        rows: Number of rows the index will hold.
        dimension: d.
        reduced_dimension: 0 takes half of d for pca, d for the other transforms.
        subquantisers: 4-bit codes of an ivf-pq item; 0 takes one for each dimension or, above 192, each two.

    Raises:
        SettingError: A setting is out of range, asks for more lists than there are rows or more dimensions than d, or
            the family has no place for it, or codes do not divide the dimension.
    """
    if family is None:
        if rows * dimension <= FLAT_NUMBERS_MAX and transform is Transform.NONE:
            family, nlist, m, ef_construction = Family.FLAT, 0, 0, 0
        elif transform is not Transform.NONE or subquantisers or _most_subquantisers(dimension) * 4 >= dimension:
            family = Family.IVF_PQ
        else:
            family = Family.IVF_FLAT
    reduced_dimension = _reduced(family, dimension, transform, reduced_dimension)
    subquantisers = _subquantisers(family, reduced_dimension or dimension, subquantisers)
    _refuse_foreign(family, nlist, m, ef_construction)
    if family is Family.FLAT:
        return IndexSpec(family)
    if family in GRAPHS:
        M.check("m", m := m or (NSG_LINKS if family is Family.NSG else M.default))
        if family is Family.NSG:
            return IndexSpec(family, m=m)
        EF_CONSTRUCTION.check("ef_construction", ef_construction := ef_construction or EF_CONSTRUCTION.default)
        return IndexSpec(family, m=m, ef_construction=ef_construction)
    if nlist:
        NLIST.check("nlist", nlist)
        if nlist > rows:
            raise SettingError(f"nlist is {nlist}, but there are only {rows} items to put into lists")
    else:
        # Near 2·√rows: visiting lists and finding them then cost about the same.
        nlist = max(1, min(rows // 16, 1 << round(math.log2(2 * math.sqrt(max(rows, 1))))))
    return IndexSpec(
        family,
        nlist=nlist,
        subquantisers=subquantisers,
        transform=transform,
        reduced_dimension=reduced_dimension,
    )


def _refuse_foreign(family: Family, nlist: int, m: int, ef_construction: int) -> None:
    if nlist and family not in INVERTED_LISTS:
        raise SettingError(f"nlist is {nlist}, but {family} has no lists")
    if m and family not in GRAPHS:
        raise SettingError(f"m is {m}, the links of a graph's items, but {family} is no graph")
    if ef_construction and family not in GRAPHS - {Family.NSG}:
        raise SettingError(f"ef_construction is {ef_construction}, but {family} is not built by hnsw")


def _reduced(family: Family, dimension: int, transform: Transform, wanted: int) -> int:
    """What a transform leaves of the dimension, 0 without one."""
    if transform is Transform.NONE:
        if wanted:
            raise SettingError(f"reduced_dimension is {wanted}, but no transform reduces: choose pca or opq")
        return 0
    if family not in INVERTED_LISTS or family is Family.IVF_FLAT:
        coded = ", ".join(sorted(INVERTED_LISTS - {Family.IVF_FLAT}))
        raise SettingError(f"transform {transform} goes with lists of codes ({coded}), not with {family}")
    if transform is Transform.OPQ and family is not Family.IVF_PQ:
        raise SettingError(f"transform opq rotates for product quantisation: it goes with ivf-pq, not with {family}")
    reduced = wanted or (max(dimension // 2, 1) if transform is Transform.PCA else dimension)
    REDUCED_DIMENSION.check("reduced_dimension", reduced)
    if reduced > dimension:
        raise SettingError(f"reduced_dimension is {reduced}, but the vectors have {dimension} dimensions")
    return reduced


def _subquantisers(family: Family, dimension: int, wanted: int) -> int:
    """The 4-bit codes of an item, 0 for other families; `dimension` is what the transform leaves."""
    if family is not Family.IVF_PQ:
        if wanted:
            raise SettingError(f"subquantisers is {wanted}, but {family} has none: they are codes of ivf-pq")
        return 0
    if not wanted:
        return _most_subquantisers(dimension)
    SUBQUANTISERS.check("subquantisers", wanted)
    if dimension % wanted:
        divisors = ", ".join(str(m) for m in range(1, dimension + 1) if dimension % m == 0)
        raise SettingError(
            f"subquantisers is {wanted}, which does not divide {dimension} dimensions: choose of {divisors}"
        )
    return wanted


def _most_subquantisers(dimension: int) -> int:
    """How many 4-bit codes stand for a vector: FAISS wants a divisor of the dimension."""
    most = dimension if dimension <= FINE_DIMENSION_MAX else dimension // 2
    return max(m for m in range(1, most + 1) if dimension % m == 0)
