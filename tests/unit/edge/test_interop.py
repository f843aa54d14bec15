"""The edge over libnghttp2 and other people's clients. What is not installed is skipped, with a reason."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_server import ECHO, PARTS, EdgeServer, Strings, edge_server
from http2_peer import message

HELLO = Strings(values=["hello"]).SerializeToString()


@pytest.fixture(scope="module")
def server() -> Iterator[EdgeServer]:
    with edge_server() as running:
        yield running


def run(*command: object, seconds: float = 60, **more: object) -> subprocess.CompletedProcess[bytes]:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(list(map(str, command)), capture_output=True, timeout=seconds, check=False, **more)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body"
    path.write_bytes(message(HELLO))
    return path


def test_curl(server: EdgeServer, body: Path) -> None:
    version = run("curl", "--version").stdout
    if b"HTTP2" not in version:
        pytest.skip("this curl knows no HTTP/2")
    found = run(
        "curl", "--http2-prior-knowledge", "-sS", "-D", "-", "--data-binary", f"@{body}", "-H", "te: trailers",
        "-H", "content-type: application/grpc", f"http://{server.target}{ECHO}",
    )  # fmt: skip
    assert message(HELLO) in found.stdout
    assert b"HTTP/2 200" in found.stdout and b"grpc-status: 0" in found.stdout
    found = run("curl", "--http1.1", "-sS", f"http://{server.target}/")
    assert b"this port answers gRPC over HTTP/2" in found.stdout


def test_nghttp(server: EdgeServer, body: Path) -> None:
    found = run(
        "nghttp", "-v", "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers",
        f"http://{server.target}{ECHO}",
    )  # fmt: skip
    shown = re.sub(rb"\x1b\[[0-9;]*m", b"", found.stdout)
    assert b":status: 200" in shown and b"grpc-status: 0" in shown


def test_h2load(server: EdgeServer, body: Path) -> None:
    found = run(
        "h2load", "-n", 2_000, "-c", 4, "-m", 10, "-d", body, "-H", "content-type: application/grpc",
        "-H", "te: trailers", f"http://{server.target}{ECHO}",
    )  # fmt: skip
    assert b"2000 succeeded, 0 failed, 0 errored" in found.stdout


def test_grpcurl(server: EdgeServer) -> None:
    found = run("grpcurl", "-plaintext", server.target, "list")
    assert b"vecinity.test.Edge" in found.stdout


_SCRIPT = """
const grpc = require('@grpc/grpc-js');
const client = new grpc.Client(process.argv[2], grpc.credentials.createInsecure());
const same = (x) => x;
const payload = Buffer.from(process.argv[3], 'hex');
client.makeUnaryRequest(process.argv[4], same, same, payload, (error, answer) => {
  if (error) throw error;
  const parts = client.makeServerStreamRequest(process.argv[5], same, same, Buffer.from('0a0135', 'hex'));
  let count = 0;
  parts.on('data', () => count++);
  parts.on('end', () => client.makeUnaryRequest('/no/Such', same, same, payload, (error) => {
    console.log(answer.toString('hex'), count, error.code);
    client.close();
  }));
});
"""


def test_grpc_js(server: EdgeServer, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    installed = run("npm", "install", "--silent", "--no-audit", "--no-fund", "@grpc/grpc-js@1", cwd=tmp_path)
    if installed.returncode != 0:
        pytest.skip("no npm registry to get @grpc/grpc-js from")
    (tmp_path / "ask.js").write_text(_SCRIPT)
    found = run("node", "ask.js", server.target, HELLO.hex(), ECHO, PARTS, cwd=tmp_path)
    assert found.stdout.decode().split() == [HELLO.hex(), "5", "12"], found.stderr
