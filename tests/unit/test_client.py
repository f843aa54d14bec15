from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.empty_pb2 import Empty
from google.rpc import code_pb2, status_pb2

import vecinity.client
from vecinity.client import (
    AsyncClient,
    AttributeType,
    CalibrationSource,
    Client,
    Effort,
    Hit,
    HitOptions,
    InvalidArgumentError,
    Metric,
    SearchResult,
    Strategy,
    Term,
    Text,
    errors,
)
from vecinity.client._convert import analogy, collection, plan, unknown_words
from vecinity.client._convert import fields as convert
from vecinity.client._convert.search import search_request
from vecinity.v1 import collection_service_pb2, core_pb2, search_service_pb2


def test_the_public_names_are_these() -> None:
    assert vecinity.client.__all__ == [
        "AnalogyMethod", "AnalogyOptions", "AsyncClient", "AttributeType", "AttributeValue", "BatchSearchResult",
        "CalibrationPoint", "CalibrationSource",
        "Client", "CloserItems", "Collection", "CorruptError",
        "DeadlineExceededError", "Duplicate", "Effort", "Embedder", "Embeddings", "FailedPreconditionError", "Hit",
        "HitOptions", "Index", "InternalError", "InvalidArgumentError", "Metric", "Neighbours", "NotFoundError",
        "OddOneOut", "Plan", "Query",
        "ResourceExhaustedError", "SearchResult", "Strategy", "Term", "Text", "Times", "Tournament", "TournamentEntry",
        "UnavailableError",
        "UnimplementedError", "UnknownWord", "UnknownWords", "VecinityError",
    ]  # fmt: skip
    assert all(hasattr(vecinity.client, name) for name in vecinity.client.__all__)


def test_both_clients_have_the_same_methods() -> None:
    def faces(kind: type) -> dict[str, list[str]]:
        members = inspect.getmembers(kind, inspect.isroutine)
        return {name: [*inspect.signature(f).parameters] for name, f in members if not name.startswith("_")}

    assert faces(Client) == faces(AsyncClient)


def test_the_client_imports_nothing_of_the_server() -> None:
    code = (
        "import sys, vecinity.client\n"
        "heavy = {'faiss', 'torch', 'pyarrow', 'apsw', 'numba', 'vecinity.indexer', 'vecinity.service'}\n"
        "assert not heavy & {*sys.modules}, heavy & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_queries() -> None:
    assert convert.query("king").id == "king"
    assert convert.query(Text("king")).text == "king"
    assert convert.query([1, 2]).vector.packed == np.array([1, 2], "<f4").tobytes()
    assert convert.query(np.array([1.5], dtype=">f8")).vector.packed == np.array([1.5], "<f4").tobytes()


@pytest.mark.parametrize("value", [["oil prices", "x"], ("oil prices",), 5, b"oil prices"])
def test_a_text_is_one_string(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="a text is one string, not"):
        Text(value)
    with (
        Client("127.0.0.1:1") as client,
        pytest.raises(InvalidArgumentError, match=r"^text is one string; for several use batch_search\(texts=…\)$"),
    ):
        client.search("news", text=value)


def test_pickled_texts_are_texts() -> None:
    assert type(pickle.loads(pickle.dumps(Text("oil prices")))) is Text


def test_an_id_is_one_string() -> None:
    several: Any = ["king", "queen"]
    with (
        Client("127.0.0.1:1") as client,
        pytest.raises(InvalidArgumentError, match=r"^id is one string; for several use batch_search\(ids=…\)$"),
    ):
        client.search("words", id=several)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.batch_search("words", ids=["king", 5]),
        lambda c: c.batch_search("words", texts=["king", 5]),
        lambda c: c.embed("words", ["king", 5]),
    ],
)
def test_lists_of_strings_hold_nothing_else(call: Any) -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError, match=r"\[1\] must be a string, not 5"):
        call(client)


def test_a_vector_is_no_id() -> None:
    word: Any = "king"
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError, match="a vector must be numbers"):
        client.search("words", vector=word)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 3}, "there is no option 'top_k'; did you mean 'k'?"),
        ({"include_text": True}, "there is no option 'include_text'; did you mean 'include_texts'?"),
        ({"colour": "red"}, "there is no option 'colour'; there are k, target_recall, exact, "),
        ({"target_recall": "high"}, "target_recall is 'high'; it must be a number"),
        ({"min_score": "a"}, "min_score is 'a'; it must be a number"),
        ({"diversity": "a"}, "diversity is 'a'; it must be a number"),
        ({"exact": "yes"}, "exact is 'yes'; it must be True or False"),
        ({"explain": "yes"}, "explain is 'yes'; it must be True or False"),
        ({"effort": 8}, "effort is 8; it must be an Effort"),
        ({"group_by": 8}, "group_by is 8; it must be the name of an attribute"),
    ],
)
def test_options_that_are_none(options: Any, message: str) -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError) as caught:
        client.search("words", id="king", **options)
    assert str(caught.value).startswith(message)
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError) as caught:
        client.solve_analogy("words", ["king", "woman"], ["man"], **options)
    assert str(caught.value).startswith(message)


def test_options_of_analogies_are_suggested_for_analogies() -> None:
    options: Any = {"metod": "3cosmul"}
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError, match="did you mean 'method'"):
        client.solve_analogy("words", ["king"], **options)


def test_every_option_is_in_the_documentation_of_search() -> None:
    assert all(f"`{name}`" in (Client.search.__doc__ or "") for name in HitOptions.__annotations__)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: list(c.duplicates("words", "high")),
        lambda c: c.solve_analogy("words", [Term("king", "heavy")]),  # type: ignore[arg-type]
        lambda c: c.search("words", positive=[Term("king", "heavy")]),  # type: ignore[arg-type]
    ],
)
def test_numbers_are_numbers(call: Any) -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError, match="it must be a number"):
        call(client)


def test_weights_are_sent_only_if_given() -> None:
    request = analogy.solve_analogy_request("c", ["a", Term("b", 2.0)], [Term("d")], {"k": 3})
    assert [term.weight if term.HasField("weight") else None for term in request.positives] == [None, 2.0]
    assert request.negatives[0].weight == 1.0


def test_what_only_a_newer_server_knows_is_unknown() -> None:
    point = collection_service_pb2.CalibrationPoint(source=99)  # type: ignore[arg-type]
    answer = collection_service_pb2.GetCollectionResponse(
        collection=collection_service_pb2.Collection(
            metric=99,  # type: ignore[arg-type]
            attributes=[collection_service_pb2.AttributeSchema(name="year", type=99)],  # type: ignore[arg-type]
            index=collection_service_pb2.Index(calibration=[point]),
        )
    )
    found = collection.GET_COLLECTION.result(answer, Empty())
    assert (found.metric, found.attributes) == (Metric.UNKNOWN, {"year": AttributeType.UNKNOWN})
    assert found.index.calibration[0].source is CalibrationSource.UNKNOWN
    made = plan.plan(search_service_pb2.SearchResponse(plan=core_pb2.Plan(strategy=99, calibration_source=99)))  # type: ignore[arg-type]
    assert made is not None
    assert (made.strategy, made.calibration_source) == (Strategy.UNKNOWN, CalibrationSource.UNKNOWN)
    assert unknown_words.unknown_words([core_pb2.UnknownWord(word="kng", action=99)])[0].action is None  # type: ignore[arg-type]


def test_every_value_of_the_api_is_known() -> None:
    for kind, values in (
        (Metric, core_pb2.Metric),
        (AttributeType, core_pb2.AttributeType),
        (Strategy, core_pb2.Strategy),
        (CalibrationSource, core_pb2.CalibrationSource),
    ):
        known = [convert.member(kind, values, number) for number in values.values()]
        assert known == [kind.UNKNOWN, *(member for member in kind if member is not kind.UNKNOWN)]


@pytest.mark.parametrize("call", [lambda c: c.solve_analogy("words", "king"), lambda c: c.embed("words", "king")])
def test_a_string_is_no_list(call) -> None:  # type: ignore[no-untyped-def]
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError, match=r"must be a list, not a string"):
        call(client)


HALF = "\ud800"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.search(HALF, id="x"), "half of a surrogate pair"),
        (lambda c: c.search(5, id="x"), "collection is 5; it must be a string"),
        (lambda c: c.search("words", id="x", page_token=5), "page_token is 5; it must be a string"),
        (lambda c: c.search("words", id="x", group_by=HALF), "half of a surrogate pair"),
        (lambda c: c.search("words", id="x", filter=f"{HALF} == 1"), "half of a surrogate pair"),
        (lambda c: c.search("words", id="x", target_recall=10**400), "target_recall is 1"),
        (lambda c: c.search("words", id="x", min_score=10**400), "min_score is 1"),
        (lambda c: c.search("words", id="x", timeout="x"), "timeout is 'x'; it must be a number"),
        (lambda c: c.search("words", id="x", timeout=float("nan")), "timeout is NaN; it must be seconds"),
        (lambda c: next(c.neighbours("words", timeout="x")), "timeout is 'x'; it must be a number"),
        (lambda c: c.get_collection(HALF), "half of a surrogate pair"),
        (lambda c: next(c.list_collections(page_size=-1)), "page_size is -1; it must be from 0"),
        (lambda c: next(c.list_collections(page_size="a")), "page_size is 'a'; it must be a whole number"),
    ],
)
def test_arguments_that_are_none(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with Client("127.0.0.1:1") as client, pytest.raises(InvalidArgumentError, match=message) as caught:
        call(client)
    str(caught.value).encode()  # can be printed


def test_results_are_sequences_and_columns() -> None:
    result = SearchResult(["a", "b"], np.array([0.9, 0.8], np.float32), ["A", "B"], None, 3, 0.97, False)
    assert result[0] == Hit("a", pytest.approx(0.9), "A", None)
    assert [hit.id for hit in result] == ["a", "b"] == [hit.id for hit in result[0:2]]
    assert len(result) == 2 and result[-1].id == "b"
    with pytest.raises(IndexError):
        result[2]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", errors.InvalidArgumentError),
        ("NOT_FOUND", errors.NotFoundError),
        ("FAILED_PRECONDITION", errors.FailedPreconditionError),
        ("DEADLINE_EXCEEDED", errors.DeadlineExceededError),
        ("RESOURCE_EXHAUSTED", errors.ResourceExhaustedError),
        ("UNAVAILABLE", errors.UnavailableError),
        ("UNIMPLEMENTED", errors.UnimplementedError),
        ("DATA_LOSS", errors.CorruptError),
        ("INTERNAL", errors.InternalError),
        ("UNKNOWN", errors.InternalError),
    ],
)
def test_statuses_become_exceptions(code: str, kind: type[Exception]) -> None:
    error = errors.from_status(status_pb2.Status(code=code_pb2.Code.Value(code), message="what and why"))
    assert type(error) is kind and str(error) == "what and why" and error.reason == ""


def test_no_server() -> None:
    with Client("127.0.0.1:1", timeout=5) as client, pytest.raises(errors.UnavailableError):
        client.get_collection("words")


def test_a_number_is_no_id() -> None:
    with pytest.raises(InvalidArgumentError, match="ids are strings: write '5', not 5"):
        convert.query(5)


def test_a_target_is_no_url() -> None:
    with pytest.raises(InvalidArgumentError, match="a target is host:port, without http://"):
        Client("http://127.0.0.1:50051")


async def test_use_of_a_connection_after_close() -> None:
    client = Client("127.0.0.1:1")
    client.close()
    for call in (lambda: client.search("words", id="king"), lambda: next(iter(client.duplicates("words", 0.5)))):
        with pytest.raises(errors.UnavailableError, match="has been closed"):
            call()
    awaited = AsyncClient("127.0.0.1:1")
    await awaited.close()
    with pytest.raises(errors.UnavailableError, match="has been closed"):
        await awaited.search("words", id="king")


def test_use_after_close(collections_dir: Path) -> None:
    client = Client.in_process(collections_dir)
    client.close()
    client.close()
    with pytest.raises(errors.UnavailableError, match="has been closed"):
        client.search("words", id="king")


@pytest.mark.timeout(60)
def test_closing_while_others_ask_leaves_nobody_waiting(collections_dir: Path) -> None:
    for _ in range(5):
        client = Client.in_process(collections_dir)

        def ask(client: Client = client) -> str:
            try:
                while True:
                    client.search("words", id="king", k=1)
            except errors.UnavailableError as error:
                return str(error)

        with ThreadPoolExecutor(8) as pool:
            askers = [pool.submit(ask) for _ in range(6)]
            time.sleep(0.05)
            closers = [pool.submit(client.close) for _ in range(2)]
            assert [closer.result(20) for closer in closers] == [None, None]
            assert all(asker.result(20) for asker in askers)


def test_in_process_without_a_data_directory(tmp_path: Path) -> None:
    with pytest.raises(errors.VecinityError, match="not a data directory"):
        Client.in_process(tmp_path / "absent")


class TestAsync:
    async def test_in_process(self, collections_dir: Path) -> None:
        async with AsyncClient.in_process(collections_dir) as client:
            result = await client.search("words", id="king", k=3)
            assert len(result) == 3
            assert [c.name async for c in client.list_collections(page_size=2)][-1] == "words"
            with pytest.raises(errors.NotFoundError):
                await client.search("words", id="kingg")

    async def test_grpc(self, server) -> None:  # type: ignore[no-untyped-def]
        async with AsyncClient(server.target) as client:
            similarity = await client.similarity("words", "king", "queen")
            assert -1 <= similarity <= 1
            batch = await client.batch_search("words", ids=["king", "queen"], k=2)
            assert [len(result) for result in batch] == [2, 2]
            assert (await client.solve_analogy("words", ["king", "woman"], ["man"], k=1)).version == 1
            assert (await client.embed("words", ["king"])).vectors.shape == (1, 50)
            with pytest.raises(errors.DeadlineExceededError):
                everything = np.ones((5_000, 50), np.float32)  # one search may be over within gRPC's shortest deadline
                await client.batch_search("words", vectors=everything, k=100, exact=True, timeout=0.01)


class _Number:
    """Hashable by identity, as a tensor is, and another number later."""

    value = 5

    def __index__(self) -> int:
        return self.value


def test_what_is_remembered_of_a_request_is_only_what_never_changes() -> None:
    def sent(**options: object) -> search_service_pb2.SearchRequest:
        return search_request("words", [1.0], None, None, None, None, "", options)  # type: ignore[arg-type]

    number = _Number()
    assert sent(k=number).k == 5
    number.value = 9
    assert sent(k=number).k == 9
    # Equal, and yet not to be taken for each other.
    assert sent(effort=Effort(nprobe=16)).parameters.effort.nprobe == 16
    with pytest.raises(InvalidArgumentError, match=r"nprobe is 16\.0"):
        sent(effort=Effort(nprobe=16.0))  # type: ignore[arg-type]
    assert sent(k=1).k == 1
    with pytest.raises(InvalidArgumentError, match=r"k is 1\.0"):
        sent(k=1.0)
    # Each caller has a request of his own.
    sent(k=3).k = 4
    assert sent(k=3).k == 3
    assert sent(k=3, timeout=1.0) == sent(k=3)
