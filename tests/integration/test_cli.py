"""The command line as its users type it, in processes of its own."""

from __future__ import annotations

import errno
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import RunCommand, clustered, running_server

from vecinity.cli.demo.corpus import write_corpus

WORD2VEC = ("--embedder", "word2vec", "--dimension", "20", "--epochs", "1")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt.gz"
    write_corpus(path, lines=20_000)
    return path


def test_vectors_from_build_to_answer(vecinity: RunCommand, tmp_path: Path) -> None:
    vectors = clustered(60)
    np.save(tmp_path / "vectors.npy", vectors)
    np.save(tmp_path / "query.npy", vectors[7])
    (tmp_path / "ids.txt").write_text("".join(f"id-{i}\n" for i in range(60)))
    built = vecinity(
        *("build", "mine", "vectors.npy", "--embedder", "none", "--ids", "ids.txt", "--data-dir", "data", "--json")
    )
    assert built.stderr == ""
    report = json.loads(built.stdout)
    assert report["items"] == 60 and report["version"] == 1 and report["embedder"] is None
    found = json.loads(
        vecinity("search", "mine", "--vector", "query.npy", "-k", 3, "--json", "--data-dir", "data").stdout
    )
    assert [found["hits"][0]["id"], len(found["hits"]), found["version"]] == ["id-7", 3, 1]
    by_id = json.loads(vecinity("search", "mine", "--id", "id-7", "--json", "--data-dir", "data").stdout)
    assert by_id["hits"][0]["id"] != "id-7"
    np.save(tmp_path / "query.npy", vectors[:2])
    lines = vecinity("search", "mine", "--vector", "query.npy", "-k", 1, "--json", "--data-dir", "data").stdout
    assert [json.loads(line)["hits"][0]["id"] for line in lines.splitlines()] == ["id-0", "id-1"]


def test_words_over_grpc(vecinity: RunCommand, server) -> None:  # type: ignore[no-untyped-def]
    target = ("--target", server.target)
    found = json.loads(vecinity("search", "words", "--text", "king", "-k", 10, "--json", *target).stdout)
    assert found["hits"][0] == {"id": "king", "score": pytest.approx(1, abs=1e-4)}
    solved = json.loads(vecinity("analogy", "words", "king", "-", "man", "+", "woman", "--json", *target).stdout)
    assert len(solved["hits"]) == 10 and not {"king", "man", "woman"} & {hit["id"] for hit in solved["hits"]}
    assert "queen" in vecinity("analogy", "words", *"king - man + woman".split(), *target).stdout
    assert -1 <= float(vecinity("similarity", "words", "king", "queen", *target).stdout) <= 1
    assert -1 <= float(vecinity("similarity", "words", "king,prince", "queen,princess", "--sets", *target).stdout) <= 1
    assert vecinity("odd-one-out", "words", "king", "queen", "prince", "table", *target).stdout == "table\n"
    multiplied = vecinity("analogy", "words", "king -man +woman", "--method", "3cosmul", "--json", *target).stdout
    assert "queen" in [hit["id"] for hit in json.loads(multiplied)["hits"]]
    options = ("--method", "3cosavg", "--example", "man:woman", "--example", "boy:girl", "-k", 3)
    assert len(vecinity("analogy", "words", "king", *options, *target).stdout.splitlines()) == 4
    listed = json.loads(vecinity("collections", "--json", *target).stdout)
    assert "words" in [collection["name"] for collection in listed]
    assert "word2vec" in vecinity("collections", *target).stdout
    assert "ef_search" in vecinity("collections", "cosine-hnsw", *target).stdout
    assert vecinity("search", "words", "--id", "king", "-k", 2, *target).stdout.splitlines()[0] == "id\tscore"


def test_an_item_or_a_text(vecinity: RunCommand, server) -> None:  # type: ignore[no-untyped-def]
    target = ("--target", server.target)
    by_id = vecinity("search", "words", "king", "-k", 3, *target).stdout
    assert by_id == vecinity("search", "words", "--id", "king", "-k", 3, *target).stdout
    by_text = vecinity("search", "words", "the king", "-k", 3, *target).stdout
    assert by_text == vecinity("search", "words", "--text", "the king", "-k", 3, *target).stdout
    replaced = vecinity("search", "words", "kingg", "-k", 3, "--unknown-words", "nearest-spelling", *target)
    assert replaced.stderr == "kingg is not known: taken for king.\n"
    for name, message in (("words", "did you mean 'king'"), ("cosine-flat", "has no item 'kingg'")):
        done = vecinity("search", name, "kingg", *target, check=False)
        assert done.returncode == 3 and message in done.stderr


def test_analogies_in_a_file(vecinity: RunCommand, server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "q.txt").write_text(": family\nman king woman queen\nking - mann + woman\nkingg - mann\n")
    where = ("--file", "q.txt", "-k", 1, "--unknown-words", "skip", "--target", server.target)
    lines = vecinity("analogy", "words", *where, "--json").stdout.splitlines()
    assert json.loads(lines[0])["analogy"] == "king - man + woman"
    assert [len(json.loads(line)["hits"]) for line in lines] == [1, 1, 0]
    assert vecinity("analogy", "words", *where).stdout.startswith("analogy\tid\tscore\nking - man + woman\t")


def test_words_from_text(vecinity: RunCommand, corpus: Path) -> None:
    report = json.loads(vecinity("build", "words", corpus, *WORD2VEC, "--data-dir", "data", "--json").stdout)
    assert report["items"] > 1_000 and report["dimension"] == 20
    table = vecinity("build", "words", corpus, *WORD2VEC, "--data-dir", "data").stdout
    assert "version" in table and "2" in table


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("search", "words", "--id", "kingg"), 3, "did you mean 'king'"),
        (("search", "words", "--text", "kingg"), 3, "did you mean 'king'"),
        (("search", "wrods", "--id", "king"), 3, "did you mean 'words'"),
        (("search", "cosine-flat", "--text", "king"), 1, "has no embedder"),
        (("search", "words", "--id", "king", "-k", "20000"), 2, "vecinity: -k: is 20000; it must be from 1 to 10000"),
        (("search", "words", "--id", "king", "--target-recall", "2"), 2, "vecinity: --target-recall: is 2; it must be"),
        (("search", "words", "--id", "king", "--ef-search", "9"), 2, "vecinity: --ef-search: a flat index has no"),
        (("search", "words", "king", "--farthest", "--min-score", "0"), 2, "--farthest: does not go with --min-score"),
        (("search", "words", "--id", "king", "--page-token", "x"), 2, "vecinity: --page-token: goes with --min-score"),
        (("search", "words", "--id", "king", "--hits-per-group", "2"), 2, "--hits-per-group goes with --group-by"),
        (("search", "words", "--id", "king", "--candidates", "20"), 2, "--candidates goes with --diversity"),
        (("search", "words", "--id", "king", "--exact", "--nprobe", "2"), 2, "don't go together"),
        (("analogy", "words", "king", "--example", "a:b"), 2, "vecinity: --example: go with 3CosAvg only"),
        (("odd-one-out", "words", "king", " "), 2, "vecinity: TERMS[1]: is empty"),
        (("similarity", "words", " ", "king"), 2, "vecinity: LEFT: is empty"),
        (("search", "words", "--id", "king", "--timeout", "0.000001"), 5, ""),
        (("analogy", "words", "king", "-"), 2, "a term is missing"),
    ],
)
def test_errors_are_one_line(  # type: ignore[no-untyped-def]
    vecinity: RunCommand, server, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = vecinity(*arguments, "--target", server.target, check=False)
    assert done.returncode == code
    assert done.stdout == ""
    assert message in done.stderr and done.stderr.startswith("vecinity: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.txt", b"", "empty|no text|no word"),
        ("c.txt", b"\n\n \n", "empty|no text|no word"),
        ("c.txt", b"ok here\nbad \xff byte\n" * 20, "c.txt:2: invalid UTF-8 .*position 5"),
        ("c.txt", b"a b c\n", "min.count"),
        ("c.csv", b"a,b\n1,2\n", "--text-column"),
    ],
)
def test_bad_corpora(vecinity: RunCommand, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    import re

    (tmp_path / name).write_bytes(content)
    done = vecinity("build", "words", name, *WORD2VEC, "--data-dir", "data", check=False)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1
    assert re.search(message, done.stderr), done.stderr
    assert json.loads(vecinity("collections", "--json", "--data-dir", "data").stdout) == []


def test_replacing_bad_bytes_goes_on(vecinity: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"the cat sat\nbad \xff byte\n" * 20)
    done = vecinity(
        *(
            "build",
            "words",
            "c.txt",
            *WORD2VEC,
            "--sample",
            0,
            "--encoding-errors",
            "replace",
            "--data-dir",
            "data",
            "--json",
        )
    )
    assert json.loads(done.stdout)["items"] >= 5


def test_a_missing_model_is_named(vecinity: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("one\n")
    done = vecinity(
        "build", "x", "c.txt", "--embedder", "minilm", "--model", "absent", "--data-dir", "data", check=False
    )
    assert done.returncode == 1 and "there is no model folder absent" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["collections", "--data-dir", "data", "--json"]])
def test_who_reads_no_further_is_told_nothing(vecinity: RunCommand, tmp_path: Path, arguments: list[str]) -> None:
    np.save(tmp_path / "vectors.npy", clustered(60))
    vecinity("build", "mine", "vectors.npy", "--embedder", "none", "--data-dir", "data")
    theirs, ours = os.pipe()
    os.close(theirs)
    command = [sys.executable, "-m", "vecinity.cli", *arguments]
    done = subprocess.run(command, cwd=tmp_path, stdout=ours, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(ours)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "2>/dev/full"])
def test_work_is_done_where_nothing_can_be_said(tmp_path: Path, closed: str) -> None:
    np.save(tmp_path / "vectors.npy", clustered(60))
    command = f"{sys.executable} -m vecinity.cli"
    build = f"{command} build mine vectors.npy --embedder none --data-dir data {closed}"
    graph = f"{command} neighbours mine -k 3 --out graph.tsv --data-dir data {closed}"
    done = subprocess.run(["bash", "-c", f"{build} && {graph}"], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert len((tmp_path / "graph.tsv").read_text().splitlines()) == 1 + 3 * 60


def test_the_exit_code_tells_where_nothing_can_be_said(collections_dir: Path) -> None:
    command = [sys.executable, "-m", "vecinity.cli", "search", "none", "--id", "x", "--data-dir", collections_dir]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=full, timeout=60, check=False)
    assert done.returncode == 3


def start_build(corpus: Path, folder: Path, *, stderr: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vecinity.cli", "build", "words", str(corpus), "--embedder", "word2vec"]
    return subprocess.Popen(
        [*command, "--epochs", "500", "--data-dir", "data"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "160"},
    )


def test_a_terminal_shows_progress_and_ctrl_c_leaves_nothing(
    vecinity: RunCommand, corpus: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    build = start_build(corpus, tmp_path, stderr=theirs)
    os.close(theirs)
    shown = b""
    end = time.monotonic() + 90
    while b"train word2vec" not in shown or b"/s" not in shown.split(b"train word2vec", 1)[1]:
        shown += os.read(ours, 65_536)
        assert time.monotonic() < end, shown[-2_000:]
    build.send_signal(signal.SIGINT)
    while True:  # the rest of the terminal's output, or the process could not end
        try:
            if not os.read(ours, 65_536):
                break
        except OSError as error:
            assert error.errno == errno.EIO
            break
    assert build.wait(30) == 130
    assert build.stdout is not None and build.stdout.read() == ""
    build.stdout.close()
    os.close(ours)
    assert json.loads(vecinity("collections", "--json", "--data-dir", "data").stdout) == []
    assert [*(tmp_path / "data").glob("collections/words/*/*")] == []


def test_sigterm_cleans_up_as_ctrl_c_does(corpus: Path, tmp_path: Path) -> None:
    build = start_build(corpus, tmp_path, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not [*(tmp_path / "data").glob("collections/words/building/*/*")]:
        assert time.monotonic() < end
        time.sleep(0.05)
    build.terminate()
    build.communicate()
    assert build.returncode == 130
    assert [*(tmp_path / "data").glob("collections/words/*/*")] == []


def test_kill_9_leaves_the_old_version_and_the_next_build_sweeps(
    vecinity: RunCommand, corpus: Path, tmp_path: Path
) -> None:
    vecinity("build", "words", corpus, *WORD2VEC, "--data-dir", "data")
    build = start_build(corpus, tmp_path, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not [*(tmp_path / "data").glob("collections/words/building/*/*")]:
        assert time.monotonic() < end
        time.sleep(0.05)
    build.kill()
    build.communicate()
    found = json.loads(vecinity("search", "words", "--id", "king", "--json", "--data-dir", "data").stdout)
    assert found["version"] == 1
    vecinity("build", "words", corpus, *WORD2VEC, "--data-dir", "data")
    assert [*(tmp_path / "data").glob("collections/words/building/*")] == []


@pytest.fixture
def small_disk(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A file system of 3 MB, where this machine lets us make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("can't mount a small file system here: needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_keeps_what_was_published(vecinity: RunCommand, small_disk: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", clustered(500))
    np.save(tmp_path / "many.npy", clustered(40_000))
    data_dir = small_disk / "data"
    vecinity("build", "mine", "few.npy", "--embedder", "none", "--data-dir", data_dir)
    for index in ("flat", "hnsw"):
        done = vecinity(
            *("build", "mine", "many.npy", "--embedder", "none", "--index", index, "--data-dir", data_dir), check=False
        )
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "the disk is full" in done.stderr
    found = json.loads(vecinity("search", "mine", "--id", "3", "--json", "--data-dir", data_dir).stdout)
    assert found["version"] == 1
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with running_server(data_dir, tmp_path / "log") as server:  # reading needs no room
        found = json.loads(vecinity("search", "mine", "--id", "3", "--json", "--target", server.target).stdout)
        assert found["version"] == 1
    done = vecinity("build", "mine", "few.npy", "--embedder", "none", "--data-dir", data_dir, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_a_full_disk_is_named_by_the_file_that_was_to_be_written(
    vecinity: RunCommand, small_disk: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "many.npy", clustered(20_000))
    vecinity("build", "mine", "many.npy", "--embedder", "none", "--index", "flat", "--data-dir", tmp_path / "data")
    out = small_disk / "graph.tsv"
    done = vecinity("neighbours", "mine", "-k", "20", "--out", out, "--data-dir", tmp_path / "data", check=False)
    assert done.returncode == 1 and f"vecinity: {out}: {os.strerror(errno.ENOSPC)}" in done.stderr
    assert [*small_disk.iterdir()] == []


def test_a_reader_that_has_seen_enough(vecinity: RunCommand, server) -> None:  # type: ignore[no-untyped-def]
    command = f"{sys.executable} -m vecinity.cli search words --id king -k 500 --target {server.target} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from vecinity.cli.app import main; main(['--help'])\n"
        "heavy = {'numpy', 'grpc', 'rich', 'faiss', 'torch', 'pyarrow', 'vecinity.client', 'vecinity.indexer'}\n"
        "assert not heavy & {*sys.modules}, heavy & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_auto_shows_how_it_chose(vecinity: RunCommand, tmp_path: Path, rng: np.random.Generator) -> None:
    # Just too many numbers to be scanned; of 12 dimensions in truth, so that codes tell the vectors apart.
    vectors = rng.normal(size=(8_200, 12)) @ rng.normal(size=(12, 512))
    np.save(tmp_path / "v.npy", vectors.astype(np.float32))
    data = ("--data-dir", tmp_path / "data")
    done = vecinity("build", "mine", "v.npy", "--embedder", "none", "--max-memory", "800kB", "--json", *data)
    report = json.loads(done.stdout)
    first = report["tournament"]["entries"][0]
    assert first["description"] == report["index"] and first["recall"] >= 0.95
    assert first["index_bytes"] <= 800_000
    shown = vecinity("collections", "mine", *data)
    assert f"why\t{report['tournament']['reason']}" in shown.stdout
    assert "HNSW16,Flat\tover --max-memory\t-" in shown.stdout
    kept = json.loads(vecinity("collections", "mine", "--json", *data).stdout)
    assert kept["index"]["tournament"]["entries"][0]["description"] == report["index"]


def test_limits_that_cannot_be_met(vecinity: RunCommand, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", clustered(65_000, 64))
    build = ("build", "mine", "v.npy", "--embedder", "none", "--data-dir", tmp_path / "data")
    failed = vecinity(*build, "--max-memory", "1kB", check=False)
    assert failed.returncode == 2
    assert "no index fits into --max-memory 1 kB" in failed.stderr and "needs" in failed.stderr
    failed = vecinity(*build, "--max-memory", "1 parsec", check=False)
    assert failed.returncode == 2 and "is not a size such as 200MB" in failed.stderr
    failed = vecinity(*build, "--index", "hnsw", "--max-build-time", "5s", check=False)
    assert failed.returncode == 2 and "for the index auto, not for hnsw" in failed.stderr
