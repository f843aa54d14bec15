"""Pairs that an index finds from either of their items: each once, within bounds."""

from __future__ import annotations

import numpy as np
import pytest

from vecinity.service.duplicates import OncePerPair, Pairs
from vecinity.service.errors import InvalidArgumentError


def all_pairs(rows: int, begin: int, end: int) -> Pairs:
    """The pairs that rows from `begin` to `end` make with all others, those within twice."""
    asked, found = (side.ravel() for side in np.meshgrid(np.arange(begin, end), np.arange(rows), indexing="ij"))
    asked, found = asked[asked != found], found[asked != found]
    return Pairs(np.minimum(asked, found), np.maximum(asked, found), np.ones(len(asked), dtype=np.float32))


def test_each_pair_comes_once_and_nothing_is_remembered_in_the_end() -> None:
    once, rows = OncePerPair(rows=23, size=5), 23
    found = [once.first_seen(all_pairs(rows, begin, min(begin + 5, rows)), begin // 5) for begin in range(0, rows, 5)]
    pairs = [pair for part in found for pair in zip(part.left.tolist(), part.right.tolist(), strict=True)]
    assert len(pairs) == len({*pairs}) == rows * (rows - 1) // 2
    assert once.waiting == 0


def test_more_pairs_than_may_be_remembered_are_refused() -> None:
    """Of 20 items, 5 at a time, 75 pairs wait after the first chunk, 100 after the second."""
    once = OncePerPair(rows=20, size=5, waiting_max=100)
    for chunk, waiting in enumerate((75, 100, 75, 0)):
        once.first_seen(all_pairs(20, 5 * chunk, 5 * chunk + 5), chunk)
        assert once.waiting == waiting
    fewer = OncePerPair(rows=20, size=5, waiting_max=99)
    fewer.first_seen(all_pairs(20, 0, 5), 0)
    with pytest.raises(InvalidArgumentError, match=r"min_score: over 99 pairs .* raise min_score"):
        fewer.first_seen(all_pairs(20, 5, 10), 1)
