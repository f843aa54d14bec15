"""The groups of items by the value of an attribute, numbered once for each version and attribute, and kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.attributes import AttributeType
from vecinity.indexer.attributes.groups import group_codes
from vecinity.indexer.segment import Segment
from vecinity.indexer.spelling import NearSpellings
from vecinity.service.errors import InvalidArgumentError

_KEPT_MAX = 8
_FIELD = "selection.grouping.attribute"

Groups = NDArray[np.int32]
"""int32 (rows,): a number for the value of an attribute of each row, -1 where it lacks it."""

Run = Callable[[Callable[[], Groups]], Awaitable[Groups]]


class Groupings:
    """The groups of one segment. Its methods are called on the event loop only."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._kept: OrderedDict[str, Groups] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Groups]] = {}

    async def by(self, name: str, run: Run) -> Groups:
        """The groups by an attribute.

        Args:
            run: Does work in another thread, for all who ask for the same groups meanwhile.

        Raises:
            InvalidArgumentError: There is no such attribute, or it is a string list.
        """
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        columns = self._segment.columns
        if name not in columns:
            near = ", ".join(map(repr, NearSpellings(list(columns))(name)))
            raise InvalidArgumentError(
                _FIELD, f"there is no attribute {name[:100]!r}" + (f"; did you mean {near}?" if near else "")
            )
        kind, column = columns[name]
        if kind is AttributeType.STRING_LIST:
            raise InvalidArgumentError(_FIELD, f"{name!r} is a {kind}: group by an attribute of one value")
        if (task := self._under_way.get(name)) is None:
            task = self._under_way[name] = asyncio.create_task(self._numbered(name, lambda: group_codes(column), run))
            task.add_done_callback(lambda task: task.cancelled() or task.exception())  # looked at, if nobody waits
        # One caller that gives up does not stop the others.
        return await asyncio.shield(task)

    async def _numbered(self, name: str, work: Callable[[], Groups], run: Run) -> Groups:
        try:
            groups = self._kept[name] = await run(work)
        finally:
            del self._under_way[name]
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return groups
