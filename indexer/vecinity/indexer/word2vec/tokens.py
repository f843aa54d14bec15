"""From text to words, and from a batch of texts to numbers.

Also the program of the processes that `counting` starts. It therefore imports a little of the standard library and
nothing else: such a process is ready after some 20 ms, while the package around it takes half a second to import.
"""

from __future__ import annotations

import re
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import IO

TOKEN_CHARACTERS_MAX = 1000  # Longer is base64, DNA or a broken file, never a word.

SENTENCE_END_WORD = "\0"  # No word has it, as it separates words.
DROPPED_WORD = ""  # Stands for every token longer than `TOKEN_CHARACTERS_MAX`: memory is for words, not for rubbish.

# Python's \w has no combining marks, without which Devanagari, Thai or a decomposed "é" would fall apart: the
# ranges are those of the scripts that write words with marks, less their punctuation.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u0900-\u0963\u0966-\u096f\u0971-\u0df3\u0e31-\u0e4e\u0eb1-\u0ece\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3"
)
_WORD = re.compile(rf"[\w{_MARKS}]+(?:['\-][\w{_MARKS}]+)*")

# ASCII text takes a way that is twice as fast: a table, then the few apostrophes and hyphens that are in no word.
_ASCII = "".join(c.lower() if (c := chr(code)).isalnum() or c in "'-" else " " for code in range(128))
_LOOSE = re.compile(r"['\-](?:(?<![a-z0-9]['\-])|(?![a-z0-9]))")

_GROUP_CHARACTERS = 1 << 13  # Their words are still in the processor's cache when they are numbered.

_REQUEST = struct.Struct("<Q")  # Bytes of text that follow.
_ANSWER = struct.Struct("<QQ")  # Bytes of words and bytes of numbers that follow.


def tokenize(text: str) -> list[str]:
    """The words of a text, lower case, in order.

    A word is letters and digits of any script, with single apostrophes or hyphens inside it; every other
    character separates, NUL and lone surrogates too. The typographic apostrophe counts as the plain one.

    >>> tokenize("Rock-'n'-roll: DON’T stop_it -- the 1990's café!")
    ['rock', 'n', 'roll', "don't", 'stop', 'it', 'the', "1990's", 'café']
    """
    return _spaced(text).split()


def _spaced(text: str) -> str:
    """The words of a text and nothing else but white space between them."""
    if text.isascii():
        text = text.translate(_ASCII)
        return _LOOSE.sub(" ", text) if "'" in text or "-" in text else text
    return " ".join(_WORD.findall(text.lower().replace("’", "'").replace("_", " ")))


def number_words(texts: Iterable[str]) -> tuple[list[str], bytes]:
    """The distinct words of a batch in order of first sight, and the batch as their positions in that list.

    Returns:
        The words, with `SENTENCE_END_WORD` for the end of each text and `DROPPED_WORD` for each distinct giant
        token; and int32 numbers as bytes, in the byte order of the machine.
    """
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    sequence: list[bytes] = []
    group: list[str] = []
    characters = 0

    def number_group() -> None:
        words = f" {SENTENCE_END_WORD} ".join(group).split()
        words.append(SENTENCE_END_WORD)
        sequence.append(struct.pack(f"{len(words)}i", *map(numbers.__getitem__, words)))

    for text in texts:
        group.append(_spaced(text))
        characters += len(text)
        if characters >= _GROUP_CHARACTERS:
            number_group()
            group, characters = [], 0
    if group:
        number_group()
    return [word if len(word) <= TOKEN_CHARACTERS_MAX else DROPPED_WORD for word in numbers], b"".join(sequence)


def send_texts(sink: IO[bytes], texts: Iterable[str]) -> None:
    """Ask a process that runs `serve` for the `number_words` of a batch."""
    joined = SENTENCE_END_WORD.join(text.replace(SENTENCE_END_WORD, " ") for text in texts)
    payload = joined.encode("utf-8", "surrogatepass")
    sink.write(_REQUEST.pack(len(payload)))
    sink.write(payload)
    sink.flush()


def receive_numbered(source: IO[bytes]) -> tuple[list[str], bytes]:
    """What `number_words` returned in the other process.

    Raises:
        EOFError: The process ended before it had answered.
    """
    words_size, sequence_size = _ANSWER.unpack(_read(source, _ANSWER.size))
    return _read(source, words_size).decode().split("\n"), _read(source, sequence_size)


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer batch after batch until the asking process closes its end, or is gone."""
    while header := source.read(_REQUEST.size):
        texts = _read(source, *_REQUEST.unpack(header)).decode("utf-8", "surrogatepass").split(SENTENCE_END_WORD)
        words, sequence = number_words(texts)
        payload = "\n".join(words).encode()
        sink.write(_ANSWER.pack(len(payload), len(sequence)))
        sink.write(payload)
        sink.write(sequence)
        sink.flush()


def _read(source: IO[bytes], size: int) -> bytes:
    payload = source.read(size)
    if len(payload) < size:
        raise EOFError
    return payload


if __name__ == "__main__":
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except (EOFError, BrokenPipeError):  # Whoever asked was killed: there is nobody to tell.
        sys.stderr.close()
