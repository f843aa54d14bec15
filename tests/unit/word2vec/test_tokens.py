import io
import struct
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecinity.indexer.word2vec import tokenize, tokens
from vecinity.indexer.word2vec.tokens import TOKEN_CHARACTERS_MAX, number_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The QUICK, brown fox.", ["the", "quick", "brown", "fox"]),
        ("don't rock-'n'-roll 'quoted' well-known-", ["don't", "rock", "n", "roll", "quoted", "well-known"]),
        ("don’t", ["don't"]),
        ("snake_case 3.14 1990's", ["snake", "case", "3", "14", "1990's"]),
        ("Čeština Ärger ΑΘΗΝΑ москва 東京", ["čeština", "ärger", "αθηνα", "москва", "東京"]),
        ("cafe\u0301 हिन्दी", ["cafe\u0301", "हिन्दी"]),
        ("-- ' ... \t\n \u2014", []),
        ("", []),
        ("nul\0separates\x1cas does\x7fthis", ["nul", "separates", "as", "does", "this"]),
        ("half\ud800of\udc00a pair", ["half", "of", "a", "pair"]),
    ],
)
def test_tokenize(text: str, words: list[str]) -> None:
    assert tokenize(text) == words


def test_tokenize_changes_nothing_in_prepared_text() -> None:
    text = "a don't well-known 42nd x"
    assert tokenize(text) == text.split()


def test_tokenize_takes_linear_time_on_one_giant_token() -> None:
    start = time.perf_counter()
    assert tokenize("a-" * 500_000)[0].count("-") == 499_999
    assert time.perf_counter() - start < 2


@given(st.text(st.characters(codec="ascii")) | st.text("aB3'-_ \0", min_size=1))
def test_the_way_of_ascii_finds_what_the_way_of_all_scripts_finds(text: str) -> None:
    assert tokenize(text) == tokenize(text + " —")


def test_every_character_is_part_of_a_word_or_separates() -> None:
    different = []
    for code in range(sys.maxunicode + 1):
        words = tokenize(f"a{chr(code)}b")
        whole = f"a{chr(code).lower()}b".replace("’", "'")
        if words not in (["a", "b"], [whole]) and not (0x1F00 > code > 0xFF and len(chr(code).lower()) > 1):
            different.append((code, words))
    assert different == []


def decoded(words: list[str], sequence: bytes) -> list[str]:
    return [words[number] for (number,) in struct.iter_unpack("i", sequence)]


@given(st.lists(st.text(max_size=30), min_size=1))
def test_a_batch_is_the_words_of_its_texts(texts: list[str]) -> None:
    words, sequence = number_words(texts)
    wanted = [word for text in texts for word in [*tokenize(text), tokens.SENTENCE_END_WORD]]
    assert decoded(words, sequence) == wanted
    assert words == list(dict.fromkeys(wanted))


def test_a_batch_of_many_groups() -> None:
    texts = [f"word{i} and {'filler ' * (i % 7)}" for i in range(3_000)]
    wanted = [word for text in texts for word in [*tokenize(text), tokens.SENTENCE_END_WORD]]
    assert decoded(*number_words(texts)) == wanted


def test_giant_tokens_are_one_dropped_word() -> None:
    longest, giant = "x" * TOKEN_CHARACTERS_MAX, "y" * (TOKEN_CHARACTERS_MAX + 1)
    words, sequence = number_words([f"a {giant} {longest} {giant} {giant}z"])
    assert decoded(words, sequence) == ["a", "", longest, "", "", tokens.SENTENCE_END_WORD]


@given(st.lists(st.text(st.characters(), max_size=30), min_size=1))
def test_through_pipes_as_in_this_process(texts: list[str]) -> None:
    """Surrogates, NULs and empty texts included."""
    request, answer = io.BytesIO(), io.BytesIO()
    for _ in range(2):
        tokens.send_texts(request, texts)
    tokens.serve(io.BytesIO(request.getvalue()), answer)
    answer.seek(0)
    for _ in range(2):
        assert tokens.receive_numbered(answer) == number_words(texts)
    with pytest.raises(EOFError):
        tokens.receive_numbered(answer)


def test_the_program_needs_nothing_but_the_standard_library_and_ends_with_its_input() -> None:
    request = io.BytesIO()
    tokens.send_texts(request, ["one two", "two"])
    command = [sys.executable, "-I", "-S", tokens.__file__]
    ended = subprocess.run(command, input=request.getvalue(), capture_output=True, check=True)
    assert ended.stderr == b""
    assert tokens.receive_numbered(io.BytesIO(ended.stdout)) == number_words(["one two", "two"])
    cut_short = subprocess.run(command, input=request.getvalue()[:-1], capture_output=True)
    assert (cut_short.stdout, cut_short.stderr) == (b"", b"")
