"""What takes long is done in the threads for it, so that the event loop goes on to serve others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from conftest import clustered, publish_vectors

from vecinity.client import Client
from vecinity.service import resolving, solving

ROWS = 2_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("data")
    publish_vectors(folder / "data", "mine", clustered(ROWS), folder)
    with Client.in_process(folder / "data") as made:
        yield made


def ids(count: int) -> list[str]:
    return [str(row % ROWS) for row in range(count)]


def analogies(client: Client, count: int) -> None:
    terms, weights = ids(3 * count), [1, 1, -1] * count
    client.batch_solve_analogies("mine", terms=terms, term_counts=[3] * count, weights=weights, k=1)


CASES: list[tuple[ModuleType, str, Callable[[Client], Any], bool]] = [
    (resolving, "each_once", lambda c: c.batch_search("mine", ids=ids(3), k=1), False),
    (resolving, "each_once", lambda c: c.batch_search("mine", ids=ids(1_500), k=1), True),
    (resolving, "_checked", lambda c: c.batch_search("mine", vectors=clustered(3), k=1), False),
    (resolving, "_checked", lambda c: c.batch_search("mine", vectors=clustered(4_000), k=1), True),
    (resolving, "_with_examples", lambda c: c.search("mine", positive=ids(3), k=1), False),
    (resolving, "_with_examples", lambda c: c.search("mine", positive=ids(50), k=1), True),
    (solving, "_kept", lambda c: analogies(c, 3), False),
    (solving, "_kept", lambda c: analogies(c, 4_000), True),
    (solving, "_left_out", lambda c: analogies(c, 4_000), True),
]


@pytest.mark.parametrize(("module", "name", "ask", "in_pool"), CASES, ids=[f"{n}-{p}" for _, n, _, p in CASES])
def test_where_it_is_done(
    client: Client,
    module: ModuleType,
    name: str,
    ask: Callable[[Client], Any],
    in_pool: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []
    plain = getattr(module, name)

    def watched(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return plain(*arguments)

    monkeypatch.setattr(module, name, watched)
    ask(client)
    assert threads and all(thread.startswith("search") == in_pool for thread in threads)
