"""How a batch is cut into what a thread does at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import clustered, publish_vectors
from tagged import items, write_json_lines

from vecinity.client import Client
from vecinity.service import searching


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The queries of each chunk."""
    found: list[int] = []
    search_chunk = searching._search_chunk

    def noted(call, candidates, version, vectors, *rest):  # type: ignore[no-untyped-def]
        found.append(len(vectors))
        return search_chunk(call, candidates, version, vectors, *rest)

    monkeypatch.setattr(searching, "_search_chunk", noted)
    return found


def test_dear_hits_leave_turns_to_others_sooner(tmp_path: Path, sizes: list[int]) -> None:
    records = write_json_lines(tmp_path / "a.jsonl", items(2_000))
    publish_vectors(tmp_path / "data", "mine", clustered(2_000), tmp_path, attributes=records)
    queries = clustered(64, seed=9)
    plain = {"k": 2_000}
    with Client.in_process(tmp_path / "data") as client:
        for options, most in (
            (plain, 64),
            ({**plain, "include_texts": True}, 8),
            ({**plain, "include_attributes": True}, 8),
            ({"k": 10, "include_attributes": True, "diversity": 0.5}, 64),
            ({"k": 500, "diversity": 0.5}, 16),
        ):
            sizes.clear()
            result = client.batch_search("mine", vectors=queries, **options)
            assert sum(sizes) == len(result) == 64
            assert max(sizes) <= most, options
            whole = client.search("mine", vector=queries[-1], **options)
            assert result[63].ids == whole.ids
        sizes.clear()
        client.batch_search("mine", vectors=queries, k=10)
        assert sizes == [64]
