"""Files that are not what they seem: one error that says where, and no memory on the word of a header."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import pytest

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.formats import Format, read_word_vectors


def write(tmp_path: Path, content: bytes | str, name: str = "v") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def packed(*vectors: tuple[str, list[float]], end: bytes = b"\n") -> bytes:
    return b"".join(word.encode() + b" " + struct.pack(f"<{len(vector)}f", *vector) + end for word, vector in vectors)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        # The header
        ("2 0\na\nb\n", 1, "dimension 0"),
        ("0 2\n", 1, "0 words"),
        ("1 70000\na 1\n", 1, "dimension 70,000"),
        ("3 2\nab 1.25 2.5\nb 3 4\n", 3, "says 3 words, but the file ends after 2"),
        ("3 2\nab 1.25 2\nb 3 4\n\n", 3, "says 3 words, but the file ends after 2"),
        ("1 2\na 1 2\nb 3 4\n", 3, "says 1 words, but the file goes on"),
        ("2 2\n", 1, "which take 15 bytes or more; the file has 4: truncated|the file ends after 0"),
        ("1000000000 300\na 1 2\n", 1, "says 1,000,000,000 words of dimension 300, which take"),
        ("999999999999999999 1\na 1\n", 1, "says 999,999,999,999,999,999 words of dimension 1, which take"),
        # Vectors
        ("2 2\na 1.25 2\nb 3\n", 3, "1 numbers after the word 'b'; the header says 2"),
        ("2 2\na 1 2\nb\nc 1 2\nd 1 2\n", 3, "0 numbers after the word 'b'"),
        ("2 2\na 1 2\nb 3 4 5\n", 3, "more than 2 numbers; the header says 2"),
        ("2 2\na 1 2\nb 3 x\n", 3, "'x' is no number"),
        ("2 2\na 1 2\nb 3 1_0\n", 3, "'1_0' is no number"),
        ("2 2\na 1 2\nb 3  4\n", 3, "'' is no number"),
        ("2 2\na 1 2\nb  3 4\n", 3, "one space before each number"),
        ("2 2\na 1 2\n 3 4\n", 3, "there must be a word"),
        ("2 2\na 1 2\nb\t3 4\n", 3, "'b\\\\t3'"),
        ("2 2\na 1 2\nb\t3 4 5\n", 3, "more than 2 numbers"),
        ("2 2\na 1 nan\nb 3 4\n", 2, "the vector of 'a' holds NaN or infinity"),
        ("2 2\na 1 2\nb -inf 4\n", 3, "the vector of 'b' holds NaN or infinity"),
        ("2 2\na 1 2\nb 1e39 4\n", 3, "the vector of 'b' holds NaN or infinity"),
        ("2 2\n\na 1 2\nb 3 4\n", 2, "the line is empty"),
        ("2 2\na 1 2\n\nb 3 4\n", 3, "the line is empty"),
        # Words
        ("3 2\na 1 2\nb 3 4\na 5 6\n", 4, "the word 'a' stands in line 2 already"),
        (b"2 2\na 1 2\n\xffb 3 4\n", 3, "not UTF-8 .byte 0xff.*--encoding-errors replace"),
        # Without a header
        ("a 1 2\nb 3\n", 2, "1 numbers after the word 'b'; line 1 has 2"),
        ("a 1 2\nb 3 4 5\n", 2, "more than 2 numbers; line 1 has 2"),
        ("a 1 2\nb 3 4\nb 5 6\n", 3, "the word 'b' stands in line 2 already"),
        ("a 1 2\n\nb 3 4\n", 2, "the line is empty"),
        ("a b c\n", 1, "neither a word with its vector nor a header"),
        ("a\n", 1, "neither a word with its vector nor a header"),
        ("5\n", 1, "neither a word with its vector nor a header"),
        ("-2 3\na 1 2 3\nb 1 2 3\n", 2, "more than 1 numbers; line 1 has 1"),
        ("2 x\na 1 2\n", 1, "neither a word with its vector nor a header"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", 1, "neither a word with its vector nor a header"),
    ],
)
def test_text(tmp_path: Path, content: bytes | str, line: int, message: str) -> None:
    path = write(tmp_path, content)
    zipped = tmp_path / "v.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, zipped):
        with pytest.raises(InputError, match=message) as caught:
            read_word_vectors(file)
        assert caught.value.line == line
        assert str(caught.value).startswith(f"{file}:{line}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", [b"a b", b"5", b"a 1 2", b"-1 2", b"2 2 2", b"2.0 2", b"", "٢ ٢".encode()])
def test_a_header_that_is_none(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path, line + b"\na 1 2\n")
    for format in (Format.WORD2VEC_TEXT, Format.WORD2VEC_BINARY):
        with pytest.raises(InputError, match="must be the number of words and the dimension") as caught:
            read_word_vectors(path, format=format)
        assert caught.value.line == 1


A, B = ("a", [1.5, -2.25]), ("b", [0.1, 3e-20])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"3 2\n" + packed(A, B), "byte 26: the header says 3 words, but the file ends there, after 2"),
        (b"3 2\n" + packed(A, B) + b"c", "byte 26: .* ends in a word, after 2"),
        (b"3 2\n" + packed(A, B) + b"c \x00\x00", "byte 26: .* ends in the vector of 'c', after 2"),
        (b"1 2\n" + packed(A, B), "byte 15: the header says 1 words, but the file goes on"),
        (b"1 2\n" + packed(A, B, end=b""), "byte 14: the header says 1 words, but the file goes on"),
        (b"2 2\n" + packed(A, ("b", [float("nan"), 1])), "byte 15: the vector of 'b' holds NaN"),
        (b"2 2\n" + packed(("a", [1, float("inf")]), B), "byte 4: the vector of 'a' holds NaN"),
        (b"2 2\n" + packed(A, ("", [1, 2])), "byte 15: there is no word before the vector"),
        (b"2 2\n" + packed(A, ("x\ny", [1, 2])), "byte 15: the word 'x.*y' has a line break"),
        (b"3 2\n" + packed(A, B, A), "byte 26: the word 'a' stands at byte 4 already"),
        (b"2 2\n" + packed(A) + b"\xff" + packed(B), "byte 15: the word .* is not UTF-8"),
        (b"1 20000\n" + b"x" * 200_000, "byte 8: a word of over 65,536 bytes"),
        (b"2000000000 2\n" + packed(A, B), "says 2,000,000,000 words of dimension 2"),
        (b"2 0\nab", "dimension 0"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_binary(tmp_path: Path, content: bytes, message: str, zipped: bool) -> None:
    path = write(tmp_path, gzip.compress(content) if zipped else content)
    if not zipped and message.endswith("after 2"):
        # The length of a plain file tells it before anything is read.
        message = "words of dimension 2, which take .* bytes or more"
    with pytest.raises(InputError, match=message) as caught:
        read_word_vectors(path, format=Format.WORD2VEC_BINARY)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


def test_binary_that_ends_in_a_vector_although_it_is_long_enough(tmp_path: Path) -> None:
    content = b"2 2\n" + packed(("a" * 30, [1, 2]), B)[:-3]
    for path in (write(tmp_path, content), write(tmp_path, gzip.compress(content), "v.gz")):
        with pytest.raises(InputError, match=r"byte 44: .* ends in the vector of 'b', after 1: is it truncated"):
            read_word_vectors(path)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_binary_with_and_without_line_breaks(tmp_path: Path, end: bytes) -> None:
    path = write(tmp_path, b"2 2\n" + packed(A, B, end=end))
    read = read_word_vectors(path, format=Format.WORD2VEC_BINARY)
    assert read.words == ["a", "b"] and read.vectors.tobytes() == struct.pack("<4f", 1.5, -2.25, 0.1, 3e-20)
    last = write(tmp_path, b"2 2\n" + packed(A) + packed(B, end=b""))
    assert read_word_vectors(last, format=Format.WORD2VEC_BINARY).words == ["a", "b"]


@pytest.mark.parametrize(
    "content",
    [
        "2 2\na 1 2\nb 3 4\n",
        "2 2\na 1 2\nb 3 4",  # no last line end
        "2 2\na 1 2 \nb 3 4 \n",  # word2vec.c and fastText
        "2 2\r\na 1 2\r\nb 3 4\r\n",
        "2 2 \r\na 1 2 \r\nb 3 4 \r\n",
        "\ufeff2 2\na 1 2\nb 3 4\n",
        "\ufeffa 1 2\nb 3 4\n",
        "a 1 2\r\nb 3 4\r\n",
        "2 2\na 1 2\nb 3 4\n\n \r\n",  # empty lines at the end
        "2 2\na +1.0e0 .2e1\nb 3. 4E+0\n",
    ],
)
def test_text_in_the_manner_of_many_tools(tmp_path: Path, content: str) -> None:
    read = read_word_vectors(write(tmp_path, content))
    assert read.words == ["a", "b"] and read.vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("header", ["", "5 2\n"])
def test_words_with_spaces(tmp_path: Path, header: str) -> None:
    # As in glove.840B.300d.
    content = f"{header}. . . .1 2\nat name@domain.com 3 4\nking 5 6\n\u00a0 7 8\n½\u00a02 9 10\n"
    read = read_word_vectors(write(tmp_path, content))
    assert read.words == [". . .", "at name@domain.com", "king", "\u00a0", "½\u00a02"]
    assert read.vectors[:2].tolist() == [[pytest.approx(0.1), 2], [3, 4]]


def test_numbers_are_rounded_once_whichever_way_they_are_read(tmp_path: Path) -> None:
    # Just below the middle of two float32s: by way of a float64 it becomes the middle, and then the upper of them.
    number = "1.00000017881393432617187499"
    plain = read_word_vectors(write(tmp_path, f"a {number} 1\n")).vectors
    with_space = read_word_vectors(write(tmp_path, f"b 1 2\nx y {number} 1\n")).vectors
    assert plain[0].tobytes() == with_space[1].tobytes()
    assert plain[0, 0].view("u4") == 0x3F800001


def test_invalid_utf_8_replaced(tmp_path: Path) -> None:
    text = write(tmp_path, b"2 2\nfianc\xc3 1 2\nb 3 4\n")
    assert read_word_vectors(text, encoding_errors="replace").words == ["fianc\ufffd", "b"]
    binary = write(tmp_path, b"1 2\n" + b"fianc\xc3" + packed(("", [1.0, 2.0])))
    assert read_word_vectors(binary, encoding_errors="replace").words == ["fianc\ufffd"]


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n", gzip.compress(b"")])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError, match="is empty"):
        read_word_vectors(path)
    for format in (Format.WORD2VEC_TEXT, Format.WORD2VEC_BINARY, Format.GLOVE, Format.GENSIM_KEYED_VECTORS):
        with pytest.raises(InputError):
            read_word_vectors(path, format=format)


@pytest.mark.parametrize("cut", [20, -9, -1])
def test_a_gzip_file_that_ends_early(tmp_path: Path, cut: int) -> None:
    content = gzip.compress("".join(f"w{i} {i / 7} {i / 3}\n" for i in range(1000)).encode())
    with pytest.raises(InputError, match="no intact gzip"):
        read_word_vectors(write(tmp_path, content[:cut]))


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_word_vectors(tmp_path / "none")
    with pytest.raises(InputError, match=r"folder without a model\.json"):
        read_word_vectors(tmp_path)
    with pytest.raises(InputError, match="not a regular file"):
        read_word_vectors(Path("/dev/zero"))


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one(tmp_path: Path, limit: int) -> None:
    with pytest.raises(SettingError, match="at least 1"):
        read_word_vectors(write(tmp_path, "a 1 2\n"), limit=limit)


@pytest.mark.parametrize("format", [Format.WORD2VEC_TEXT, Format.WORD2VEC_BINARY])
@pytest.mark.parametrize("header", [b"1000000000 300\n", b"1 60000\n", b"20000000 60000\n", b"300 60000\n"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_header_is_given_no_memory_on_its_word(tmp_path: Path, header: bytes, format: Format, zipped: bool) -> None:
    content = header + b"a 1 2\n" * 2_000
    path = write(tmp_path, gzip.compress(content) if zipped else content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read_word_vectors(path, format=format)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vecinity.indexer.formats import text

    monkeypatch.setattr(text, "LINE_BYTES_MAX", 2 << 20)
    path = write(tmp_path, b"a 1 2\nb" + b" 1" * (3 << 20))
    with pytest.raises(InputError, match="a line of over 2 MiB") as caught:
        read_word_vectors(path)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("start", "line", "message"),
    [
        (b"", b"a 0\n", "the word 'a' stands in line 1 already"),
        (b"9000000 1\n", b"a 0\n", "the word 'a' stands in line 2 already"),
        (b"9000000 1\n", packed(("a", [1.0])), "the word 'a' stands at byte 10 already"),
    ],
)
def test_a_line_again_and_again_ends_the_reading_at_once(
    tmp_path: Path, start: bytes, line: bytes, message: str
) -> None:
    file = tmp_path / "v.gz"
    with gzip.open(file, "wb") as unpacked:
        unpacked.write(start)
        for _ in range(9):
            unpacked.write(line * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message):
            read_word_vectors(file)
        # A block of a megabyte, its words and numbers; the 9 million rows alone would take 36 MB, the words 72 MB.
        assert tracemalloc.get_traced_memory()[1] < (64 << 20) + (30 << 20)
    finally:
        tracemalloc.stop()
