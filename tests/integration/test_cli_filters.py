"""Attributes and filters on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCommand, clustered
from tagged import SCHEMA, items, write_json_lines


@pytest.fixture
def data_dir(vecinity: RunCommand, tmp_path: Path) -> Path:
    np.save(tmp_path / "v.npy", clustered(300))
    write_json_lines(tmp_path / "a.jsonl", items(300))
    build = ["build", "mine", "v.npy", "--embedder", "none", "--attributes", SCHEMA]
    vecinity(*build, "--attributes-file", "a.jsonl", "--json")
    return tmp_path / "data"


def test_from_a_build_to_hits(vecinity: RunCommand, data_dir: Path) -> None:
    search = ["search", "mine", "--id", "7", "--data-dir", data_dir, "--filter", 'lang == "de" and year >= 2000']
    found = json.loads(vecinity(*search, "--attributes", "--json").stdout)["hits"]
    assert found and all(hit["attributes"]["lang"] == "de" and hit["attributes"]["year"] >= 2000 for hit in found)
    expected = {str(row) for row, i in enumerate(items(300)) if i.get("lang") == "de" and i.get("year", 0) >= 2000}
    assert {hit["id"] for hit in found} <= expected
    table = vecinity(*search, "--attributes").stdout.splitlines()
    assert table[0].split("\t")[0] == "id" and {"lang", "year"} <= {*table[0].split("\t")}
    assert "attributes" not in json.loads(vecinity(*search, "--json").stdout)["hits"][0]
    assert "string-list" in vecinity("collections", "mine", "--data-dir", data_dir).stdout


def test_errors_show_the_place(vecinity: RunCommand, data_dir: Path) -> None:
    search = ["search", "mine", "--id", "7", "--data-dir", data_dir, "--filter"]
    for text, message in (
        (
            "year = 1",
            "vecinity: filter: line 1, column 6: '=' can't stand here; did you mean '=='?; expected one of ==",
        ),
        ("yaer == 1", "vecinity: --filter: there is no attribute 'yaer'; did you mean 'year'?"),
        ("not " * 1_000 + "year == 1", "nested too deep"),
    ):
        done = vecinity(*search, text, check=False)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    lines = vecinity(*search, "year = 1", check=False).stderr.splitlines()
    assert lines[1][lines[2].index("^")] == "="


def test_attributes_and_their_file_go_together(vecinity: RunCommand, data_dir: Path) -> None:
    build = ["build", "other", "v.npy", "--embedder", "none"]
    for options, message in (
        (["--attributes", "year:int64"], "give both, or none"),
        (["--attributes-file", "a.jsonl"], "give both, or none"),
        (["--attributes", "year:string", "--attributes-file", "a.jsonl"], "a.jsonl:"),
        (["--attributes", "year:number", "--attributes-file", "a.jsonl"], "the types are bool, int64"),
    ):
        done = vecinity(*build, *options, check=False)
        assert done.returncode in (1, 2) and message in done.stderr
