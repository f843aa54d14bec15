"""Generate the blocking client from the one for asyncio; with --check, only say whether it is up to date."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

PACKAGE = Path(__file__).parent / "vecinity/client"
SOURCE = PACKAGE / "_async"
TARGET = PACKAGE / "_sync"
NAMES = {
    f"Async{name}": name
    for name in (
        "AnalogyMethods",
        "Caller",
        "Client",
        "CollectionMethods",
        "GraphMethods",
        "GrpcTransport",
        "InProcessTransport",
        "Parts",
        "SearchMethods",
        "SimilarityMethods",
        "Transport",
    )
}


def generate() -> dict[str, str]:
    """The text of each file, by name."""
    with tempfile.TemporaryDirectory() as folder:
        copies = Path(folder) / "_async"
        shutil.copytree(SOURCE, copies, ignore=shutil.ignore_patterns("__pycache__"))
        names = sorted(path.name for path in copies.glob("*.py"))
        unasync.unasync_files(
            [str(copies / name) for name in names],
            [unasync.Rule("/_async/", "/_sync/", {**NAMES, "_async": "_sync", "aclosing": "closing"})],
        )
        texts = {name: (Path(folder) / "_sync" / name).read_text() for name in names}
    return {name: _tidy(text, TARGET / name) for name, text in texts.items()}


def _tidy(text: str, path: Path) -> str:
    """Shorter names leave imports and lines in another order than the linter wants."""
    for command in (["check", "--fix", "--quiet", "--select", "I"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    texts = generate()
    found = {path.name: path.read_text() for path in TARGET.glob("*.py")}
    if parser.parse_args().check:
        if found != texts:
            sys.stderr.write(f"{TARGET} differs from {SOURCE}; run 'make clients'\n")
            return 1
        return 0
    for name in found.keys() - texts.keys():
        (TARGET / name).unlink()
    for name, text in texts.items():
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
