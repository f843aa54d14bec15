"""Filters as text: there and back, and errors that show the place."""

from __future__ import annotations

import pytest
from filter_strategies import any_filter
from hypothesis import given, settings

from vecinity.client import InvalidArgumentError
from vecinity.client.filters import FilterSyntaxError, format_filter, parse_filter
from vecinity.v1 import core_pb2


@settings(max_examples=300, deadline=None)
@given(any_filter)
def test_there_and_back(tree: core_pb2.Filter) -> None:
    # NaN equals nothing; as bytes it does.
    assert parse_filter(format_filter(tree)).SerializeToString() == tree.SerializeToString()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a==1", "a == 1"),
        ("a == 'x'", 'a == "x"'),
        (r"a == 'it\'s \"'", r'a == "it\'s \""'.replace(r"\'", "'")),
        (r'a == "\u00e9\n"', 'a == "é\\n"'),
        ("a not in [1, 2]", "not a in [1, 2]"),
        ("(((a == 1)))", "a == 1"),
        ("a == 1 and b == 2 or c == 3", "(a == 1 and b == 2) or c == 3"),
        ("a == 1 and (b == 2 or c == 3)", "a == 1 and (b == 2 or c == 3)"),
        ("not a == 1 and b == 2", "(not a == 1) and b == 2"),
        ("a\n==\t1", "a == 1"),
        ("a == -.5e3", "a == -500.0"),
        ("a == 1.", "a == 1.0"),
        ('a < date("2024-01-01")', 'a < timestamp("2024-01-01T00:00:00Z")'),
        ('a < timestamp("2024-01-01T02:00:00+02:00")', 'a < timestamp("2024-01-01T00:00:00Z")'),
        ("`x``y z` == true", "`x``y z` == true"),
        ("nota == 1 and inside == 2", "`nota` == 1 and inside == 2"),
        ("a.b-c == 1", "`a.b-c` == 1"),
    ],
)
def test_ways_to_write_the_same(text: str, same: str) -> None:
    assert parse_filter(text) == parse_filter(same)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "the filter ends too early; expected the name of an attribute, '(', 'exists' or 'not'"),
        ("year", 1, 5, "the filter ends too early; expected one of == != < <= > >=, 'contains', 'in' or 'not'"),
        (
            "year = 1",
            1,
            6,
            "'=' can't stand here; did you mean '=='?; expected one of == != < <= > >=, 'contains', 'in' or 'not'",
        ),
        ("year ==", 1, 8, "the filter ends too early; expected a number, a string in quotes, 'date'"),
        ("a <> 1", 1, 4, "'>' can't stand here; did you mean '!='?; expected"),
        ("a in (2, 3)", 1, 6, "'(' can't stand here; did you mean '['?"),
        ("a == 1 AND b == 2", 1, 8, "'AND' can't stand here; did you mean 'and'"),
        ("a == 1 || b == 2", 1, 8, "did you mean 'or'"),
        ("a == == 2", 1, 6, "'==' can't stand here; expected a number"),
        ("a == 1 2", 1, 8, "'2' can't stand here; expected the end, 'and' or 'or'"),
        ("a == 1 and\n  b ==\n    @", 3, 5, "'@' can't stand here; expected a number"),
        ("a == 'x", 1, 6, "the quote is not closed"),
        ("a in [1", 1, 8, "expected ',' or ']'"),
        ("(a == 1", 1, 8, "expected ')'"),
        ("exists a", 1, 8, r"'a' can't stand here; expected '('"),
        ("a contains 5", 1, 12, "'5' can't stand here; expected a string in quotes"),
        ("a == 9223372036854775808", 1, 6, "a whole number must be from -2^63 to 2^63 - 1"),
        ("a == 1e999", 1, 6, "the number is too large for 64 bits"),
        ('a < timestamp("noon")', 1, 15, "is no point in time: write it as 2024-05-31T12:00:00Z"),
        ('a < timestamp("0001-01-01T00:00:00+14:00")', 1, 15, "is no point in time"),
        (r'a == "\q"', 1, 6, "a string with an escape that JSON does not have"),
        (r'a == "\ud800"', 1, 6, "a string with an escape"),
        ("a == 1 andb == 2", 1, 8, "'andb' can't stand here"),
        ("a == 'x\u2028y' and\n  b = 1", 2, 5, "'=' can't stand here"),
        ("[" * 1_000, 1, 1, "'[' can't stand here"),
        ("(" * 10_000, 1, 10_001, "the filter ends too early"),
    ],
)
def test_errors_show_the_place(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse_filter(text)
    error = caught.value
    assert message in error.message
    assert (error.line, error.column) == (line, column)
    first, shown, caret = error.message.split("\n")
    assert first.startswith(f"filter: line {line}, column {column}: ")
    assert caret.strip() == "^"
    row = text.split("\n")[line - 1]
    if column <= min(len(row), 60):
        assert shown[caret.index("^")] == row[column - 1]


@pytest.mark.parametrize(
    "text",
    [
        "not " * 100_000 + "a == 1",
        "not (" * 65 + "a == 1" + ")" * 65,
        "(a == 1 and " * 60 + "a == 1" + ")" * 60,
        " and ".join(["a == 1"] * 10_001),
        "a in [" + ", ".join(["1"] * 10_001) + "]",
        "a == '" + "x" * 600_000 + "'",
    ],
)
def test_what_is_too_large_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"nested too deep|over 10000|the limit is"):
        parse_filter(text)


def test_parentheses_are_no_depth() -> None:
    assert parse_filter("(" * 5_000 + "a == 1" + ")" * 5_000) == parse_filter("a == 1")


def test_the_deepest_and_the_widest_allowed() -> None:
    for text in ("not " * 63 + "a == 1", "(a == 1 and " * 45 + "a == 1" + ")" * 45, " or ".join(["a == 1"] * 9_999)):
        tree = parse_filter(text)
        assert core_pb2.Filter.FromString(tree.SerializeToString()) == tree
        assert parse_filter(format_filter(tree)) == tree


@pytest.mark.parametrize(
    "tree",
    [
        core_pb2.Filter(),
        core_pb2.Filter(all_of=core_pb2.FilterList()),
        core_pb2.Filter(exists=""),
        core_pb2.Filter(comparison=core_pb2.Filter.Comparison(attribute="a")),
        core_pb2.Filter(comparison=core_pb2.Filter.Comparison(attribute="a", operator=1)),
    ],
)
def test_what_no_text_can_say(tree: core_pb2.Filter) -> None:
    with pytest.raises(InvalidArgumentError, match="filter: "):
        format_filter(tree)
