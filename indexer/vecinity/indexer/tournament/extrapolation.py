"""From a sample to all rows: what a search, and the build, will cost.

A search of inverted lists costs a fixed part (finding the lists, re-ranking) and a part that grows with the rows
visited. With lists as the square root of the rows the same recall needs nearly the same number of lists, so the second
part grows with the length of a list. A graph costs a power of the rows rather than their logarithm: its vectors leave
the cache. What a query asked alone pays besides is the call and, again, the cache: it grows too. The exponents are
fitted on MiniLM embeddings and on mixtures of them, from 6,000 to 16,384 rows to 119,000 and 296,000
(docs/index-choice.md has the figures, and how far off they are).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vecinity.indexer.ann import Effort, IndexSpec

_ALONE_GROWTH = 0.15
_FIXED_GROWTH = 0.13
_PROBES_GROWTH = 0.10
_GRAPH_SEARCH_GROWTH = 0.30
_GRAPH_BUILD_GROWTH = 1.35


@dataclass(frozen=True, slots=True)
class Sampled:
    """What was measured of a candidate on a sample.

    Attributes:
        spec: As scaled to the sample.
        rows: Of the sample.
        effort: The cheapest that reached the target.
        recall: Of that effort.
        single_us: A query alone; processor time of one thread, in microseconds.
        batch_us: A query in a batch.
        wide_us: The same with twice the effort.
        train_seconds: With the threads of the build.
        add_seconds: The same.
        coarse_seconds: The part of `train_seconds` that went into the lists.
    """

    spec: IndexSpec
    rows: int
    effort: Effort
    recall: float
    single_us: float
    batch_us: float
    wide_us: float
    train_seconds: float
    add_seconds: float
    coarse_seconds: float = 0.0


def search_us(sampled: Sampled, spec: IndexSpec, rows: int) -> tuple[float, float]:
    """What a query will cost with `spec` over all rows, alone and in a batch, in µs; never less than sampled."""
    growth = rows / sampled.rows
    if growth <= 1:
        return sampled.single_us, sampled.batch_us
    if not spec.nlist:
        batch = sampled.batch_us * math.pow(growth, _GRAPH_SEARCH_GROWTH)
    else:
        # At least a tenth: noise must not make lists free.
        scan = min(max(sampled.wide_us - sampled.batch_us, 0.1 * sampled.batch_us), sampled.batch_us)
        longer = (rows / spec.nlist) / (sampled.rows / sampled.spec.nlist)
        fixed = (sampled.batch_us - scan) * math.pow(growth, _FIXED_GROWTH)
        batch = max(sampled.batch_us, fixed + scan * longer * math.pow(growth, _PROBES_GROWTH))
    alone = max(sampled.single_us - sampled.batch_us, 0.0) * math.pow(growth, _ALONE_GROWTH)
    return max(batch + alone, sampled.single_us), batch


def build_seconds(sampled: Sampled, spec: IndexSpec, rows: int) -> float:
    """What training and adding all rows will take.

    k-means over a number of rows in proportion to the lists costs their square; codes are trained on as many rows as
    on the sample; finding each row's list grows with the lists, writing its code does not.
    """
    growth = rows / sampled.rows
    if not spec.nlist:
        return sampled.add_seconds * math.pow(growth, _GRAPH_BUILD_GROWTH)
    more_lists = spec.nlist / sampled.spec.nlist
    coarse = min(sampled.coarse_seconds, sampled.train_seconds)
    codes = sampled.train_seconds - coarse
    return coarse * more_lists**2 + codes + sampled.add_seconds * growth * math.sqrt(more_lists)
