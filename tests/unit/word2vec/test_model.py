import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from vecinity.indexer.errors import CorruptError, InputError, NotFoundError, StorageError, UnknownWordError
from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings
from vecinity.indexer.word2vec import model as model_module


@pytest.fixture
def model(rng: np.random.Generator) -> Word2VecModel:
    words = ["the", "don't", "čeština", "\u2028odd\x85"]
    vectors = rng.normal(size=(4, 6)).astype(np.float32)
    return Word2VecModel(words, np.array([9, 5, 5, 2]), vectors, Word2VecSettings(dimension=6, threads=2))


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
    assert sorted(os.listdir(directory)) == ["model.json", "model.safetensors", "words.txt"]
    assert os.listdir(directory.parent) == [directory.name]


def test_fingerprint_depends_on_everything(model: Word2VecModel) -> None:
    words, counts, vectors, settings = model.words, model.counts, model.vectors, model.settings
    nudged, more = vectors.copy(), counts.copy()
    nudged[3, 5] = np.nextafter(nudged[3, 5], np.float32(9))
    more[0] += 1
    fingerprints = {
        model.fingerprint,
        Word2VecModel([*words[:3], "other"], counts, vectors, settings).fingerprint,
        Word2VecModel(words, more, vectors, settings).fingerprint,
        Word2VecModel(words, counts, nudged, settings).fingerprint,
        Word2VecModel(words, counts, vectors, Word2VecSettings(dimension=6, threads=2, seed=2)).fingerprint,
    }
    assert len(fingerprints) == 5
    assert {len(fingerprint) for fingerprint in fingerprints} == {32}


@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "words.txt"])
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
        Word2VecModel.load(tmp_path / "m")
    assert str(tmp_path / "m") in str(caught.value)


@pytest.mark.parametrize(
    "header", [b"[]", b"{}", b"\xff", b'{"format": "vecinity word2vec 1"}', b'{"format": "vecinity word2vec 2"}']
)
def test_another_header(model: Word2VecModel, tmp_path: Path, header: bytes) -> None:
    model.save(tmp_path / "m")
    (tmp_path / "m" / "model.json").write_bytes(header)
    with pytest.raises(CorruptError):
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


def test_a_path_through_a_file(model: Word2VecModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        model.save(tmp_path / "file" / "m")


@pytest.mark.parametrize(
    "refusal", [OSError(28, "No space left on device"), SafetensorError("No space left on device")]
)
def test_a_full_disk_leaves_nothing(
    model: Word2VecModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(model_module, "save_file", refuse)
    with pytest.raises(StorageError) as caught:
        model.save(tmp_path / "m")
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
    for wrong in [(counts[:1], vectors), (counts, vectors[:1]), (counts, vectors.astype(np.float64))]:
        with pytest.raises(InputError):
            Word2VecModel(["a", "b"], *wrong, settings)


def test_a_word_with_a_line_break_is_refused(tmp_path: Path) -> None:
    vectors = np.zeros((2, 2), dtype=np.float32)
    model = Word2VecModel(["a", "b\nc"], np.array([1, 1]), vectors, Word2VecSettings(dimension=2))
    with pytest.raises(InputError, match="line break"):
        model.save(tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_importing_the_package_does_not_import_numba() -> None:
    code = "import sys, vecinity.indexer.word2vec; sys.exit('numba' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0
