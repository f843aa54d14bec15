"""What has happened in this process since somebody last looked.

Written on the event loop, for every call, so all it does is to append to a list: even finding the bucket of a histogram
costs more there, where little of it is in the processor's caches. `metrics` looks once a second, and does the rest.
"""

from __future__ import annotations

from collections import defaultdict

from vecinity.service.times import Part


class MethodTally:
    """The calls of one method that have ended.

    Attributes:
        answered: Seconds that each took which ended well.
        failed: Status code and seconds of each of the others; None for those refused before there was anything to do.
    """

    __slots__ = ("answered", "failed")

    def __init__(self) -> None:
        self.answered: list[float] = []
        self.failed: list[tuple[int, float | None]] = []

    def clear(self) -> None:
        self.answered.clear()
        self.failed.clear()


class BatchTally:
    """The batches of one kind of work that were begun.

    Attributes:
        sizes: Items in each.
        waited: Seconds from when each item came to when its batch was begun.
    """

    __slots__ = ("sizes", "waited")

    def __init__(self) -> None:
        # Not a list of lists: the garbage collector would look at each of them.
        self.sizes: list[int] = []
        self.waited: list[float] = []

    def clear(self) -> None:
        self.sizes.clear()
        self.waited.clear()


class Tally:
    """All of it. Somebody has to look and clear it, or it fills the memory.

    Attributes:
        methods: By full name. An entry is made when it is first asked for, so ask for names that are known alone:
            clients could make up any number of others.
        batches: By the kind of work.
    """

    def __init__(self) -> None:
        self.methods: defaultdict[str, MethodTally] = defaultdict(MethodTally)
        self.batches: defaultdict[Part, BatchTally] = defaultdict(BatchTally)
