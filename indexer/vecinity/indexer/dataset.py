"""Readers: a file of items, each with an id and a text, or a file of vectors with ids beside it.

====================  ==========================================  ===============================
name ends in          an item is                                  id, if no id column is named
====================  ==========================================  ===============================
.txt (or else), .gz   a line                                      line number, from 1
.csv, .tsv, + .gz     a record (first one: column names)          record number, from 1
.jsonl, .ndjson, .gz  an object on a line of its own              line number, from 1
.parquet              a row                                       row number, from 1
.npy                  a row of a 2-d float array                  row number, from 0, as in NumPy
====================  ==========================================  ===============================

Everything streams; a file may be larger than memory. Items with an empty text are passed over.
"""

from __future__ import annotations

import csv
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.attributes import Attribute, AttributeType, Value, read_value
from vecinity.indexer.attributes.values import ValueFault, infer_type
from vecinity.indexer.corpus import EncodingErrors, check_regular, read_lines
from vecinity.indexer.errors import InputError, SettingError

ID_CHARS_MAX = 1_024
"""Answers carry ids by the thousand."""

_PARQUET_ROWS = 4_096
_INFERRED_RECORDS = 1_000


class Item(NamedTuple):
    """One item of a dataset; `line` is where it stands, from 1, `attributes` are parallel to those of the source."""

    id: str
    text: str
    line: int
    attributes: tuple[Value | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where items come from.

    Attributes:
        path: The file; its name tells its format.
        text_columns: Columns whose values, joined by a space, are the text; for formats with columns.
        id_columns: Columns whose values, joined by "-", are the id; empty takes the number of the item.
        columns: Names of the columns of a CSV or TSV file that has no line of names.
        encoding_errors: What to do about invalid UTF-8.
        attributes: Columns that become attributes of the items; types may be left out of JSON Lines and Parquet.
    """

    path: Path
    text_columns: tuple[str, ...] = ()
    id_columns: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    encoding_errors: EncodingErrors = "strict"
    attributes: tuple[Attribute, ...] = ()


def read_items(source: Source) -> Iterator[Item]:
    """The items of a file, in order, without those whose text is empty.

    Raises:
        InputError: The file can't be read or is malformed; it names the line.
        SettingError: A column is asked of a file that has none, or is needed and not named.
    """
    source = typed(source)
    for line, record in _records(source):
        columns = source.text_columns or (_LINE_COLUMN,)
        text = " ".join(_value(source, record, column, line) for column in columns).strip()
        if not text:
            continue
        parts = [_value(source, record, column, line) for column in source.id_columns]
        item_id = "-".join(parts) if any(parts) or parts else str(record[_NUMBER])
        item = Item(item_id, text, line, _attributes(source, record, line))
        if parts and not any(parts):
            raise InputError("the id is empty", path=source.path, line=line)
        _check_id(item.id, source.path, line)
        try:
            (item.id + item.text).encode()
        except UnicodeEncodeError as error:
            raise InputError(
                "holds half of a surrogate pair, which is no character", path=source.path, line=line
            ) from error
        yield item


def read_texts(source: Source) -> Iterator[str]:
    """The texts alone, for training."""
    return (item.text for item in read_items(source))


def read_attributes(source: Source, count: int, vectors_path: Path) -> Iterator[tuple[Value | None, ...]]:
    """The attributes of each record, as many as there are vectors, in their order.

    Raises:
        InputError: The file is malformed, or holds another number of records; it names the line.
    """
    source, found = typed(source), 0
    for line, record in _records(source, texts=False):
        found += 1
        if found > count:
            raise InputError(f"holds more records than {vectors_path} holds vectors, {count}", path=source.path)
        yield _attributes(source, record, line)
    if found < count:
        raise InputError(f"holds {found} records, but {vectors_path} holds {count} vectors", path=source.path)


def typed(source: Source) -> Source:
    """The source with every attribute's type: those left out are read off its first records.

    Raises:
        InputError: There is no such column, or nothing in it tells the type.
        SettingError: The format holds nothing but text, so the type must be given.
    """
    if all(attribute.type is not None for attribute in source.attributes):
        return source
    reader = _READERS.get(_suffix(source.path), _read_text)
    if reader in (_read_text, _read_delimited):
        name = next(a.name for a in source.attributes if a.type is None)
        raise SettingError(f"--attributes: {source.path.name} holds only text: write a type, as in {name}:int64")
    types: dict[str, AttributeType] = {a.name: a.type for a in source.attributes if a.type is not None}
    for line, record in islice(reader(source), _INFERRED_RECORDS):
        for attribute in source.attributes:
            raw = record.get(attribute.name)
            try:
                kind = None if attribute.type is not None else infer_type(raw)
            except ValueFault as fault:
                raise InputError(f"column {attribute.name!r} {fault}", path=source.path, line=line) from None
            # A whole number may be a double that happens to be whole.
            if kind is AttributeType.DOUBLE or (kind is not None and attribute.name not in types):
                types[attribute.name] = kind
    if missing := [a.name for a in source.attributes if a.name not in types]:
        raise InputError(
            f"the first {_INFERRED_RECORDS} records have no value of {missing[0]!r} that tells its type: "
            f"write it, as in {missing[0]}:string",
            path=source.path,
        )
    return replace(source, attributes=tuple(Attribute(a.name, types[a.name]) for a in source.attributes))


def read_vectors(path: Path) -> NDArray[np.floating[Any]]:
    """A 2-d float array from a ``.npy`` file, memory-mapped, shape (n, d), any float type.

    Raises:
        InputError: It is not one; a ragged array is stored as objects, which are never unpickled.
    """
    check_regular(path)
    try:
        with warnings.catch_warnings(action="error"):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror or error})", path=path) from error
    except Exception as error:  # NumPy parses the header as Python: a damaged one raises almost anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"is no .npy file of numbers ({reason}); a ragged array can't be read", path=path) from error
    if not isinstance(array, np.ndarray) or array.ndim != 2:
        raise InputError(f"must hold one 2-d array, a vector in each row, not shape {np.shape(array)}", path=path)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"must hold floats, not {array.dtype}: convert with .astype('float32')", path=path)
    if array.shape[1] == 0:
        raise InputError("holds vectors of dimension 0", path=path)
    return array


def read_ids(path: Path | None, count: int, vectors_path: Path) -> Iterator[str]:
    """One id a line, as many as there are vectors; without a file, the row numbers from 0.

    They come one by one: as a list, ten million of them would take most of a gigabyte.

    Raises:
        InputError: Another number of ids, or an empty one.
    """
    if path is None:
        yield from map(str, range(count))
        return
    found = 0
    for line, item_id in read_lines(path):
        _check_id(item_id, path, line)
        found += 1
        yield item_id
    if found != count:
        raise InputError(f"holds {found} ids, but {vectors_path} holds {count} vectors", path=path)


def _check_id(item_id: str, path: Path, line: int) -> None:
    if not item_id.strip():
        raise InputError("the id is empty", path=path, line=line)
    if len(item_id) > ID_CHARS_MAX:
        raise InputError(f"an id of {len(item_id)} characters; the limit is {ID_CHARS_MAX}", path=path, line=line)


# A key no column has: where `_records` puts the number that stands for an id.
_NUMBER = "\0number"
_LINE_COLUMN = "line"


def _records(source: Source, *, texts: bool = True) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and columns of each record; `_NUMBER` holds the number of the record."""
    reader = _READERS.get(_suffix(source.path), _read_text)
    if source.columns and reader is not _read_delimited:
        raise SettingError(f"--columns names the columns of a CSV or TSV file, not of {source.path.name}")
    if reader is not _read_text and texts and not source.text_columns:
        raise SettingError(f"say which columns of {source.path.name} hold the text: --text-column NAME[,NAME]")
    unseen = {attribute.name for attribute in source.attributes}
    for line, record in reader(source):
        unseen -= record.keys()
        yield line, record
    if unseen and reader is _read_json_lines:  # a record may lack one; what all lack is a slip of the pen
        raise InputError(f"no record has the attribute {min(unseen)!r}", path=source.path)


def _suffix(path: Path) -> str:
    """What tells the format."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def _read_text(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if source.text_columns or source.id_columns or source.attributes:
        raise SettingError(
            f"{source.path.name} is read as plain text, a text in each line, and has no columns: "
            "name it .csv, .tsv, .jsonl or .parquet (each also with .gz but the last) if it has"
        )
    for line, text in read_lines(source.path, source.encoding_errors):
        yield line, {_NUMBER: line, _LINE_COLUMN: text}


def _read_delimited(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(sys.maxsize)
    lines = (text + "\n" for _, text in read_lines(source.path, source.encoding_errors))
    if ".tsv" in (suffix.lower() for suffix in source.path.suffixes):
        # In a tab-separated file a quote is a quote.
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, strict=True)
    names: Sequence[str] = source.columns
    number = 0
    try:
        for values in reader:
            if not values:
                continue
            if not names:
                names = values
                if len(set(names)) < len(names):
                    twice = next(name for name in names if names.count(name) > 1)
                    raise InputError(f"there are two columns {twice!r}", path=source.path, line=reader.line_num)
                continue
            number += 1
            if len(values) != len(names):
                raise InputError(
                    f"has {len(values)} columns where {len(names)} belong ({', '.join(names)})",
                    path=source.path,
                    line=reader.line_num,
                )
            yield reader.line_num, {_NUMBER: number, **dict(zip(names, values, strict=True))}
    except csv.Error as error:
        raise InputError(f"is not well-formed ({error})", path=source.path, line=reader.line_num) from error


def _read_json_lines(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in read_lines(source.path, source.encoding_errors):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"is not JSON ({error})", path=source.path, line=line) from error
        if not isinstance(record, dict):
            raise InputError("is not a JSON object", path=source.path, line=line)
        yield line, {**record, _NUMBER: line}


def _read_parquet(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    check_regular(source.path)
    try:
        file = pyarrow.parquet.ParquetFile(source.path, memory_map=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"is no Parquet file ({error})", path=source.path) from error
    wanted = {*source.text_columns, *source.id_columns, *(attribute.name for attribute in source.attributes)}
    if missing := sorted(wanted - set(file.schema_arrow.names)):
        raise _no_column(source, missing[0], file.schema_arrow.names, None)
    row = 0
    try:
        for batch in file.iter_batches(_PARQUET_ROWS, columns=sorted(wanted)):
            for record in _to_microseconds(batch).to_pylist():
                row += 1
                yield row, {**record, _NUMBER: row}
    except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"holds what can't be read ({reason})", path=source.path, line=row + 1) from error


def _to_microseconds(batch: Any) -> Any:
    """Python's points in time have no nanoseconds."""
    import pyarrow

    for position, field in enumerate(batch.schema):
        if pyarrow.types.is_timestamp(field.type) and field.type.unit == "ns":
            unit = pyarrow.timestamp("us", tz=field.type.tz)
            batch = batch.set_column(position, field.name, batch.column(position).cast(unit, safe=False))
    return batch


_READERS: dict[str, Callable[[Source], Iterator[tuple[int, Mapping[str, Any]]]]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}


def _attributes(source: Source, record: Mapping[str, Any], line: int) -> tuple[Value | None, ...]:
    if not source.attributes:
        return ()
    reader = _READERS.get(_suffix(source.path))
    values: list[Value | None] = []
    for attribute in source.attributes:
        assert attribute.type is not None  # `typed` saw to it
        if reader is not _read_json_lines and attribute.name not in record:
            raise _no_column(source, attribute.name, [name for name in record if name != _NUMBER], line)
        try:
            raw = record.get(attribute.name)
            values.append(read_value(attribute.type, raw, text_only=reader is _read_delimited))
        except ValueFault as fault:
            raise InputError(f"column {attribute.name!r} {fault}", path=source.path, line=line) from None
    return tuple(values)


def _value(source: Source, record: Mapping[str, Any], column: str, line: int) -> str:
    try:
        value = record[column]
    except KeyError:
        raise _no_column(source, column, [name for name in record if name != _NUMBER], line) from None
    if value is None:
        return ""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"column {column!r} holds {type(value).__name__}, not text", path=source.path, line=line)


def _no_column(source: Source, column: str, names: Sequence[str], line: int | None) -> InputError:
    shown = ", ".join(repr(name[:40]) for name in names)
    nameless = _READERS.get(_suffix(source.path)) is _read_delimited and not source.columns
    hint = "; name them with --columns if line 1 is data" if nameless else ""
    return InputError(f"there is no column {column!r}: there are {shown}{hint}", path=source.path, line=line)
