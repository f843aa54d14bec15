"""Generate the Python code beside the protos; with --check, only say whether it is up to date."""

from __future__ import annotations

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent
PACKAGE = Path("vecinity/v1")


def generate(target: Path) -> None:
    """Write ``*_pb2.py(i)`` for every proto, and ``*_pb2_grpc.py`` for those with a service."""
    protos = sorted((ROOT / PACKAGE).glob("*.proto"))
    services = [path for path in protos if path.stem.endswith("_service")]
    include = [f"-I{ROOT}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    messages = ["protoc", *include, f"--python_out={target}", f"--pyi_out={target}", *map(str, protos)]
    stubs = ["protoc", *include, f"--grpc_python_out={target}", *map(str, services)]
    for command in (messages, stubs):
        if protoc.main(command):
            sys.exit(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        made = {path.name for path in (Path(folder) / PACKAGE).iterdir()}
        kept = {path.name for path in (ROOT / PACKAGE).glob("*_pb2*") if path.suffix in (".py", ".pyi")}
        _, changed, missing = filecmp.cmpfiles(Path(folder) / PACKAGE, ROOT / PACKAGE, made, shallow=False)
    if stale := sorted({*changed, *missing, *(kept - made)}):
        sys.stderr.write(f"generated code differs from the protos: {', '.join(stale)}; run 'make protos'\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
