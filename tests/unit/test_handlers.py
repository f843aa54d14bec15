"""What handlers do beside validate → engine → convert."""

from __future__ import annotations

import threading
from typing import cast

import pytest
from google.protobuf.descriptor import FieldDescriptor

from vecinity.service.config import Config
from vecinity.service.engine import Engine
from vecinity.service.handlers.method import made
from vecinity.service.handlers.search import SearchHandlers
from vecinity.v1 import core_pb2, search_service_pb2

Request = search_service_pb2.SearchRequest


@pytest.fixture
def searches() -> SearchHandlers:
    return SearchHandlers(cast(Engine, None), Config().limits)


def request(**fields: object) -> Request:
    return Request(**{"collection": "words", "k": 3, "query": core_pb2.Query(id="king"), **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(("messages", "here"), [(0, True), (200_000, False)])
async def test_large_responses_are_made_in_a_thread(messages: int, here: bool) -> None:
    def make() -> core_pb2.StringList:
        return core_pb2.StringList(values=[str(threading.get_ident())])

    response = await made(make, messages)
    assert isinstance(response, core_pb2.StringList)
    assert (response.values == [str(threading.get_ident())]) is here


NOT_REMEMBERED = {"query", "selection", "explain", "page_token"}
BESIDE_THE_QUERY = [field.name for field in Request.DESCRIPTOR.fields if field.name not in NOT_REMEMBERED]
OTHERWISE: dict[str, object] = {
    "collection": "news",
    "parameters": core_pb2.SearchParameters(target_recall=0.5),
    "unknown_words": core_pb2.UNKNOWN_WORDS_SKIP,
}


@pytest.mark.parametrize("name", BESIDE_THE_QUERY)
def test_what_is_remembered_of_a_request_is_never_that_of_another(searches: SearchHandlers, name: str) -> None:
    field = Request.DESCRIPTOR.fields_by_name[name]
    value = OTHERWISE.get(name, True if field.type == FieldDescriptor.TYPE_BOOL else 7)
    first, other = searches._wanted(request()), searches._wanted(request(**{name: value}))
    assert other != first
    assert searches._wanted(request(**{name: value})) is other and searches._wanted(request()) is first


def test_parameters_of_any_size_are_not_remembered(searches: SearchHandlers) -> None:
    unknown = b"\xfa\x3f" + b"\x80\x08" + 1_024 * b"x"  # field 1,023, which nobody knows
    large = request(parameters=core_pb2.SearchParameters.FromString(unknown))
    assert len(large.parameters.SerializeToString()) > 1_024
    assert searches._wanted(large) == searches._wanted(request())
    assert len(searches._known) == 1


def test_a_selection_that_selects_nothing_is_none(searches: SearchHandlers) -> None:
    """Our own client sends one with every search."""
    empty = request(selection=core_pb2.Selection())
    assert searches._wanted(empty) is searches._wanted(request())
    some = request(selection=core_pb2.Selection(min_score=0.5))
    assert searches._wanted(some).selection.min_score == 0.5
    assert len(searches._known) == 1
