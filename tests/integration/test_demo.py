"""The demo, as ``make demo`` runs it but with a smaller corpus."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import RunCommand


@pytest.mark.timeout(300)
def test_the_demo_answers(vecinity: RunCommand, tmp_path: Path) -> None:
    done = vecinity("demo", "--data-dir", "demo", "--lines", 150_000, "--json")
    answers = {step["what"]: step["answer"] for step in json.loads(done.stdout)}
    assert answers["king - man + woman"].startswith("queen ")
    assert answers["paris - france + germany"].startswith("berlin ")
    assert "yen" in answers["search: Where do people pay with yen?"]
    assert "puppy" in answers["search: What is a baby dog called?"]
    measured = re.search(r"recall@10 measured ([\d.]+)", answers["200 held-out sentences, k 10"])
    assert measured is not None and float(measured[1]) >= 0.93
    assert answers["stop the server"] == "exit code 0"
    assert all(f"{what}: {answer}" in done.stderr for what, answer in answers.items())
    again = vecinity("demo", "--data-dir", "demo", "--lines", 5, check=False)
    assert again.returncode == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("precious")
    refused = vecinity("demo", "--data-dir", "mine", check=False)
    assert refused.returncode == 1 and "choose another --data-dir" in refused.stderr
    assert (tmp_path / "mine/file").read_text() == "precious"
