"""Solving analogies.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from numpy.typing import ArrayLike

from vecinity.client._async.caller import AsyncCaller
from vecinity.client._convert import analogy as convert
from vecinity.client._options import AnalogyOptions
from vecinity.client._types import BatchSearchResult, Query, SearchResult, Term
from vecinity.client.errors import InvalidArgumentError


class AsyncAnalogyMethods(AsyncCaller):
    """Solving analogies."""

    async def solve_analogy(
        self,
        collection: str,
        positive: Sequence[Query | Term],
        negative: Sequence[Query | Term] = (),
        **options: Unpack[AnalogyOptions],
    ) -> SearchResult:
        """The k items that solve an analogy, the terms themselves left out.

        Each term is an id, a `Text`, a vector, or a `Term` with a weight. king - man + woman is
        ``solve_analogy("words", ["king", "woman"], ["man"])``.

        Args:
            options: `AnalogyOptions`: the method, and what the options of `search` say.
        """
        request = convert.solve_analogy_request(collection, positive, negative, options)
        return await self._call(convert.SOLVE_ANALOGY, request, options.get("timeout"))

    async def batch_solve_analogies(
        self,
        collection: str,
        analogies: Sequence[convert.Analogy] | None = None,
        *,
        terms: Sequence[Query] | ArrayLike | None = None,
        term_counts: Sequence[int] | None = None,
        weights: Sequence[float] | ArrayLike | None = None,
        **options: Unpack[AnalogyOptions],
    ) -> BatchSearchResult:
        """The k items that solve each of n analogies of one method: many times as fast as n calls of `solve_analogy`.

        Args:
            analogies: Pairs of the terms added and the terms subtracted, all ids, all `Text`, or all vectors.
            terms: The same as columns, instead of `analogies`: the terms of the first, then of the second, and so on;
                as an array float32 (t, d).
            term_counts: How many terms each analogy has.
            weights: Factor of each term, float (t,), below 0 for those subtracted.
            options: As for `solve_analogy`.
        """
        if analogies is not None and terms is None and term_counts is None and weights is None:
            request = convert.batch_solve_analogies_request(collection, analogies, options)
        elif analogies is None and terms is not None and term_counts is not None and weights is not None:
            request = convert.columnar_request(collection, terms, term_counts, weights, options)
        else:
            raise InvalidArgumentError("give analogies, or all of terms, term_counts and weights")
        return await self._call(convert.BATCH_SOLVE_ANALOGIES, request, options.get("timeout"))

    async def most_similar(
        self,
        collection: str,
        positive: convert.GensimTerms | None = None,
        negative: convert.GensimTerms | None = None,
        topn: int = 10,
        **options: Unpack[AnalogyOptions],
    ) -> list[tuple[str, float]]:
        """Ids and scores with the arguments of gensim's ``KeyedVectors.most_similar``, for code that comes from there.

        A lone key or vector stands for a list of one. A pair has its factor with its sign, in `negative` too: there
        ``("man", -0.5)`` subtracts half of man. Keys count at length 1, vectors as they are. Keys given are left out.
        What gensim finds by comparing with every vector is found by the index here: `exact` compares with all.
        """
        if topn is None:
            raise InvalidArgumentError("topn is None: the scores of all items are not sent, say how many")
        if topn < 1:
            return []
        request = convert.most_similar_request(collection, positive, negative, topn, options)
        return await self._call(convert.MOST_SIMILAR, request, options.get("timeout"))
