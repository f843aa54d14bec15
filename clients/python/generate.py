"""Generate the blocking client from the one for asyncio; with --check, only say whether it is up to date."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

PACKAGE = Path(__file__).parent / "vecinity/client"
SOURCE = PACKAGE / "_async/client.py"
TARGET = PACKAGE / "_sync/client.py"
NAMES = {
    "AsyncClient": "Client",
    "AsyncGrpcTransport": "GrpcTransport",
    "AsyncInProcessTransport": "InProcessTransport",
    "AsyncTransport": "Transport",
}


def generate() -> str:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "_async" / SOURCE.name
        source.parent.mkdir()
        source.write_text(SOURCE.read_text())
        unasync.unasync_files([str(source)], [unasync.Rule("/_async/", "/_sync/", NAMES)])
        text = (Path(folder) / "_sync" / SOURCE.name).read_text()
    # Shorter names leave imports and lines in another order than the linter wants.
    for command in (["check", "--fix", "--quiet", "--select", "I"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(TARGET), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = generate()
    if not parser.parse_args().check:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.stderr.write(f"{TARGET.name} differs from {SOURCE}; run 'make clients'\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
