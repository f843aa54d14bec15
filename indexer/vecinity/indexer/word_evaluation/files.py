"""The files that word vectors are evaluated with: analogy questions, and word pairs with human scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from vecinity.indexer.corpus import check_regular
from vecinity.indexer.errors import InputError

Question = tuple[str, str, str, str]
Pair = tuple[str, str, float]

_SHOWN_CHARS = 80
_LINE_CHARS_MAX = 1 << 20


class Kind(StrEnum):
    """What a file asks."""

    ANALOGIES = "analogies"
    WORD_PAIRS = "word pairs"


@dataclass(frozen=True)
class Section:
    """A ``: name`` line of an analogy file and the questions under it."""

    name: str
    questions: list[Question] = field(default_factory=list)


def kind_of(path: Path) -> Kind:
    """What a file asks, by its first line that is neither blank nor a comment.

    Raises:
        InputError: The file cannot be read, is empty, or begins like neither kind.
    """
    for number, line in _read_lines(path):
        if line.startswith(":"):
            return Kind.ANALOGIES
        if not line.startswith("#"):
            _pair(line, path, number, "neither ': section', with which analogies begin, nor two words and a number")
            return Kind.WORD_PAIRS
    raise InputError("holds no question and no word pair", path=path)


def read_questions(path: Path) -> list[Section]:
    """The sections of an analogy file in its order: lines of four words under ``: section`` lines.

    A section whose name comes twice is two sections, as in gensim.

    Raises:
        InputError: The file cannot be read, has a line of another form, or no question.
    """
    sections: list[Section] = []
    for number, line in _read_lines(path):
        if line.startswith(":"):
            sections.append(Section(line[1:].strip()))
            continue
        words = line.split()
        if len(words) != 4:
            raise InputError(f"a question has four words, not {len(words)}", path=path, line=number)
        if not sections:
            raise InputError("a question before the first ': section' line", path=path, line=number)
        a, b, c, d = words
        sections[-1].questions.append((a, b, c, d))
    if not any(section.questions for section in sections):
        raise InputError("holds no question: four words a line, under lines of ': section'", path=path)
    return sections


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a word-pair file in its order: two words and a number, between tabs, or spaces if there is no tab.

    Lines that start with ``#`` are comments.

    Raises:
        InputError: The file cannot be read, or has a line of another form.
    """
    wanted = "not two words and a number"
    return [_pair(line, path, number, wanted) for number, line in _read_lines(path) if not line.startswith("#")]


def _pair(line: str, path: Path, number: int, otherwise: str) -> Pair:
    fields = [part.strip() for part in line.split("\t")] if "\t" in line else line.split()
    try:
        first, second, text = fields
        score = float(text)
    except ValueError:
        shown = repr(line if len(line) <= _SHOWN_CHARS else line[:_SHOWN_CHARS] + "…")
        raise InputError(f"{otherwise}: {shown} (a heading starts with #)", path=path, line=number) from None
    if not math.isfinite(score):
        raise InputError(f"the score is {text}; it must be a finite number", path=path, line=number)
    return first, second, score


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, stripped, with their 1-based numbers."""
    check_regular(path)
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LINE_CHARS_MAX), ""), start=1):
                if len(line) == _LINE_CHARS_MAX:
                    raise InputError(
                        f"a line of over {_LINE_CHARS_MAX:,} characters: is this a file of words?",
                        path=path,
                        line=number,
                    )
                if line.strip():
                    yield number, line.strip()
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", path=path, line=number + 1) from None
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}): give the path of a file", path=path) from error
