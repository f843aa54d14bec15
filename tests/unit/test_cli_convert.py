from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from vecinity.cli import app, convert
from vecinity.indexer.formats import Format, read_word_vectors
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings

TEXT = "3 2\nthe 0.5 1\nof 2 3\nking 4 5\n"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = app.main(["convert", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "in.vec"
    path.write_text(TEXT)
    return path


def test_there_and_back(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, text, tmp_path / "v.bin.gz")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "converted\t",
        "words\t3",
        "dimension\t2",
        "format\tword2vec-binary",
        "input format\tword2vec-text",
    ]
    code, out, _ = run(capsys, tmp_path / "v.bin.gz", tmp_path / "back.txt", "--json")
    assert code == 0
    assert json.loads(out) == {
        "words": 3,
        "dimension": 2,
        "format": "word2vec-text",
        "input_format": "word2vec-binary",
    }
    assert (tmp_path / "back.txt").read_text() == TEXT


def test_a_limit_and_formats_by_name(text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, text, tmp_path / "v.txt", "--format", "glove", "--limit", 2, "--json")
    assert code == 0 and json.loads(out)["words"] == 2
    assert (tmp_path / "v.txt").read_text() == "the 0.5 1\nof 2 3\n"
    (tmp_path / "one.txt").write_text("5 3\n6 4\n")
    code, out, _ = run(capsys, tmp_path / "one.txt", tmp_path / "v.vec", "--input-format", "glove", "--json")
    assert code == 0 and json.loads(out)["words"] == 2


def test_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = np.arange(4, dtype=np.float32).reshape(2, 2)
    Word2VecModel(["a", "b"], numbers, np.array([2, 1]), settings=Word2VecSettings(dimension=2)).save(tmp_path / "m")
    assert run(capsys, tmp_path / "m", tmp_path / "m.vec")[0] == 0
    assert read_word_vectors(tmp_path / "m.vec").vectors.tolist() == [[0, 1], [2, 3]]


def test_invalid_utf_8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").write_bytes(b"a\xff 1 2\n")
    code, _, err = run(capsys, tmp_path / "in", tmp_path / "v.vec")
    assert code == 1 and "--encoding-errors replace" in err
    assert run(capsys, tmp_path / "in", tmp_path / "v.vec", "--encoding-errors", "replace")[0] == 0
    assert read_word_vectors(tmp_path / "v.vec").words == ["a\ufffd"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["in.vec"], 2, "vecinity convert --help"),
        (["in.vec", "v.kv"], 2, "tells no format: name it .vec, .txt or .bin"),
        (["in.vec", "v.bin", "--format", "gensim-keyed-vectors"], 2, "--format"),
        (["in.vec", "v.bin", "--limit", "0"], 2, "--limit"),
        (["none.vec", "v.bin"], 1, "none.vec: can't be read (No such file"),
        (["bad.vec", "v.bin"], 1, "bad.vec:3: 1 numbers after the word 'b'"),
        (["in.vec", "none/v.bin"], 1, "can't write"),
        (["in.vec", "."], 2, "is a folder"),
        ([".", "v.bin"], 1, "folder without a model.json"),
        (["in.vec", "v.bin", "--input-format", "vecinity-model"], 3, "no word2vec model in"),
    ],
)
def test_errors_are_one_line_and_a_code(
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    (text.parent / "bad.vec").write_text("2 2\na 1.25 2\nb 3\n")
    (text.parent / "v.bin").write_text("old")
    monkeypatch.chdir(text.parent)
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (code, "") and message in err and err.count("\n") == 1
    assert (text.parent / "v.bin").read_text() == "old"
    assert sorted(os.listdir(text.parent)) == ["bad.vec", "in.vec", "v.bin"]


def test_the_formats_are_those_of_the_indexer() -> None:
    assert {*convert.ReadFormat} == {format.value for format in Format}
    assert {*convert.WrittenFormat} < {*convert.ReadFormat}
