"""Nearest-neighbour indexes over FAISS: the only module that imports it.

A segment keeps its vectors in a memory-mapped matrix; an `Index` adds to that what finds candidates fast.

========  ===========================================  ==================  =================
family    what FAISS holds                             effort              scores
========  ===========================================  ==================  =================
flat      nothing: the matrix itself is scanned        none                exact
ivf-flat  vectors in nlist inverted lists              nprobe lists        exact
hnsw      vectors in a navigable graph                 ef_search           exact
ivf-pq    4-bit codes in nlist lists (FastScan)        nprobe, k_factor    exact after re-rank
========  ===========================================  ==================  =================

An ivf-pq search fetches ``k_factor · max(k, 10)`` candidates by their codes and re-ranks them with exact scores from
the matrix. FAISS's own ``IndexRefineFlat`` would own a second copy of every vector; ``fvec_*_by_idx`` reads them where
they are (docs/adr/0002). All methods of a finished index are safe to call from many threads.

FAISS's defaults of nprobe 1 and efSearch 16 are never used: every search says its effort.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.errors import CorruptError, InputError, SettingError
from vecinity.indexer.metric import Metric, Vectors

Rows = NDArray[np.int64]
"""int64 row numbers of a segment; -1 where there is none."""


class Family(StrEnum):
    """Kinds of index. The values are what users write and segments store."""

    FLAT = "flat"
    IVF_FLAT = "ivf-flat"
    HNSW = "hnsw"
    IVF_PQ = "ivf-pq"


@dataclass(frozen=True, slots=True)
class Tunable:
    """A setting's default (0: chosen from the data), minimum and maximum."""

    default: int
    minimum: int
    maximum: int

    def check(self, name: str, value: int) -> None:
        if not self.minimum <= value <= self.maximum:
            raise SettingError(f"{name} is {value}; it must be from {self.minimum} to {self.maximum}")


NLIST = Tunable(0, 1, 1 << 20)
M = Tunable(16, 4, 128)
EF_CONSTRUCTION = Tunable(100, 8, 2_000)
NPROBE = Tunable(0, 1, 1 << 20)
EF_SEARCH = Tunable(0, 1, 1 << 16)
K_FACTOR = Tunable(32, 1, 1_000)

CANDIDATES_K_MIN = 10
"""A search for fewer hits re-ranks as many candidates as one for this many: with few, codes decide too much."""

FINE_DIMENSION_MAX = 192
"""Up to here a code is given to each dimension, above to each two. Word vectors of 100 dimensions reach a recall@10 of
.95 at half the cost so; sentence vectors of 384 lose nothing with half the codes."""

FLAT_NUMBERS_MAX = 4_000_000
"""Up to so many rows × dimensions a scan takes about as long as the call around it, and is exact."""

_TRAINING_ROWS_PER_LIST = 64
_SEED = 1234


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """A family and its settings; 0 stands for "not of this family"."""

    family: Family
    nlist: int = 0
    m: int = 0
    ef_construction: int = 0
    subquantisers: int = 0

    @property
    def description(self) -> str:
        """In the notation of FAISS's index factory."""
        match self.family:
            case Family.FLAT:
                return "Flat"
            case Family.IVF_FLAT:
                return f"IVF{self.nlist},Flat"
            case Family.HNSW:
                return f"HNSW{self.m},Flat"
            case Family.IVF_PQ:
                return f"IVF{self.nlist},PQ{self.subquantisers}x4fs"

    @property
    def training_rows(self) -> int:
        """Rows worth training on; 0 if the family needs no training."""
        return self.nlist * _TRAINING_ROWS_PER_LIST

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> IndexSpec:
        return cls(**{**value, "family": Family(value["family"])})


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a search spends; 0 stands for "not of this family". `EXACT` compares with every row.

    Attributes:
        nprobe: Inverted lists visited.
        ef_search: Candidates kept on the way through the graph.
        k_factor: Candidates re-ranked exactly, as a multiple of k (of 10 if k is smaller).
    """

    nprobe: int = 0
    ef_search: int = 0
    k_factor: int = 0
    exact: bool = False


EXACT = Effort(exact=True)


def choose_spec(
    family: Family | None,
    rows: int,
    dimension: int,
    *,
    nlist: int = 0,
    m: int = 0,
    ef_construction: int = 0,
) -> IndexSpec:
    """Fill in what the user left open.

    Args:
        family: None chooses: flat for small collections, else ivf-pq where the dimension divides well, else ivf-flat.
        rows: Number of rows the index will hold.
        dimension: d.

    Raises:
        SettingError: A setting is out of range, or asks for more lists than there are rows.
    """
    subquantisers = _subquantisers(dimension)
    if family is None:
        if rows * dimension <= FLAT_NUMBERS_MAX:
            family = Family.FLAT
        else:
            family = Family.IVF_PQ if subquantisers * 4 >= dimension else Family.IVF_FLAT
    if family is Family.FLAT:
        return IndexSpec(family)
    if family is Family.HNSW:
        M.check("m", m := m or M.default)
        EF_CONSTRUCTION.check("ef_construction", ef_construction := ef_construction or EF_CONSTRUCTION.default)
        return IndexSpec(family, m=m, ef_construction=ef_construction)
    if nlist:
        NLIST.check("nlist", nlist)
        if nlist > rows:
            raise SettingError(f"nlist is {nlist}, but there are only {rows} items to put into lists")
    else:
        # Near 2·√rows: visiting lists and finding them then cost about the same.
        nlist = max(1, min(rows // 16, 1 << round(math.log2(2 * math.sqrt(max(rows, 1))))))
    if family is Family.IVF_PQ:
        return IndexSpec(family, nlist=nlist, subquantisers=subquantisers)
    return IndexSpec(family, nlist=nlist)


def effort_ladder(spec: IndexSpec, rows: int) -> list[Effort]:
    """The efforts worth measuring for an index, from cheap to costly within each k_factor."""
    if spec.family is Family.FLAT:
        return []
    if spec.family is Family.HNSW:
        return [Effort(ef_search=ef) for ef in (16, 24, 32, 48, 64, 96, 128, 192, 256, 512) if ef <= max(rows, 16)]
    probes = sorted(
        {1 << i for i in range(20) if 1 << i < spec.nlist} | {3 << i for i in range(19) if 3 << i < spec.nlist}
    )
    probes.append(spec.nlist)
    # Past a quarter of the lists a scan of the raw vectors costs no more.
    probes = [p for p in probes if p <= max(spec.nlist // 4, 64)]
    if spec.family is Family.IVF_FLAT:
        return [Effort(nprobe=p) for p in probes]
    return [Effort(nprobe=p, k_factor=f) for f in (4, 8, 16, 32) for p in probes]


def exact_search(queries: Vectors, vectors: Vectors, k: int, metric: Metric) -> tuple[Vectors, Rows]:
    """Compare every query with every row.

    Args:
        queries: float32 (n, d), prepared for the metric.
        vectors: float32 (rows, d), prepared; may be memory-mapped, is not copied.
        k: Hits for each query.

    Returns:
        Scores float32 (n, k), higher is closer, and rows int64 (n, k); -inf and -1 where there are fewer rows than k.
    """
    if metric is Metric.EUCLIDEAN:
        distances, rows = faiss.knn(queries, vectors, k, metric=faiss.METRIC_L2)
        return np.where(rows < 0, -np.inf, -distances).astype(np.float32), rows
    scores, rows = faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    return np.where(rows < 0, -np.inf, scores).astype(np.float32), rows


def exact_scores(queries: Vectors, vectors: Vectors, rows: Rows, metric: Metric) -> NDArray[np.float32]:
    """Exact scores of chosen rows.

    Args:
        queries: float32 (n, d), prepared.
        vectors: float32 (rows, d), prepared; may be memory-mapped, is not copied.
        rows: int64 (n, c) candidates; -1 is passed over.

    Returns:
        float32 (n, c); -inf where the row is -1.
    """
    n, candidates = rows.shape
    if int(rows.max(initial=-1)) >= len(vectors):
        raise IndexError(f"row {int(rows.max())} of {len(vectors)}")
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    scores = np.empty((n, candidates), dtype=np.float32)
    function = faiss.fvec_L2sqr_by_idx if metric is Metric.EUCLIDEAN else faiss.fvec_inner_products_by_idx
    function(
        faiss.swig_ptr(scores),
        faiss.swig_ptr(queries),
        faiss.swig_ptr(vectors),
        faiss.swig_ptr(rows),
        vectors.shape[1],
        n,
        candidates,
    )
    if metric is Metric.EUCLIDEAN:
        np.negative(scores, out=scores)
    scores[rows < 0] = -np.inf
    return scores


def set_threads(count: int) -> None:
    """Threads that FAISS may use for calls made from the *calling* thread."""
    faiss.omp_set_num_threads(count)


class Index:
    """A FAISS index together with the matrix whose rows it finds.

    Args:
        spec: Family and settings.
        metric: Of the matrix.
        vectors: float32 (rows, d), prepared for the metric, usually memory-mapped.
        faiss_index: What FAISS made or read; None for flat.
    """

    def __init__(self, spec: IndexSpec, metric: Metric, vectors: Vectors, faiss_index: Any | None) -> None:
        self.spec = spec
        self.metric = metric
        self.vectors = vectors
        self._faiss = faiss_index

    @classmethod
    def train(cls, spec: IndexSpec, metric: Metric, vectors: Vectors, sample: Rows) -> Index:
        """An empty index for `vectors`, trained on the rows in `sample` (int64, sorted)."""
        if spec.family is Family.FLAT:
            return cls(spec, metric, vectors, None)
        kind = faiss.METRIC_L2 if metric is Metric.EUCLIDEAN else faiss.METRIC_INNER_PRODUCT
        index = faiss.index_factory(vectors.shape[1], spec.description, kind)
        if spec.family is Family.HNSW:
            index.hnsw.efConstruction = spec.ef_construction
            # HNSW numbers rows in the order they are added; the map lets rows come in any order.
            index = faiss.IndexIDMap(index)
        else:
            index.cp.seed = _SEED
            # A few rows for each list are enough; the warning would only reach people who can't act on it.
            index.cp.min_points_per_centroid = 1
            if spec.family is Family.IVF_PQ:
                index.pq.cp.seed = _SEED
                index.pq.cp.min_points_per_centroid = 1
            try:
                index.train(np.ascontiguousarray(vectors[sample]))
            except RuntimeError as error:
                raise InputError(
                    f"FAISS can't train {spec.description} on {len(sample)} rows: use --index flat ({_reason(error)})"
                ) from error
        return cls(spec, metric, vectors, index)

    def add(self, rows: Rows) -> None:
        """Index the given rows (int64) of the matrix; each row once."""
        if self._faiss is not None:
            self._faiss.add_with_ids(np.ascontiguousarray(self.vectors[rows]), rows)

    def search(self, queries: Vectors, k: int, effort: Effort, *, complete: bool = True) -> tuple[Vectors, Rows]:
        """The k closest rows that the effort finds.

        Args:
            queries: float32 (n, d), prepared for the metric.
            k: Hits for each query, at least 1.
            effort: Must be of this family, or `EXACT`.
            complete: Whether a query that finds fewer than k rows is searched exactly.

        Returns:
            Scores float32 (n, k), descending, and rows int64 (n, k); if complete, -inf and -1 only where the
            collection holds fewer than k rows.
        """
        if self._faiss is None or effort.exact or not len(self.vectors):
            return exact_search(queries, self.vectors, k, self.metric)
        scores, rows = self._search_approximate(queries, k, effort)
        wanted = min(k, len(self.vectors))
        if complete and (short := rows[:, wanted - 1] < 0).any():
            scores[short], rows[short] = exact_search(queries[short], self.vectors, k, self.metric)
        return scores, rows

    def _search_approximate(self, queries: Vectors, k: int, effort: Effort) -> tuple[Vectors, Rows]:
        assert self._faiss is not None
        if self.spec.family is Family.HNSW:
            # FAISS takes memory for as many candidates as it is told to keep.
            parameters = faiss.SearchParametersHNSW(efSearch=min(max(effort.ef_search, k), len(self.vectors)))
        else:
            parameters = faiss.SearchParametersIVF(nprobe=min(effort.nprobe, self.spec.nlist))
        if self.spec.family is Family.IVF_PQ:
            candidates = min(max(k, CANDIDATES_K_MIN) * effort.k_factor, len(self.vectors))
            _, rows = self._faiss.search(queries, max(candidates, k), params=parameters)
            return _best(exact_scores(queries, self.vectors, rows, self.metric), rows, k)
        distances, rows = self._faiss.search(queries, k, params=parameters)
        scores = -distances if self.metric is Metric.EUCLIDEAN else distances
        scores[rows < 0] = -np.inf
        return scores, rows

    def save(self, path: Path) -> None:
        """Write what FAISS holds; a flat index has nothing to write."""
        if self._faiss is not None:
            faiss.write_index(self._faiss, str(path))

    @classmethod
    def load(cls, path: Path, spec: IndexSpec, metric: Metric, vectors: Vectors) -> Index:
        """Open what `save` wrote, memory-mapped where FAISS can (HNSW's graph and vectors; inverted lists of ivf-flat).

        An index file is code to FAISS: give only paths inside the data directory, with checksums verified.

        Raises:
            CorruptError: FAISS can't read the file, or it holds another number of rows.
        """
        if spec.family is Family.FLAT:
            return cls(spec, metric, vectors, None)
        flags = {Family.HNSW: faiss.IO_FLAG_MMAP_IFC, Family.IVF_FLAT: faiss.IO_FLAG_MMAP}.get(spec.family, 0)
        try:
            index = faiss.read_index(str(path), flags)
        except RuntimeError as error:
            raise CorruptError(path, f"FAISS can't read it ({_reason(error)})") from error
        if spec.family is Family.IVF_FLAT:
            # FAISS would start 32 threads in every search to read lists ahead: many times slower than not.
            faiss.downcast_InvertedLists(index.invlists).prefetch_nthread = 0
        if index.ntotal != len(vectors):
            raise CorruptError(path, f"holds {index.ntotal} rows where the segment has {len(vectors)}")
        return cls(spec, metric, vectors, index)


def _best(scores: Vectors, rows: Rows, k: int) -> tuple[Vectors, Rows]:
    """The k best of each line of candidates, descending; both (n, c) with c ≥ k."""
    if scores.shape[1] > k:
        part = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        scores, rows = np.take_along_axis(scores, part, 1), np.take_along_axis(rows, part, 1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def _subquantisers(dimension: int) -> int:
    """How many 4-bit codes stand for a vector: FAISS wants a divisor of the dimension."""
    most = dimension if dimension <= FINE_DIMENSION_MAX else dimension // 2
    return max(m for m in range(1, most + 1) if dimension % m == 0)


def _reason(error: RuntimeError) -> str:
    """The last clause of FAISS's message: the rest is C++ source positions."""
    return str(error).strip().splitlines()[-1].rsplit(": ", 1)[-1][:200]
