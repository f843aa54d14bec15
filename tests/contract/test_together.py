"""Single searches that come at the same time share a search of the index; each has the answer it would have alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from conftest import ROWS, clustered
from oracle import Oracle

from vecinity.client import Client

K = 5


def at_once(questions: list[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(questions)) as pool:
        return [answer.result() for answer in [pool.submit(question) for question in questions]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_searches_that_leave_out_different_numbers_of_items(client: Client, metric: str) -> None:
    oracle = Oracle([f"item-{row}" for row in range(ROWS)], clustered(), metric)
    collection = f"{metric}-flat"
    asked = [[f"item-{row + step}" for step in range(row % 4 + 1)] for row in range(0, 320, 10)]
    questions = [lambda ids=ids: client.search(collection, positive=ids, k=K) for ids in asked]
    questions += [lambda ids=ids: client.search(collection, id=ids[0], k=K) for ids in asked]
    expected = [oracle.search(np.mean([oracle.vector(i) for i in ids], axis=0), K, without=set(ids)) for ids in asked]
    expected += [oracle.search(ids[0], K, without={ids[0]}) for ids in asked]
    for answer, (ids, scores) in zip(at_once(questions), expected, strict=True):
        assert answer.ids == ids
        np.testing.assert_allclose(answer.scores, scores, rtol=1e-4, atol=1e-5)


def test_a_search_with_many_examples_leaves_out_all_of_them(client: Client) -> None:
    oracle = Oracle([f"item-{row}" for row in range(ROWS)], clustered(), "cosine")
    given = [f"item-{row}" for row in range(0, ROWS, 4)]
    answer = client.search("cosine-flat", positive=given, k=K)
    mean = np.mean([oracle.vector(i) for i in given], axis=0)
    assert answer.ids == oracle.search(mean, K, without=set(given))[0]
