"""A wheel, installed where nothing else is, gives the client and the command line."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

PARTS = ("client", "cli", "indexer", "service", "v1")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_every_part_is_inside_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "vecinity/__init__.py" not in names
    for part in PARTS:
        assert f"vecinity/{part}/py.typed" in names
    assert "vecinity/v1/search_service.proto" in names and "vecinity/v1/search_service_pb2.py" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vecinity"}
    assert {name.split("/")[1] for name in names if name.startswith("vecinity/")} == {*PARTS}


@pytest.mark.timeout(300)
def test_it_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel]
    subprocess.run(install, check=True, capture_output=True)
    code = "from vecinity.client import Client; from vecinity.v1 import search_service_pb2_grpc; Client('x:1')"
    subprocess.run([python, "-c", code], check=True, cwd=tmp_path)
    vecinity = tmp_path / "venv/bin/vecinity"
    assert "analogy" in subprocess.run([vecinity, "--help"], check=True, capture_output=True, text=True).stdout
    assert (
        subprocess.run([vecinity, "--version"], check=True, capture_output=True, text=True).stdout == "vecinity 0.1.0\n"
    )
    (tmp_path / "corpus.txt").write_text("a b\n")
    for arguments in (["serve"], ["build", "w", "corpus.txt", "--embedder", "word2vec"]):
        done = subprocess.run([vecinity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr == (
            f"vecinity: 'vecinity {arguments[0]}' needs the server part, which is not installed: "
            "in the folder of Vecinity, pip install '.[server]'\n"
        )
    in_process = [vecinity, "collections", "--data-dir", "data"]
    done = subprocess.run(in_process, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "--data-dir needs the server part" in done.stderr
