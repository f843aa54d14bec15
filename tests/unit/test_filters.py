"""Which rows meet a filter, compared with plain Python; what does not fit the attributes."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from filter_strategies import tagged_filter
from hypothesis import given, settings
from tagged import SCHEMA, items, meets

from vecinity.client.filters import parse_filter
from vecinity.indexer.attributes import AttributeType, parse_attributes
from vecinity.indexer.attributes.schema import ARROW_TYPES
from vecinity.indexer.errors import FilterError
from vecinity.indexer.filters import AllOf, AnyOf, Comparison, Exists, Filter, Literal, Not, OneOf, Operator, evaluate
from vecinity.service.convert.filter import filter_tree
from vecinity.v1 import core_pb2

ITEMS = items(400)
COLUMNS = {
    a.name: (
        a.type,
        pa.chunked_array(  # in chunks, as in a segment
            [pa.array([i.get(a.name) for i in ITEMS[b : b + 150]], ARROW_TYPES[a.type]) for b in (0, 150, 300)]
        ),
    )
    for a in parse_attributes(SCHEMA)
}


def mask(tree: Filter) -> np.ndarray:
    return evaluate(tree, COLUMNS, len(ITEMS))


@settings(max_examples=300, deadline=None)
@given(tagged_filter)
def test_a_filter_means_what_plain_python_says(message: core_pb2.Filter) -> None:
    np.testing.assert_array_equal(mask(filter_tree(message)), [meets(item, message) for item in ITEMS])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("exists(year)", sum("year" in item for item in ITEMS)),
        ("not exists(year)", sum("year" not in item for item in ITEMS)),
        # An item that lacks it meets neither, and both opposites.
        ("year == 2000 or year != 2000", sum("year" in item for item in ITEMS)),
        ("not year == 2000 and not year != 2000", sum("year" not in item for item in ITEMS)),
        ("price == nan or price < nan or price >= nan", 0),
        ("price != nan", sum("price" in item for item in ITEMS)),
        ("price in [nan]", 0),
        ("price == 9007199254740993", 0),  # between two doubles
        ("price in [9007199254740993]", 0),
        ("price > 9007199254740993", sum(item.get("price") == float("inf") for item in ITEMS)),
        ("price < 9007199254740993 and price >= 9007199254740992", sum(i.get("price") == 2.0**53 for i in ITEMS)),
        ("price in [0]", sum(item.get("price") == 0 for item in ITEMS)),
        ('lang > "fr"', sum(item.get("lang", "") > "fr" for item in ITEMS)),
        ('lang > "n"', sum(item.get("lang") == "naïve" for item in ITEMS)),
        ('tags contains "x"', 0),  # an entry, not a part of one
        ("year in []", 0),
        ('when >= date("2020-01-01")', sum("when" in item for item in ITEMS)),
    ],
)
def test_corners(text: str, count: int) -> None:
    assert int(mask(filter_tree(parse_filter(text))).sum()) == count


def test_empty_lists_of_conditions() -> None:
    assert mask(AllOf(())).all() and not mask(AnyOf(())).any() and mask(Not(AnyOf(()))).all()


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        ("yaer == 1", "comparison.attribute", "there is no attribute 'yaer'; did you mean 'year'?"),
        (
            "exists(year) and (year == 1 or not exists(xyzxyz))",
            "all_of[1].any_of[1].not.exists",
            "there is no attribute 'xyzxyz': there are 'year', 'price'",
        ),
        ("year == 1.5", "comparison.value", "is a double, but attribute 'year' is an int64: write a whole number"),
        ("year == true", "comparison.value", "is a bool, but"),
        ("price == '1'", "comparison.value", "is a string, but attribute 'price' is a double: write a number"),
        (
            "sold == true and when > '2024'",
            "all_of[1].comparison.value",
            'write a point in time, as in timestamp("',
        ),
        ("sold > true", "comparison.operator", "is >; a bool can be compared with == and != only"),
        ("tags == 'a'", "comparison.value", "a string list, which can't be compared: write contains"),
        ("tags in ['a']", "one_of.values[0]", "a string list, which can't be compared: write contains"),
        ("tags in []", "one_of.attribute", "a string list, which can't be compared: write contains"),
        ("tags in ['a']", "one_of.values[0]", "a string list"),
        ("lang in ['de', 1]", "one_of.values[1]", "is an int64, but attribute 'lang' is a string"),
        ("year contains '1'", "contains.attribute", "'year' is an int64; only a string or a string list contains"),
    ],
)
def test_what_does_not_fit_the_attributes_is_named(text: str, place: str, fault: str) -> None:
    with pytest.raises(FilterError) as caught:
        mask(filter_tree(parse_filter(text)))
    assert caught.value.place == place and fault in caught.value.fault


def test_no_attributes_at_all() -> None:
    with pytest.raises(FilterError, match="the items of this version have none"):
        evaluate(Exists("a"), {}, 3)


def test_values_that_python_takes_for_equal_are_different_filters() -> None:
    def equal(kind: AttributeType, value: object) -> Comparison:
        return Comparison("a", Operator.EQUAL, Literal(kind, value))  # type: ignore[arg-type]

    made = {
        equal(AttributeType.INT64, 1),
        equal(AttributeType.DOUBLE, 1.0),
        equal(AttributeType.BOOL, True),
    }
    assert len(made) == 3
    assert OneOf("a", (Literal(AttributeType.INT64, 1),)) == OneOf("a", (Literal(AttributeType.INT64, 1),))


def test_no_rows() -> None:
    columns = {"year": (AttributeType.INT64, pa.chunked_array([], pa.int64()))}
    for tree in (Exists("year"), Comparison("year", Operator.LESS, Literal(AttributeType.INT64, 1)), AllOf(())):
        assert evaluate(tree, columns, 0).shape == (0,)
    tags = {"tags": (AttributeType.STRING_LIST, pa.chunked_array([], ARROW_TYPES[AttributeType.STRING_LIST]))}
    assert evaluate(filter_tree(parse_filter("tags contains 'a'")), tags, 0).shape == (0,)


def test_an_evaluation_stops_when_nobody_waits() -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        evaluate(AnyOf((Exists("year"),) * 100), COLUMNS, len(ITEMS), check)
    assert calls == 6


def test_nanoseconds_are_beyond_what_is_kept() -> None:
    value = core_pb2.AttributeValue()
    value.timestamp_value.seconds, value.timestamp_value.nanos = 1, 1_999
    tree = filter_tree(core_pb2.Filter(comparison=core_pb2.Filter.Comparison(attribute="a", operator=1, value=value)))
    assert isinstance(tree, Comparison) and tree.value.value == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
