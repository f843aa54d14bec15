import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file
from topics import environment_of_a_child, sentences

from vecinity.indexer.errors import CorruptError, IndexerError, SettingError, StorageError
from vecinity.indexer.word2vec import Checkpoint, EarlyStop, Word2VecModel, Word2VecSettings, checkpoint, train

SETTINGS = Word2VecSettings(dimension=8, threads=1, epochs=4, sample=0.01)

KILLED = """
import json, os, signal, sys
from itertools import count
from pathlib import Path
from vecinity.indexer.word2vec import Checkpoint, Word2VecSettings, train

when, at, folder, corpus, settings = sys.argv[1], int(sys.argv[2]), *map(json.loads, sys.argv[3:])
calls = count(1)

def die(now):
    if now == when and next(calls) == at:
        os.kill(os.getpid(), signal.SIGKILL)

replace = os.replace  # Called for the corpus, too.
def dying_replace(new, path):
    die("save")
    replace(new, path)

os.replace = dying_replace
train(
    lambda: Path(corpus).read_text().splitlines(),
    Word2VecSettings(**settings),
    workdir=Path("unused"),
    checkpoint=Checkpoint(Path(folder), every_s=0),
    progress=lambda stage, *_: die(stage),
)
"""


@pytest.fixture
def texts(rng: np.random.Generator) -> list[str]:
    return sentences(rng, 1_000)


def no_texts() -> list[str]:
    raise AssertionError("the texts are read again")


def state_of(folder: Path) -> dict[str, object]:
    content = (folder / "state.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    described: dict[str, object] = json.loads(header["__metadata__"]["state"])
    return described


class Interrupted(Exception):
    pass


def interrupt(at: int, error: type[BaseException] = Interrupted) -> Callable[..., None]:
    """A `Progress` that ends the training after `at` chunks."""
    left = at

    def progress(stage: str, *_: object) -> None:
        nonlocal left
        left -= stage == "train word2vec"
        if not left:
            raise error

    return progress


def interrupted(
    folder: Path,
    texts: list[str],
    settings: Word2VecSettings = SETTINGS,
    *,
    at: int = 30,
    early_stop: EarlyStop | None = None,
    start: Word2VecModel | None = None,
    source: str = "",
) -> Path:
    """A folder with a training of which `at` chunks or fewer are done."""
    with pytest.raises(Interrupted):
        train(
            lambda: texts,
            settings,
            workdir=folder,
            checkpoint=Checkpoint(folder, every_s=0, source=source),
            early_stop=early_stop,
            start=start,
            progress=interrupt(at),
        )
    assert (folder / "state.safetensors").exists()
    return folder


def kill_child(folder: Path, texts: list[str], settings: Word2VecSettings, when: str, at: int) -> None:
    """Train in another process that is killed at the `at`-th sign of a stage."""
    folder.mkdir(parents=True)
    corpus = folder.parent / "corpus.txt"
    corpus.write_text("\n".join(texts))
    chosen = {"dimension": 8, "threads": settings.threads, "epochs": 4, "sample": 0.01}
    assert replace(settings, **chosen) == settings  # type: ignore[arg-type]
    child = subprocess.run(
        [sys.executable, "-c", KILLED, when, str(at), *map(json.dumps, (str(folder), str(corpus), chosen))],
        env=environment_of_a_child(),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr


def assert_same(model: Word2VecModel, other: Word2VecModel) -> None:
    np.testing.assert_array_equal(model.vectors, other.vectors)
    if model.outputs is not None and other.outputs is not None:
        np.testing.assert_array_equal(model.outputs, other.outputs)
    assert model.training == other.training
    assert model.fingerprint == other.fingerprint


@pytest.mark.parametrize(("when", "at"), [("train word2vec", 33), ("save", 4), ("encode corpus", 1)])
def test_a_killed_training_ends_as_one_that_was_not(tmp_path: Path, texts: list[str], when: str, at: int) -> None:
    whole = train(lambda: texts, SETTINGS, workdir=tmp_path / "work")
    folder = tmp_path / "saved"
    kill_child(folder, texts, SETTINGS, when, at)
    if when == "encode corpus":
        assert not Checkpoint(folder).exists()  # It begins anew.
    else:
        state = state_of(folder)  # Of some chunk before the kill: 20 chunks are an epoch, and after each one is saved.
        assert 0 < state["position"] < 80  # type: ignore[operator]
        assert len(state["losses"]) == state["position"] // 20  # type: ignore[arg-type, operator]
    read_again = (lambda: texts) if when == "encode corpus" else no_texts
    assert_same(whole, train(read_again, SETTINGS, workdir=tmp_path / "w", checkpoint=Checkpoint(folder)))
    assert sorted(os.listdir(folder)) == ["corpus.i32", "state.safetensors"]


def test_a_killed_training_of_two_threads_goes_on(tmp_path: Path, texts: list[str]) -> None:
    settings, folder = replace(SETTINGS, threads=2), tmp_path / "saved"
    kill_child(folder, texts, settings, "train word2vec", 33)
    model = train(no_texts, settings, workdir=tmp_path, checkpoint=Checkpoint(folder))
    assert model.training is not None
    assert len(model.training.losses) == 4
    assert None not in model.training.losses
    assert model.training.losses[-1] < model.training.losses[0]  # type: ignore[operator]


def test_saving_changes_nothing(tmp_path: Path, texts: list[str]) -> None:
    whole = train(lambda: texts, SETTINGS, workdir=tmp_path / "work")
    folder = tmp_path / "saved"
    assert_same(whole, train(lambda: texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder, every_s=0)))
    # One that had ended is there at once, and has learnt nothing more.
    progress = interrupt(1)
    assert_same(whole, train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder), progress=progress))


@pytest.mark.parametrize("options", [{"architecture": "cbow"}, {"objective": "hierarchical-softmax"}, {"subword": 1}])
def test_every_kind_of_training_goes_on(tmp_path: Path, texts: list[str], options: dict[str, object]) -> None:
    if options.pop("subword", None):
        options = {"subword_buckets": 100}
    settings = replace(SETTINGS, **options)  # type: ignore[arg-type]
    whole = train(lambda: texts, settings, workdir=tmp_path / "work")
    folder = interrupted(tmp_path / "saved", texts, settings)
    assert_same(whole, train(no_texts, settings, workdir=tmp_path, checkpoint=Checkpoint(folder)))


def test_ctrl_c_keeps_the_last_state(tmp_path: Path, texts: list[str]) -> None:
    whole = train(lambda: texts, SETTINGS, workdir=tmp_path / "work")
    folder = tmp_path / "saved"
    for at in (7, 30):  # And again in what goes on.
        with pytest.raises(KeyboardInterrupt):
            train(
                lambda: texts,
                SETTINGS,
                workdir=tmp_path,
                checkpoint=Checkpoint(folder, every_s=0),
                progress=interrupt(at, KeyboardInterrupt),
            )
    assert 20 <= state_of(folder)["position"] < 37  # type: ignore[operator]
    assert_same(whole, train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder)))


def test_another_number_of_threads_goes_on(tmp_path: Path, texts: list[str]) -> None:
    folder = interrupted(tmp_path / "saved", texts)
    model = train(no_texts, replace(SETTINGS, threads=3), workdir=tmp_path, checkpoint=Checkpoint(folder))
    assert model.settings == replace(SETTINGS, threads=3)


def peak_at_two(calls: list[int]) -> Callable[[list[str], object], float]:
    def score(words: list[str], vectors: object) -> float:
        calls.append(len(words))
        return np.float32(5 - abs(len(calls) - 2))  # type: ignore[return-value]  # What NumPy code returns.

    return score


@pytest.mark.parametrize("at", [30, 45, 52])
def test_the_best_epoch_survives(tmp_path: Path, texts: list[str], at: int) -> None:
    """Killed in epoch 2, before the best one has ended, and in epoch 3, when it is behind; the end is after epoch 3."""
    whole = train(
        lambda: texts, SETTINGS, workdir=tmp_path / "work", early_stop=EarlyStop(patience=2, score=peak_at_two([]))
    )
    calls: list[int] = []
    early_stop = EarlyStop(patience=2, score=peak_at_two(calls))
    folder = interrupted(tmp_path / "saved", texts, at=at, early_stop=early_stop)
    went_on = train(
        no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder, every_s=0), early_stop=early_stop
    )
    assert_same(whole, went_on)
    assert went_on.training is not None and went_on.training.best_epoch == 2
    assert len(calls) == 4
    # Once more: it had stopped and its end was saved.
    again = train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder), early_stop=early_stop)
    assert_same(whole, again)
    assert len(calls) == 4


def test_a_held_out_part_is_the_same_when_it_goes_on(tmp_path: Path, texts: list[str]) -> None:
    early_stop = EarlyStop(patience=4, held_out=5)
    whole = train(lambda: texts, SETTINGS, workdir=tmp_path / "work", early_stop=early_stop)
    folder = interrupted(tmp_path / "saved", texts, early_stop=early_stop)
    went_on = train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder), early_stop=early_stop)
    assert_same(whole, went_on)
    assert went_on.training is not None and went_on.training.losses_of == "held out"


@pytest.mark.parametrize(
    ("settings", "early_stop", "source", "message"),
    [
        ({"seed": 2}, None, "news", "with seed 1, not 2: give the same, or delete the folder"),
        ({"window": 4}, None, "news", "with window 5, not 4"),
        ({"learning_rate": 0.1}, None, "news", "with learning_rate None, not 0.1"),
        ({}, None, "prose", "holds a training of news, not of prose"),
        ({}, EarlyStop(), "news", "with early stop by no early stop, not the loss of every 20th chunk"),
        ({}, EarlyStop(score=lambda *_: 1.0), "news", "not a score"),
    ],
)
def test_another_training_is_refused(
    tmp_path: Path,
    texts: list[str],
    settings: dict[str, object],
    early_stop: EarlyStop | None,
    source: str,
    message: str,
) -> None:
    folder = interrupted(tmp_path / "saved", texts, source="news")
    before = (folder / "state.safetensors").read_bytes()
    with pytest.raises(SettingError, match=message) as caught:
        train(
            no_texts,
            replace(SETTINGS, **settings),  # type: ignore[arg-type]
            workdir=tmp_path,
            checkpoint=Checkpoint(folder, source=source),
            early_stop=early_stop,
        )
    assert "\n" not in str(caught.value)
    assert (folder / "state.safetensors").read_bytes() == before


@pytest.mark.parametrize("now", [None, EarlyStop(held_out=4), EarlyStop(score=lambda *_: 1.0)])
def test_another_held_out_part_is_refused(tmp_path: Path, texts: list[str], now: EarlyStop | None) -> None:
    folder = interrupted(tmp_path / "saved", texts, early_stop=EarlyStop(held_out=5))
    with pytest.raises(SettingError, match="early stop by the loss of every 5th chunk, not "):
        train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder), early_stop=now)


def test_another_model_to_go_on_from_is_refused(tmp_path: Path, texts: list[str]) -> None:
    start = train(lambda: texts, replace(SETTINGS, epochs=1), workdir=tmp_path / "work")
    whole = train(lambda: texts, SETTINGS, workdir=tmp_path / "work", start=start)
    folder = interrupted(tmp_path / "saved", texts, start=start)
    for other in (None, replace(start, vectors=start.vectors + 1)):
        with pytest.raises(SettingError, match=f"with start {start.fingerprint}, not "):
            train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder), start=other)
    assert_same(whole, train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder), start=start))


@pytest.mark.parametrize("name", ["state.safetensors", "corpus.i32"])
@pytest.mark.parametrize("damage", ["truncated", "longer", "altered", "empty", "missing"])
def test_damage_is_found(tmp_path: Path, texts: list[str], name: str, damage: str) -> None:
    folder = interrupted(tmp_path / "saved", texts, at=2)
    path = folder / name
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "truncated": content[:-4],
            "longer": content + bytes(4),
            "altered": content[:middle] + bytes([content[middle] ^ 64]) + content[middle + 1 :],
            "empty": b"",
            "missing": b"",
        }[damage]
    )
    if damage == "missing":
        path.unlink()
    if (name, damage) == ("state.safetensors", "missing"):
        assert not Checkpoint(folder).exists()
        return
    with pytest.raises(CorruptError, match=r"delete .* and train again") as caught:
        train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_an_altered_description_is_found(tmp_path: Path, texts: list[str]) -> None:
    folder = interrupted(tmp_path / "saved", texts, at=12)
    path = folder / "state.safetensors"
    content = path.read_bytes()
    position = f'position\\": {state_of(folder)["position"]}'.encode()
    assert content.count(position) == 1
    path.write_bytes(content.replace(position, position[:-1] + (b"0" if position[-1:] != b"0" else b"1")))
    with pytest.raises(CorruptError, match="is not what was saved"):
        train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder))


def test_another_format_is_refused(tmp_path: Path, texts: list[str]) -> None:
    folder = interrupted(tmp_path / "saved", texts, at=2)
    path = folder / "state.safetensors"
    path.write_bytes(path.read_bytes().replace(b"word2vec checkpoint 1", b"word2vec checkpoint 9"))
    with pytest.raises(CorruptError, match="is not of the format 'vecinity word2vec checkpoint 1'"):
        train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder))


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (OSError(28, "No space left on device"), "the disk is full"),
        (
            SafetensorError("Error while serializing: I/O error: No space … (os error 28)"),
            "the disk is full: make room",
        ),
        (SafetensorError("a new\nfault"), "a new fault"),
    ],
)
def test_a_full_disk_keeps_the_state_before(
    tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch, refusal: Exception, message: str
) -> None:
    whole = train(lambda: texts, SETTINGS, workdir=tmp_path / "work")
    folder = interrupted(tmp_path / "saved", texts, at=12)
    before = (folder / "state.safetensors").read_bytes()

    def refuse(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(before[:1000])
        raise refusal

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save_file", refuse)
        with pytest.raises(StorageError, match=message) as caught:
            train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder, every_s=0))
    assert "\n" not in str(caught.value)
    assert "a state saved before is kept" in str(caught.value)
    assert (folder / "state.safetensors").read_bytes() == before
    assert sorted(os.listdir(folder)) == ["corpus.i32", "state.safetensors"]
    assert_same(whole, train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(folder)))


def test_a_first_save_that_fails_speaks_of_no_state_before(
    tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", refuse)
    with pytest.raises(StorageError, match="the disk is full: make room and run it again") as caught:
        train(lambda: texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(tmp_path / "saved", every_s=0))
    assert "is kept" not in str(caught.value)
    assert "os error" not in str(caught.value)


def test_a_state_nested_without_end(tmp_path: Path) -> None:
    metadata = {"state": "[" * 100_000 + "]" * 100_000, "hash": ""}
    save_file({"words": np.zeros(1, np.uint8)}, tmp_path / "state.safetensors", metadata=metadata)
    with pytest.raises(CorruptError, match=r"cannot be read .*: delete .* and train again"):
        Checkpoint(tmp_path).load(SETTINGS, {})


def test_a_tensor_of_a_type_that_numpy_has_not(tmp_path: Path) -> None:
    state = {"format": "vecinity word2vec checkpoint 1", "source": "", "settings": asdict(SETTINGS)}
    described = {
        "__metadata__": {"state": json.dumps(state), "hash": ""},
        "words": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]},
    }
    header = json.dumps(described).encode()
    (tmp_path / "state.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"ab")
    with pytest.raises(CorruptError, match="float8"):
        Checkpoint(tmp_path).load(SETTINGS, {})


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(tmp_path / "file" / "saved"))


def test_checkpoints_are_of_the_cpu(tmp_path: Path) -> None:
    with pytest.raises(IndexerError, match="checkpoints work on the CPU, not on device 'cuda'"):
        train(no_texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(tmp_path / "saved"), device="cuda")
    assert not (tmp_path / "saved").exists()


def test_one_training_at_a_time(tmp_path: Path, texts: list[str]) -> None:
    checkpoint_of = Checkpoint(tmp_path / "c")

    def second() -> list[str]:
        with pytest.raises(StorageError, match="another training is under way"):
            train(lambda: texts, SETTINGS, workdir=tmp_path, checkpoint=Checkpoint(tmp_path / "c"))
        return texts

    model = train(second, SETTINGS, workdir=tmp_path, checkpoint=checkpoint_of)
    assert model.fingerprint == train(lambda: texts, SETTINGS, workdir=tmp_path).fingerprint
