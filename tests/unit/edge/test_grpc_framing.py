from __future__ import annotations

import gzip

import pytest
from google.rpc import code_pb2
from hypothesis import given
from hypothesis import strategies as st

from vecinity.service.edge.nghttp2 import grpc_framing as framing
from vecinity.service.edge.nghttp2.grpc_framing import GrpcFault, MessageReader, Metadata


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"2H", 7200), (b"3M", 180), (b"4S", 4), (b"5m", 0.005), (b"6u", 6e-6), (b"7n", 7e-9),
        (b"0S", 0), (b"-3S", -3), (b"99999999H", 99_999_999 * 3600), (b"00000001S", 1),
    ],
)  # fmt: skip
def test_timeouts(value: bytes, seconds: float) -> None:
    assert framing.timeout_seconds(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", [b"", b"S", b"5", b"5x", b"5 S", b"1.5S", b"--1S", b"+1S", b"123456789S", "५S".encode()]
)
def test_timeouts_that_are_none(value: bytes) -> None:
    with pytest.raises(GrpcFault, match="grpc-timeout"):
        framing.timeout_seconds(value)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain", b"plain"),
        ("100%", b"100%25"),
        ("café\n", b"caf%C3%A9%0A"),
        ("~ }", b"~ }"),
        ("\x7f", b"%7F"),
        ("", b""),
    ],
)
def test_percent_encoding(text: str, encoded: bytes) -> None:
    assert framing.percent_encode(text) == encoded


@given(st.binary(max_size=50))
def test_binary_values_come_back(value: bytes) -> None:
    encoded = framing.encode_binary(value)
    assert b"=" not in encoded
    assert framing.decode_binary(encoded) == value
    assert framing.decode_binary(encoded + b"=" * (-len(encoded) % 4)) == value


@pytest.mark.parametrize("value", [b"!", b"a", b"ab=c", b"\xff\xff", b"a b c d"])
def test_binary_values_that_are_none(value: bytes) -> None:
    with pytest.raises(GrpcFault, match="base64"):
        framing.decode_binary(value)


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 200), min_size=1, max_size=30))
def test_messages_however_they_are_cut(payloads: list[bytes], sizes: list[int]) -> None:
    data = b"".join(framing.frame(payload) for payload in payloads)
    reader = MessageReader(300)
    found: list[bytes] = []
    start = turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        found += reader.feed(data[start : start + size])
        start, turn = start + size, turn + 1
    assert [message[5:] for message in found] == payloads
    assert reader.pending == 0


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_messages_or_a_fault(data: bytes) -> None:
    reader = MessageReader(100)
    try:
        found = [message for at in range(len(data)) for message in reader.feed(data[at : at + 1])]
    except GrpcFault as fault:
        assert fault.code in (code_pb2.INTERNAL, code_pb2.RESOURCE_EXHAUSTED)
    else:
        assert sum(map(len, found)) + reader.pending == len(data)


def test_a_length_over_the_limit_is_refused_at_its_prefix() -> None:
    reader = MessageReader(10)
    assert reader.feed(b"\0\0\0\0") == []
    with pytest.raises(GrpcFault, match="11 bytes, where this server takes 10"):
        reader.feed(b"\x0b")


@given(st.binary(max_size=3_000))
def test_compression_comes_back(payload: bytes) -> None:
    assert framing.decompress(framing.compress(payload), 3_000) == payload
    assert framing.decompress(gzip.compress(payload), 3_000) == payload


@given(st.binary(max_size=200))
def test_decompressing_anything_ends_with_an_answer_or_a_fault(data: bytes) -> None:
    try:
        framing.decompress(data, 1_000)
    except GrpcFault as fault:
        assert fault.code in (code_pb2.INTERNAL, code_pb2.RESOURCE_EXHAUSTED)


def test_decompressing_stops_at_the_limit() -> None:
    assert framing.decompress(gzip.compress(b"x" * 1_000), 1_000) == b"x" * 1_000
    with pytest.raises(GrpcFault) as caught:
        framing.decompress(gzip.compress(b"x" * 1_001), 1_000)
    assert caught.value.code == code_pb2.RESOURCE_EXHAUSTED


def test_metadata() -> None:
    fields = [
        (b":path", b"/a/B"), (b"te", b"trailers"), (b"content-type", b"application/grpc"), (b"grpc-timeout", b"1S"),
        (b"x-a", b"1"), (b"x-a", b"2"), (b"x-b-bin", b"AAE"), (b"x-c-bin", b"AAE,AAI="),
    ]  # fmt: skip
    metadata = Metadata(fields)
    assert metadata.fault() is None
    assert dict(metadata) == {"x-a": "2", "x-b-bin": b"\0\1", "x-c-bin": b"\0\2"}
    assert metadata["x-a"] == "2" and len(metadata) == 3 and "grpc-timeout" not in metadata
    fault = Metadata([(b"x-bin", b"?")]).fault()
    assert fault is not None and fault.code == code_pb2.INTERNAL
