"""Filters and attributes over both edges, compared with plain Python."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from conftest import clustered
from oracle import Oracle
from tagged import items, meets

from vecinity.client import Client, DeadlineExceededError, Effort, InvalidArgumentError, Term
from vecinity.client.filters import parse_filter
from vecinity.v1 import core_pb2, search_service_pb2

ITEMS = items(2_000)
IDS = [f"item-{row}" for row in range(2_000)]
SEARCH = "/vecinity.v1.SearchService/Search"
FAMILIES = ("flat", "ivf-flat", "hnsw", "ivf-pq")
FILTERS = {
    "all": "exists(year) or not exists(year)",
    "most": "year >= 1993 or not exists(year)",
    "half": "sold == true",
    "some": 'lang in ["de", "fr"] and not tags contains "draft" and year >= 2005',
    "few": 'year == 2001 and tags contains "x y" and when > date("2025-01-01")',
    "none": "year < 1000",
}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(IDS, clustered(), "cosine")


def outside(text: str) -> set[str]:
    tree = parse_filter(text)
    return {item_id for item_id, item in zip(IDS, ITEMS, strict=True) if not meets(item, tree)}


@pytest.mark.parametrize("text", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("family", FAMILIES)
def test_exact_search(client: Client, oracle: Oracle, family: str, text: str) -> None:
    for query in clustered(5, seed=11):
        result = client.search(f"tagged-{family}", vector=query, filter=text, exact=True)
        ids, scores = oracle.search(query, 10, without=outside(text))
        assert result.ids == ids
        np.testing.assert_allclose(result.scores, scores, rtol=1e-4, atol=1e-4)
        assert result.predicted_recall == 1.0 and result.few_matches == (len(ids) < 10)


@pytest.mark.parametrize("text", FILTERS.values(), ids=FILTERS.keys())
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [1, 10, 60])
def test_default_search_keeps_its_recall(client: Client, oracle: Oracle, family: str, text: str, k: int) -> None:
    queries = clustered(100, seed=11)
    left_out = outside(text)
    result = client.batch_search(f"tagged-{family}", vectors=queries, k=k, filter=text)
    recalls = []
    for found, query in zip(result, queries, strict=True):
        ids, _ = oracle.search(query, k, without=left_out)
        assert len(found.ids) == len(ids) and not left_out & {*found.ids}
        np.testing.assert_allclose(found.scores, oracle.scores_of(query, found.ids), rtol=1e-4, atol=1e-4)
        assert list(found.scores) == sorted(found.scores, reverse=True)
        recalls.append(len({*found.ids} & {*ids}) / len(ids) if ids else 1.0)
    assert np.mean(recalls) >= 0.93


@pytest.mark.parametrize("family", FAMILIES)
def test_as_many_hits_as_there_are_matches_whatever_the_effort(client: Client, family: str) -> None:
    efforts = {"ivf-flat": Effort(nprobe=1), "ivf-pq": Effort(nprobe=1, k_factor=1), "hnsw": Effort(ef_search=1)}
    options = {"effort": efforts[family]} if family in efforts else {}
    for text in FILTERS.values():
        matches = len(IDS) - len(outside(text) | {"item-3"})
        found = client.search(f"tagged-{family}", id="item-3", k=50, filter=text, **options)
        assert len(found) == len({*found.ids}) == min(50, matches)


def test_items_asked_by_id_and_terms_are_left_out(client: Client, oracle: Oracle) -> None:
    text = FILTERS["some"]
    left_out = outside(text)
    inside = [item_id for item_id in IDS if item_id not in left_out][:3]
    result = client.search("tagged-flat", id=inside[0], filter=text)
    assert result.ids == oracle.search(oracle.vector(inside[0]), 10, without={*left_out, inside[0]})[0]
    solved = client.solve_analogy("tagged-flat", inside[:2], inside[2:], filter=text)
    total = oracle.vector(inside[0]) + oracle.vector(inside[1]) - oracle.vector(inside[2])
    assert solved.ids == oracle.search(total, 10, without={*left_out, *inside})[0]
    weighted = client.solve_analogy("tagged-flat", [Term(inside[0], 2.0)], filter=text)
    assert inside[0] not in weighted.ids and not left_out & {*weighted.ids}


def test_attributes_come_as_python_values(client: Client) -> None:
    result = client.search("tagged-hnsw", id="item-3", k=100, include_attributes=True)
    batch = client.batch_search("tagged-hnsw", ids=["item-3", "item-4"], k=100, include_attributes=True)
    for found in (result, batch[0], batch[1]):
        for hit in found:
            expected = ITEMS[IDS.index(hit.id)]
            assert hit.attributes is not None and hit.attributes.keys() == expected.keys()
            for name, value in expected.items():
                assert type(hit.attributes[name]) is type(value)
                assert str(hit.attributes[name]) == str(value)  # NaN equals nothing
    assert any(isinstance(value, datetime) for value in (result[0].attributes or {}).values())
    without = client.search("tagged-hnsw", id="item-3", k=1)
    assert without.attributes is None and without[0].attributes is None
    assert client.search("cosine-flat", id="item-3", k=2, include_attributes=True).attributes == [{}, {}]


def test_a_collection_names_its_attributes(client: Client) -> None:
    found = client.get_collection("tagged-flat").attributes
    assert [(name, kind.value) for name, kind in found.items()] == [
        ("year", "int64"), ("price", "double"), ("lang", "string"), ("sold", "bool"), ("when", "timestamp"),
        ("tags", "string-list"),
    ]  # fmt: skip
    assert client.get_collection("cosine-flat").attributes == {}


def test_why_there_are_few(client: Client) -> None:
    def shortfall(k: int, text: str | None) -> core_pb2.Shortfall:
        request = search_service_pb2.SearchRequest(collection="tagged-flat", query=core_pb2.Query(id="item-1"), k=k)
        if text is not None:
            request.selection.filter.CopyFrom(parse_filter(text))
        response = client._transport.call(SEARCH, request, search_service_pb2.SearchResponse, 30)
        return response.hits.shortfall

    assert shortfall(10, None) == shortfall(10, FILTERS["half"]) == core_pb2.SHORTFALL_UNSPECIFIED
    assert shortfall(10, FILTERS["none"]) == shortfall(1_999, FILTERS["half"]) == core_pb2.SHORTFALL_FEW_MATCHES
    assert shortfall(2_000, None) == core_pb2.SHORTFALL_FEW_ITEMS


def nested(depth: int, kind: str = "not") -> core_pb2.Filter:
    tree = inner = core_pb2.Filter()
    for _ in range(depth):
        inner = getattr(inner, kind) if kind == "not" else getattr(inner, kind).filters.add()
    inner.exists = "year"
    return tree


BAD = [
    ("yaer == 1", "selection.filter.comparison.attribute: there is no attribute 'yaer'; did you mean 'year'"),
    (
        "exists(year) and (sold == 1 or year == 2)",
        r"all_of\[1\].any_of\[0\].comparison.value: is an int64, but",
    ),
    ("tags == 'new'", "write contains"),
    ("sold < true", "with == and != only"),
    (core_pb2.Filter(), "selection.filter: set one of comparison"),
    (core_pb2.Filter(exists=""), "selection.filter.exists: is required"),
    (core_pb2.Filter(all_of=core_pb2.FilterList(filters=[core_pb2.Filter()])), r"filter.all_of\[0\]: set one of"),
    (core_pb2.Filter(comparison={"attribute": "year", "value": {"int64_value": 1}}), "operator: is 0; it must be"),
    (core_pb2.Filter(comparison={"attribute": "year", "operator": 99, "value": {"int64_value": 1}}), "is 99; it must"),
    (core_pb2.Filter(comparison={"attribute": "year", "operator": 1}), "comparison.value: set one of"),
    (core_pb2.Filter(comparison={"operator": 1, "value": {"int64_value": 1}}), "comparison.attribute: is required"),
    (
        core_pb2.Filter(one_of={"attribute": "tags", "values": [{"string_list_value": {"values": ["a"]}}]}),
        r"one_of.values\[0\]: is a string list, which can't be compared: use contains",
    ),
    (
        core_pb2.Filter(one_of={"attribute": "when", "values": [{"timestamp_value": {"seconds": 1 << 60}}]}),
        "is not from year 1 to year 9999",
    ),
    (
        core_pb2.Filter(one_of={"attribute": "when", "values": [{"timestamp_value": {"nanos": -1}}]}),
        "is not from year 1 to year 9999",
    ),
    (nested(64), "nested too deep"),
    (nested(10_000), "nested too deep"),
    (nested(10_000, "all_of"), "nested too deep"),
    (core_pb2.Filter(any_of=core_pb2.FilterList(filters=[nested(0)] * 10_000)), "over 10000"),
    (core_pb2.Filter(one_of={"attribute": "year", "values": [{"int64_value": 1}] * 10_000}), "over 10000"),
    ("year = 1", "line 1, column 6"),
    (7, "must be a text or a vecinity.v1.Filter, not int"),
]


@pytest.mark.parametrize(("tree", "message"), BAD)
def test_bad_filters_are_refused_by_place_and_the_server_lives_on(client: Client, tree: object, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        client.search("tagged-flat", id="item-1", filter=tree)  # type: ignore[arg-type]
    assert client.search("tagged-flat", id="item-1", filter=FILTERS["half"], k=1)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (nested(63), None),
        (nested(64), "selection.filter: is nested deeper than 64"),
        (nested(10_000), "nested deeper than"),
        (nested(10_000, "all_of"), "nested deeper than"),
        (core_pb2.Filter(any_of=core_pb2.FilterList(filters=[nested(0)] * 10_000)), "over 10000 conditions"),
        (core_pb2.Filter(one_of={"attribute": "year", "values": [{"int64_value": 1}] * 100_000}), "over 10000"),
        (core_pb2.Filter(any_of=core_pb2.FilterList(filters=[nested(0)] * 9_999)), None),
    ],
)
def test_what_a_careless_client_sends(client: Client, tree: core_pb2.Filter, message: str | None) -> None:
    """Without the checks of our own client: bytes over gRPC, messages in the process."""
    request = search_service_pb2.SearchRequest(collection="tagged-flat", query=core_pb2.Query(id="item-1"), k=1)
    request.selection.filter.CopyFrom(tree)
    response = search_service_pb2.SearchResponse
    call = client._transport.call
    if message is None:
        assert call(SEARCH, request, response, 30)
    else:
        with pytest.raises(InvalidArgumentError, match=message):
            call(SEARCH, request, response, 30)
    assert client.search("tagged-flat", id="item-1", k=1)


def test_a_collection_without_attributes(client: Client) -> None:
    with pytest.raises(InvalidArgumentError, match="the items of this version have none"):
        client.search("cosine-flat", id="item-1", filter="year == 1")


def test_deadlines(client: Client) -> None:
    moments = [{"timestamp_value": {"seconds": seconds}} for seconds in range(9_999)]
    conditions = [{"comparison": {"attribute": "when", "operator": 1, "value": moment}} for moment in moments]
    wide = core_pb2.Filter(any_of={"filters": conditions})
    with pytest.raises(DeadlineExceededError):
        client.search("tagged-flat", id="item-1", filter=wide, timeout=0.02)
    assert client.search("tagged-flat", id="item-1", filter=wide, timeout=60).ids == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["half", "some", "few", "none"])
def test_with_the_other_selections(client: Client, oracle: Oracle, family: str, name: str) -> None:
    text, query = FILTERS[name], clustered(1, seed=11)[0]
    left_out = outside(text)
    inside = [item_id for item_id in IDS if item_id not in left_out]
    scores = dict(zip(inside, oracle.scores_of(query, inside), strict=True))
    closest = sorted(inside, key=lambda item_id: -scores[item_id])
    options = {"vector": query, "filter": text, "exact": True}
    farthest = client.search(f"tagged-{family}", **options, k=5, farthest=True)
    assert farthest.ids == closest[::-1][:5]
    least = scores[closest[len(closest) // 3]] - 1e-5 if closest else 0.5
    above = [item_id for item_id in closest if scores[item_id] >= least]
    page = client.search(f"tagged-{family}", **options, k=40, min_score=least)
    found = list(page.ids)
    while page.next_page_token:
        page = client.search(f"tagged-{family}", **options, k=40, min_score=least, page_token=page.next_page_token)
        found += page.ids
    assert found == above
    diverse = client.search(f"tagged-{family}", vector=query, filter=text, k=5, diversity=0.5)
    assert len(diverse) == min(5, len(inside)) and {*diverse.ids} <= {*inside}
