"""Every error has its status; every reason of the API is documented and can be sent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from google.rpc import code_pb2, error_details_pb2

from vecinity.indexer import errors as indexer
from vecinity.service import errors as service
from vecinity.service.status import to_status
from vecinity.v1 import error_reason_pb2

PROTO = Path(error_reason_pb2.__file__).with_name("error_reason.proto").read_text()
ERRORS: dict[str, Exception] = {
    "INVALID_ARGUMENT": service.InvalidArgumentError("k", "is 0"),
    "COLLECTION_NOT_FOUND": indexer.CollectionNotFoundError("wrods", ["words"]),
    "VERSION_NOT_FOUND": indexer.VersionNotFoundError("words", 7),
    "ITEM_NOT_FOUND": indexer.ItemNotFoundError("words", "kingg", ["king", "kings"]),
    "UNKNOWN_WORD": indexer.UnknownWordError("kingg", ["king", "kings"]),
    "NO_EMBEDDER": indexer.NoEmbedderError("mine"),
    "EMBEDDER_UNAVAILABLE": indexer.MissingExtraError("install it"),
    "CORRUPT": indexer.CorruptError(Path("/data/x"), "is truncated"),
    "DEADLINE_EXCEEDED": service.DeadlineError("too late"),
    "TOO_MANY_CALLS": service.TooManyCallsError(256),
    "SHUTTING_DOWN": service.ShuttingDownError("stopping"),
    "INTERNAL": RuntimeError("secret detail"),
    "UNKNOWN_METHOD": service.UnknownMethodError("/vecinity.v1.SearchService/Find"),
    "NO_SUBWORDS": indexer.NoSubwordsError(),
    "EMBEDDER_LOST": service.EmbedderLostError(),
    "STORAGE_UNAVAILABLE": indexer.StorageError("locked"),
}


def documented(reason: str) -> tuple[str, dict]:
    """The code and the example that the comment above a reason gives."""
    comment = re.search(rf"((?:  //.*\n)+)  ERROR_REASON_{reason} = ", PROTO)
    assert comment is not None
    text = re.sub(r"^  // ?", "", comment[1], flags=re.M)
    return text.split(".")[0], json.loads(text[text.index("{") :])


def test_every_reason_has_an_example_here() -> None:
    assert {f"ERROR_REASON_{reason}" for reason in ERRORS} == {*error_reason_pb2.ErrorReason.keys()} - {
        "ERROR_REASON_UNSPECIFIED"
    }


@pytest.mark.parametrize("reason", ERRORS)
def test_the_status_is_what_the_proto_documents(reason: str) -> None:
    status = to_status(ERRORS[reason])
    code, example = documented(reason)
    assert code_pb2.Code.Name(status.code) == code
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == example["reason"]
    assert info.domain == example["domain"]
    assert {*info.metadata} == {*example["metadata"]}
    if reason not in ("INVALID_ARGUMENT", "INTERNAL"):
        assert dict(info.metadata) == example["metadata"]


@pytest.mark.parametrize("reason", ["ITEM_NOT_FOUND", "UNKNOWN_WORD", "COLLECTION_NOT_FOUND"])
def test_near_spellings_are_a_detail_of_their_own(reason: str) -> None:
    near = error_reason_pb2.NearSpellings()
    assert to_status(ERRORS[reason]).details[1].Unpack(near)
    assert list(near.values) == list(ERRORS[reason].suggestions)  # type: ignore[attr-defined]


def test_long_names_fit_into_trailers() -> None:
    name = "漢" * 30_000
    for error in (
        indexer.ItemNotFoundError("words", name, [name] * 3),
        indexer.UnknownWordError(name, [name] * 3),
        indexer.CollectionNotFoundError(name),
        service.UnknownMethodError(name),
    ):
        assert len(to_status(error).SerializeToString()) < 4_000


def test_clients_are_not_told_where_files_are() -> None:
    assert "/data" not in to_status(ERRORS["CORRUPT"]).message


def test_every_error_of_the_domain_has_its_status() -> None:
    def leaves(kind: type) -> list[type]:
        return [kind] if not kind.__subclasses__() else [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]

    # Those a query can't meet: they belong to builds and to the start of a server.
    # A vector's and a filter's become an InvalidArgumentError, which names the field.
    of_builds = {indexer.SettingError, indexer.GateError, indexer.VectorError, indexer.FilterError}
    mapped = {type(error) for error in ERRORS.values()}
    assert {*leaves(indexer.IndexerError), *leaves(service.ServiceError)} <= mapped | of_builds


def test_a_violation_names_the_field() -> None:
    bad = error_details_pb2.BadRequest()
    assert to_status(ERRORS["INVALID_ARGUMENT"]).details[1].Unpack(bad)
    assert [(v.field, v.description) for v in bad.field_violations] == [("k", "is 0")]


def test_faults_of_ours_tell_clients_nothing_but_the_log_everything(capsys: pytest.CaptureFixture[str]) -> None:
    status = to_status(ERRORS["INTERNAL"])
    assert "secret" not in status.message
    incident = re.search(r"incident (\w{26})", status.message)
    assert incident is not None
    captured = capsys.readouterr()
    logged = captured.out + captured.err
    assert incident[1] in logged and "secret detail" in logged
