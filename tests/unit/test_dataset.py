from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vecinity.indexer.corpus import read_lines
from vecinity.indexer.dataset import Source, read_ids, read_items, read_texts, read_vectors
from vecinity.indexer.errors import InputError, SettingError

TABLE = 'id,title,body\n7,"Hello, you",first\n8,Second,"two\nlines"\n9,,\n'


def write(path: Path, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def rows(source: Source) -> list[tuple[str, str]]:
    return [(item.id, item.text) for item in read_items(source)]


@pytest.mark.parametrize("name", ["c.txt", "c.txt.gz", "c", "c.gz", "c.TXT"])
def test_text_lines(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "one\n\n  \r\ntwo two\r\nthree")
    assert rows(Source(path)) == [("1", "one"), ("4", "two two"), ("5", "three")]
    assert list(read_texts(Source(path))) == ["one", "two two", "three"]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_csv(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, TABLE)
    expected = [("7", "Hello, you first"), ("8", "Second two\nlines")]
    assert rows(Source(path, ("title", "body"), ("id",))) == expected
    assert rows(Source(path, ("title",))) == [("1", "Hello, you"), ("2", "Second")]


def test_csv_without_names(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", '"3","Fears","Unions"\n"4","Race","Space"\n')
    source = Source(path, ("title", "text"), columns=("class", "title", "text"))
    assert rows(source) == [("1", "Fears Unions"), ("2", "Race Space")]


def test_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv.gz", 'part\toffset\tgloss\nnoun\t0001\tsays "hello\nverb\t0002\ta "b" c\n')
    assert rows(Source(path, ("gloss",), ("part", "offset"))) == [
        ("noun-0001", 'says "hello'),
        ("verb-0002", 'a "b" c'),
    ]


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson.gz"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, '{"k": 1, "t": "one"}\n\n{"k": "b", "t": "two", "extra": [1]}\n{"k": 3, "t": null}\n')
    assert rows(Source(path, ("t",), ("k",))) == [("1", "one"), ("b", "two")]
    assert rows(Source(path, ("t",))) == [("1", "one"), ("3", "two")]


def test_parquet(tmp_path: Path) -> None:
    table = pa.table({"k": ["a", "b", "c"], "t": ["one", None, "three"], "n": [1, 2, 3]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert rows(Source(tmp_path / "t.parquet", ("t",), ("k",))) == [("a", "one"), ("c", "three")]
    assert rows(Source(tmp_path / "t.parquet", ("t", "n"))) == [("1", "one 1"), ("2", "2"), ("3", "three 3")]


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    assert list(read_lines(write(tmp_path / "c.txt", b"\xef\xbb\xbfone\ntwo"))) == [(1, "one"), (2, "two")]


def test_a_line_of_a_megabyte(tmp_path: Path) -> None:
    long = "word " * 250_000
    assert rows(Source(write(tmp_path / "c.txt", f"a\n{long}\nb")))[1] == ("2", long.strip())
    assert rows(Source(write(tmp_path / "c.csv", f'k,t\n1,"{long}"\n'), ("t",)))[0][1] == long.strip()


def test_reading_streams(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("line\n" * 100_000)
    items = read_items(Source(path))
    assert next(items).id == "1"
    with path.open("a") as file:  # what is added while reading is read too: nothing was loaded ahead
        file.write("more\n" * 10)
    assert sum(1 for _ in items) == 100_009


BAD = [
    (
        "c.txt",
        b"ok\nbad \xff here\n",
        {},
        r"c\.txt:2: invalid UTF-8 \(byte 0xff at position 5.*--encoding-errors replace",
    ),
    ("c.txt.gz", None, {}, "no intact gzip file after line"),
    ("t.csv", "a,b\n1,2,3\n", dict(text_columns=("a",)), r"t\.csv:2: has 3 columns where 2 belong \(a, b\)"),
    ("t.csv", 'a,b\n1,"2\n', dict(text_columns=("a",)), "not well-formed"),
    ("t.csv", "a,b\n1,2\n", dict(text_columns=("c",)), r"no column 'c': there are 'a', 'b'; name them with --columns"),
    ("t.csv", "a,b\n1,2\n,3\n", dict(text_columns=("b",), id_columns=("a",)), r"t\.csv:3: the id is empty"),
    ("t.jsonl", '{"a": 1}\nnope\n', dict(text_columns=("a",)), r"t\.jsonl:2: is not JSON"),
    ("t.jsonl", "[1]\n", dict(text_columns=("a",)), "not a JSON object"),
    ("t.jsonl", '{"a": [1]}\n', dict(text_columns=("a",)), r"t\.jsonl:1: column 'a' holds list, not text"),
    ("t.jsonl", '{"b": 1}\n', dict(text_columns=("a",)), "no column 'a': there are 'b'"),
    ("t.csv", "a,b,a\n1,2,3\n", dict(text_columns=("a",)), r"t\.csv:1: there are two columns 'a'"),
    ("t.csv", f"a,b\n{'x' * 2_000},3\n", dict(text_columns=("b",), id_columns=("a",)), "an id of 2000 characters"),
    ("t.csv", "a,b\n  ,3\n", dict(text_columns=("b",), id_columns=("a",)), "the id is empty"),
    ("t.jsonl", '{"a": "\\ud800"}\n', dict(text_columns=("a",)), "surrogate"),
    ("t.jsonl", "[" * 100_000 + "\n", dict(text_columns=("a",)), "is not JSON"),
    ("t.parquet", b"nothing of the kind", dict(text_columns=("a",)), "no Parquet file"),
]


@pytest.mark.parametrize(("name", "content", "columns", "message"), BAD)
def test_faults_are_named_by_their_place(
    tmp_path: Path, name: str, content: str | bytes | None, columns: dict, message: str
) -> None:
    path = tmp_path / name
    if content is None:
        path.write_bytes(gzip.compress(b"line\n" * 1_000)[:-20])
    else:
        write(path, content)
    with pytest.raises(InputError, match=message):
        rows(Source(path, **columns))


@pytest.mark.parametrize("name", ["absent.txt", "absent.csv", "absent.parquet"])
def test_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"{name}.*(can't be read|no Parquet file)"):
        rows(Source(tmp_path / name, ("a",) if name != "absent.txt" else ()))


@pytest.mark.parametrize("name", ["f.txt", "f.csv", "f.parquet", "f.npy"])
def test_a_pipe_is_no_file(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="not a regular file"):
        if name == "f.npy":
            read_vectors(tmp_path / name)
        rows(Source(tmp_path / name, ("a",) if name != "f.txt" else ()))


def test_an_unnamed_column_and_a_dash_are_not_special(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ",text\n7,aa\n7,bb\n")  # as pandas writes it
    assert rows(Source(path, ("text",))) == [("1", "aa"), ("2", "bb")]
    path = write(tmp_path / "t.csv", "k,text\n-,aa\n")
    assert rows(Source(path, ("text",), ("k",))) == [("-", "aa")]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        rows(Source(tmp_path))


def test_columns_where_there_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "c.txt", "one\n")
    with pytest.raises(SettingError, match="read as plain text"):
        rows(Source(path, text_columns=("a",)))
    with pytest.raises(SettingError, match="--text-column"):
        rows(Source(write(tmp_path / "c.csv", "a\n1\n")))
    with pytest.raises(SettingError, match="--columns"):
        rows(Source(write(tmp_path / "c.jsonl", "{}"), ("a",), columns=("a",)))


def test_replacing_invalid_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "c.txt", b"ok\nbad \xff here\n")
    assert rows(Source(path, encoding_errors="replace")) == [("1", "ok"), ("2", "bad \ufffd here")]


class TestVectors:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_floats(self, tmp_path: Path, dtype: type) -> None:
        np.save(tmp_path / "v.npy", np.ones((3, 2), dtype))
        assert read_vectors(tmp_path / "v.npy").shape == (3, 2)

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.ones(3), "must hold one 2-d array"),
            (np.ones((3, 2), int), "must hold floats, not int64"),
            (np.ones((3, 0)), "dimension 0"),
            (np.array([[1.0], [1.0, 2.0]], dtype=object), "ragged"),
        ],
    )
    def test_other_arrays(self, tmp_path: Path, array: np.ndarray, message: str) -> None:
        np.save(tmp_path / "v.npy", array)
        with pytest.raises(InputError, match=message):
            read_vectors(tmp_path / "v.npy")

    # NumPy leaves the file of a damaged header open.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_no_array_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="can't be read"):
            read_vectors(tmp_path / "absent.npy")
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
        for damaged in (
            b"text",
            b"",
            b"PK\x03\x04",
            *(
                b"\x93NUMPY\x01\x00" + len(h).to_bytes(2, "little") + h
                for h in (
                    header % b"(3, -16)",
                    header % b"(99999999999999999999, 2)",
                    header % b"(True, 2)",
                    b"{'descr': (",
                    b"-" * 9_000,
                )
            ),
        ):
            (tmp_path / "v.npy").write_bytes(damaged)
            with pytest.raises(InputError, match=r"no \.npy file"):
                read_vectors(tmp_path / "v.npy")

    def test_ids(self, tmp_path: Path) -> None:
        path = write(tmp_path / "ids.txt", "a\nb c\n")
        assert list(read_ids(path, 2, Path("v.npy"))) == ["a", "b c"]
        assert list(read_ids(None, 3, Path("v.npy"))) == ["0", "1", "2"]
        with pytest.raises(InputError, match=r"holds 2 ids, but v\.npy holds 5 vectors"):
            list(read_ids(path, 5, Path("v.npy")))
        with pytest.raises(InputError, match=r"ids\.txt:2: the id is empty"):
            list(read_ids(write(tmp_path / "ids.txt", "a\n\n"), 2, Path("v.npy")))
