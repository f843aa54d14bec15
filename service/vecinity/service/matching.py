"""Which items meet a filter: found once for each version and filter, however many calls ask at once, and kept.

The first call with a filter has it evaluated in a search thread; others with the same filter wait for the same result.
The evaluation stops when nobody waits for it any more. What was found is kept up to a bound in bytes, and what was
asked least recently goes first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vecinity.indexer.ann import FilteredIndex
from vecinity.indexer.errors import FilterError
from vecinity.indexer.filters import Filter, evaluate, has_nan
from vecinity.indexer.segment import Segment
from vecinity.service.errors import DeadlineError, InvalidArgumentError

BYTES_MAX = 64 << 20

_ENTRY_BYTES = 4_096
"""What Python takes for an entry beside its arrays and its filter, about."""

_BYTES_PER_CHAR = 4
"""What a filter takes for each character of its repr, at most: its values may outweigh the rows that meet it."""

Check = Callable[[], None]
_Sized = tuple[FilteredIndex, int]
"""What was found, and what it takes to keep it."""

Run = Callable[[Callable[[], _Sized]], Awaitable[_Sized]]


@dataclass(eq=False, slots=True)
class _Evaluation:
    """One under way, and how many calls wait for it."""

    task: asyncio.Task[FilteredIndex]
    waiting: int = 0


class Matches:
    """The items of one segment that meet filters. Its methods are called on the event loop only.

    Args:
        bytes_max: How much what is kept may take, the filters included.
    """

    def __init__(self, segment: Segment, bytes_max: int = BYTES_MAX) -> None:
        self._segment = segment
        self._bytes_max = bytes_max
        self._kept: OrderedDict[Filter, _Sized] = OrderedDict()
        self._kept_bytes = 0
        self._under_way: dict[Filter, _Evaluation] = {}

    async def find(self, tree: Filter, run: Run) -> FilteredIndex:
        """The index as it looks through a filter.

        Args:
            run: Does work in another thread.

        Raises:
            InvalidArgumentError: The filter does not fit the attributes of the segment; it has the place in the filter.
        """
        if (kept := self._kept.get(tree)) is not None:
            self._kept.move_to_end(tree)
            return kept[0]
        if (evaluation := self._under_way.get(tree)) is None:
            evaluation = self._begin(tree, run)
        evaluation.waiting += 1
        try:
            # One caller that gives up does not stop the others.
            return await asyncio.shield(evaluation.task)
        finally:
            evaluation.waiting -= 1
            if not evaluation.waiting and self._under_way.get(tree) is evaluation:
                # It is about to end in an error, which a call that comes now must not get.
                del self._under_way[tree]

    def _begin(self, tree: Filter, run: Run) -> _Evaluation:
        def check() -> None:
            if not evaluation.waiting:
                raise DeadlineError("nobody waits for the filter any more")

        def work() -> _Sized:
            found = matches_of(self._segment, tree, check)
            return found, _ENTRY_BYTES + found.bytes + _BYTES_PER_CHAR * len(repr(tree))

        async def evaluated() -> FilteredIndex:
            found, size = await run(work)
            self._keep(tree, found, size)
            return found

        evaluation = _Evaluation(asyncio.create_task(evaluated()))
        self._under_way[tree] = evaluation
        evaluation.task.add_done_callback(lambda task: self._end(tree, evaluation, task))
        return evaluation

    def _end(self, tree: Filter, evaluation: _Evaluation, task: asyncio.Task[FilteredIndex]) -> None:
        if self._under_way.get(tree) is evaluation:
            del self._under_way[tree]
        if not task.cancelled():
            task.exception()  # looked at, even if nobody waits any more

    def _keep(self, tree: Filter, found: FilteredIndex, size: int) -> None:
        if size > self._bytes_max or tree in self._kept or has_nan(tree):
            return
        self._kept[tree] = found, size
        self._kept_bytes += size
        while self._kept_bytes > self._bytes_max:
            self._kept_bytes -= self._kept.popitem(last=False)[1][1]


def matches_of(segment: Segment, tree: Filter, check: Check) -> FilteredIndex:
    """Evaluate a filter."""
    try:
        mask = evaluate(tree, segment.columns, segment.rows, check)
    except FilterError as error:
        raise InvalidArgumentError(f"selection.filter.{error.place}", error.fault) from error
    return FilteredIndex(segment.index, mask)
