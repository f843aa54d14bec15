from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecinity.cli import app
from vecinity.cli.building.command import build
from vecinity.cli.train import train
from vecinity.cli.word2vec_options import OPTIONS, settings_of
from vecinity.client import Client
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings

SMALL = ("--dimension", 8, "--sample", 0, "--threads", 1)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = app.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    topics = [["apple", "pear", "plum", "cherry"], ["iron", "copper", "zinc", "tin"]]
    path = tmp_path / "corpus.txt"
    path.write_text("".join(" ".join(random.choice(topics[i % 2], 6)) + "\n" for i in range(3_000)))
    return path


def test_every_setting_has_an_option_with_its_default() -> None:
    assert set(OPTIONS.names) <= inspect.signature(build).parameters.keys()
    assert set(OPTIONS.names) <= inspect.signature(train).parameters.keys()
    assert set(OPTIONS.names) == {field.name for field in fields(Word2VecSettings)}
    assert settings_of({option.name: option.default for option in OPTIONS.parameters}) == Word2VecSettings()


def test_train_evaluate_index_ask(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "models" / "m"
    code, out, err = run(capsys, "train", corpus, folder, *SMALL, "--epochs", 3)
    assert (code, err) == (0, "")
    shown = dict(line.split("\t") for line in out.splitlines())
    assert shown["words"] == "8"
    assert shown["corpus words"] == "18,000"
    assert len(shown["losses"].split()) == 3
    assert os.listdir(folder.parent) == ["m"]
    model = Word2VecModel.load(folder)
    assert model.fingerprint == shown["fingerprint"]
    assert model.training is not None and model.training.losses_of == "training"
    code, out, err = run(
        capsys, "build", "words", folder, "--embedder", "word2vec", "--pretrained", "--data-dir", tmp_path / "d"
    )
    assert (code, err) == (0, "")
    with Client.in_process(tmp_path / "d") as client:
        assert set(client.search("words", id="iron", k=3).ids) == {"copper", "zinc", "tin"}


def test_vectors_of_others_are_indexed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v.vec").write_text("3 2\nNew_York 1 0\nBoston .9 .1\npotato 0 1\n")
    arguments = ["build", "w", tmp_path / "v.vec", "--embedder", "word2vec", "--data-dir", tmp_path / "d"]
    code, _, err = run(capsys, *arguments, "--pretrained")
    assert (code, err) == (0, "")
    with Client.in_process(tmp_path / "d") as client:
        assert client.search("w", id="New_York", k=1).ids == ["Boston"]
    code, _, err = run(capsys, *arguments, "--pretrained", "--epochs", 3)
    assert code == 2
    assert "vecinity: --epochs is for training, and --pretrained says that SOURCE is trained already\n" in err


def test_json_and_early_stop(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pairs.tsv").write_text("apple\tpear\t9\niron\tzinc\t8\napple\tiron\t1\npear\ttin\t2\n")
    code, out, err = run(
        capsys,
        *("train", corpus, tmp_path / "m", *SMALL, "--epochs", 40, "--json"),
        *("--early-stop", 2, "--evaluation", tmp_path / "pairs.tsv"),
    )
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["epochs"] == report["best_epoch"] + 2 < 40
    code, out, _ = run(
        capsys, "train", corpus, tmp_path / "n", *SMALL, "--epochs", 3, "--early-stop", 1, "--held-out", 5, "--json"
    )
    assert code == 0 and json.loads(out)["losses_of"] == "held out"


def test_going_on_with_new_text(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "train", corpus, tmp_path / "m", *SMALL)[0] == 0
    (tmp_path / "more.txt").write_text("apple quince pear quince\n" * 200)
    code, out, err = run(
        capsys, "train", tmp_path / "more.txt", tmp_path / "n", *SMALL, "--start", tmp_path / "m", "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["words"] == 9
    code, _, err = run(
        capsys, "train", tmp_path / "more.txt", tmp_path / "o", "--dimension", 9, "--start", tmp_path / "m"
    )
    assert code == 2 and "dimension is 9; the model to go on from has 8" in err


def test_a_device_of_torch(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:200]))
    code, out, err = run(capsys, "train", corpus, tmp_path / "m", *SMALL, "--device", "cpu:0", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["epochs"], report["best_epoch"], report["losses"], report["losses_of"]) == (5, 5, [], None)


def test_a_model_is_overwritten_only_when_asked(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", corpus, tmp_path / "m", *SMALL, "--epochs", 1]
    assert run(capsys, *arguments)[0] == 0
    code, out, err = run(capsys, *arguments, "--seed", 2)
    assert (code, out) == (1, "") and "holds a model already" in err and err.count("\n") == 1
    assert run(capsys, *arguments, "--seed", 2, "--overwrite")[0] == 0
    assert Word2VecModel.load(tmp_path / "m").settings.seed == 2  # type: ignore[union-attr]


def test_a_killed_training_is_gone_on_with(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Without a bound the test would prove nothing on a machine so fast that the training ends first.
    arguments = ["train", corpus, tmp_path / "m", *SMALL, "--epochs", 400, "--checkpoint-seconds", 0.05]
    command = [sys.executable, "-m", "vecinity.cli", *map(str, arguments)]
    state = tmp_path / "m.checkpoint" / "state.safetensors"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        first: Any = None
        for _ in range(600):
            if state.exists() and first is None:
                first = state.stat().st_mtime_ns
            if first is not None and state.stat().st_mtime_ns > first:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "m").exists()
    code, _, err = run(capsys, *arguments)
    assert code == 1 and "repeat the command with --resume" in err
    code, _, err = run(capsys, *arguments, "--seed", 5, "--resume")
    assert code == 2 and "holds a training with --seed 1, not 5" in err
    assert run(capsys, *arguments, "--resume")[0] == 0
    assert not state.parent.exists()
    assert run(capsys, "train", corpus, tmp_path / "n", *SMALL, "--epochs", 400)[0] == 0
    gone_on, uninterrupted = (Word2VecModel.load(tmp_path / name) for name in "mn")
    assert gone_on.fingerprint == uninterrupted.fingerprint


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.txt", "m"], 1, "is no file"),
        (["corpus.txt", "corpus.txt"], 1, "something else"),
        (["corpus.txt", "m", "--resume"], 3, "nothing to go on with"),
        (["corpus.txt", "m", "--resume", "--checkpoint-seconds", "0"], 2, "--resume goes with checkpoints"),
        (["corpus.txt", "m", "--evaluation", "corpus.txt"], 2, "--evaluation goes with --early-stop"),
        (["corpus.txt", "m", "--early-stop", "1", "--evaluation", "none"], 1, "none: "),
        (["corpus.txt", "m", "--min-count", "99999"], 2, "lower --min-count"),
        (["corpus.txt", "m", "--dimension", "0"], 2, "dimension is 0"),
        (["corpus.txt", "m", "--objective", "softmax"], 2, "softmax"),
        (["corpus.txt", "m", "--device", "cuda:99"], 2, "cuda:99"),
        (["corpus.txt", "m", "--start", "none"], 1, "none"),
    ],
)
def test_wrong_usage(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = run(capsys, "train", *arguments)
    assert (found, out) == (code, "")
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_what_is_not_ours_in_the_folder_of_checkpoints_stays(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "m.checkpoint"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    assert run(capsys, "train", corpus, tmp_path / "m", *SMALL, "--epochs", 1)[0] == 0
    assert os.listdir(folder) == ["thesis.txt"]


def test_a_failed_training_leaves_nothing_in_the_way(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in (("--min-count", 99_999), ("--learning-rate", 1e6)):
        assert run(capsys, "train", corpus, tmp_path / "m", *SMALL, *wrong)[0] == 2
        assert sorted(os.listdir(tmp_path)) == ["corpus.txt"]
    assert run(capsys, "train", corpus, tmp_path / "m", *SMALL)[0] == 0


def test_a_link_and_the_current_folder(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("here")
    assert run(capsys, "train", corpus, tmp_path / "link", *SMALL, "--epochs", 1)[0] == 0
    assert (tmp_path / "link").is_symlink() and (tmp_path / "here" / "model.json").is_file()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert run(capsys, "train", corpus, ".", *SMALL, "--epochs", 1)[0] == 0
    assert (tmp_path / "empty" / "model.json").is_file()
    code, _, err = run(capsys, "train", corpus, "/proc", *SMALL)
    assert code == 1 and "is a mount point" in err


def test_vectors_are_not_taken_for_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v.vec").write_text("3 2\nNew_York 1 0\nBoston .9 .1\npotato 0 1\n")
    code, _, err = run(capsys, "train", tmp_path / "v.vec", tmp_path / "m")
    assert code == 2 and "holds word vectors, not text: give them with --start" in err
    code, _, err = run(capsys, "build", "w", tmp_path / "v.vec", "--embedder", "word2vec", "--data-dir", tmp_path / "d")
    assert code == 2 and "give them with --pretrained" in err


def test_settings_of_the_model_are_the_defaults_of_going_on(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = ("--architecture", "cbow", "--dimension", 9, "--subword-buckets", 50, "--phrase-passes", 1)
    assert run(capsys, "train", corpus, tmp_path / "m", "--threads", 1, "--sample", 0, *shape)[0] == 0
    code, _, err = run(capsys, "train", corpus, tmp_path / "n", "--threads", 1, "--start", tmp_path / "m")
    assert (code, err) == (0, "")
    before, after = (Word2VecModel.load(tmp_path / name).settings for name in "mn")
    assert before is not None and after is not None
    assert (after.architecture, after.dimension, after.subword_buckets, after.phrase_passes) == ("cbow", 9, 50, 1)
    assert after == before


def test_an_interrupted_training_says_where_it_is_saved(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecinity.indexer.word2vec import trainer

    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer.Trainer, "train", interrupted)
    code, _, err = run(capsys, "train", corpus, tmp_path / "m", *SMALL)
    assert code == 130
    assert f"saved in {tmp_path / 'm.checkpoint'}: repeat the command with --resume" in err
