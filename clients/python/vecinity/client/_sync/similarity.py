"""Comparing items with each other.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vecinity.client._convert import similarity as convert
from vecinity.client._convert.fields import listed
from vecinity.client._sync.caller import Caller
from vecinity.client._types import CloserItems, OddOneOut, Query, UnknownWords


class SimilarityMethods(Caller):
    """Comparing items with each other."""

    def similarity(
        self,
        collection: str,
        left: Query,
        right: Query,
        *,
        relative_to_top: int = 0,
        unknown_words: UnknownWords | str | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> float:
        """The score of two items, texts or vectors with each other; the arguments are those of `similarities`."""
        scores = self.similarities(
            collection,
            [(left, right)],
            relative_to_top=relative_to_top,
            unknown_words=unknown_words,
            version=version,
            timeout=timeout,
        )
        return float(scores[0])

    def similarities(
        self,
        collection: str,
        pairs: Sequence[tuple[Query, Query]],
        *,
        relative_to_top: int = 0,
        unknown_words: UnknownWords | str | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> NDArray[np.float32]:
        """The scores of n pairs in one call, float32 (n,), under the collection's metric.

        Args:
            relative_to_top: Above 0: each score is divided by the sum of those of the left side's so many closest
                items, itself not counted (Leeuwenberg et al. 2016, as in gensim). For cosine.
            unknown_words: What becomes of unknown words; a pair that loses a side has the score NaN.
        """
        request = convert.similarity_request(collection, pairs, (), version, relative_to_top, unknown_words)
        return self._call(convert.COMPUTE_SIMILARITY, request, timeout)

    def set_similarity(
        self,
        collection: str,
        left: Sequence[Query],
        right: Sequence[Query],
        *,
        unknown_words: UnknownWords | str | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> float:
        """The score of two sets, by the means of their vectors; see `set_similarities`."""
        scores = self.set_similarities(
            collection, [(left, right)], unknown_words=unknown_words, version=version, timeout=timeout
        )
        return float(scores[0])

    def set_similarities(
        self,
        collection: str,
        pairs: Sequence[tuple[Sequence[Query], Sequence[Query]]],
        *,
        unknown_words: UnknownWords | str | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> NDArray[np.float32]:
        """The scores of n pairs of sets, float32 (n,), each of the mean of one with the mean of the other.

        As gensim's ``n_similarity`` on the vectors as the collection stores them, which under cosine is at length 1.
        """
        request = convert.similarity_request(collection, (), pairs, version, 0, unknown_words)
        return self._call(convert.COMPUTE_SIMILARITY, request, timeout)

    def odd_one_out(
        self,
        collection: str,
        queries: Sequence[Query],
        *,
        unknown_words: UnknownWords | str | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> OddOneOut:
        """Which of two or more items, texts or vectors fits least: the farthest from the mean of all (gensim's
        ``doesnt_match``)."""
        queries = listed("queries", queries)
        request = convert.odd_one_out_request(collection, queries, version, unknown_words)
        response = self._call(convert.FIND_ODD_ONE_OUT, request, timeout)
        return convert.odd_one_out(queries, response)

    def closer_than(
        self,
        collection: str,
        query: Query,
        than: Query,
        *,
        k: int = 10,
        version: int | None = None,
        timeout: float | None = None,
    ) -> CloserItems:
        """The k closest of the items that are closer to `query` than `than` is, exactly (gensim's ``closer_than``)."""
        request = convert.closer_request(collection, query, than, k, version)
        return self._call(convert.FIND_CLOSER_ITEMS, request, timeout)

    def rank(
        self, collection: str, query: Query, than: Query, *, version: int | None = None, timeout: float | None = None
    ) -> int:
        """1 + the number of items closer to `query` than `than` is, found exactly (gensim's ``rank``)."""
        return (self.closer_than(collection, query, than, k=1, version=version, timeout=timeout)).rank
