"""Searches for more than the k closest, and those that ask every item, at the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from conftest import RunCommand, clustered, publish_vectors

from vecinity.client import Client
from vecinity.indexer.ann import Family


def test_pages(vecinity: RunCommand, server) -> None:  # type: ignore[no-untyped-def]
    with Client(server.target) as client:
        least = float(client.search("words", id="king", k=24, exact=True).scores[-1]) - 1e-4
        expected = [hit.id for hit in client.search_all("words", id="king", min_score=least, exact=True)]
    asked = ("search", "words", "--id", "king", "-k", 10, "--min-score", least, "--exact", "--target", server.target)
    first = vecinity(*asked)
    assert "There are more: ask the same with --page-token " in first.stderr
    ids, token = [], ""
    while True:
        page = json.loads(vecinity(*asked, "--json", *(("--page-token", token) if token else ())).stdout)
        ids += [hit["id"] for hit in page["hits"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert ids == expected and len(ids) >= 24


def test_options(vecinity: RunCommand, server) -> None:  # type: ignore[no-untyped-def]
    def ids(*options: object) -> list[str]:
        done = vecinity("search", "tagged-flat", "--json", "--target", server.target, *options)
        return [hit["id"] for hit in json.loads(done.stdout)["hits"]]

    with Client(server.target) as client:

        def asked(**options: object) -> list[str]:
            return list(client.search("tagged-flat", **options).ids)  # type: ignore[arg-type]

        assert ids("--id", "item-1", "--farthest") == asked(id="item-1", farthest=True)
        assert ids("--id", "item-1", "--diversity", 0.7, "--candidates", 30) == asked(
            id="item-1", diversity=0.7, candidates=30
        )
        assert ids("--id", "item-1", "--group-by", "lang", "--hits-per-group", 2) == asked(
            id="item-1", group_by="lang", hits_per_group=2
        )
        examples = ("--positive", "item-1", "--positive", "item-2", "--negative", "item-3")
        assert ids(*examples) == asked(positive=["item-1", "item-2"], negative=["item-3"])
    done = vecinity(
        "search", "tagged-flat", "--id", "item-1", "--group-by", "yera", "--target", server.target, check=False
    )
    assert done.returncode == 2 and "did you mean 'year'" in done.stderr


def test_vectors_from_a_file_and_their_pages(vecinity: RunCommand, tmp_path: Path, server) -> None:  # type: ignore[no-untyped-def]
    np.save(tmp_path / "one.npy", clustered(1, seed=7)[0])
    np.save(tmp_path / "two.npy", clustered(2, seed=7))
    command = ("search", "cosine-flat", "-k", 3, "--min-score", -1, "--target", server.target, "--vector")
    first = json.loads(vecinity(*command, "one.npy", "--json").stdout)
    following = json.loads(vecinity(*command, "one.npy", "--json", "--page-token", first["next_page_token"]).stdout)
    ids = [hit["id"] for page in (first, following) for hit in page["hits"]]
    assert len(set(ids)) == 6
    assert "2 of 2 answers end at -k 3" in vecinity(*command, "two.npy").stderr
    refused = vecinity(*command, "two.npy", "--page-token", first["next_page_token"], check=False)
    assert refused.returncode == 2 and "two.npy holds 2 vectors" in refused.stderr


def test_neighbours(vecinity: RunCommand, tmp_path: Path, server) -> None:  # type: ignore[no-untyped-def]
    with Client(server.target) as client:
        expected = list(client.neighbours("cosine-flat", k=3))
    printed = vecinity("neighbours", "cosine-flat", "-k", 3, "--target", server.target).stdout.splitlines()
    assert printed[0] == "id\tneighbour\tscore" and len(printed) == 1 + 3 * 2_000
    assert printed[1].split("\t")[:2] == [expected[0].id, expected[0].ids[0]]
    done = vecinity("neighbours", "cosine-flat", "-k", 3, "--out", "graph.tsv", "--target", server.target)
    assert (done.stdout, done.stderr) == ("", "The neighbours of 2,000 items.\n")
    assert (tmp_path / "graph.tsv").read_text().splitlines() == printed
    vecinity("neighbours", "cosine-flat", "-k", 3, "--out", "graph.jsonl", "--target", server.target)
    lines = [json.loads(line) for line in (tmp_path / "graph.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [item.id for item in expected]
    assert [hit["id"] for hit in lines[7]["neighbours"]] == list(expected[7].ids)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.jsonl", "graph.tsv"]


def test_duplicates_with_ids_that_hold_tabs(vecinity: RunCommand, tmp_path: Path) -> None:
    vectors = clustered(20, seed=9)
    vectors[3] = vectors[11]
    ids = [f"item\t{row}" for row in range(20)]
    publish_vectors(tmp_path / "data", "mine", vectors, tmp_path, ids=ids)
    found = vecinity("duplicates", "mine", "--min-score", 0.9999, "--data-dir", "data").stdout.splitlines()
    assert found[0] == "left\tright\tscore" and len(found) == 2
    assert found[1].startswith('"item\t3"\t"item\t11"\t')


def test_an_unfinished_file_is_not_left_behind(vecinity: RunCommand, tmp_path: Path) -> None:
    publish_vectors(tmp_path / "data", "mine", clustered(40_000, 64), tmp_path, family=Family.FLAT)
    (tmp_path / "graph.tsv").write_text("of before\n")
    command = [sys.executable, "-m", "vecinity.cli", "neighbours", "mine", "-k", "50", "--out", "graph.tsv"]
    process = subprocess.Popen(
        [*command, "--data-dir", "data"], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 30
    while not list(tmp_path.glob(".graph.tsv.*.part")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130 and "interrupted" in complaint
    assert not list(tmp_path.glob(".graph.tsv.*.part"))
    assert (tmp_path / "graph.tsv").read_text() == "of before\n"
    done = vecinity("neighbours", "mine", "--timeout", 0.2, "--out", "graph.tsv", "--data-dir", "data", check=False)
    assert done.returncode == 5 and (tmp_path / "graph.tsv").read_text() == "of before\n"
