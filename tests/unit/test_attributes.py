"""Attributes from a source to a segment and back."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import clustered
from tagged import SCHEMA, items, write_json_lines

from vecinity.indexer.ann import Family
from vecinity.indexer.attributes import Attribute, AttributeType, parse_attributes
from vecinity.indexer.build import Build
from vecinity.indexer.dataset import Source, read_attributes, read_items, typed
from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.indexing import IndexSettings
from vecinity.indexer.segment import Segment

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def values(path: Path, attributes: str, count: int = 1, **source: object) -> list[tuple[object, ...]]:
    return [*read_attributes(Source(path, attributes=parse_attributes(attributes), **source), count, Path("v.npy"))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("bool", "true", True),
        ("bool", "False", False),
        ("bool", "0", False),
        ("bool", "", None),
        ("int64", "-12", -12),
        ("int64", " +7 ", 7),
        ("int64", str(2**63 - 1), 2**63 - 1),
        ("int64", str(-(2**63)), -(2**63)),
        ("double", "1e3", 1000.0),
        ("double", "-inf", -math.inf),
        ("double", "7", 7.0),
        ("string", "naïve, 北京", "naïve, 北京"),
        ("string", "", None),
        ("timestamp", "2024-05-31T12:00:00Z", NOON),
        ("timestamp", "2024-05-31T14:00:00+02:00", NOON),
        ("timestamp", "2024-05-31 12:00", NOON),
        ("timestamp", "2024-05-31", datetime(2024, 5, 31, tzinfo=UTC)),
        ("timestamp", "2024-05-31T12:00:00.1234567Z", NOON + timedelta(microseconds=123456)),
        ("string-list", "a; b;;c", ("a", "b", "c")),
        ("string-list", '["a;b", "c"]', ("a;b", "c")),
        ("string-list", "[]", ()),
    ],
)
def test_cells_of_csv(tmp_path: Path, kind: str, cell: str, value: object) -> None:
    path = tmp_path / "t.csv"
    quoted = cell.replace('"', '""')
    path.write_text(f'other,x\n1,"{quoted}"\n')
    assert values(path, f"x:{kind}") == [(value,)]


@pytest.mark.parametrize(
    ("kind", "cell", "message"),
    [
        ("bool", "yes", "'yes', which is no bool: write true or false"),
        ("int64", "1.5", "'1.5', which is no int64"),
        ("int64", "1_000", "no int64"),
        ("int64", str(2**63), "from -2\\^63 to 2\\^63 - 1"),
        ("int64", "9" * 5_000, "no int64"),
        ("double", "a", "no double"),
        ("double", "1e999", "no double"),
        ("double", "1_0", "no double"),
        ("timestamp", "31.05.2024", "no timestamp: write it as 2024-05-31T12:00:00Z"),
        ("timestamp", "0001-01-01T00:00:00+14:00", "no timestamp"),
        ("string-list", "[1]", "every entry must be a string"),
        ("string-list", "[", "no JSON"),
        ("string-list", "[" * 100_000, "no JSON"),
        ("string", "x" * 40_000, "40000 characters; an attribute may have 32768"),
    ],
)
def test_a_cell_that_is_not_of_its_type_is_named(tmp_path: Path, kind: str, cell: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f'x,text\n,one\n"{cell}",two\n')
    source = Source(path, ("text",), attributes=parse_attributes(f"x:{kind}"))
    with pytest.raises(InputError, match=rf"t\.csv:3: column 'x' .*{message}"):
        list(read_items(source))


@pytest.mark.parametrize(
    ("kind", "json", "message"),
    [
        ("int64", "true", "True, which is no int64"),
        ("int64", "1.0", "no int64"),
        ("int64", '"1"', "no int64"),
        ("int64", "1" + "0" * 30, "from -2"),
        ("bool", "1", "no bool"),
        ("double", '"1"', "no double"),
        ("double", "1" + "0" * 400, "no double"),
        ("string", "1", "no string"),
        ("string", '"\\ud800"', "surrogate"),
        ("timestamp", "1717156800", "no timestamp"),
        ("string-list", '"a"', "no string-list"),
        ("string-list", '["a", null]', "every entry"),
        ("string", "{}", "no string"),
    ],
)
def test_a_json_value_that_is_not_of_its_type_is_named(tmp_path: Path, kind: str, json: str, message: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"x": null}}\n{{}}\n{{"x": {json}}}\n')
    with pytest.raises(InputError, match=rf"t\.jsonl:3: column 'x' .*{message}"):
        values(path, f"x:{kind}", 3)


def test_an_attribute_that_no_record_has_is_a_slip(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"year": 1}\n{}\n')
    assert values(path, "year:int64", 2) == [(1,), (None,)]
    with pytest.raises(InputError, match=r"t\.jsonl.* no record has the attribute 'yaer'"):
        values(path, "yaer:int64", 2)


def test_types_of_json_lines_are_inferred(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": null, "b": 1, "d": true}\n{"a": "x", "b": 1.5, "c": ["y"], "d": false}\n')
    source = typed(Source(path, attributes=parse_attributes("a,b,c,d")))
    kinds = [attribute.type for attribute in source.attributes]
    assert kinds == [AttributeType.STRING, AttributeType.DOUBLE, AttributeType.STRING_LIST, AttributeType.BOOL]
    assert values(path, "a,b,c,d", 2) == [(None, 1.0, None, True), ("x", 1.5, ("y",), False)]
    with pytest.raises(InputError, match=r"no value of 'absent' .*write it, as in absent:string"):
        values(path, "absent")


def test_types_of_parquet_are_inferred(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    nanoseconds = pa.array([NOON, None], pa.timestamp("ns", tz="Europe/Berlin"))
    table = pa.table(
        {
            "n": pa.array([1, None], pa.int32()),
            "f": pa.array([0.5, None], pa.float32()),
            "t": nanoseconds,
            "d": [date(2024, 5, 31), None],
            "l": [["a"], []],
            "s": pa.array(["x", None]).dictionary_encode(),
            "b": [b"x", None],
        }
    )
    pq.write_table(table, path)
    day = datetime(2024, 5, 31, tzinfo=UTC)
    first, second = values(path, "n,f,t,d,l,s", 2)
    assert first == (1, 0.5, NOON, day, ("a",), "x")
    assert second == (None, None, None, None, (), None)
    with pytest.raises(InputError, match="column 'b' holds bytes"):
        values(path, "b")
    with pytest.raises(InputError, match="no column 'absent'"):
        values(path, "absent")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("year:int", "the types are bool, int64"),
        ("a,a", "names 'a' twice"),
        (":int64", "from 1 to 255 characters"),
        ("a,,b", "from 1 to 255 characters"),
        ("x" * 300, "from 1 to 255 characters"),
        (",".join(f"a{i}" for i in range(1_001)), "at most 1000"),
    ],
)
def test_bad_schemas(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_attributes(text)


def test_text_formats_need_types_and_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    (tmp_path / "t.txt").write_text("a\n")
    with pytest.raises(SettingError, match="write a type, as in a:int64"):
        values(tmp_path / "t.csv", "a")
    with pytest.raises(SettingError, match="has no columns"):
        values(tmp_path / "t.txt", "a:string")
    with pytest.raises(InputError, match="no column 'c': there are 'a', 'b'"):
        values(tmp_path / "t.csv", "c:string")
    with pytest.raises(InputError, match=r"holds 1 records, but v\.npy holds 2 vectors"):
        values(tmp_path / "t.csv", "a:int64", 2)
    with pytest.raises(InputError, match=r"holds more records than v\.npy holds vectors, 0"):
        values(tmp_path / "t.csv", "a:int64", 0)
    assert parse_attributes("a:b:int64") == (Attribute("a:b", AttributeType.INT64),)


def test_from_a_source_to_a_segment_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecinity.indexer.segment.ITEM_BATCH_ROWS", 64)
    monkeypatch.setattr("vecinity.indexer.segment_writer.ITEM_BATCH_ROWS", 64)
    made = items(300)
    np.save(tmp_path / "v.npy", clustered(300))
    records = Source(write_json_lines(tmp_path / "a.jsonl", made), attributes=parse_attributes(SCHEMA))
    with Build(tmp_path / "data", "mine", IndexSettings(family=Family.FLAT)) as build:
        report = build.from_vectors(tmp_path / "v.npy", None, records)
        segment = Segment(build.catalog.segment_folder(report.version))
    assert segment.manifest.attributes == parse_attributes(SCHEMA)
    rows = np.array([299, 0, *range(1, 299)], dtype=np.int64)
    for row, found in zip(rows.tolist(), segment.attributes(rows), strict=True):
        expected = {name: tuple(v) if isinstance(v, list) else v for name, v in made[row].items()}
        assert str(found) == str({name: expected[name] for name in found})  # NaN equals nothing
        assert found.keys() == expected.keys()
    assert segment.columns["year"][1].null_count == sum("year" not in item for item in made)


def test_a_bad_attribute_publishes_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", clustered(3))
    (tmp_path / "a.csv").write_text("year\n1999\n\n2000\n20x1\n")
    with Build(tmp_path / "data", "mine") as build:
        with pytest.raises(InputError, match=r"a\.csv:5: column 'year' holds '20x1'"):
            build.from_vectors(
                tmp_path / "v.npy", None, Source(tmp_path / "a.csv", attributes=parse_attributes("year:int64"))
            )
        assert build.catalog.collections() == []
