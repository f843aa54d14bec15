"""A value that is made when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Holds a value that the first caller makes while others who ask for it wait.

    Each has a lock of its own. Python 3.11's `functools.cached_property` has one for all objects of a class: while one
    makes its value, threads that ask another object for its own wait too.
    """

    __slots__ = ("_lock", "_made")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[T] | None = None

    def get(self, make: Callable[[], T]) -> T:
        """The value; what `make` raises is not kept."""
        if (made := self._made) is None:
            with self._lock:
                if (made := self._made) is None:
                    made = self._made = (make(),)
        return made[0]
