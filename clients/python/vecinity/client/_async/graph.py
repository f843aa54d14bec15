"""Asking every item of a collection.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from vecinity.client._async.caller import AsyncCaller
from vecinity.client._convert import graph as convert
from vecinity.client._types import Duplicate, Effort, Neighbours


class AsyncGraphMethods(AsyncCaller):
    """Asking every item of a collection. Answers come as they are found; leave the loop, and the work ends."""

    async def neighbours(
        self,
        collection: str,
        *,
        k: int = 10,
        target_recall: float | None = None,
        exact: bool = False,
        effort: Effort | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Neighbours]:
        """The k closest items of every item: the k-nearest-neighbour graph, in the order of the version's items.

        What to spend is chosen as in `search`. There is no deadline unless `timeout` sets one for the whole.
        """
        request = convert.neighbours_request(collection, k, target_recall, exact, effort, version)
        async with aclosing(self._stream(convert.STREAM_NEIGHBOURS, request, timeout)) as parts:
            async for part in parts:
                for neighbours in part:
                    yield neighbours

    async def duplicates(
        self,
        collection: str,
        min_score: float,
        *,
        target_recall: float | None = None,
        exact: bool = False,
        effort: Effort | None = None,
        version: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Duplicate]:
        """All pairs of items that score at least `min_score` with each other, each once.

        What to spend is chosen as in `search`. There is no deadline unless `timeout` sets one for the whole.
        """
        request = convert.duplicates_request(collection, min_score, target_recall, exact, effort, version)
        async with aclosing(self._stream(convert.FIND_DUPLICATES, request, timeout)) as parts:
            async for part in parts:
                for duplicate in part:
                    yield duplicate
