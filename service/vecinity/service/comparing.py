"""Comparing queries with each other: pairs, sets, the odd one out, and what lies closer than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.ann import Rows, exact_scores
from vecinity.indexer.errors import VectorError
from vecinity.indexer.metric import MEAN_LENGTH_MIN, Metric, Vectors, pair_scores, prepare
from vecinity.indexer.unknown_words import UnknownWord, UnknownWords
from vecinity.service.answer import Answer
from vecinity.service.call import Call
from vecinity.service.errors import InvalidArgumentError
from vecinity.service.planner import Wish
from vecinity.service.pools import Pools
from vecinity.service.query import Query, Search
from vecinity.service.resolving import Resolved, Resolver
from vecinity.service.searching import Searcher
from vecinity.service.store import OpenVersion

_CHUNK_ROWS = 65_536

Float32s = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be compared.

    Attributes:
        sets: Pairs of sets, compared by the means of their vectors.
        relative_to_top: Above 0: each score of a pair is divided by the sum of those of the left side's so many closest
            items.
    """

    collection: str
    version: int
    pairs: Sequence[tuple[Query, Query]]
    sets: Sequence[tuple[Sequence[Query], Sequence[Query]]] = ()
    relative_to_top: int = 0
    unknown_words: UnknownWords = UnknownWords.ERROR


@dataclass(frozen=True, slots=True)
class Similarities:
    """Scores, float32 (n,), NaN where a query was left out, and the version that answered."""

    scores: Float32s
    version: int
    unknown_words: Sequence[tuple[str, UnknownWord]] = ()


class Comparer:
    """Compares queries with each other, through the index only where all items matter."""

    def __init__(self, pools: Pools, resolver: Resolver, searcher: Searcher) -> None:
        self._pools = pools
        self._resolver = resolver
        self._searcher = searcher

    async def similarity(self, call: Call, version: OpenVersion, comparison: Comparison) -> Similarities:
        """The scores of pairs, then those of pairs of sets, under the version's metric.

        Raises:
            InvalidArgumentError: A relative score of another metric than cosine, or a set whose mean has no direction.
            IndexerError: See `Resolver.resolve`.
        """
        metric = version.record.metric
        if comparison.relative_to_top and metric is not Metric.COSINE:
            raise InvalidArgumentError(
                "relative_to_top",
                f"is for cosine; collection {comparison.collection!r} has the metric {metric}: leave it 0",
            )
        sides = [side for pair in comparison.sets for side in pair]
        queries = [query for pair in comparison.pairs for query in pair] + [query for side in sides for query in side]
        resolved = await self._resolver.resolve(call, version, queries, comparison.unknown_words)
        pairs = resolved.which[: 2 * len(comparison.pairs)].reshape(-1, 2)
        members = resolved.which[2 * len(comparison.pairs) :]
        scores = await self._pools.search(call, lambda: _pair_scores(resolved, pairs, metric))
        if comparison.relative_to_top:
            sums = await self._sums_of_top(call, version, comparison, resolved, pairs[:, 0])
            with np.errstate(divide="ignore"):
                scores = (scores / sums).astype(np.float32)
        if sides:
            counts = [len(side) for side in sides]
            of_sets = await self._pools.search(call, lambda: _set_scores(resolved, members, counts, metric))
            scores = np.concatenate([scores, of_sets])
        return Similarities(scores.astype(np.float32), version.record.number, resolved.unknown_words)

    async def with_mean(
        self, call: Call, version: OpenVersion, queries: Sequence[Query], unknown_words: UnknownWords
    ) -> Similarities:
        """The score of each query with the mean of all (gensim's ``rank_by_centrality``): the lowest is the odd one.

        Raises:
            InvalidArgumentError: The queries cancel to zero under cosine.
            IndexerError: See `Resolver.resolve`.
        """
        resolved = await self._resolver.resolve(call, version, queries, unknown_words)
        if not resolved.known[resolved.which].any():
            await self._resolver.resolve(call, version, queries)
        scores = await self._pools.search(call, lambda: _scores_with_mean(resolved, version.record.metric))
        return Similarities(scores, version.record.number, resolved.unknown_words)

    async def closer(
        self, call: Call, version: OpenVersion, search: Search, query: Query, than: Query
    ) -> tuple[int, Answer]:
        """The rank of `than` among the items by their score with `query`, and the k closest of those closer than it.

        Exact. The query's own item is not counted, and an item that scores as high as `than` is not closer (gensim's
        ``rank`` and ``closer_than``).
        """
        resolved = await self._resolver.resolve(call, version, [query, than])
        ids, scores, number = await self._pools.search(call, lambda: _closer(call, version, resolved, search.k))
        answer = Answer(
            counts=[len(ids)],
            ids=ids,
            scores=scores,
            texts=None,
            vectors=None,
            version=version.record.number,
            predicted_recall=1.0,
        )
        return 1 + number, answer

    async def _sums_of_top(
        self, call: Call, version: OpenVersion, comparison: Comparison, resolved: Resolved, lefts: Rows
    ) -> NDArray[np.float64]:
        """The sum of the scores of each left side with its closest items, itself left out; float64 (n,)."""
        sums = np.full(len(resolved.vectors), np.nan)
        distinct = np.unique(lefts[resolved.known[lefts]])
        if len(distinct):
            search = Search(comparison.collection, comparison.relative_to_top, wish=Wish(exact=True))
            left_out = resolved.rows[distinct]
            answer = await self._searcher.find(call, version, search, resolved.vectors[distinct], left_out)
            line = np.repeat(np.arange(len(distinct)), answer.counts)
            total = np.bincount(line, weights=answer.scores, minlength=len(distinct))
            # Without another item there is nothing to be relative to.
            sums[distinct] = np.where(np.array(answer.counts) > 0, total, np.nan)
        return sums[lefts]


def _pair_scores(resolved: Resolved, pairs: Rows, metric: Metric) -> Float32s:
    scores = pair_scores(resolved.vectors[pairs[:, 0]], resolved.vectors[pairs[:, 1]], metric)
    scores[~resolved.known[pairs].all(axis=1)] = np.nan
    return scores


def _scores_with_mean(resolved: Resolved, metric: Metric) -> Float32s:
    vectors, known = resolved.of_each(), resolved.known[resolved.which]
    mean = vectors[known].mean(axis=0, dtype=np.float64, keepdims=True)
    mean = _with_direction(mean, metric, ["queries"])
    scores = pair_scores(vectors, np.repeat(mean, len(vectors), axis=0), metric)
    return np.where(known, scores, np.float32(np.nan))


def _set_scores(resolved: Resolved, members: Rows, counts: Sequence[int], metric: Metric) -> Float32s:
    means, known = _means(resolved, members, counts, metric)
    scores = pair_scores(means[0::2], means[1::2], metric)
    scores[~(known[0::2] & known[1::2])] = np.nan
    return scores


def _means(
    resolved: Resolved, members: Rows, counts: Sequence[int], metric: Metric
) -> tuple[Vectors, NDArray[np.bool_]]:
    """The mean of each set, float32 (m, d), prepared, and whether anything of it is known, bool (m,)."""
    line = np.repeat(np.arange(len(counts)), counts)
    known = resolved.known[members]
    numbers = np.bincount(line[known], minlength=len(counts))
    total = np.zeros((len(counts), resolved.vectors.shape[1]))
    np.add.at(total, line[known], resolved.vectors[members[known]])
    alive = np.flatnonzero(numbers)
    fields = [f"set_pairs[{number // 2}].{'right' if number % 2 else 'left'}" for number in alive.tolist()]
    means = np.zeros(total.shape, dtype=np.float32)
    means[alive] = _with_direction(total[alive] / numbers[alive, None], metric, fields)
    return means, numbers > 0


def _with_direction(means: NDArray[np.float64], metric: Metric, fields: Sequence[str]) -> Vectors:
    """Means, float64 (m, d), prepared for the metric; under cosine one of rounding errors is refused."""
    if metric is Metric.COSINE and (small := np.linalg.norm(means, axis=1) <= MEAN_LENGTH_MIN).any():
        field = fields[int(np.flatnonzero(small)[0])]
        raise InvalidArgumentError(field, "the vectors cancel to zero, which has no direction and so no cosine")
    try:
        return prepare(means.astype(np.float32), metric)
    except VectorError as error:  # lengths that float32 holds one by one may add up to one that is too long
        raise InvalidArgumentError(fields[error.row], f"the mean {error.fault}") from error


def _closer(call: Call, version: OpenVersion, resolved: Resolved, k: int) -> tuple[list[str], Float32s, int]:
    """The ids of the k closest items that score higher than the second query, their scores, and how many there are."""
    vectors, metric = version.segment.vectors, version.record.metric
    query, than = (resolved.vectors[[number]] for number in resolved.which)
    own = resolved.rows[resolved.which[0]]
    # By the same function as the rows, so that an item never is closer than itself.
    bound = exact_scores(query, than, np.zeros((1, 1), dtype=np.int64), metric)[0, 0]
    number = 0
    rows, scores = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    for begin in range(0, len(vectors), _CHUNK_ROWS):
        call.check()
        chunk = np.arange(begin, min(begin + _CHUNK_ROWS, len(vectors)), dtype=np.int64)
        found = exact_scores(query, vectors, chunk[None], metric)[0]
        is_closer = (found > bound) & ~np.isin(chunk, own)
        number += int(is_closer.sum())
        rows, scores = np.concatenate([rows, chunk[is_closer]]), np.concatenate([scores, found[is_closer]])
        order = np.argsort(-scores, kind="stable")[:k]
        rows, scores = rows[order], scores[order]
    return version.segment.ids(rows), scores, number
