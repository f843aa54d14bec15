"""Searching.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

from numpy.typing import ArrayLike

from vecinity.client._convert import search as convert
from vecinity.client._options import HitOptions
from vecinity.client._sync.caller import Caller
from vecinity.client._types import BatchSearchResult, Hit, Query, SearchResult, Term
from vecinity.client.errors import InvalidArgumentError


class SearchMethods(Caller):
    """Searching."""

    def search(
        self,
        collection: str,
        *,
        vector: ArrayLike | None = None,
        id: str | None = None,
        text: str | None = None,
        positive: Sequence[Query | Term] | None = None,
        negative: Sequence[Query | Term] | None = None,
        page_token: str = "",
        **options: Unpack[HitOptions],
    ) -> SearchResult:
        """The k items closest to one query: exactly one of `vector`, `id`, `text`, and examples.

        Args:
            vector: d numbers.
            id: An item, which is left out of its own hits.
            text: A text for the collection's embedder.
            positive: Examples of what is wanted: ids, `Text`s, vectors, or a `Term` with a weight. The query is their
                mean; the items among them are left out of the hits.
            negative: Examples of what is not wanted; their mean is subtracted.
            page_token: With the option `min_score`: where an earlier result said to go on (`next_page_token`). All
                else must be as it was then. `search_all` does this.
            options: `HitOptions`, whose documentation says more. How many: `k` (10). What to spend: one of
                `target_recall`, `exact` and `effort`. Which items: `filter`, `min_score`, `group_by` and
                `hits_per_group`, `diversity` and `candidates`, `farthest`. What hits carry: `include_texts`,
                `include_vectors`, `include_attributes`. And `version`, `unknown_words`, `explain`, `timeout`.
        """
        request = convert.search_request(collection, vector, id, text, positive, negative, page_token, options)
        return self._call(convert.SEARCH, request, options.get("timeout"))

    def search_all(
        self,
        collection: str,
        *,
        vector: ArrayLike | None = None,
        id: str | None = None,
        text: str | None = None,
        positive: Sequence[Query | Term] | None = None,
        negative: Sequence[Query | Term] | None = None,
        **options: Unpack[HitOptions],
    ) -> Iterator[Hit]:
        """All items that score at least the option `min_score` with one query, closest first.

        The query and the options are those of `search`; `k`, 1,000 if not given, is how many are fetched at a time. All
        hits are of one version, the one that was current at the first page unless `version` names another; should it
        be deleted meanwhile, NotFoundError.
        """
        if options.get("min_score") is None:
            raise InvalidArgumentError("search_all needs min_score: what lies beyond has no end but the collection's")
        options.setdefault("k", 1_000)
        token = ""
        while True:
            request = convert.search_request(collection, vector, id, text, positive, negative, token, options)
            page = self._call(convert.SEARCH, request, options.get("timeout"))
            for hit in page:
                yield hit
            token = page.next_page_token
            if not token:
                return

    def batch_search(
        self,
        collection: str,
        *,
        vectors: ArrayLike | None = None,
        ids: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        **options: Unpack[HitOptions],
    ) -> BatchSearchResult:
        """The k items closest to each of n queries: exactly one of `vectors` (n, d), `ids` and `texts`.

        The options are those of `search`.
        """
        request = convert.batch_search_request(
            collection,
            vectors,
            ids,
            texts,
            options,
        )
        return self._call(convert.BATCH_SEARCH, request, options.get("timeout"))
