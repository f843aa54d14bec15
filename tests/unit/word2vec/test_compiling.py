"""The cache of machine code may be damaged, full or impossible: a training does not mind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from topics import environment_of_a_child

from vecinity.indexer.word2vec import compiling
from vecinity.indexer.word2vec.compiling import call_first

TRAIN = """
from pathlib import Path
from vecinity.indexer.word2vec import Word2VecSettings, train
settings = Word2VecSettings(dimension=4, threads=1, epochs=1, sample=0, min_count=1)
print(train(lambda: ["a b c"] * 9, settings, workdir=Path("work")).fingerprint)
"""


def fingerprint(folder: Path, cache: str) -> str:
    environment = environment_of_a_child() | {"NUMBA_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_damaged_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    wanted = fingerprint(tmp_path, str(cache))
    kept = [path for path in cache.rglob("*.nb?")]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:20])
    assert fingerprint(tmp_path, str(cache)) == wanted
    assert all(path.stat().st_size > 20 for path in cache.rglob("*.nb?"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), EOFError()])
def test_a_first_call_that_fails_is_made_again(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "_CACHE_FOLDER", str(tmp_path))
    calls: list[int] = []

    def fails_once(x: int) -> int:
        calls.append(x)
        if len(calls) == 1:
            raise error
        return x + 1

    assert call_first(fails_once, 3) == 4
    assert calls == [3, 3]


def test_a_cache_that_cannot_be(tmp_path: Path) -> None:
    assert fingerprint(tmp_path, "/proc")
    assert not os.path.exists("/proc/kernels")
