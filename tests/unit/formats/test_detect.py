"""Formats are told by content, whatever the name."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.formats import Format, detect_format, holds_vectors, read_word_vectors, write_word_vectors
from vecinity.indexer.word_vectors import WordVectors


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (b"2 3\na 1 2 3\nb 4 5 6\n", Format.WORD2VEC_TEXT),
        (b"2 3\r\na 1 2 3\r\n", Format.WORD2VEC_TEXT),
        (b"\xef\xbb\xbf2 3\na 1 2 3\n", Format.WORD2VEC_TEXT),
        (b"2 3\na 1 2\n", Format.WORD2VEC_TEXT),  # with a fault
        (b"2 3\na 1 2 x\n", Format.WORD2VEC_TEXT),
        (b"2 3\n", Format.WORD2VEC_TEXT),
        ("2 3\né è 1 2 3\n".encode(), Format.WORD2VEC_TEXT),
        (b"1 2\na " + struct.pack("<2f", 1, 2), Format.WORD2VEC_BINARY),
        (b"1 2\na " + struct.pack("<2f", 0.1, -3.3), Format.WORD2VEC_BINARY),
        (b"1 1\na \n\n\n\n\n", Format.WORD2VEC_TEXT),
        (b"a 1 2 3\n", Format.GLOVE),
        (b"5 0.3\n6 0.4\n", Format.GLOVE),
        (b"5 3\n6 4\n", Format.WORD2VEC_TEXT),  # see the rules
        (b"5 1 2\n", Format.GLOVE),
        (b"-5 3\n", Format.GLOVE),
        (pickle.dumps([], 2), Format.GENSIM_KEYED_VECTORS),
        (pickle.dumps([], 5), Format.GENSIM_KEYED_VECTORS),
    ],
)
def test_content(tmp_path: Path, content: bytes, format: Format) -> None:
    for name in ("v.txt", "v.bin", "v.gz"):
        (tmp_path / name).write_bytes(content)
        assert detect_format(tmp_path / name) is format
    (tmp_path / "v.bin").write_bytes(gzip.compress(content))
    assert detect_format(tmp_path / "v.bin") is format


def test_one_number_a_word(tmp_path: Path) -> None:
    path = tmp_path / "v"
    path.write_text("5 3\n6 4\n")
    read = read_word_vectors(path, format=Format.GLOVE)
    assert read.words == ["5", "6"] and read.vectors.tolist() == [[3], [4]]
    write_word_vectors(WordVectors(["5", "6"], np.array([[3], [4]], dtype=np.float32)), path, format=Format.GLOVE)
    assert detect_format(path) is Format.GLOVE


@pytest.mark.parametrize("dimension", [2, 3, 50, 300])
def test_binary_numbers_are_seldom_text(tmp_path: Path, rng: np.random.Generator, dimension: int) -> None:
    for scale in (1e-3, 0.1, 1.0, 10.0):
        vectors = rng.normal(size=(20, dimension)).astype(np.float32) * np.float32(scale)
        write_word_vectors(WordVectors([f"w{i}" for i in range(20)], vectors), tmp_path / "v.bin")
        assert detect_format(tmp_path / "v.bin") is Format.WORD2VEC_BINARY


@pytest.mark.parametrize(
    ("content", "vectors"),
    [
        (b"2 3\nthe 1 2 3\nof 4 5 6\n", True),
        (b"2 3\nthe quick brown fox\n", False),
        (b"1990 2\n", False),
        (b"the " + b" ".join(b"0.5" for _ in range(10)) + b"\n", True),
        (b"the 1 2 3\n", False),
        (b"2 2\nthe \x00\x00\x80\x3f\x00\x00\x80\x3f", True),
        ("3 4\nčeština je jazyk\n".encode(), False),
        (b"\x80\x04\x95", True),
        (b"", False),
    ],
)
def test_text_is_told_from_vectors(tmp_path: Path, content: bytes, vectors: bool) -> None:
    (tmp_path / "f").write_bytes(content)
    assert holds_vectors(tmp_path / "f") is vectors
