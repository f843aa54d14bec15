"""From analogies to their answers: resolve the terms, make queries of them, find, leave the terms out.

One analogy is a batch of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows
from vecinity.indexer.metric import Metric
from vecinity.service.analogy import pair_direction, three_cos_add, three_cos_avg, three_cos_mul
from vecinity.service.analogy.terms import AnalogyMethod, Terms
from vecinity.service.answer import Answer, nothing_found
from vecinity.service.call import Call
from vecinity.service.candidates import Finder
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.finding import PairFinder, ProductFinder, SumFinder
from vecinity.service.planner import ANY_EFFORT, Wish
from vecinity.service.pools import Pools
from vecinity.service.query import EVERYTHING, Queries, Query, Search
from vecinity.service.resolving import Resolved, Resolver
from vecinity.service.searching import Searcher
from vecinity.service.store import OpenVersion

_TERMS_AT_ONCE_MAX = 10_000
"""Terms that the event loop looks at itself."""

_COSINE_ONLY = {AnalogyMethod.THREE_COS_MUL: "3CosMul", AnalogyMethod.PAIR_DIRECTION: "PairDirection"}


@dataclass(frozen=True, slots=True)
class Analogies:
    """n analogies of one method.

    Attributes:
        terms: Of the first analogy, then of the second, and so on; t in all.
        counts: int64 (n,), how many terms each has.
        weights: float64 (t,), below 0 for terms subtracted.
        examples: Pairs that stand in the relation, for 3CosAvg.
        field: Where the terms stand in the request, for errors.
    """

    terms: Queries | Sequence[Query]
    counts: NDArray[np.int64]
    weights: NDArray[np.float64]
    method: AnalogyMethod = AnalogyMethod.THREE_COS_ADD
    examples: Sequence[tuple[Query, Query]] = ()
    include_inputs: bool = False
    field: str = "terms"


class Solver:
    """Solves analogies.

    Args:
        default_recall: For requests that name no effort. Sums of vectors are not distributed as the items are by which
            the build measured recall: an index finds less for them, so more is asked of it.
    """

    def __init__(self, pools: Pools, resolver: Resolver, searcher: Searcher, *, default_recall: float) -> None:
        self._pools = pools
        self._resolver = resolver
        self._searcher = searcher
        self._default_recall = default_recall

    async def solve(self, call: Call, version: OpenVersion, search: Search, analogies: Analogies) -> Answer:
        """The k best items for each analogy.

        Raises:
            InvalidArgumentError: The method is not for this metric, or the terms of an analogy make no query.
            IndexerError: See `Resolver.resolve`.
        """
        metric = version.record.metric
        if metric is not Metric.COSINE and analogies.method in _COSINE_ONLY:
            raise InvalidArgumentError(
                "method",
                f"{_COSINE_ONLY[analogies.method]} is made of cosines; collection {version.record.collection!r} has "
                f"the metric {metric}: ask for 3CosAdd",
            )
        resolved = await self._resolver.resolve(call, version, analogies.terms, search.unknown_words)
        examples = await self._examples(call, version, search, analogies)
        large = len(resolved) > _TERMS_AT_ONCE_MAX
        alive, terms = await self._pools.search_if(large, call, lambda: _kept(resolved, analogies))
        if not alive.any() and len(alive) == 1:  # then the one analogy is refused, as if nothing might be skipped
            await self._resolver.resolve(call, version, analogies.terms)
        unknown = [*resolved.unknown_words, *(() if examples is None else examples.unknown_words)]
        if not alive.any():
            return nothing_found(len(alive), version, search, unknown)
        if search.wish == ANY_EFFORT:
            search = replace(search, wish=Wish(target_recall=self._default_recall))
        # Work on up to 10,000 analogies, not for the event loop.
        may_scan = search.wish.effort is None

        def work() -> tuple[Finder, Rows | None]:
            finder = self._finder(version, terms, analogies, examples, may_scan=may_scan)
            return finder, None if analogies.include_inputs else _left_out(terms, resolved, examples)

        finder, left_out = await self._pools.search(call, work)
        # What selects looks at as many candidates as it takes, which the index alone gives.
        chosen = finder if search.selection == EVERYTHING else None
        answer = await self._searcher.find(call, version, search, finder.queries, left_out, chosen)
        counts = np.zeros(len(alive), dtype=np.int64)
        counts[alive] = answer.counts
        return replace(answer, counts=counts.tolist(), unknown_words=unknown)

    async def _examples(
        self, call: Call, version: OpenVersion, search: Search, analogies: Analogies
    ) -> Resolved | None:
        """Left and right of each example in turn; those of which a side was left out are left out."""
        if analogies.method is not AnalogyMethod.THREE_COS_AVG:
            return None
        sides = [query for pair in analogies.examples for query in pair]
        resolved = await self._resolver.resolve(call, version, sides, search.unknown_words)
        both = resolved.known[resolved.which].reshape(-1, 2).all(axis=1)
        if not both.any():
            await self._resolver.resolve(call, version, sides)
        return replace(resolved, which=resolved.which.reshape(-1, 2)[both].ravel())

    def _finder(
        self, version: OpenVersion, terms: Terms, analogies: Analogies, examples: Resolved | None, *, may_scan: bool
    ) -> Finder:
        metric, field = version.record.metric, analogies.field
        threads = self._pools.threads
        match analogies.method:
            case AnalogyMethod.THREE_COS_MUL:
                guesses = three_cos_mul.first_guesses(terms)
                return ProductFinder(version, terms, guesses, may_scan=may_scan, threads=threads)
            case AnalogyMethod.PAIR_DIRECTION:
                ways = pair_direction.ways(terms, field)
                return PairFinder(version, terms, ways, may_scan=may_scan, threads=threads)
            case AnalogyMethod.THREE_COS_AVG:
                assert examples is not None
                pairs = examples.vectors[examples.which].reshape(-1, 2, terms.vectors.shape[1])
                relation = three_cos_avg.relation(pairs[:, 0], pairs[:, 1])
                queries = three_cos_avg.moved(terms, relation, metric, field)
                # The relation is in the sum but no term: only the sums themselves can be scanned.
                alone = Terms(queries, np.arange(len(terms)), np.ones(len(terms), dtype=np.int64), np.ones(len(terms)))
                return SumFinder(version, alone, queries, may_scan=may_scan, threads=threads)
            case _:
                sums = three_cos_add.sums(terms, metric, field)
                return SumFinder(version, terms, sums, may_scan=may_scan, threads=threads)


def _kept(resolved: Resolved, analogies: Analogies) -> tuple[NDArray[np.bool_], Terms]:
    """Which analogies have the terms they need, bool (n,), and the terms of those that have."""
    known = resolved.known[resolved.which]
    line = np.repeat(np.arange(len(analogies.counts)), analogies.counts)
    counts = np.bincount(line[known], minlength=len(analogies.counts))
    match analogies.method:
        case AnalogyMethod.THREE_COS_MUL:
            alive = np.bincount(line[known & (analogies.weights > 0)], minlength=len(counts)) > 0
        case AnalogyMethod.PAIR_DIRECTION:
            alive = counts == 3
        case _:
            alive = counts > 0
    kept = known & alive[line]
    return alive, Terms(resolved.vectors, resolved.which[kept], counts[alive], analogies.weights[kept])


def _left_out(terms: Terms, resolved: Resolved, examples: Resolved | None) -> Rows:
    """The items that are inputs of each analogy, int64 (n, e); -1 is none."""
    none = np.full((1, resolved.rows.shape[1]), -1, dtype=np.int64)
    rows = np.concatenate([resolved.rows, none])[terms.padded()[0]].reshape(len(terms), -1)
    if examples is not None:
        shared = np.unique(examples.rows[examples.which])
        rows = np.concatenate([rows, np.broadcast_to(shared, (len(terms), len(shared)))], axis=1)
    return rows[:, (rows >= 0).any(axis=0)]
