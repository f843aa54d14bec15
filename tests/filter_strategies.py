"""Random filters for Hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from vecinity.v1 import core_pb2

Filter = core_pb2.Filter


def _moment(when: datetime) -> core_pb2.AttributeValue:
    moment = Timestamp()
    moment.FromDatetime(when)
    return core_pb2.AttributeValue(timestamp_value=moment)


strings = st.text(st.characters(codec="utf-8"), max_size=5)
bools = st.booleans().map(lambda v: core_pb2.AttributeValue(bool_value=v))
whole_numbers = st.integers(-(1 << 63), (1 << 63) - 1).map(lambda v: core_pb2.AttributeValue(int64_value=v))
years = st.integers(1985, 2030).map(lambda v: core_pb2.AttributeValue(int64_value=v))
# One of the many NaNs: text does not tell them apart.
doubles = (st.floats(allow_nan=False) | st.just(float("nan"))).map(lambda v: core_pb2.AttributeValue(double_value=v))
texts = strings.map(lambda v: core_pb2.AttributeValue(string_value=v))
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(_moment)
known_texts = st.sampled_from(["de", "en", "fr", "naïve", "", "nai"]).map(
    lambda v: core_pb2.AttributeValue(string_value=v)
)
known_moments = st.datetimes(datetime(2019, 1, 1), datetime(2055, 1, 1), timezones=st.just(UTC)).map(_moment)
known_doubles = (
    st.sampled_from([0.0, -0.0, 0.5, 2.0**53, float("nan"), float("inf")]).map(
        lambda v: core_pb2.AttributeValue(double_value=v)
    )
    | doubles
    | st.sampled_from([0, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]).map(lambda v: core_pb2.AttributeValue(int64_value=v))
)
operators = st.sampled_from(Filter.Operator.values()[1:])
equality = st.sampled_from([Filter.OPERATOR_EQUAL, Filter.OPERATOR_NOT_EQUAL])


def comparisons(names: st.SearchStrategy[str], values: object, of: object = operators) -> st.SearchStrategy[Filter]:
    made = st.builds(Filter.Comparison, attribute=names, operator=of, value=values)
    return made.map(lambda comparison: Filter(comparison=comparison))


def one_ofs(names: st.SearchStrategy[str], values: st.SearchStrategy) -> st.SearchStrategy[Filter]:
    made = st.builds(Filter.OneOf, attribute=names, values=st.lists(values, max_size=4))
    return made.map(lambda one_of: Filter(one_of=one_of))


def containing(names: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[Filter]:
    made = st.builds(Filter.Contains, attribute=names, value=values)
    return made.map(lambda contains: Filter(contains=contains))


def _not(inner: Filter) -> Filter:
    made = Filter()
    getattr(made, "not").CopyFrom(inner)
    return made


def trees(leaves: st.SearchStrategy[Filter], least: int) -> st.SearchStrategy[Filter]:
    """Trees over conditions; lists hold at least `least` of them."""

    def extend(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
        lists = st.lists(inner, min_size=least, max_size=4).map(lambda filters: core_pb2.FilterList(filters=filters))
        return (
            inner.map(_not)
            | lists.map(lambda inner: Filter(all_of=inner))
            | lists.map(lambda inner: Filter(any_of=inner))
        )

    return st.recursive(leaves, extend, max_leaves=12)


_names = strings.filter(bool)
_values = bools | whole_numbers | doubles | texts | moments
any_filter = trees(
    comparisons(_names, _values)
    | one_ofs(_names, _values)
    | containing(_names, strings)
    | _names.map(lambda name: Filter(exists=name)),
    least=2,
)
"""Filters that text can say, about any attributes."""

_just = st.just
tagged_filter = trees(
    comparisons(_just("year"), years)
    | comparisons(_just("price"), known_doubles)
    | comparisons(_just("lang"), known_texts)
    | comparisons(_just("sold"), bools, equality)
    | comparisons(_just("when"), known_moments)
    | one_ofs(_just("year"), years)
    | one_ofs(_just("price"), known_doubles)
    | one_ofs(_just("lang"), known_texts)
    | one_ofs(_just("sold"), bools)
    | containing(_just("tags"), st.sampled_from(["new", "draft", "x", ""]))
    | containing(_just("lang"), st.sampled_from(["e", "ï", "de", ""]))
    | st.sampled_from(["year", "price", "lang", "sold", "when", "tags"]).map(lambda name: Filter(exists=name)),
    least=0,
)
"""Filters that fit the attributes of `tagged`."""
