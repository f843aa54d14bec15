"""Requests that are known again by their bytes, and those that must not be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecinity.service.handlers.alike import Kinds
from vecinity.service.query import Search
from vecinity.v1 import core_pb2, search_service_pb2

SEARCH = Search("words", 10)


def request(packed: bytes, **fields: object) -> search_service_pb2.SearchRequest:
    vector = core_pb2.Vector(packed=packed)
    return search_service_pb2.SearchRequest(query=core_pb2.Query(vector=vector), **{"collection": "words", **fields})


def floats(*numbers: float) -> bytes:
    return np.array(numbers, "<f4").tobytes()


def learn(kinds: Kinds, made: search_service_pb2.SearchRequest) -> int:
    payload = made.SerializeToString()
    if (kind := kinds.kind_of(payload, made, SEARCH)) is not None:
        kinds.keep(len(payload), kind)
    return 0 if kind is None else kind.number


def test_another_vector_is_alike() -> None:
    kinds = Kinds()
    assert kinds.find(request(floats(1, 2), k=10).SerializeToString()) is None
    number = learn(kinds, request(floats(1, 2), k=10))
    found = kinds.find(request(floats(3, 4), k=10).SerializeToString())
    assert found is not None
    kind, vectors = found
    assert kind.number == number and kind.search is SEARCH
    assert vectors.shape == (1, 2) and vectors.tolist() == [[3, 4]]


@pytest.mark.parametrize(
    "other",
    [
        request(floats(3, 4), k=11),
        request(floats(3, 4), k=10, collection="wordz"),
        request(floats(3, 4, 5), k=10),
        request(floats(3, 4), k=10, include_texts=True),
        request(floats(3, 4), k=10, parameters=core_pb2.SearchParameters(exact=True)),
        search_service_pb2.SearchRequest(
            collection="words", k=10, query=core_pb2.Query(vector=core_pb2.Vector(values=[3, 4]))
        ),
        search_service_pb2.SearchRequest(collection="words", k=10, query=core_pb2.Query(text="12345678")),
    ],
)
def test_anything_else_is_not(other: search_service_pb2.SearchRequest) -> None:
    kinds = Kinds()
    learn(kinds, request(floats(1, 2), k=10))
    assert kinds.find(other.SerializeToString()) is None


def test_bytes_that_stand_elsewhere_too_are_no_place() -> None:
    # The collection's name is the vector's bytes: what is found first is the name.
    kinds = Kinds()
    learn(kinds, request(b"abcd", collection="abcd", k=10))
    assert kinds.find(request(b"efgh", collection="abcd", k=10).SerializeToString()) is None
    assert kinds.find(request(b"abcd", collection="efgh", k=10).SerializeToString()) is None


def test_of_a_vector_sent_twice_the_last_counts() -> None:
    once = core_pb2.Query(vector=core_pb2.Vector(packed=floats(1, 2)))
    payload = (
        request(floats(5, 6), k=10).SerializeToString()
        + search_service_pb2.SearchRequest(query=once).SerializeToString()
    )
    kinds = Kinds()
    made = search_service_pb2.SearchRequest.FromString(payload)
    assert made.query.vector.packed == floats(1, 2)
    kind = kinds.kind_of(payload, made, SEARCH)
    assert kind is not None
    kinds.keep(len(payload), kind)
    other = payload.replace(floats(1, 2), floats(7, 8))
    found = kinds.find(other)
    assert found is not None and found[1].tolist() == [[7, 8]]
    assert kinds.find(payload.replace(floats(5, 6), floats(9, 9))) is None


def test_the_number_of_kinds_is_bounded() -> None:
    kinds = Kinds()
    for k in range(1, 3_000):
        learn(kinds, request(floats(1, 2), k=k, collection="x" * (k % 400)))
    assert sum(map(len, kinds._by_length.values())) == kinds._kept <= 1_024
    assert max(map(len, kinds._by_length.values())) <= 8
    assert kinds.find(request(floats(3, 4), k=2_999, collection="x" * (2_999 % 400)).SerializeToString())
    learn(kinds, request(floats(1, 2), collection="x" * 2_000))
    assert kinds.find(request(floats(1, 2), collection="x" * 2_000).SerializeToString()) is None


def test_what_is_kept_of_a_request_is_small() -> None:
    made = request(bytes(1 << 20), k=10)
    kind = Kinds().kind_of(made.SerializeToString(), made, SEARCH)
    assert kind is not None and kind.example.ByteSize() + len(kind.before) + len(kind.after) < 100


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4), st.integers(0, 40), st.text(max_size=5))
def test_what_is_alike_parses_alike(first: bytes, second: bytes, k: int, collection: str) -> None:
    kinds = Kinds()
    learn(kinds, request(first, k=k, collection=collection))
    payload = request(second, k=k, collection=collection).SerializeToString()
    found = kinds.find(payload)
    if found is not None:
        assert found[1].tobytes() == search_service_pb2.SearchRequest.FromString(payload).query.vector.packed
