"""Matrix products of NumPy's in threads of our own.

NumPy's BLAS starts threads for each product and has them wait for each other in a loop; where several of our threads
multiply small blocks at once, most of the processors' time goes into that: 65 µs became 130 for each analogy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = Lock()
_users = 0
_limit: Any = None


@lru_cache(1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # it looks through all loaded libraries, which takes a millisecond


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Have BLAS use the calling thread alone, in the whole process, until the last that asked for it is done."""
    global _users, _limit
    with _lock:
        _users += 1
        if _users == 1:
            _limit = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
