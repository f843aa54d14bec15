from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vecinity.cli import app, extras, progress
from vecinity.cli.demo.command import Step, Steps
from vecinity.cli.exit_codes import CommandError, ExitCode, exit_code_of
from vecinity.cli.naming import Typed
from vecinity.cli.progress import ProgressBars
from vecinity.cli.query import analogy, graph, search, similarity, terms
from vecinity.cli.query.options import show
from vecinity.client import Duplicate, SearchResult, Text, errors
from vecinity.indexer.errors import CollectionNotFoundError, SettingError, StorageError


@pytest.mark.parametrize(
    ("line", "positive", "negative"),
    [
        ("king - man + woman", ["king", "woman"], ["man"]),
        ("king", ["king"], []),
        ("- bad", [], ["bad"]),
        ("+ a - b - c", ["a"], ["b", "c"]),
        ("king -man +woman", ["king", "woman"], ["man"]),
        ("-bad +good", ["good"], ["bad"]),
        ("a - -b + +c", ["a", "+c"], ["-b"]),
        ("jack-o'-lantern -x", ["jack-o'-lantern"], ["x"]),
    ],
)
def test_terms(line: str, positive: list[str], negative: list[str]) -> None:
    assert terms.signed(line.split(), by_text=False) == (positive, negative)
    texts, _ = terms.signed(line.split(), by_text=True)
    assert all(isinstance(term, Text) for term in texts)
    if "- -" not in line:
        assert terms.signed([line], by_text=False) == (positive, negative)


def test_terms_quoted_as_a_whole() -> None:
    assert terms.signed(["new york - usa + uk"], by_text=False) == (["new york", "uk"], ["usa"])
    assert terms.signed(["new york -usa +great britain"], by_text=False) == (["new york", "great britain"], ["usa"])
    assert terms.signed(["jack-o'-lantern"], by_text=False) == (["jack-o'-lantern"], [])


@pytest.mark.parametrize("line", ["king -", "king man", "- -", "", "king -man woman"])
def test_bad_terms(line: str) -> None:
    with pytest.raises(CommandError, match=r"king - man \+ woman"):
        terms.signed(line.split(), by_text=False)
    if " man" not in line and " woman" not in line:
        with pytest.raises(CommandError, match=r"king - man \+ woman"):
            terms.signed([line], by_text=False)


def test_a_file_of_questions(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text(": section\nman king woman queen\n\nnew york - usa + uk\nking -man +woman\nathens greece oslo\n")
    assert list(terms.read_questions(path, by_text=False)) == [
        (2, "king - man + woman", (["king", "woman"], ["man"])),
        (4, "new york - usa + uk", (["new york", "uk"], ["usa"])),
        (5, "king -man +woman", (["king", "woman"], ["man"])),
        (6, "greece - athens + oslo", (["greece", "oslo"], ["athens"])),
    ]
    path.write_text("a - b\nking - man +\n")
    with pytest.raises(CommandError, match=r"q.txt:2: a term is missing"):
        list(terms.read_questions(path, by_text=False))


@pytest.mark.parametrize("by_text", [False, True])
def test_an_unknown_word_of_a_file_is_found(
    by_text: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unknowing:
        def __enter__(self) -> Unknowing:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def batch_solve_analogies(self, *_: object, **__: object) -> None:
            reason = "ERROR_REASON_UNKNOWN_WORD" if by_text else "ERROR_REASON_ITEM_NOT_FOUND"
            raise errors.NotFoundError("no item 'Athens'", reason, {"name": "Athens"})

    path = tmp_path / "q.txt"
    path.write_text(": capitals\nman king woman queen\nAthens Greece Oslo Norway\n")
    monkeypatch.setattr(analogy, "open_client", lambda *_: Unknowing())
    assert app.main(["analogy", "words", "--file", str(path), *(["--as-text"] if by_text else [])]) == 3
    told = capsys.readouterr().err
    assert told.startswith(f"vecinity: {path}:3: no item 'Athens'; ") and "--unknown-words skip" in told
    assert ("--as-text" in told) != by_text


@pytest.mark.parametrize("example", ["man", "man:", ":woman", "a:b:c"])
def test_bad_examples(example: str) -> None:
    with pytest.raises(CommandError, match="man:woman"):
        terms.pairs([example], by_text=False)


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


def test_the_demo_shows_each_step_as_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps()
    steps.append(Step("start the server", "127.0.0.1:5", 0.25))
    steps.append(Step("everything", "", 90))
    assert capsys.readouterr() == ("", "start the server: 127.0.0.1:5 in 250.0 ms\neverything: 90.0 s\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 0, ""),
        (["search", "words", "king", "queen"], 2, "vecinity search --help"),
        (["search", "words", "king", "--id", "queen"], 2, "exactly one of --text, --id and --vector"),
        (["analogy", "words"], 2, "give terms, as in king - man + woman, or --file"),
        (["analogy", "words", "king", "--file", "q.txt"], 2, "give terms"),
        (["analogy", "words", "--file", "/nonexistent/q.txt"], 2, "there is no file /nonexistent/q.txt"),
        (["analogy", "words", "king", "--example", "man"], 2, "write a pair as in man:woman"),
        (["analogy", "words", "king", "--method", "4cos"], 2, "3cosmul"),
        (["similarity", "words", "a", "b", "--sets", "--relative-to-top", "3"], 2, "does not go with --sets"),
        (["demo", "--write-corpus", "/nonexistent/c.txt"], 1, "/nonexistent/c.txt: No such file"),
        (["build", "w", "v.npy", "--embedder", "none", "--epochs", "3"], 2, "--epochs goes with --embedder word2vec"),
        (["build", "w", "c.csv", "--embedder", "word2vec", "--id-column", "a"], 2, "--id-column goes with"),
        (["nope"], 2, "No such command"),
        (["search", "words", "-k", "0", "--id", "a"], 2, "-k"),
        (["search", "words"], 2, "exactly one of --text, --id and --vector"),
        (["search", "words", "--id", "a", "--target", "x:1", "--data-dir", "d"], 2, "not both"),
        (["search", "words", "--id", "a", "--positive", "b"], 2, "exactly one of --text, --id and --vector"),
        (["search", "words", "--vector", "v.npy", "--page-token", "x"], 2, "there is no file v.npy"),
        (["search", "words", "--id", "a", "--diversity", "2"], 2, "--diversity"),
        (["neighbours", "words", "--out", "graph.csv"], 2, "must end in .tsv or .jsonl"),
        (["neighbours", "words", "--out", "/nonexistent/graph.tsv"], 2, "there is no folder /nonexistent"),
        (["duplicates", "words"], 2, "--min-score"),
        (["search", "words", "--id", "a", "--target", "http://127.0.0.1:1"], 2, "is host:port, without http://"),
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


@pytest.mark.parametrize(
    ("command", "error", "message"),
    [
        ("search", {"parameters.effort.nprobe": "is 0"}, "--nprobe: is 0"),
        ("search", {"selection.diversity.candidates": "is 3"}, "--candidates: is 3"),
        ("search", {"selection.grouping.attribute": "is a list"}, "--group-by: is a list"),
        ("search", {"selection.farthest": "does not go with grouping"}, "--farthest: does not go with --group-by"),
        ("search", {"k, include_texts, include_attributes": "are many"}, "-k, --attributes: are many"),
        ("search", {"queries[3]": "holds NaN"}, "--vector[3]: holds NaN"),
        ("search", {"query.examples.negatives[1].query.id": "is empty"}, "--negative[1]: is empty"),
        ("search", {"query": "has dimension 3"}, "query: has dimension 3"),
        ("search", {"selection.filter.all.filters[1].comparison": "is required"}, "--filter: is required"),
        ("analogy", {"positives, negatives": "are 2 and 3"}, "TERMS: are 2 and 3"),
        ("analogy", {"terms, analogy 3": "cancel"}, "--file, analogy 3: cancel"),
        ("analogy", {"examples[2].left.id": "is empty"}, "--example[2]: is empty"),
        ("duplicates", {"min_score": "raise min_score"}, "--min-score: raise --min-score"),
        ("duplicates", {"a_new.field": "is new"}, "a_new.field: is new"),
        ("nope", {"k": "is 0"}, "k: is 0"),
        ("search", errors.InvalidArgumentError("candidates goes with diversity"), "--candidates goes with --diversity"),
        ("search", errors.NotFoundError("no item 'min_score'"), "no item 'min_score'"),
        ("build", SettingError("target_recall is 2; it must be"), "--target-recall is 2; it must be"),
        ("build", SettingError("dimension is 0; sizes and dimension"), "--dimension is 0; sizes and dimension"),
        ("build", SettingError("/min_count/f 'seed' min_count 3"), "/min_count/f 'seed' --min-count 3"),
    ],
)
def test_errors_name_options(command: str, error: Exception | dict[str, str], message: str) -> None:
    if isinstance(error, dict):
        told = "; ".join(f"{field}: {fault}" for field, fault in error.items())
        error = errors.InvalidArgumentError(told, "ERROR_REASON_INVALID_ARGUMENT", violations=error)
    assert Typed.by(app.app_for(command), [command]).message(error).startswith(message)


def test_a_missing_server_part_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    for arguments, what in (
        (["collections", "--data-dir", "data"], "--data-dir"),
        (["build", "words", "corpus.txt", "--embedder", "word2vec"], "'vecinity build'"),
    ):
        assert app.main(arguments) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"vecinity: {what} needs the server part")
        assert told.endswith("in the folder of Vecinity, pip install '.[server]'\n")


class Unknowing:
    """A client whose collection holds no item, and finds nothing by text."""

    def __enter__(self) -> Unknowing:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def similarity(self, _: str, left: str, *__: object, **___: object) -> float:
        raise errors.NotFoundError(f"no item {left!r}", "ERROR_REASON_ITEM_NOT_FOUND")

    def search(self, _: str, *, id: str | None = None, **__: object) -> SearchResult:
        if id is not None:
            raise errors.NotFoundError(f"no item {id!r}", "ERROR_REASON_ITEM_NOT_FOUND")
        return SearchResult([], np.zeros(0, np.float32), None, None, 1, 1.0, False)


def test_an_unknown_item_may_be_a_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(similarity, "open_client", lambda *_: Unknowing())
    assert app.main(["similarity", "news", "oil prices", "petrol costs"]) == 3
    assert capsys.readouterr().err == "vecinity: no item 'oil prices'; a text? add --as-text\n"
    assert app.main(["similarity", "news", "oil", "petrol", "--as-text"]) == 3
    assert "--as-text" not in capsys.readouterr().err


def test_an_id_that_is_searched_as_a_text_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(search, "open_client", lambda *_: Unknowing())
    assert app.main(["search", "news", "99999999"]) == 0
    assert capsys.readouterr().err == "There is no item '99999999': searched as a text.\n"
    assert app.main(["search", "news", "oil prices"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("ids", "filtered", "told"),
    [
        ([], True, "No item meets the filter."),
        (["1"], True, "No more items meet the filter."),
        ([], False, "No item meets what was asked of it."),
        (["1"], False, "No more items meet what was asked of them."),
    ],
)
def test_few_matches(ids: list[str], filtered: bool, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    scores = np.ones(len(ids), np.float32)
    show(SearchResult(ids, scores, None, None, 1, 1.0, False, few_matches=True), False, filtered=filtered)
    assert capsys.readouterr().err == f"{told}\n"


@pytest.mark.parametrize(
    ("options", "is_terminal", "shown", "told"),
    [
        ([], False, 150, "150 pairs."),
        ([], True, 100, "The first 100 pairs; there are more: raise --limit."),
        (["--limit", "1"], False, 1, "The first 1 pair; there are more: raise --limit."),
        (["--limit", "150"], True, 150, "150 pairs."),
    ],
)
def test_duplicates_are_counted(
    options: list[str],
    is_terminal: bool,
    shown: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Client(Unknowing):
        def duplicates(self, *_: object, **__: object) -> Iterator[Duplicate]:
            yield from (Duplicate(f"l{number}", f"r{number}", 0.5, 1) for number in range(150))

    monkeypatch.setattr(graph, "open_client", lambda *_: Client())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert app.main(["duplicates", "words", "--min-score", "0.5", *options]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1 + shown and captured.err == f"{told}\n"


def test_faults_of_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(similarity, "open_client", broken)
    with pytest.raises(ZeroDivisionError):
        app.main(["similarity", "words", "a", "b"])


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(similarity, "open_client", interrupted)
    assert app.main(["similarity", "words", "a", "b"]) == 130


def test_progress_is_a_line_each_ten_seconds_when_not_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(progress, "monotonic", lambda: now)
    with ProgressBars() as bars:
        for second in range(25):
            now = 100.0 + second
            bars("embed", 1_000 * second, 25_000, "texts")
        assert capsys.readouterr().err == "embed: 10,000/25,000 texts, 1,000/s\nembed: 20,000/25,000 texts, 1,000/s\n"
        now = 135.0
        bars("train index", 0, 1, "indexes", "HNSW32")
    assert capsys.readouterr() == ("", "train index: HNSW32\n")


def test_what_is_over_soon_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
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
