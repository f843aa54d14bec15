"""Pickles that are up to no good run nothing, and damaged ones raise one kind of error."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vecinity.indexer.errors import InputError
from vecinity.indexer.formats import Format, read_word_vectors
from vecinity.indexer.formats import keyed_vectors as module
from vecinity.indexer.formats.restricted_pickle import StandIn


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def keyed_vectors(**attributes: Any) -> KeyedVectors:
    keyed = KeyedVectors(2)
    keyed.add_vectors(["a", "b"], np.ones((2, 2), dtype=np.float32))
    keyed.__dict__.update(attributes)
    return keyed


def save(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (lambda evil: evil, "posix.system"),
        (lambda evil: keyed_vectors(norms=evil), "posix.system"),
        (lambda evil: keyed_vectors(index_to_key=["a", evil]), "posix.system"),
        (lambda evil: keyed_vectors(vectors=np.array([[evil, 1], [2, 3]], dtype=object)), "posix.system"),
    ],
)
def test_a_command_is_not_run(tmp_path: Path, wrap: Callable[[Any], Any], name: str, protocol: int) -> None:
    mark = tmp_path / "was-run"
    path = save(tmp_path / "v.kv", wrap(Calls(os.system, f"touch {mark}")), protocol)
    with pytest.raises(InputError, match=rf"v\.kv: names '{name}', which is refused, so nothing was read"):
        read_word_vectors(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # it would have been run
    assert mark.exists()


def test_eval_in_an_array_of_objects(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    evil = Calls(builtins.eval, f"open({str(mark)!r}, 'w')")
    path = save(tmp_path / "v.kv", keyed_vectors(expandos={"count": np.array([evil, 1], dtype=object)}))
    with pytest.raises(InputError, match=r"names 'builtins\.eval'"):
        read_word_vectors(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "harmful",
    [
        Calls(np.load, "x.npy"),
        Calls(np.memmap, "x"),
        Calls(getattr, "", "join"),
        Calls(__import__, "os"),
        np.random.default_rng(1),
        np.ma.masked_array([1.0]),
        Path("x"),
        Calls(KeyedVectors.load, "x"),
    ],
)
def test_every_other_name_is_refused(tmp_path: Path, harmful: Any) -> None:
    with pytest.raises(InputError, match=r"names .*, which is refused"):
        read_word_vectors(save(tmp_path / "v.kv", keyed_vectors(norms=harmful)))


def test_the_names_that_are_known() -> None:
    assert {name for name in module._STAND_INS if not name.startswith("gensim.models.keyedvectors.")} == {
        "numpy.ndarray",
        "numpy.dtype",
        *(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")),
        *(f"numpy.{core}.multiarray.scalar" for core in ("core", "_core")),
        *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
        "_codecs.encode",
        "__builtin__.frozenset",
        "builtins.frozenset",
    }
    for stand_in in module._STAND_INS.values():
        assert issubclass(stand_in, StandIn)


def test_a_pickle_cannot_change_the_stand_ins(tmp_path: Path) -> None:
    # BUILD with a pair can set attributes of what is on the stack, here of a class: GLOBAL, (None, {…}), BUILD, STOP.
    code = b"\x80\x02cnumpy\ndtype\nN}X\x0c\x00\x00\x00__setstate__cnumpy\nndarray\ns\x86b."
    (tmp_path / "v.kv").write_bytes(code)
    with pytest.raises(InputError, match="no intact pickle"):
        read_word_vectors(tmp_path / "v.kv")
    assert not hasattr(module._Dtype, "__setstate__")


def test_a_piece_with_objects_is_not_unpickled(tmp_path: Path) -> None:
    keyed = keyed_vectors()
    keyed.save(str(tmp_path / "v.kv"), separately=["vectors"])
    mark = tmp_path / "was-run"
    evil = np.array([[Calls(os.system, f"touch {mark}"), 1], [2, 3]], dtype=object)
    np.save(tmp_path / "v.kv.vectors.npy", evil, allow_pickle=True)
    with pytest.raises(InputError, match=r"vectors\.npy"):
        read_word_vectors(tmp_path / "v.kv")
    assert not mark.exists()


def test_only_the_vectors_are_looked_for_beside(tmp_path: Path) -> None:
    keyed = keyed_vectors()
    keyed.__dict__["__numpys"] = ["../../secret", "norms"]
    read = read_word_vectors(save(tmp_path / "v.kv", keyed))
    assert read.vectors.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"index_to_key": []}, "holds no words"),
        ({"index_to_key": None}, "holds no words"),
        ({"index_to_key": ["a", 7]}, "word 2 is int; each must be text"),
        ({"index_to_key": ["a", ""]}, "word 2 is"),
        ({"index_to_key": ["a", "\ud800"]}, "word 2 is"),
        ({"index_to_key": ["a", "a"]}, "word 2, 'a', is word 1 already"),
        ({"index_to_key": ["a", "b", "c"]}, r"float32 \(2, 2\); for 3 words"),
        ({"vectors": None}, "its vectors are no array"),
        ({"vectors": np.ones((2, 2), dtype=np.int32)}, "must be floats"),
        ({"vectors": np.ones((2, 2), dtype=complex)}, "no intact array of numbers"),
        ({"vectors": np.array([["x", "y"], ["z", "w"]])}, "no intact array of numbers"),
        ({"vectors": np.array([[1, 2], [3, 4]], dtype=object)}, "no intact array of numbers"),
        ({"vectors": np.ones((2, 2), dtype=[("a", "<f4"), ("b", "O")])}, "no intact array of numbers"),
        ({"vectors": np.ones((2, 1, 1, 1), dtype=np.float32)}, "no intact array of numbers"),
        ({"vectors": np.ones(2, dtype=np.float32)}, r"\(2,\)"),
        ({"vectors": np.ones((2, 0), dtype=np.float32)}, "no intact array of numbers"),
        ({"vectors": np.array([[1, 2], [np.nan, 4]], dtype=np.float32)}, "the vector of word 2 holds NaN"),
        ({"expandos": {"count": np.ones(3, dtype=np.int64)}}, "its counts are"),
        ({"expandos": {"count": np.ones(2)}}, "its counts are float64"),
        ({"expandos": {"count": [1, 2]}}, "its counts are no array"),
    ],
)
def test_contents_that_do_not_fit(tmp_path: Path, attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_word_vectors(save(tmp_path / "v.kv", keyed_vectors(**attributes)))
    assert str(caught.value).startswith(str(tmp_path / "v.kv"))


@pytest.mark.parametrize("value", [[1, 2], {"vectors": 1}, "text", None])
def test_other_contents(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InputError, match="holds no KeyedVectors"):
        read_word_vectors(save(tmp_path / "v.kv", value))


def test_an_array_that_claims_more_than_there_is(tmp_path: Path) -> None:
    keyed = keyed_vectors()
    content = pickle.dumps(keyed, protocol=2)
    claim = content.replace(b"K\x02K\x02\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    assert claim != content
    (tmp_path / "v.kv").write_bytes(claim)
    with pytest.raises(InputError, match="its vectors are no intact array"):
        read_word_vectors(tmp_path / "v.kv")


def test_columns_first(tmp_path: Path) -> None:
    vectors = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    for protocol in (2, 4, 5):
        path = save(tmp_path / "v.kv", keyed_vectors(vectors=vectors), protocol)
        np.testing.assert_array_equal(read_word_vectors(path).vectors, vectors)


def test_big_endian_numbers(tmp_path: Path) -> None:
    vectors = np.arange(6).reshape(2, 3).astype(">f4")
    path = save(tmp_path / "v.kv", keyed_vectors(vectors=vectors))
    np.testing.assert_array_equal(read_word_vectors(path).vectors, vectors.astype(np.float32))


def of_words(instructions: bytes) -> bytes:
    """KeyedVectors whose words are a list with what the instructions leave on the stack."""
    begun = b"\x80\x04cgensim.models.keyedvectors\nKeyedVectors\n)\x81}\x8c\x0cindex_to_key]"
    return begun + instructions + b"asb."


def shared(depth: int) -> bytes:
    """A tuple of an empty one twice, a tuple of that twice, and so on: 2 to the power `depth` leaves."""
    return b")r\xff\xff\xff\x7f" + b"j\xff\xff\xff\x7f\x86r\xff\xff\xff\x7f" * depth


DEEP = b")" + b"\x85" * 300_000
CYCLE = b"]q\x00h\x00a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x04}" + DEEP + b"Ns.", "a key is tuple, and must be text"),
        (b"\x80\x04}(" + DEEP + b"Nu.", "a key is tuple, and must be text"),
        (b"\x80\x04\x8f(" + DEEP + b"\x90.", "a key is tuple, and must be text"),
        (b"\x80\x04(" + DEEP + b"\x91.", "a key is tuple, and must be text"),
        (b"\x80\x04}" + shared(60) + b"Ns.", "a key is tuple, and must be text"),
        (b"\x80\x04}K\x05Ns.", "a key is int, and must be text"),
        (b"\x80\x04Nr" + struct.pack("<I", 150_000_000) + b".", "holds no KeyedVectors"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 20 << 30) + b"x.", "no intact pickle"),
        (b"\x80\x04\x95" + struct.pack("<Q", 20 << 30) + b"x.", "no intact pickle"),
        (b"\x80\x04\x95" + struct.pack("<Q", 1 << 63) + b"x.", "no intact pickle"),
        (b"\x80\x04)" + b"2\x86" * 60 + b".", "an instruction that no such file needs"),
        (b"\x80\x04cnumpy\ndtype\n(" + b"N" * 9 + b"tR.", "too many arguments"),
        (b"\x80\x04cnumpy\ndtype\n]R.", "too many arguments"),
        (of_words(DEEP), "word 1 is tuple; each must be text"),
        (of_words(shared(60)), "word 1 is tuple; each must be text"),
        (of_words(CYCLE), "word 1 is list; each must be text"),
        (of_words(b"\x8b" + struct.pack("<i", 3_000) + b"\x01" * 3_000), "word 1 is int; each must be text"),
        (b"\x80\x04" + b"cnumpy\ndtype\n" + DEEP + b"b.", "holds no KeyedVectors|attributes for what is no object"),
    ],
)
def test_a_small_pickle_of_much(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "v.kv").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message) as caught:
            read_word_vectors(tmp_path / "v.kv")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000 + 200 * len(content)
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 500


def test_a_type_of_numbers_that_is_no_text(tmp_path: Path) -> None:
    content = pickle.dumps(keyed_vectors(), protocol=2)
    code = b"X\x02\x00\x00\x00f4"
    assert content.count(code) == 1
    (tmp_path / "v.kv").write_bytes(content.replace(code, shared(60)))
    with pytest.raises(InputError, match="its vectors are no intact array of numbers"):
        read_word_vectors(tmp_path / "v.kv")


def whole() -> bytes:
    file = io.BytesIO()
    pickle.dump(keyed_vectors(), file, protocol=4)
    return file.getvalue()


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_raises_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(whole())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(2, len(content) - 1))]
    else:
        at = data.draw(st.integers(2, len(content) - 1))  # The first bytes say what it is.
        content[at] = data.draw(st.integers(0, 255))
    (tmp_path / "v.kv").write_bytes(content)
    try:
        read = read_word_vectors(tmp_path / "v.kv", format=Format.GENSIM_KEYED_VECTORS)
    except InputError:
        return
    assert len(read) == len(read.vectors)
