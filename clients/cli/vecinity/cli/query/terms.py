"""Analogies as people write them: ``king - man + woman``, ``king -man +woman``, or a line of a file of questions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vecinity.cli.exit_codes import CommandError
from vecinity.cli.query.options import query_of

if TYPE_CHECKING:
    from vecinity.client import Query, Term

Sides = tuple["list[Query | Term]", "list[Query | Term]"]
"""The terms added and the terms subtracted."""


class Question(NamedTuple):
    """An analogy in a file.

    Attributes:
        line: Where it stands, from 1.
        written: With signs, as people write it.
    """

    line: int
    written: str
    sides: Sides

    def has(self, term: str) -> bool:
        return any(term in side for side in self.sides)


def signed(terms: Sequence[str], by_text: bool) -> Sides:
    """``king - man + woman`` to the terms added and the terms subtracted.

    A sign may be a word of its own or stand before its term. A term that begins with a sign itself needs one of its own
    before it, as in ``a + -b``. Quoted as a whole, terms may be of several words.
    """
    sides: dict[str, list[Query | Term]] = {"+": [], "-": []}
    sign: str | None = "+"
    is_bare = False  # whether the sign was a word of its own
    if len(terms) == 1:
        terms = [part for part in re.split(r"(?:^|\s+)([+-])\s*(?=\S)|\s+([+-])\s*$", terms[0]) if part]
    for term in terms:
        if term in ("+", "-"):
            sign, is_bare = term, True
            continue
        if not is_bare and term[:1] in sides:
            sign, term = term[0], term[1:]
        if sign is None:
            raise CommandError(f"there is no sign before {term!r}: write them as in king - man + woman")
        sides[sign].append(query_of(term, by_text))
        sign, is_bare = None, False
    if sign is not None:
        raise CommandError("a term is missing at the end: write them as in king - man + woman")
    return sides["+"], sides["-"]


def pairs(examples: Sequence[str], by_text: bool) -> list[tuple[Query, Query]]:
    """``man:woman`` to a pair."""
    for example in examples:
        if example.count(":") != 1 or not all(example.split(":")):
            raise CommandError(f"--example is {example!r}; write a pair as in man:woman")
    split = (example.split(":") for example in examples)
    return [(query_of(left, by_text), query_of(right, by_text)) for left, right in split]


def read_questions(path: Path, by_text: bool) -> Iterator[Question]:
    """The analogies in a file.

    A line holds terms with signs, or three or four words without, which ask for the fourth as in questions-words.txt:
    ``man king woman queen`` is king - man + woman. Lines that are empty or begin with a colon are passed over.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise CommandError(f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} can't be read as UTF-8 text ({error})") from error
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith(":"):
            continue
        words = line.split()
        if len(words) in (3, 4) and not any(word[0] in "+-" for word in words):
            a, b, c = (query_of(word, by_text) for word in words[:3])
            yield Question(number, f"{b} - {a} + {c}", ([b, c], [a]))
            continue
        try:
            yield Question(number, line, signed([line], by_text))
        except CommandError as error:
            raise CommandError(f"{path}:{number}: {error}") from error
