"""``vecinity evaluate``: what it prints, and what it says when it can't."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecinity.cli import app
from vecinity.indexer.formats import write_word_vectors
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings
from vecinity.indexer.word_evaluation import analogy_accuracy, untrained_vectors, word_pair_correlation
from vecinity.indexer.word_vectors import WordVectors

WORDS = ["man", "woman", "king", "queen", "uncle", "aunt", *(f"word{i}" for i in range(60))]


def made(rng: np.random.Generator) -> WordVectors:
    """Gender along the first axis, royalty along the second, kin along the third, topics in the others."""
    vectors = 0.05 * rng.normal(size=(len(WORDS), 8))
    vectors[6:, 3:] += np.repeat(rng.normal(size=(12, 5)), 5, axis=0)
    vectors[:6, 0] += [1, -1, 1, -1, 1, -1]
    vectors[2:4, 1] += 1
    vectors[4:6, 2] += 1
    return WordVectors(WORDS, vectors.astype(np.float32))


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    vectors = made(rng)
    write_word_vectors(vectors, tmp_path / "vectors.vec")
    settings = Word2VecSettings(dimension=8, threads=1)
    counts = np.arange(len(WORDS), 0, -1, dtype=np.int64)
    Word2VecModel(list(WORDS), vectors.vectors, counts, settings=settings).save(tmp_path / "model")
    (tmp_path / "questions.txt").write_text(
        ": family\nman woman king queen\nMan Woman uncle aunt\nman woman king uncle\n: odd\nman woman king absent\n"
    )
    (tmp_path / "pairs.tsv").write_text("# one\nman\twoman\t1\nking\tqueen\t2\nman\tking\t9\nman\tabsent\t5\n")
    (tmp_path / "more.tsv").write_text("uncle aunt 2\nuncle king 8\nman uncle 7\n")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str]:
    assert app.main(["evaluate", *map(str, arguments)]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def strict_json(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_everything_as_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions, pairs, more = folder / "questions.txt", folder / "pairs.tsv", folder / "more.tsv"
    model = Word2VecModel.load(folder / "model")
    out, err = run(
        *(capsys, folder / "model", "--questions", questions, "--pairs", pairs, "--pairs", more),
        *("--baseline", "untrained", "--json"),
    )
    assert err == ""
    report = strict_json(out)
    assert (report["model"], report["restrict_vocab"], report["epsilon"]) == (str(folder / "model"), 300_000, 0.001)
    for method in ("3cosadd", "3cosmul"):
        solved = report["analogies"][method]
        assert solved["total"] == {"section": "total", "correct": 2, "asked": 3, "unknown": 1, "accuracy": 2 / 3}
        assert [s["section"] for s in solved["sections"]] == ["family", "odd"]
        assert solved["sections"][1]["accuracy"] is None
    expected = word_pair_correlation(model.words, model.vectors, pairs)
    assert report["pairs"][0]["spearman"] == pytest.approx(expected.spearman, abs=1e-12)
    assert report["pairs"][0]["pearson"] == pytest.approx(expected.pearson, abs=1e-12)
    assert (report["pairs"][0]["pairs"], report["pairs"][0]["unknown_share"]) == (3, 0.25)
    assert report["pairs"][1]["file"] == str(more)
    assert report["vectors"]["words"] == len(WORDS) and report["vectors"]["faults"] == []
    assert report["neighbours"][0]["nearest"][0]["word"].startswith("word")

    random = untrained_vectors(len(WORDS), 8)
    other = report["baseline"]
    assert other["model"] == "untrained"
    solved = analogy_accuracy(model.words, random, questions).total.correct
    assert other["analogies"]["3cosadd"]["total"]["correct"] == solved
    difference = report["differences"]
    assert difference["analogies"]["3cosadd"]["total"]["accuracy"] == pytest.approx(2 / 3 - solved / 3)
    assert difference["analogies"]["3cosadd"]["sections"][1] == {"section": "odd", "accuracy": None}
    spearman = word_pair_correlation(model.words, random, pairs).spearman
    assert difference["pairs"][0]["spearman"] == pytest.approx(expected.spearman - spearman)
    mean_cosines = (part["vectors"]["mean_cosine"] for part in (difference, report, other))
    assert next(mean_cosines) == pytest.approx(next(mean_cosines) - next(mean_cosines))
    # What is wrong with a baseline of random vectors is meant; only what could not be measured is told of it.
    assert not any("learnt" in note for note in report["notes"])


def test_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, folder / "model", "--questions", folder / "questions.txt", "--pairs", folder / "pairs.tsv")
    lines = out.splitlines()
    assert lines[:4] == [
        "analogies\tasked\tunknown\t3cosadd",
        "family\t3\t0\t66.7%",
        "odd\t0\t1\t-",
        "total\t3\t1\t66.7%",
    ]
    assert lines[4] == "analogies\tasked\tunknown\t3cosmul"
    assert lines[8] == "word pairs\tfigure\tpairs\tunknown\tvalue"
    assert lines[9].startswith("pairs.tsv\tspearman\t3\t1\t")
    assert any(line.startswith("mean cosine of two words\t") for line in lines)
    assert "word\trank\tnearest" in lines


def test_tables_beside_another_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(
        *(capsys, folder / "model", "--questions", folder / "questions.txt", "--method", "3cosadd"),
        *("--pairs", folder / "pairs.tsv", "--baseline", folder / "vectors.vec"),
    )
    lines = out.splitlines()
    assert lines[0] == "analogies\tasked\tunknown\t3cosadd\tbaseline\tdifference"
    assert lines[3] == "total\t3\t1\t66.7%\t66.7%\t+0.0%"
    assert "3cosmul" not in out
    assert err == ""


def test_a_file_and_a_folder_give_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--questions", folder / "questions.txt", "--pairs", folder / "pairs.tsv", "--json")
    of_folder = strict_json(run(capsys, folder / "model", *options)[0])
    of_file = strict_json(run(capsys, folder / "vectors.vec", *options)[0])
    assert of_folder.pop("model") != of_file.pop("model")
    assert of_folder == of_file


def test_restrict_vocab_and_epsilon(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--questions", folder / "questions.txt", "--restrict-vocab", 4, "--epsilon", 1e-6, "--json")
    report = strict_json(run(capsys, folder / "model", *options)[0])
    assert (report["restrict_vocab"], report["epsilon"]) == (4, 1e-6)
    total = report["analogies"]["3cosmul"]["total"]
    assert (total["asked"], total["unknown"]) == (1, 3)


def test_without_files_only_the_vectors_are_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, folder / "model")
    assert out.startswith("vectors\tvalue\n") and "asked" not in out
    assert "--questions" in err and "SimLex-999" in err
    report = strict_json(run(capsys, folder / "model", "--json")[0])
    assert report["analogies"] is None and report["pairs"] == [] and report["baseline"] is None
    assert "questions-words.txt" in report["notes"][0]


def test_nothing_known_is_said_and_null(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "q.txt").write_text(": s\nx y z w\n")
    (folder / "p.txt").write_text("x y 1\nman woman 2\n")
    options = ("--questions", folder / "q.txt", "--pairs", folder / "p.txt")
    out, err = run(capsys, folder / "model", *options)
    assert "total\t0\t1\t-" in out
    assert "no question of" in err and "1 pairs of" in err
    report = strict_json(run(capsys, folder / "model", *options, "--baseline", "untrained", "--json")[0])
    assert report["analogies"]["3cosadd"]["total"]["accuracy"] is None
    assert report["pairs"][0]["spearman"] is None
    assert report["differences"]["analogies"]["3cosadd"]["total"]["accuracy"] is None
    assert any("no question of" in note for note in report["notes"])


def test_broken_vectors_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Word2VecModel.load(folder / "model")
    lost = np.full_like(model.vectors, math.nan)
    Word2VecModel(model.words, lost, model.counts, settings=model.settings).save(folder / "lost")
    options = ("--questions", folder / "questions.txt", "--pairs", folder / "pairs.tsv")
    _, err = run(capsys, folder / "lost", *options)
    assert "66 of 66 vectors hold NaN or infinity" in err
    report = strict_json(run(capsys, folder / "lost", *options, "--json")[0])
    assert report["vectors"]["mean_cosine"] is None and report["neighbours"] == []
    assert len(report["vectors"]["faults"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 1, "nowhere: can't be read (No such file or directory)"),
        (["model", "--questions", "nowhere"], 1, "nowhere: can't be read (No such file or directory)"),
        (["model", "--questions", "pairs.tsv"], 1, "pairs.tsv:1: a question has four words, not 2"),
        (["model", "--pairs", "questions.txt"], 1, "questions.txt:1: not two words and a number: ': family'"),
        (["model", "--pairs", "pairs.tsv", "--pairs", "bad.tsv"], 1, "bad.tsv:2: not two words and a number"),
        (["model", "--baseline", "nowhere"], 1, "nowhere: can't be read"),
        (["model", "--restrict-vocab", "0"], 2, "--restrict-vocab"),
        (["model", "--method", "3cosdiv"], 2, "--method"),
        (["model", "--questions", "questions.txt", "--epsilon", "0"], 2, "epsilon is 0.0; it must be above 0"),
        ([], 2, "Missing argument 'model'"),
    ],
)
def test_errors_are_one_line_and_a_code(
    folder: Path,
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "bad.tsv").write_text("man\twoman\t1\nman\twoman\thigh\n")
    monkeypatch.chdir(folder)
    assert app.main(["evaluate", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
