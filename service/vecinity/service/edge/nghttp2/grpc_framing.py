"""gRPC's rules about headers, messages and trailers, as pure functions: bytes in, bytes out.

From "gRPC over HTTP2" (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md) and "Compression" (doc/compression.md).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping

from google.rpc import code_pb2

Fields = list[tuple[bytes, bytes]]

PREFIX_BYTES = 5
IDENTITY, GZIP = b"identity", b"gzip"

_UNIT_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_OURS = (b":", b"grpc-")
_TRANSPORT = frozenset((b"content-type", b"te"))
_PLAIN = frozenset(range(0x20, 0x7F)) - {0x25}
_GZIP_WBITS = 31
_INFLATE_STEP = 1 << 20


class GrpcFault(Exception):
    """A call that breaks gRPC's own rules.

    Args:
        code: A google.rpc.Code.
        message: What is wrong and what to do.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def again(self) -> GrpcFault:
        """The same, to be raised elsewhere."""
        return GrpcFault(self.code, self.message)


class MessageReader:
    """Takes a stream of bytes apart into messages.

    Args:
        bytes_max: The longest message allowed; a longer one is refused at its prefix.
    """

    __slots__ = ("_bytes_max", "_chunks", "_need", "pending")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._chunks: list[bytes] = []
        self._need = PREFIX_BYTES
        self.pending = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that the chunk completes, each with its prefix.

        Raises:
            GrpcFault: A prefix is none, or declares more than is allowed.
        """
        self._chunks.append(chunk)
        self.pending += len(chunk)
        if self.pending < self._need:
            return []
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        messages: list[bytes] = []
        start = 0
        while len(data) - start >= PREFIX_BYTES:
            end = start + PREFIX_BYTES + check_prefix(data, start, self._bytes_max)
            if end > len(data):
                self._need = end - start
                break
            messages.append(data[start:end])
            start = end
        else:
            self._need = PREFIX_BYTES
        rest = data[start:]
        self._chunks = [rest] if rest else []
        self.pending = len(rest)
        return messages


def check_prefix(data: bytes, start: int, bytes_max: int) -> int:
    """The length that a message's prefix declares.

    Raises:
        GrpcFault: The prefix is none (INTERNAL), or the length is above `bytes_max` (RESOURCE_EXHAUSTED).
    """
    if data[start] > 1:
        raise GrpcFault(code_pb2.INTERNAL, f"a message begins with {data[start]}, not with 0 or 1: it is not gRPC's")
    length = int.from_bytes(data[start + 1 : start + PREFIX_BYTES], "big")
    if length > bytes_max:
        raise GrpcFault(
            code_pb2.RESOURCE_EXHAUSTED,
            f"a message of {length} bytes, where this server takes {bytes_max}: send less at once",
        )
    return length


def frame(payload: bytes, *, compressed: bool = False) -> bytes:
    """A message with its prefix."""
    return (b"\1" if compressed else b"\0") + len(payload).to_bytes(4, "big") + payload


def timeout_seconds(value: bytes) -> float:
    """What a ``grpc-timeout`` says, in seconds; negative ones, which clients should not send, too.

    Raises:
        GrpcFault: It is no timeout.
    """
    digits, unit = value[:-1], _UNIT_SECONDS.get(value[-1:])
    if unit is None or not digits.removeprefix(b"-").isdigit() or len(digits.removeprefix(b"-")) > 8:
        shown = value[:20].decode("ascii", "replace")
        raise GrpcFault(
            code_pb2.INVALID_ARGUMENT, f"grpc-timeout {shown!r}: must be up to 8 digits and one of H, M, S, m, u, n"
        )
    return int(digits) * unit


def percent_encode(text: str) -> bytes:
    """A ``grpc-message``: UTF-8, with all but printable ASCII, and the percent sign, encoded."""
    raw = text.encode()
    if _PLAIN.issuperset(raw):
        return raw
    return b"".join(bytes((byte,)) if byte in _PLAIN else b"%%%02X" % byte for byte in raw)


def encode_binary(value: bytes) -> bytes:
    """A value of a ``-bin`` header: base64 without padding."""
    return binascii.b2a_base64(value, newline=False).rstrip(b"=")


def decode_binary(value: bytes) -> bytes:
    """The bytes of a ``-bin`` header's value, padded or not.

    Raises:
        GrpcFault: It is no base64.
    """
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except ValueError as error:
        raise GrpcFault(code_pb2.INTERNAL, "a header whose name ends in -bin is no base64") from error


class Metadata(Mapping[str, str | bytes]):
    """The caller's own headers, decoded when first asked for. A name sent twice has its last value.

    Raises:
        GrpcFault: When first asked for: a ``-bin`` value is no base64.
    """

    __slots__ = ("_decoded", "_fields")

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._decoded: dict[str, str | bytes] | None = None

    def fault(self) -> GrpcFault | None:
        """What is wrong with binary values, if something is."""
        if any(name.endswith(b"-bin") for name, _ in self._fields):
            try:
                self._values()
            except GrpcFault as fault:
                return fault.again()
        return None

    def __getitem__(self, key: str) -> str | bytes:
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def _values(self) -> dict[str, str | bytes]:
        if self._decoded is None:
            self._decoded = {
                # A list of binary values may come in one line, joined by commas.
                name.decode("ascii"): decode_binary(value.rpartition(b",")[2].strip())
                if name.endswith(b"-bin")
                else value.decode("ascii", "replace")
                for name, value in self._fields
                if not name.startswith(_OURS) and name not in _TRANSPORT
            }
        return self._decoded


def compress(payload: bytes) -> bytes:
    """A payload as gzip, at the level that costs least."""
    packer = zlib.compressobj(level=1, wbits=_GZIP_WBITS)
    return packer.compress(payload) + packer.flush()


def decompress(payload: bytes, bytes_max: int) -> bytes:
    """A gzip payload's content. Takes no more memory than is allowed, whatever the payload claims.

    Raises:
        GrpcFault: It is no gzip (INTERNAL), or holds more than `bytes_max` (RESOURCE_EXHAUSTED).
    """
    unpacker = zlib.decompressobj(wbits=_GZIP_WBITS)
    parts: list[bytes] = []
    total = 0
    rest = payload
    try:
        while not unpacker.eof:
            part = unpacker.decompress(rest, _INFLATE_STEP)
            rest = unpacker.unconsumed_tail
            total += len(part)
            if total > bytes_max:
                raise GrpcFault(
                    code_pb2.RESOURCE_EXHAUSTED,
                    f"a compressed message of more than {bytes_max} bytes: send less at once",
                )
            parts.append(part)
            if not part and not rest and not unpacker.eof:
                raise zlib.error("it ends early")
    except zlib.error as error:
        raise GrpcFault(code_pb2.INTERNAL, f"a message that says it is gzip is not ({error})") from error
    if unpacker.unused_data:
        raise GrpcFault(code_pb2.INTERNAL, "a compressed message goes on after its end")
    return b"".join(parts)
