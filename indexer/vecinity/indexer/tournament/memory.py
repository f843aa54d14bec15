"""How large an index file will be, before anything is trained."""

from __future__ import annotations

from vecinity.indexer.ann import GRAPHS, Family, IndexSpec, Transform
from vecinity.indexer.stored_vectors import VectorType

_ID = 8
_NUMBER = 4
_FAST_SCAN_BLOCK = 32
_FAST_SCAN_LIST = 8 + 8 + 64 // 2
"""Beside what others take for a list: its size once more, and what aligns its blocks and its rows, on average."""

_HNSW_NODE = 8 + 4  # where its links begin, and its level
_RABITQ_FACTORS = 8


def index_bytes(spec: IndexSpec, rows: int, dimension: int, vector_type: VectorType = VectorType.FLOAT32) -> int:
    """Bytes of the file that `Index.save` writes for so many rows; the segment's own vectors are not counted.

    For the families that take part in a tournament; an nsg index keeps as many links as its vectors need.

    That is also the memory a server needs for it at most: what is memory-mapped can be dropped and read again.
    """
    if spec.family is Family.FLAT:
        return 0
    if spec.family in GRAPHS:
        return round(rows * _graph_row(spec, dimension))
    coded = spec.reduced_dimension or dimension
    places = rows
    code = _code(spec, coded, vector_type)
    if spec.fast_scan:
        # FastScan keeps the codes of each list in whole blocks: half of the last one is empty on average.
        places = max(rows + spec.nlist * _FAST_SCAN_BLOCK // 2, spec.nlist * _FAST_SCAN_BLOCK)
    lists = spec.nlist * (coded * _NUMBER + _ID + _FAST_SCAN_LIST * spec.fast_scan)
    book = 16 * coded * _NUMBER if spec.family is Family.IVF_PQ else 0
    return round(lists + rows * _ID + places * code + book + _transform(spec, coded, dimension))


def _graph_row(spec: IndexSpec, dimension: int) -> float:
    # 2m links on the lowest level; a share 1/m of the nodes has m more, 1/m² of them again m, and so on.
    links = _NUMBER * (2 * spec.m + spec.m / (spec.m - 1)) + _HNSW_NODE
    return links + (dimension if spec.family is Family.HNSW_SQ8 else 0)


def _code(spec: IndexSpec, dimension: int, vector_type: VectorType) -> float:
    match spec.family:
        case Family.IVF_PQ:
            return spec.subquantisers / 2
        case Family.IVF_SQ8:
            return dimension
        case Family.IVF_SQ4:
            return dimension / 2
        case Family.IVF_RABITQ:
            return dimension / 8 + _RABITQ_FACTORS
        case _:
            return dimension * vector_type.dtype.itemsize


def _transform(spec: IndexSpec, coded: int, dimension: int) -> int:
    if spec.transform is Transform.NONE:
        return 0
    # PCA keeps all its components, not only those it uses.
    kept = coded + dimension if spec.transform is Transform.PCA else coded
    return kept * dimension * _NUMBER
