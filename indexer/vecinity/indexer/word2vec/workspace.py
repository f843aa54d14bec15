"""What a kernel works on besides the two matrices: tables that all threads share, and room that each has for itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vecinity.indexer.word2vec.compiling import inlined
from vecinity.indexer.word2vec.encoded import SENTENCE_WORDS_MAX
from vecinity.indexer.word2vec.matrices import padded, zeros
from vecinity.indexer.word2vec.simd import pointer
from vecinity.indexer.word2vec.step import LABELS, SLOTS, TARGETS

_Floats = npt.NDArray[np.float32]
_Int32s = npt.NDArray[np.int32]
_Int64s = npt.NDArray[np.int64]
_Thresholds = npt.NDArray[np.uint32]


class Tables(NamedTuple):
    """What the threads read and none writes.

    Args:
        keep: uint32 (n,), `as_thresholds(keep_probabilities(…))`.
        thresholds, aliases: uint32 and int32 (n,), `alias_table(noise_probabilities(…))`.
        path_starts: int64 (n + 1,), where each word's path begins in `path_nodes`; (1,) without a tree.
        path_nodes, path_labels: int32 and float32; `huffman.HuffmanTree`.
        gram_starts: int64 (n + 1,), where each word's n-grams begin in `gram_rows`; (1,) without subwords.
        gram_rows: int32, rows of `inputs`; `subwords`.
    """

    keep: _Thresholds
    thresholds: _Thresholds
    aliases: _Int32s
    path_starts: _Int64s
    path_nodes: _Int32s
    path_labels: _Floats
    gram_starts: _Int64s
    gram_rows: _Int32s


class Workspace(NamedTuple):
    """What a thread writes and no other touches; see `workspace`."""

    sentence: _Int32s
    hidden: _Int64s
    pooled: _Floats
    targets: _Int64s
    labels: _Floats
    noise: _Int64s
    members: _Int64s
    ends: _Int64s
    products: _Floats


def workspace(dimension: int, window: int, negative: int, tables: Tables) -> Workspace:
    """Room for a thread's work, for vectors of `dimension`."""
    longest_path = int(np.diff(tables.path_starts).max(initial=0))
    most_grams = int(np.diff(tables.gram_starts).max(initial=0))
    steps = -(-max(negative + 1, longest_path) // TARGETS)
    return Workspace(
        sentence=np.zeros(SENTENCE_WORDS_MAX, dtype=np.int32),
        hidden=np.zeros(1, dtype=np.int64),
        # The zero row that stands for no target, then a hidden vector as it is and as it was.
        pooled=zeros(3, padded(dimension)),
        targets=np.zeros(2 * steps * TARGETS, dtype=np.int64),
        labels=np.zeros(2 * steps * LABELS, dtype=np.float32),
        noise=np.zeros(negative, dtype=np.int64),
        members=np.zeros(2 * window * (1 + most_grams), dtype=np.int64),
        ends=np.zeros(2 * window + 1, dtype=np.int64),
        products=np.zeros((2 * window + 2) * SLOTS, dtype=np.float32),
    )


@inlined
def unbound_tables(tables: Tables) -> Tables:
    """The tables as plain memory."""
    return Tables(
        pointer(tables.keep),
        pointer(tables.thresholds),
        pointer(tables.aliases),
        pointer(tables.path_starts),
        pointer(tables.path_nodes),
        pointer(tables.path_labels),
        pointer(tables.gram_starts),
        pointer(tables.gram_rows),
    )


@inlined
def unbound_workspace(work: Workspace) -> Workspace:
    """The workspace as plain memory."""
    return Workspace(
        pointer(work.sentence),
        pointer(work.hidden),
        pointer(work.pooled),
        pointer(work.targets),
        pointer(work.labels),
        pointer(work.noise),
        pointer(work.members),
        pointer(work.ends),
        pointer(work.products),
    )
