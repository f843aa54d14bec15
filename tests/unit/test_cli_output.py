"""Tables on terminals that are too narrow for them."""

from __future__ import annotations

import io
import re
import sys

import pytest

from vecinity.cli.output import print_table
from vecinity.cli.tournament import TournamentRow, print_tournament

EXCLUDED = "needs 12,345 MB of memory, more than the 8,000 MB of --max-memory"
TOURNAMENT = [
    TournamentRow("OPQ64_256,IVF4096,PQ64x4fs", 200_000, (128, 0, 10), 0.9512, 1234.0, 789.0, 1234.5, 22_500_000, ""),
    TournamentRow("HNSW32,SQ8", 200_000, (0, 1024, 4), 0.9931, 456.0, 321.0, 98.7, 1_234_500_000, ""),
    TournamentRow("IVF16384,Flat", 0, (0, 0, 0), 0.0, 0.0, 0.0, 0.0, 12_345_600_000, EXCLUDED),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def narrow(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Called in tests: what a fixture puts in place of standard output, pytest replaces."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    return terminal


def words_of(terminal: Terminal) -> set[str]:
    return {*re.findall(r"\S+", terminal.getvalue())}


def test_a_tournament_names_each_index_and_cuts_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = narrow(monkeypatch)
    print_tournament(TOURNAMENT, "it is the fastest of those that reached the target recall on the sample")
    assert {row.description for row in TOURNAMENT} <= words_of(terminal)
    assert {"200,000", "1234", "789", "1234.5", "22.5", "456", "321", "98.7", "12345.6"} <= words_of(terminal)
    assert {"1024,", "k_factor", "--max-memory"} <= words_of(terminal)


def test_a_calibration_cuts_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = narrow(monkeypatch)
    heads = ("measured with", "k", "nprobe", "ef_search", "k_factor", "recall", "at least", "µs a query")
    print_table(heads, [("queries", "100", "16384", "1024", "256", "0.7710", "0.7655", "123456")], numeric=8)
    assert {"queries", "100", "16384", "1024", "256", "0.7710", "0.7655", "123456"} <= words_of(terminal)


def test_texts_are_folded_and_the_table_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = narrow(monkeypatch)
    text = " ".join(f"word{number}" for number in range(100))
    print_table(("id", "text", "score"), [("http://example.org/" + "x" * 90, text, "0.7710")], numeric=1)
    assert max(map(len, terminal.getvalue().splitlines())) <= 80
    assert "0.7710" in words_of(terminal) and {*text.split()} <= words_of(terminal)


def test_a_row_wider_than_the_terminal_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = narrow(monkeypatch)
    numbers = [f"{number:,}" for number in range(10**9, 10**9 + 9)]
    print_table(["name", *(f"n{i}" for i in range(9))], [["a-name-of-32-characters-and-no-mor", *numbers]], numeric=9)
    assert {*numbers} <= words_of(terminal)
    assert any(all(number in line for number in numbers) for line in terminal.getvalue().splitlines())
