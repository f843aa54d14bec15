"""Values made when first asked for: once, and without stopping who asks for others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import clustered, publish_vectors

from vecinity.indexer import segment as segments
from vecinity.indexer.ann import Family
from vecinity.indexer.ann.lists import Lists
from vecinity.indexer.catalog import Catalog
from vecinity.indexer.once import Once
from vecinity.indexer.segment import Segment


def test_all_who_ask_get_what_the_first_made() -> None:
    once, begun, go_on, made = Once[object](), threading.Event(), threading.Event(), []

    def make() -> object:
        begun.set()
        assert go_on.wait(10)
        made.append(object())
        return made[-1]

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(once.get, make) for _ in range(4)]
        assert begun.wait(10)
        go_on.set()
        assert {id(future.result()) for future in asked} == {id(made[0])} and len(made) == 1


def test_none_is_a_value_and_an_error_is_not() -> None:
    once = Once[object]()
    with pytest.raises(ZeroDivisionError):
        once.get(lambda: 1 // 0)
    assert once.get(lambda: None) is None
    assert once.get(lambda: 1) is None


@pytest.mark.parametrize("what", ["lists", "near_spellings"])
def test_one_segment_does_not_wait_for_another(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_vectors(tmp_path / "data", "mine", clustered(300), tmp_path, family=Family.IVF_FLAT)
    catalog = Catalog(tmp_path / "data")
    slow, other = (Segment(catalog.segment_folder(catalog.version("mine"))) for _ in range(2))
    begun, go_on = threading.Event(), threading.Event()

    def first_waits() -> None:
        if not begun.is_set():
            begun.set()
            assert go_on.wait(30)

    read, spellings = Lists.read, segments.NearSpellings

    def slow_read(index: object, rows: int) -> Lists | None:
        first_waits()
        return read(index, rows)

    class SlowSpellings(spellings):  # type: ignore[misc, valid-type]
        def __init__(self, words: list[str]) -> None:
            first_waits()
            super().__init__(words)

    monkeypatch.setattr(Lists, "read", slow_read)
    monkeypatch.setattr(segments, "NearSpellings", SlowSpellings)

    def ask(segment: Segment) -> None:
        if what == "lists":
            assert segment.index.lists is not None and np.sum(segment.index.lists.sizes) == 300
        else:
            assert segment.near_spellings("29O")

    with ThreadPoolExecutor(2) as pool:
        try:
            waiting = pool.submit(ask, slow)
            assert begun.wait(10)
            pool.submit(ask, other).result(10)
            assert not waiting.done()
        finally:
            go_on.set()
        waiting.result(10)
