"""A file is there whole, or as it was before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.errors import InputError, SettingError, StorageError
from vecinity.indexer.formats import (
    Format,
    detect_format,
    format_of_name,
    read_word_vectors,
    write_word_vectors,
    writing,
)
from vecinity.indexer.word_vectors import WordVectors

WRITTEN = (Format.WORD2VEC_TEXT, Format.WORD2VEC_BINARY, Format.GLOVE)


def vectors(*words: str, numbers: float = 1.0) -> WordVectors:
    return WordVectors(list(words), np.full((len(words), 2), numbers, dtype=np.float32))


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize(
    ("word_vectors", "message"),
    [
        (vectors("a", "new york"), "word 2, 'new york', has a space or a line break in it: no tool could read it back"),
        *((vectors("a", f"b{end}c"), "word 2, 'b.*c', has a space") for end in "\t\n\v\f\r"),
        (vectors("a", ""), "word 2, '', is empty"),
        (vectors("a", "\ud800"), "word 2, .* half of a surrogate pair"),
        (vectors("a", "b", "a"), "word 3, 'a', is word 1 already"),
        (vectors("a", numbers=np.nan), "the vector of 'a' holds NaN"),
        (vectors("a", numbers=-np.inf), "the vector of 'a' holds NaN"),
        (vectors(), "nothing to write"),
        (WordVectors(["a"], np.empty((1, 0), dtype=np.float32)), "nothing to write"),
    ],
)
def test_what_no_tool_could_read_back(tmp_path: Path, word_vectors: WordVectors, message: str, format: Format) -> None:
    (tmp_path / "v").write_text("old")
    with pytest.raises(InputError, match=message):
        write_word_vectors(word_vectors, tmp_path / "v", format=format)
    assert (tmp_path / "v").read_text() == "old" and os.listdir(tmp_path) == ["v"]


def test_a_first_word_that_begins_with_a_byte_order_mark(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="byte order mark"):
        write_word_vectors(vectors("\ufeffa"), tmp_path / "v", format=Format.GLOVE)
    write_word_vectors(vectors("\ufeffa"), tmp_path / "v.vec")
    assert read_word_vectors(tmp_path / "v.vec").words == ["\ufeffa"]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("v.bin", Format.WORD2VEC_BINARY),
        ("v.bin.gz", Format.WORD2VEC_BINARY),
        ("v.vec", Format.WORD2VEC_TEXT),
        ("V.TXT.GZ", Format.WORD2VEC_TEXT),
        ("glove.6B.50d.txt", Format.WORD2VEC_TEXT),
    ],
)
def test_names_tell_the_format(tmp_path: Path, name: str, format: Format) -> None:
    assert format_of_name(Path(name)) is format
    write_word_vectors(vectors("a", "b", numbers=0.1), tmp_path / name)
    assert detect_format(tmp_path / name) is format
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.lower().endswith(".gz")


@pytest.mark.parametrize("name", ["v", "v.kv", "v.gz", "v.glove", "bin", ".bin.zip"])
def test_names_that_tell_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match=r"tells no format: name it \.vec"):
        write_word_vectors(vectors("a"), tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("format", [Format.GENSIM_KEYED_VECTORS, Format.VECINITY_MODEL])
def test_formats_that_are_only_read(tmp_path: Path, format: Format) -> None:
    with pytest.raises(SettingError, match="only read"):
        write_word_vectors(vectors("a"), tmp_path / "v", format=format)


def test_the_bytes(tmp_path: Path) -> None:
    written = WordVectors(["a", "é"], np.array([[0.1, 1e-45], [3, -1e20]], dtype=np.float32))
    write_word_vectors(written, tmp_path / "v.vec")
    assert (tmp_path / "v.vec").read_bytes() == "2 2\na 0.1 1e-45\né 3 -1e+20\n".encode()
    write_word_vectors(written, tmp_path / "v.bin")
    numbers = written.vectors.astype("<f4")
    assert (tmp_path / "v.bin").read_bytes() == b"2 2\na %b\n\xc3\xa9 %b\n" % (
        numbers[0].tobytes(),
        numbers[1].tobytes(),
    )
    assert (tmp_path / "v.bin").stat().st_mode & 0o777 == 0o644


def test_an_old_file_is_replaced_and_a_link_goes_on_pointing(tmp_path: Path) -> None:
    (tmp_path / "v.vec").write_text("old")
    (tmp_path / "link.vec").symlink_to("v.vec")
    write_word_vectors(vectors("a"), tmp_path / "link.vec")
    assert (tmp_path / "link.vec").is_symlink()
    assert read_word_vectors(tmp_path / "v.vec").words == ["a"]
    assert sorted(os.listdir(tmp_path)) == ["link.vec", "v.vec"]


@pytest.mark.parametrize("name", ["v.vec", "v.vec.gz"])
@pytest.mark.parametrize("refusal", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, refusal: BaseException
) -> None:
    def broken(*_: object, **__: object) -> Iterator[bytes]:
        yield b"1 2\n"
        raise refusal

    (tmp_path / name).write_text("old")
    monkeypatch.setattr(writing, "write_text", broken)
    kind = StorageError if isinstance(refusal, OSError) else KeyboardInterrupt
    with pytest.raises(kind):
        write_word_vectors(vectors("a"), tmp_path / name)
    assert (tmp_path / name).read_text() == "old" and os.listdir(tmp_path) == [name]


def test_a_full_disk(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError, match="no regular file"):
        write_word_vectors(vectors("a"), Path("/dev/full"), format=Format.GLOVE)
    assert Path("/dev/full").is_char_device()


def test_all_is_on_the_disk_before_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []
    real = writing.fsync

    def fsync(path: Path) -> None:
        synced.append((path.name, (tmp_path / "v.vec").exists()))
        real(path)

    monkeypatch.setattr(writing, "fsync", fsync)
    write_word_vectors(vectors("a"), tmp_path / "v.vec")
    assert [seen for _, seen in synced] == [False, True]
    assert synced[0][0].startswith(".v.vec-") and synced[1][0] == tmp_path.name


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.vec").mkdir()
    for path in (tmp_path / "file" / "v.vec", tmp_path / "none" / "v.vec", tmp_path / "folder.vec"):
        with pytest.raises(StorageError, match="can't write"):
            write_word_vectors(vectors("a"), path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.vec"]
