import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from vecinity.indexer.errors import CorruptError, InputError, NotFoundError, StorageError, UnknownWordError
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings
from vecinity.indexer.word2vec import model as model_module
from vecinity.indexer.word2vec.model import TrainingRecord


@pytest.fixture
def model(rng: np.random.Generator) -> Word2VecModel:
    words = ["the", "don't", "čeština", "\u2028odd\x85"]
    vectors = rng.normal(size=(4, 6)).astype(np.float32)
    return Word2VecModel(
        words,
        vectors,
        np.array([9, 5, 5, 2]),
        settings=Word2VecSettings(dimension=6, threads=2, seed=1),
        training=TrainingRecord("c0ffee", "1.0", "cpu", (2.5, None), "training", 2, 2),
        outputs=rng.normal(size=(4, 6)).astype(np.float32),
    )


def test_vector_of(model: Word2VecModel) -> None:
    np.testing.assert_array_equal(model.vector_of("don't"), model.vectors[1])
    assert "don't" in model
    assert "dont" not in model
    assert len(model) == 4
    with pytest.raises(UnknownWordError, match="'dont'"):
        model.vector_of("dont")


def test_round_trip(model: Word2VecModel, tmp_path: Path) -> None:
    directory = tmp_path / "models" / model.fingerprint
    model.save(directory)
    loaded = Word2VecModel.load(directory)
    assert loaded.words == model.words
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(loaded.counts, model.counts)
    np.testing.assert_array_equal(loaded.vectors, model.vectors)
    assert loaded.vectors.dtype == np.float32
    assert loaded.fingerprint == model.fingerprint
    assert loaded.training == model.training
    assert loaded.outputs is None
    with_outputs = Word2VecModel.load(directory, outputs=True).outputs
    assert with_outputs is not None and model.outputs is not None
    np.testing.assert_array_equal(with_outputs, model.outputs)
    assert sorted(os.listdir(directory)) == ["model.json", "model.safetensors", "outputs.safetensors", "words.txt"]
    assert os.listdir(directory.parent) == [directory.name]


def test_fingerprint_depends_on_everything(model: Word2VecModel) -> None:
    assert model.counts is not None and model.settings is not None and model.training is not None
    nudged, more = model.vectors.copy(), model.counts.copy()
    nudged[3, 5] = np.nextafter(nudged[3, 5], np.float32(9))
    more[0] += 1
    fingerprints = {
        model.fingerprint,
        replace(model, words=[*model.words[:3], "other"]).fingerprint,
        replace(model, counts=more).fingerprint,
        replace(model, vectors=nudged).fingerprint,
        replace(model, settings=replace(model.settings, seed=2)).fingerprint,
        replace(model, training=replace(model.training, corpus="other")).fingerprint,
    }
    assert len(fingerprints) == 6
    assert {len(fingerprint) for fingerprint in fingerprints} == {32}


@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "outputs.safetensors", "words.txt"])
@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_damage_is_found(model: Word2VecModel, tmp_path: Path, name: str, damage: str) -> None:
    model.save(tmp_path / "m")
    path = tmp_path / "m" / name
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-10])
    elif damage == "altered":
        # A digit of the fingerprint or of a setting, the last byte of a vector or a letter of a word.
        at = content.index(b'"seed": 1') + 8 if name == "model.json" else len(content) - 4
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    else:
        path.unlink()
    with pytest.raises(CorruptError) as caught:
        Word2VecModel.load(tmp_path / "m", outputs=True)
    assert str(tmp_path / "m") in str(caught.value)


@pytest.mark.parametrize(
    "header", [b"[]", b"{}", b"\xff", b'{"format": "vecinity word2vec 1"}', b'{"format": "vecinity word2vec 2"}']
)
def test_another_header(model: Word2VecModel, tmp_path: Path, header: bytes) -> None:
    model.save(tmp_path / "m")
    (tmp_path / "m" / "model.json").write_bytes(header)
    with pytest.raises(CorruptError):
        Word2VecModel.load(tmp_path / "m")


@pytest.mark.parametrize("name", ["seed", "dimension", "learning_rate", "sample"])
def test_a_header_with_a_number_beyond_all_bounds(model: Word2VecModel, tmp_path: Path, name: str) -> None:
    model.save(tmp_path / "m")
    header = json.loads((tmp_path / "m" / "model.json").read_bytes())
    header["settings"][name] = 10**400
    (tmp_path / "m" / "model.json").write_text(json.dumps(header))
    with pytest.raises(CorruptError, match=f"{name} is too large"):
        Word2VecModel.load(tmp_path / "m")


@pytest.mark.parametrize("depth", [100_000, 400])
def test_a_header_nested_without_end(model: Word2VecModel, tmp_path: Path, depth: int) -> None:
    model.save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    path.write_text(path.read_text().replace('"cpu"', "[" * depth + "]" * depth))
    with pytest.raises(CorruptError):
        Word2VecModel.load(tmp_path / "m")


def test_a_tensor_of_a_type_that_numpy_has_not(model: Word2VecModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    header = b'{"vectors": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}'
    (tmp_path / "m" / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"ab")
    with pytest.raises(CorruptError, match="float8"):
        Word2VecModel.load(tmp_path / "m")


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no word2vec model"):
        Word2VecModel.load(tmp_path / "none")


def test_saving_again_changes_nothing(model: Word2VecModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    before = (tmp_path / "m" / "model.json").stat().st_ino
    model.save(tmp_path / "m")
    assert (tmp_path / "m" / "model.json").stat().st_ino == before


def test_nothing_else_is_overwritten(model: Word2VecModel, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").write_text("precious")
    with pytest.raises(StorageError, match="something else"):
        model.save(tmp_path / "m")
    assert os.listdir(tmp_path / "m") == ["mine.txt"]


def test_another_model_is_replaced_only_when_asked(model: Word2VecModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    other = replace(model, words=["a", "b", "c", "d"])
    with pytest.raises(StorageError, match="holds a model already"):
        other.save(tmp_path / "m")
    other.save(tmp_path / "m", overwrite=True)
    assert Word2VecModel.load(tmp_path / "m").words == ["a", "b", "c", "d"]
    assert os.listdir(tmp_path) == ["m"]


def test_what_is_no_model_is_never_replaced(model: Word2VecModel, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").write_text("precious")
    with pytest.raises(StorageError, match="something else"):
        model.save(tmp_path / "m", overwrite=True)
    assert os.listdir(tmp_path / "m") == ["mine.txt"]


@pytest.mark.parametrize("failing", ["publish_folder", "rmtree"])
def test_a_disk_that_fails_at_the_last_step_leaves_a_model(
    model: Word2VecModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    model.save(tmp_path / "m")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(model_module.shutil if failing == "rmtree" else model_module, failing, refuse)
    other = replace(model, words=["a", "b", "c", "d"])
    with pytest.raises((StorageError, OSError)):
        other.save(tmp_path / "m", overwrite=True)
    monkeypatch.undo()
    found = Word2VecModel.load(tmp_path / "m").words
    assert found == (model.words if failing == "publish_folder" else other.words)


def test_outputs_are_not_lost_by_saving_again(model: Word2VecModel, tmp_path: Path) -> None:
    replace(model, outputs=None).save(tmp_path / "m")
    with pytest.raises(StorageError, match="holds a model already"):
        model.save(tmp_path / "m")
    model.save(tmp_path / "m", overwrite=True)
    assert Word2VecModel.load(tmp_path / "m", outputs=True).outputs is not None


def test_a_damaged_copy_of_itself_is_replaced_when_asked(model: Word2VecModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    (tmp_path / "m" / "words.txt").write_text("x")
    with pytest.raises(CorruptError):
        model.save(tmp_path / "m")
    model.save(tmp_path / "m", overwrite=True)
    assert Word2VecModel.load(tmp_path / "m").words == model.words


def test_a_full_disk_leaves_the_old_model(
    model: Word2VecModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path / "m")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_module, "save_file", refuse)
    with pytest.raises(StorageError):
        replace(model, words=["a", "b", "c", "d"]).save(tmp_path / "m", overwrite=True)
    assert Word2VecModel.load(tmp_path / "m").words == model.words
    assert os.listdir(tmp_path) == ["m"]


def test_a_path_through_a_file(model: Word2VecModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        model.save(tmp_path / "file" / "m")


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (OSError(28, "No space left on device"), "the disk is full: make room and run it again"),
        (
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
            "the disk is full: make room and run it again",
        ),
        (SafetensorError("a new\nfault"), "a new fault"),
    ],
)
def test_a_full_disk_leaves_nothing(
    model: Word2VecModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception, message: str
) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(model_module, "save_file", refuse)
    with pytest.raises(StorageError, match=message) as caught:
        model.save(tmp_path / "m")
    assert "os error" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_everything_is_synced_before_it_appears(
    model: Word2VecModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name + f" {(tmp_path / 'm').exists()}")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    model.save(tmp_path / "m")
    assert {"model.json False", "model.safetensors False", "words.txt False"} <= set(synced)
    assert synced[-1] == f"{tmp_path.name} True"


def test_wrong_shapes_and_types() -> None:
    settings = Word2VecSettings(dimension=2)
    counts, vectors = np.array([1, 1]), np.zeros((2, 2), dtype=np.float32)
    for wrong in [(vectors, counts[:1]), (vectors[:1], counts), (vectors.astype(np.float64), counts)]:
        with pytest.raises(InputError):
            Word2VecModel(["a", "b"], *wrong, settings=settings)
    with pytest.raises(InputError, match="settings say dimension 3"):
        Word2VecModel(["a", "b"], vectors, counts, settings=Word2VecSettings(dimension=3))
    with pytest.raises(InputError, match="inputs go with subwords"):
        Word2VecModel(["a", "b"], vectors, counts, settings=settings, inputs=vectors)
    with pytest.raises(InputError, match=r"inputs must be float32 \(12, 2\)"):
        Word2VecModel(["a", "b"], vectors, counts, settings=replace(settings, subword_buckets=10))


def test_a_word_with_a_line_break_is_refused(tmp_path: Path) -> None:
    vectors = np.zeros((2, 2), dtype=np.float32)
    model = Word2VecModel(["a", "b\nc"], vectors, np.array([1, 1]), settings=Word2VecSettings(dimension=2))
    with pytest.raises(InputError, match="line break"):
        model.save(tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_importing_the_package_does_not_import_numba() -> None:
    code = "import sys, vecinity.indexer.word2vec; sys.exit('numba' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0
