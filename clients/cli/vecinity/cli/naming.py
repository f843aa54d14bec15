"""Errors in the words of a command line: whoever typed an option knows it, and no field of the API and no argument of
Python."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence

import typer
from typer.main import get_command

_PARAMETERS = (
    (r"selection\.filter\b.*", "filter"),
    (r"selection\.grouping\b.*", "group_by"),
    (r"selection\.diversity\.candidates", "candidates"),
    (r"selection\.diversity\b.*", "diversity"),
    (r"include_(\w+)", r"\1"),
    (r"examples\b(?P<place>\[\d+\])?.*", "example"),
    (r"query\.examples\.(positive|negative)s\b(?P<place>\[\d+\])?.*", r"\1"),
    (r"(?:positives|negatives|queries)\b(?P<place>\[\d+\])?.*", "terms"),
    (r"(?:query\.vector|queries\.vectors|queries)\b(?P<place>\[\d+\])?.*", "vector"),
    (r"(?:terms|term_counts|weights)\b(?P<place>\[\d+\])?.*", "file"),
    (r"(?:set_)?pairs\[0\]\.(left|right)\b.*", r"\1"),
    (r"(?:parameters\.effort\.|parameters\.|selection\.)?(\w+)", r"\1"),
)
"""Fields of requests, and the parameter of a command that sets them: the first that the command has."""

_WORD = re.compile(r"(?<![\w/.'\"-])(?:selection\.)?(?P<name>[a-z]+(?:_[a-z]+)*)(?![\w/.'\"-])")
_NAMED = re.compile(r" (is|goes|go)\b")
_OTHER_NAMES = {"grouping": "group_by"}


class Typed:
    """How the parameters of a command are typed.

    Args:
        options: The options by parameter, such as "target_recall": "--target-recall".
        arguments: The rest of its parameters.
    """

    def __init__(self, options: Mapping[str, str], arguments: Sequence[str] = ()) -> None:
        self._options = options
        self._all = {**{name: name.upper() for name in arguments}, **options}

    @classmethod
    def by(cls, app: typer.Typer, words: Sequence[str]) -> Typed:
        """Of the command that a command line runs."""
        command = getattr(get_command(app), "commands", {}).get(words[0] if words else "")
        parameters = [] if command is None else command.params
        options = {p.name: max(p.opts, key=len) for p in parameters if p.param_type_name == "option"}
        return cls(options, [p.name for p in parameters if p.param_type_name == "argument"])

    def message(self, error: Exception) -> str:
        """What is wrong, as far as it can be said in options."""
        client, indexer = (sys.modules.get(f"vecinity.{part}.errors") for part in ("client", "indexer"))
        if client is not None and isinstance(error, client.InvalidArgumentError) and not hasattr(error, "column"):
            if error.violations:
                faults = error.violations.items()
                return "; ".join(f"{self.field(field)}: {self.text(fault)}" for field, fault in faults)
            return self.text(error.message)
        if indexer is not None and isinstance(error, indexer.SettingError):
            return self.text(str(error))
        return str(error)

    def field(self, field: str) -> str:
        """What sets a field of a request, or several with commas between; the field where nothing does."""
        parts = dict.fromkeys(self._one(part) or part for part in field.split(", "))
        if any(part in self._all.values() for part in parts):
            parts = dict.fromkeys(part for part in parts if not part.startswith("include_"))  # always asked for
        return ", ".join(parts)

    def _one(self, field: str) -> str | None:
        for pattern, name in _PARAMETERS:
            if found := re.fullmatch(pattern, field):
                typed = self._all.get(found.expand(name))
                if typed is not None:
                    return typed + (found.groupdict().get("place") or "")
        return None

    def text(self, text: str) -> str:
        """A message with the names that stand for options; of plain English words only where they can't be others."""

        def typed(word: re.Match[str]) -> str:
            name = _OTHER_NAMES.get(word["name"], word["name"])
            begins = word.start() == 0 and _NAMED.match(text, word.end())
            named = "_" in name or begins or text.endswith("with ", 0, word.start())
            return self._options.get(name, word[0]) if named else word[0]

        return _WORD.sub(typed, text)
