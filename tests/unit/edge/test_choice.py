"""Which edge is taken, what libnghttp2 is asked for, and what each setting is checked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from vecinity.indexer.errors import SettingError
from vecinity.service.config import load_config
from vecinity.service.edge import choice, listening
from vecinity.service.edge.grpcio import GrpcEdge
from vecinity.service.edge.nghttp2 import binding, edge
from vecinity.service.edge.nghttp2.limits import Bucket, EdgeLimits
from vecinity.service.pipeline import Pipeline


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline({}, calls_max=1)


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> binding.Library:
        return binding.Library(("libabsent.so.1",))

    monkeypatch.setattr(edge, "load", load)


async def test_auto_takes_nghttp2(pipeline: Pipeline) -> None:
    assert isinstance(choice.open_edge(pipeline, load_config(edge="auto")), edge.Nghttp2Edge)
    assert isinstance(choice.open_edge(pipeline, load_config(edge="nghttp2")), edge.Nghttp2Edge)
    assert isinstance(choice.open_edge(pipeline, load_config(edge="grpcio")), GrpcEdge)


@pytest.mark.usefixtures("without_library")
async def test_auto_takes_grpcio_without_the_library(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Mock()
    monkeypatch.setattr(choice, "_log", log)
    assert isinstance(choice.open_edge(pipeline, load_config(edge="auto")), GrpcEdge)
    (line,) = log.mock_calls
    assert "libabsent.so.1" in str(line) and "grpcio" in str(line)


@pytest.mark.usefixtures("without_library")
def test_nghttp2_without_the_library_is_a_clear_error(pipeline: Pipeline) -> None:
    with pytest.raises(SettingError, match=r"--edge nghttp2: there is no libabsent\.so\.1: install libnghttp2-14"):
        choice.open_edge(pipeline, load_config(edge="nghttp2"))


def test_an_edge_that_there_is_not() -> None:
    with pytest.raises(SettingError, match="edge"):
        load_config(edge="http3")


@pytest.mark.parametrize(
    "settings",
    [{"tls_key": Path("a")}, {"tls_certificate": Path("a")}, {"tls_client_ca": Path("a")}],
)
def test_tls_half_set(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="tls_"):
        load_config(**settings)


def test_a_library_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "_VERSION_MIN", 1 << 30)
    with pytest.raises(binding.LibraryError, match="too old"):
        binding.Library()


def test_what_the_library_can() -> None:
    library = binding.load()
    assert library is binding.load()
    assert library.version.count(".") == 2
    assert isinstance(library.limits_resets, bool)
    assert "Flow control" in library.error(-524) or library.error(-524)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0", "0.0.0.0:0"])
def test_addresses(listen: str) -> None:
    try:
        sockets, address = listening.open_sockets(listen)
    except SettingError:
        if listen.startswith("["):
            pytest.skip("no IPv6 here")
        raise
    try:
        host, _, port = address.rpartition(":")
        assert listen.startswith(host) and int(port) > 0
        assert {made.getsockname()[1] for made in sockets} == {int(port)}
        with pytest.raises(SettingError, match="can't listen on"):
            listening.open_sockets(address)
    finally:
        for made in sockets:
            made.close()


@pytest.mark.parametrize("listen", ["256.0.0.1:0", "no.such.host.invalid:0", "192.0.2.1:0"])
def test_addresses_that_are_none(listen: str) -> None:
    with pytest.raises(SettingError, match="can't listen on"):
        listening.open_sockets(listen)


def test_limits_follow_the_settings() -> None:
    limits = EdgeLimits.of(load_config(message_bytes_max=1 << 20, calls_max=10))
    assert limits.message_bytes_max == 1 << 20 and limits.streams_max == 5
    assert EdgeLimits.of(load_config(calls_max=1)).streams_max == 2
    assert EdgeLimits.of(load_config()).streams_max == EdgeLimits().streams_max == 128
    assert limits.connection_held_bytes_max > 2 << 20 and limits.connections_max >= 64


def test_a_bucket() -> None:
    bucket = Bucket(3, 2, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(1.0)  # two came back, one of them was owed
    assert not bucket.take(1.0)
    assert bucket.take(100.0, 3) and not bucket.take(100.0)
