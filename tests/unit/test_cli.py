from __future__ import annotations

import io
import sys

import pytest

from vecinity.cli import app, query
from vecinity.cli.exit_codes import CommandError, ExitCode, exit_code_of
from vecinity.cli.progress import ProgressBars
from vecinity.client import Text, errors
from vecinity.indexer.errors import CollectionNotFoundError, SettingError, StorageError


@pytest.mark.parametrize(
    ("terms", "positive", "negative"),
    [
        ("king - man + woman", ["king", "woman"], ["man"]),
        ("king", ["king"], []),
        ("- bad", [], ["bad"]),
        ("+ a - b - c", ["a"], ["b", "c"]),
    ],
)
def test_terms(terms: str, positive: list[str], negative: list[str]) -> None:
    assert query._signed(terms.split(), by_text=False) == (positive, negative)
    texts, _ = query._signed(terms.split(), by_text=True)
    assert all(isinstance(term, Text) for term in texts)


def test_terms_quoted_as_a_whole() -> None:
    assert query._signed(["new york - usa + uk"], by_text=False) == (["new york", "uk"], ["usa"])
    assert query._signed(["jack-o'-lantern"], by_text=False) == (["jack-o'-lantern"], [])


@pytest.mark.parametrize("terms", ["king -", "king man", "- -", ""])
def test_bad_terms(terms: str) -> None:
    with pytest.raises(CommandError, match="king - man \\+ woman"):
        query._signed(terms.split(), by_text=False)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("x"), ExitCode.USAGE),
        (CommandError("x", ExitCode.ERROR), ExitCode.ERROR),
        (errors.InvalidArgumentError("x"), ExitCode.USAGE),
        (SettingError("x"), ExitCode.USAGE),
        (errors.NotFoundError("x"), ExitCode.NOT_FOUND),
        (errors.UnavailableError("x"), ExitCode.UNAVAILABLE),
        (errors.DeadlineExceededError("x"), ExitCode.TOO_LATE),
        (errors.InternalError("x"), ExitCode.ERROR),
        (CollectionNotFoundError("x"), ExitCode.NOT_FOUND),
        (StorageError("x"), ExitCode.ERROR),
        (ZeroDivisionError(), None),
    ],
)
def test_exit_codes(error: Exception, code: ExitCode | None) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 0, ""),
        (["search", "words", "king"], 2, "vecinity search --help"),
        (["demo", "--write-corpus", "/nonexistent/c.txt"], 1, "/nonexistent/c.txt: No such file"),
        (["build", "w", "v.npy", "--embedder", "none", "--epochs", "3"], 2, "--epochs goes with --embedder word2vec"),
        (["build", "w", "c.csv", "--embedder", "word2vec", "--id-column", "a"], 2, "--id-column goes with"),
        (["nope"], 2, "No such command"),
        (["search", "words", "-k", "0", "--id", "a"], 2, "-k"),
        (["search", "words"], 2, "exactly one of --text, --id and --vector"),
        (["search", "words", "--id", "a", "--target", "x:1", "--data-dir", "d"], 2, "not both"),
        (["search", "words", "--id", "a", "--data-dir", "/nonexistent"], 1, "not a data directory"),
        (["search", "words", "--vector", "/nonexistent.npy"], 2, "nonexistent.npy"),
        (
            ["search", "words", "--id", "a", "--target", "127.0.0.1:1", "--timeout", "5"],
            4,
            "no server answers at 127.0.0.1:1",
        ),
        (["build", "w", "c.txt", "--embedder", "none"], 2, "go together"),
        (["build", "w", "v.npy", "--embedder", "word2vec"], 2, "go together"),
        (["build", "w", "c.txt", "--embedder", "word2vec", "--ids", "i"], 2, "--ids goes with --embedder none"),
        (["serve", "--data-dir", "/nonexistent"], 2, "not a data directory"),
        (["serve", "--listen", "nonsense"], 2, "host:port"),
        (["serve", "--threads", "-3"], 2, "threads"),
    ],
)
def test_errors_are_one_line_and_a_code(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(arguments) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") <= 1
    assert "Traceback" not in captured.err


def test_faults_of_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(query, "_client", broken)
    with pytest.raises(ZeroDivisionError):
        app.main(["similarity", "words", "a", "b"])


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(query, "_client", interrupted)
    assert app.main(["similarity", "words", "a", "b"]) == 130


def test_bars_are_silent_when_not_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBars() as bars:
        bars("embed", 1, 10, "texts")
    assert capsys.readouterr() == ("", "")


def test_bars_show_rate_and_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(KeyboardInterrupt), ProgressBars() as bars:
        bars("embed", 1, 10, "texts", "learning rate .02")
        bars._progress.tasks[0].start_time -= 2
        bars("embed", 5, 10, "texts", "learning rate .01")
        bars._progress.refresh()
        shown = terminal.getvalue()
        raise KeyboardInterrupt
    assert "5/10 texts" in shown and "/s" in shown and "00:0" in shown and "learning rate .01" in shown
