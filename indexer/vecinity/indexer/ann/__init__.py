"""Nearest-neighbour indexes over FAISS: the only package that imports it.

A segment keeps its vectors in a memory-mapped matrix; an `Index` adds to that what finds candidates fast.

==========  ===========================================  ===================  ===============  =======================
family      what FAISS holds                             effort               scores           on opening
==========  ===========================================  ===================  ===============  =======================
flat        nothing: the matrix itself is scanned        none                 exact            nothing to open
ivf-flat    vectors in nlist inverted lists              nprobe lists         exact            lists mapped
ivf-pq      4-bit codes in nlist lists (FastScan)        nprobe, k_factor     after re-rank    lists mapped
ivf-sq8     8-bit numbers in nlist lists                 nprobe, k_factor     after re-rank    lists mapped
ivf-sq4     4-bit numbers in nlist lists                 nprobe, k_factor     after re-rank    lists mapped
ivf-rabitq  signs in nlist lists (FastScan)              nprobe, k_factor     after re-rank    lists mapped
hnsw        links; vectors are read in the matrix        ef_search            exact            mapped
hnsw-sq8    links and 8-bit numbers                      ef_search, k_factor  after re-rank    mapped
nsg         links; vectors are read in the matrix        ef_search            exact            copied, up to 4 m B/row
==========  ===========================================  ===================  ===============  =======================

Lists of codes may have a `Transform` before them. What FAISS knows only by codes is found as
``k_factor · max(k, 10)`` candidates and re-ranked with exact scores from the matrix. FAISS's own ``IndexRefineFlat``
would own a second copy of every vector; ``fvec_*_by_idx`` reads them where they are (docs/adr/0002), and so do the
graphs (`borrowed`). Every search may be told which rows it may find (`RowSet`); an nsg index looks deeper instead. All
methods of a finished index but `save` are safe to call from many threads.

`structure` is the interface behind which `inverted_lists`, `graphs` and `nsg` differ; `index` does what all share.

A matrix of float16 (`vecinity.indexer.stored_vectors`) is never copied as float32: scans and graphs read it as it is,
in less time than float32 where the dimension is a multiple of 8, else graphs take about three times as long; rows that
are re-ranked are copied, a few at a time. ivf-flat holds float16 too. Only the build of nsg is given
everything as float32.

FAISS's defaults of nprobe 1 and efSearch 16 are never used: every search says its effort.
"""

from vecinity.indexer.ann.effort import (
    CANDIDATES_K_MIN,
    EF_SEARCH,
    EXACT,
    K_FACTOR,
    NPROBE,
    Effort,
    effort_of,
    effort_settings,
    lists_worth_visiting,
)
from vecinity.indexer.ann.exact import exact_farthest, exact_radius, exact_search
from vecinity.indexer.ann.filtered import FEW_QUERIES, GRAPH_DEPTH, FilteredIndex
from vecinity.indexer.ann.index import Index, set_threads
from vecinity.indexer.ann.scores import Rows, exact_scores
from vecinity.indexer.ann.selection import Mask, RowSet
from vecinity.indexer.ann.spec import (
    EF_CONSTRUCTION,
    FINE_DIMENSION_MAX,
    FLAT_NUMBERS_MAX,
    GRAPHS,
    INVERTED_LISTS,
    NLIST,
    REDUCED_DIMENSION,
    SUBQUANTISERS,
    Family,
    IndexSpec,
    M,
    Transform,
    Tunable,
    choose_spec,
)

__all__ = [
    "CANDIDATES_K_MIN",
    "EF_CONSTRUCTION",
    "EF_SEARCH",
    "EXACT",
    "FEW_QUERIES",
    "FINE_DIMENSION_MAX",
    "FLAT_NUMBERS_MAX",
    "GRAPHS",
    "GRAPH_DEPTH",
    "INVERTED_LISTS",
    "K_FACTOR",
    "NLIST",
    "NPROBE",
    "REDUCED_DIMENSION",
    "SUBQUANTISERS",
    "Effort",
    "Family",
    "FilteredIndex",
    "Index",
    "IndexSpec",
    "M",
    "Mask",
    "RowSet",
    "Rows",
    "Transform",
    "Tunable",
    "choose_spec",
    "effort_of",
    "effort_settings",
    "exact_farthest",
    "exact_radius",
    "exact_scores",
    "exact_search",
    "lists_worth_visiting",
    "set_threads",
]
