"""At most so many hits of each value of an attribute: against plain Python, over both edges."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from conftest import clustered
from oracle import Oracle
from tagged import items

from vecinity.client import Client, Effort, InvalidArgumentError

ITEMS = items(2_000)
IDS = [f"item-{row}" for row in range(2_000)]
ITEM_OF = dict(zip(IDS, ITEMS, strict=True))
FAMILIES = ("flat", "ivf-flat", "hnsw", "ivf-pq")


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(IDS, clustered(), "cosine")


def group(item_id: str, attribute: str) -> Any:
    value = ITEM_OF[item_id].get(attribute)
    return "nan" if value != value else value


def grouped(ids: list[str], attribute: str, each: int, k: int) -> list[str]:
    """Of ids in order, those that are hits."""
    seen: Counter[Any] = Counter()
    kept = []
    for item_id in ids:
        seen[group(item_id, attribute)] += 1
        if seen[group(item_id, attribute)] <= each:
            kept.append(item_id)
    return kept[:k]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("attribute", ["year", "lang", "sold", "price", "when"])
@pytest.mark.parametrize(("each", "k"), [(1, 3), (2, 10), (50, 60), (1, 100)])
def test_exact(client: Client, oracle: Oracle, family: str, attribute: str, each: int, k: int) -> None:
    for query in clustered(3, seed=11):
        found = client.search(
            f"tagged-{family}", vector=query, k=k, group_by=attribute, hits_per_group=each, exact=True
        )
        expected = grouped(oracle.search(query, 2_000)[0], attribute, each, k)
        assert found.ids == expected
        np.testing.assert_allclose(found.scores, oracle.scores_of(query, expected), rtol=1e-4, atol=1e-4)
        assert found.few_matches == (len(expected) < k) and not found.few_items


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("attribute", "each"), [("year", 1), ("lang", 3), ("sold", 1)])
def test_by_index(client: Client, oracle: Oracle, family: str, attribute: str, each: int) -> None:
    queries = clustered(80, seed=11)
    recalls = []
    for query, found in zip(
        queries,
        client.batch_search(f"tagged-{family}", vectors=queries, group_by=attribute, hits_per_group=each),
        strict=True,
    ):
        expected = grouped(oracle.search(query, 2_000)[0], attribute, each, 10)
        assert len(found) == len(expected)  # never fewer while there are more
        assert max(Counter(group(item_id, attribute) for item_id in found.ids).values()) <= each
        assert list(found.scores) == sorted(found.scores, reverse=True)
        recalls.append(len({*found.ids} & {*expected}) / len(expected))
    assert np.mean(recalls) >= 0.93


def test_as_many_hits_as_there_are_whatever_the_effort(client: Client) -> None:
    years = len({group(item_id, "year") for item_id in IDS})
    for family, effort in (("ivf-flat", Effort(nprobe=1)), ("hnsw", Effort(ef_search=1))):
        found = client.search(f"tagged-{family}", id="item-3", k=100, group_by="year", effort=effort)
        assert len(found) == years and found.few_matches


def test_with_the_other_selections(client: Client, oracle: Oracle) -> None:
    query = clustered(1, seed=11)[0]
    least = oracle.gap(query, 200)
    above = [i for i in oracle.search(query, 2_000)[0] if i in oracle.above(query, least)]
    both = client.search("tagged-flat", vector=query, k=50, group_by="lang", hits_per_group=4, min_score=least)
    assert both.ids == grouped(above, "lang", 4, 50) and both.few_matches and not both.next_page_token

    filtered = client.search("tagged-flat", vector=query, k=8, group_by="lang", hits_per_group=4, filter="sold == true")
    sold = [i for i in oracle.search(query, 2_000)[0] if ITEM_OF[i].get("sold")]
    assert filtered.ids == grouped(sold, "lang", 4, 8)

    diverse = client.search("tagged-flat", vector=query, k=9, group_by="lang", hits_per_group=2, diversity=0.6)
    assert len(diverse) == 9 and max(Counter(group(i, "lang") for i in diverse.ids).values()) <= 2

    solved = client.solve_analogy("tagged-flat", ["item-1", "item-2"], ["item-3"], k=5, group_by="lang")
    total = oracle.vector("item-1") + oracle.vector("item-2") - oracle.vector("item-3")
    order = oracle.search(total, 2_000, without={"item-1", "item-2", "item-3"})[0]
    assert solved.ids == grouped(order, "lang", 1, 5)


@pytest.mark.parametrize(
    ("collection", "options", "message"),
    [
        ("tagged-flat", dict(group_by="yera"), "there is no attribute 'yera'; did you mean 'year'"),
        ("cosine-flat", dict(group_by="year"), "selection.grouping.attribute: there is no attribute 'year'"),
        ("tagged-flat", dict(group_by="tags"), "'tags' is a string-list: group by an attribute of one value"),
        ("tagged-flat", dict(group_by="x" * 5_000), "there is no attribute 'xxx"),
        ("tagged-flat", dict(group_by="year", hits_per_group=-1), "hits_per_group is -1"),
        ("tagged-flat", dict(group_by="year", farthest=True), "farthest: does not go with grouping"),
        ("tagged-flat", dict(group_by="year", min_score=0.1, page_token="AAAA"), "does not go with grouping"),
    ],
)
def test_bad_groupings(client: Client, collection: str, options: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        client.search(collection, id="item-1", **options)
