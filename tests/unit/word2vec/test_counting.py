import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from waiting import children, runs, wait_until

from vecinity.indexer.errors import IndexerError, InputError, SettingError
from vecinity.indexer.progress import silent
from vecinity.indexer.word2vec import counting, tokenize, tokens
from vecinity.indexer.word2vec.counting import DROPPED, END, NumberedCorpus, count_words


def count(
    texts: object, folder: Path, *, known: list[str] | None = None, max_distinct: int = 10**6, processes: int = 1
) -> NumberedCorpus:
    path = folder / "numbers.i32"
    return count_words(
        texts,  # type: ignore[arg-type]
        path,
        known=known or (),
        max_distinct=max_distinct,
        processes=processes,
        progress=silent,
    )


def numbers_of(corpus: NumberedCorpus) -> list[int]:
    return np.fromfile(corpus.path, dtype=np.int32).tolist()


def counters() -> list[str]:
    """Processes for counting that this thread started, and zombies."""
    pids = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
    return [pid for pid in pids if not commands[pid] or tokens.__file__.encode() in commands[pid]]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_BATCH_CHARACTERS", 1_000)


def zipf_texts(rng: np.random.Generator, how_many: int = 3_000) -> list[str]:
    return [" ".join(f"w{i}" for i in rng.zipf(1.3, length)) for length in rng.integers(0, 40, how_many)]


def test_numbers_are_in_order_of_first_sight(tmp_path: Path) -> None:
    giant = "x" * 1_001
    corpus = count(["b a", "", f"b {giant} c"], tmp_path)
    assert corpus.numbers == {"b": 2, "a": 3, "c": 4}
    assert numbers_of(corpus) == [2, 3, END, END, 2, DROPPED, 4, END]
    assert corpus.counts[2:].tolist() == [2, 1, 1]


def test_known_words_come_first(tmp_path: Path) -> None:
    corpus = count(["b a", "b"], tmp_path, known=["x", "a"])
    assert corpus.numbers == {"x": 2, "a": 3, "b": 4}
    assert corpus.counts[2:].tolist() == [0, 1, 2]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("max_distinct", [10**6, 500])
def test_any_number_of_processes_gives_the_same(tmp_path: Path, rng: np.random.Generator, max_distinct: int) -> None:
    texts = [*zipf_texts(rng), "Ünï cödé \ud800 \0 ok", "y" * 5_000]
    wanted = count(texts, tmp_path, max_distinct=max_distinct)
    bytes_wanted = wanted.path.read_bytes()
    for processes in (2, 3, 5):
        corpus = count(iter(texts), tmp_path, max_distinct=max_distinct, processes=processes)
        assert list(corpus.numbers.items()) == list(wanted.numbers.items())
        assert corpus.counts.tolist() == wanted.counts.tolist()
        assert corpus.path.read_bytes() == bytes_wanted
        assert counters() == []
    if max_distinct == 10**6:
        counts = Counter(word for text in texts for word in tokenize(text) if len(word) <= 1_000)
        assert {word: wanted.counts[number] for word, number in wanted.numbers.items()} == counts


def test_a_small_corpus_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_Worker", None)
    assert count(["a b"] * 100, tmp_path, processes=8).counts[2:].tolist() == [100, 100]


@pytest.mark.usefixtures("small_batches")
def test_pruning_bounds_the_words_held_and_keeps_the_counts_of_frequent_ones(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    peak = 0
    add = counting._Counter.add

    def watched(self: counting._Counter, words: list[str], sequence: bytes) -> np.ndarray:
        nonlocal peak
        before = len(self._numbers)
        block = add(self, words, sequence)
        assert len(self._numbers) <= 100 + 2
        peak = max(peak, before + len(words))
        return block

    monkeypatch.setattr(counting._Counter, "add", watched)
    # Words that never come again, between two that do.
    texts = [f"often unique{i} always unique{i}x" for i in range(5_000)]
    notes: list[str] = []
    corpus = count_words(
        texts, tmp_path / "n", max_distinct=100, processes=1, progress=lambda *args: notes.append(args[-1])
    )
    assert 100 < peak < 250
    assert corpus.counts[corpus.numbers["often"]] == corpus.counts[corpus.numbers["always"]] == 5_000
    assert notes[0].endswith(" different")
    assert "pruned up to count" in notes[-1]


@pytest.mark.usefixtures("small_batches")
def test_a_pruned_word_that_returns_has_a_new_number(tmp_path: Path) -> None:
    filler = [f"filler{i}" for i in range(400)]
    corpus = count(["here", *filler, "here " * 50], tmp_path, max_distinct=20)
    numbers = numbers_of(corpus)
    first, *_, last = [number for number in numbers if number != END]
    assert first == 2
    assert last == corpus.numbers["here"] > 2
    assert corpus.counts[last] == 50
    assert 2 not in corpus.numbers.values()
    assert max(Counter(corpus.numbers.values()).values()) == 1


@pytest.mark.usefixtures("small_batches")
def test_the_threshold_of_pruning_rises_as_far_as_it_must(tmp_path: Path) -> None:
    corpus = count(["a a a a b b b b c c c c c d " * 20] * 20, tmp_path, max_distinct=2)
    assert len(corpus.numbers) <= 2


@pytest.mark.usefixtures("small_batches")
def test_known_words_are_never_pruned(tmp_path: Path) -> None:
    known = [f"known{i}" for i in range(50)]
    corpus = count(["known7", *(f"filler{i}" for i in range(1_000))], tmp_path, known=known, max_distinct=5)
    assert list(corpus.numbers)[:50] == known
    assert corpus.counts[corpus.numbers["known7"]] == 1
    assert len(corpus.numbers) <= 55


def test_more_words_than_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_NUMBERS_MAX", 5)
    count(["a b c"], tmp_path)
    with pytest.raises(InputError, match="more than 5 different words"):
        count(["a b c d"], tmp_path)


def test_a_text_longer_than_a_batch_is_cut_between_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_BATCH_CHARACTERS", 20)
    words = [f"word{i}" for i in range(100)]
    corpus = count([" ".join(words) + " " + "x" * 50], tmp_path)
    by_number = {number: word for word, number in corpus.numbers.items()}
    numbers = numbers_of(corpus)
    assert [by_number[number] for number in numbers if number != END] == [*words, "x" * 50]
    assert 20 < numbers.count(END) < 60


@pytest.mark.parametrize(
    ("texts", "message"),
    [([b"bytes"], "text 1 is bytes, not str"), (["a", None], "text 2 is NoneType"), ([3], "text 1 is int")],
)
def test_texts_that_are_no_str(tmp_path: Path, texts: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        count(texts, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"), [({"max_distinct": 1}, "max_distinct is 1"), ({"processes": 0}, "processes is 0")]
)
def test_settings_out_of_range(tmp_path: Path, settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        count(["a b"], tmp_path, **settings)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("error", [KeyboardInterrupt, PermissionError("the user's file")])
def test_an_exception_of_the_texts_ends_the_processes(tmp_path: Path, error: BaseException) -> None:
    started: list[int] = []

    def texts() -> Iterator[str]:
        yield from ["a b " * 100] * 200
        started.append(len(counters()))
        raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else KeyboardInterrupt):
        count(texts(), tmp_path, processes=2)
    assert started == [2]
    assert counters() == []


@pytest.mark.usefixtures("small_batches")
def test_an_exception_of_the_progress_ends_the_processes(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        if counters():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_words(["a b " * 100] * 200, tmp_path / "n", max_distinct=10, processes=2, progress=interrupt)
    assert counters() == []


@pytest.mark.usefixtures("small_batches")
def test_a_killed_process_is_a_clear_error(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        yield from ["a b " * 100] * 200
        for child in counters():
            os.kill(int(child), signal.SIGKILL)
        yield from ["a b " * 100] * 200

    with pytest.raises(IndexerError, match=r"was killed by signal 9: .*give --threads 1") as caught:
        count(texts(), tmp_path, processes=2)
    assert "\n" not in str(caught.value)
    assert counters() == []


@pytest.mark.usefixtures("small_batches")
def test_no_process_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with pytest.raises(SettingError, match="give --threads 1"):
        count(["a b " * 100] * 200, tmp_path, processes=2)


SCRIPT = """
import sys
from pathlib import Path
from vecinity.indexer.word2vec.encoded import encode
print("started", flush=True)
def texts():
    for i in range(int(sys.argv[2])):
        yield f"some words of text {i % 1000} " * 1000
_, corpus = encode(texts(), Path(sys.argv[1]), min_count=1, processes=2)
print(corpus.word_count)
"""


@pytest.mark.parametrize("how", ["script", "-c", "stdin"])
def test_a_caller_without_a_main_guard_runs_once(tmp_path: Path, how: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    arguments = {"script": [str(script)], "-c": ["-c", SCRIPT], "stdin": ["-"]}[how]
    ended = subprocess.run(
        [sys.executable, *arguments, str(tmp_path), "300"], capture_output=True, text=True, check=True, input=SCRIPT
    )
    assert ended.stdout.split() == ["started", str(300 * 5_000)]
    assert ended.stderr == ""


def test_ctrl_c_on_the_terminal(tmp_path: Path) -> None:
    """The signal reaches the whole process group, as from a terminal."""
    running = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), "100000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    wait_until(lambda: len(children(running.pid)) >= 2, 30)
    workers = children(running.pid)
    assert len(workers) == 2
    interrupted = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert time.monotonic() - interrupted < 5
    assert errors.count("Traceback") == 1
    assert running.returncode == -signal.SIGINT
    # One that was being started is not known to anyone yet, and ends by itself at the end of its input.
    wait_until(lambda: not any(runs(worker) for worker in workers), 5)
    assert list(tmp_path.iterdir()) == []
