"""``vecinity demo``: the whole road once, from text to answers over gRPC."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from vecinity.cli.exit_codes import CommandError, ExitCode
from vecinity.cli.extras import require_server
from vecinity.cli.output import print_json, print_table
from vecinity.cli.progress import ProgressBars

if TYPE_CHECKING:
    from vecinity.client import BatchSearchResult, Client

WORDS, SENTENCES = "words", "sentences"
_MARKER = ".demo"
_HELD_OUT = 200
_K = 10
_READY_SECONDS = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the demo's table."""

    what: str
    answer: str
    seconds: float


class Steps(list[Step]):
    """The table as it grows. Where there are no bars, each line of it is shown as soon as its step has ended."""

    def append(self, step: Step) -> None:
        super().append(step)
        if not sys.stderr.isatty():
            typer.echo(f"{step.what}: {step.answer}{' in ' if step.answer else ''}{_time(step.seconds)}", err=True)


def demo(
    data_dir: Annotated[
        Path, typer.Option(help="Where to keep the collections; an earlier demo there is replaced.")
    ] = Path("demo-data"),
    lines: Annotated[int, typer.Option(help="Lines of the corpus.", min=10_000)] = 300_000,
    seed: Annotated[int, typer.Option(help="Of the corpus and of the training.")] = 1,
    write_corpus: Annotated[
        Path | None, typer.Option(help="Only write the corpus, to this .txt or .txt.gz file, and end.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Write a corpus, train and embed, build and publish, serve, and ask over gRPC."""
    from vecinity.cli.demo import corpus

    if write_corpus is not None:
        corpus.write_corpus(write_corpus, lines=lines, seed=seed)
        typer.echo(f"wrote {lines:,} lines to {write_corpus}")
        return
    require_server("'vecinity demo'")
    began = time.perf_counter()
    _clear(data_dir)
    steps = Steps()
    with tempfile.TemporaryDirectory() as folder:
        held_out = _build(Path(folder), data_dir, lines, seed, steps)
    with _server(data_dir, steps) as target:
        _ask(target, held_out, steps)
    steps.append(Step("everything", "", time.perf_counter() - began))
    if as_json:
        print_json([{"what": s.what, "answer": s.answer, "seconds": round(s.seconds, 6)} for s in steps])
        return
    print_table(("what", "answer", "time"), [(s.what, s.answer, _time(s.seconds)) for s in steps], numeric=1)
    typer.echo(f"The collections stay in {data_dir}. Ask them yourself:")
    program = "vecinity" if shutil.which("vecinity") else sys.argv[0]
    typer.echo(f"  {program} analogy {WORDS} paris - france + japan --data-dir {data_dir}")
    typer.echo(f"  {program} serve --data-dir {data_dir}")


def _clear(data_dir: Path) -> None:
    """Remove an earlier demo, and never anything else."""
    marker = data_dir / _MARKER
    if data_dir.exists() and any(data_dir.iterdir()):
        if not marker.exists():
            raise CommandError(
                f"{data_dir} holds something else than an earlier demo: choose another --data-dir", ExitCode.ERROR
            )
        shutil.rmtree(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _build(folder: Path, data_dir: Path, lines: int, seed: int, steps: list[Step]) -> list[str]:
    """Build and publish both collections; returns the sentences held out, which serve as queries."""
    from vecinity.cli.demo import corpus
    from vecinity.indexer.ann import Family
    from vecinity.indexer.build import Build
    from vecinity.indexer.catalog import EmbedderRecord
    from vecinity.indexer.dataset import Source
    from vecinity.indexer.embedding.minilm import MiniLmEmbedder
    from vecinity.indexer.indexing import IndexSettings
    from vecinity.indexer.word2vec import Word2VecSettings

    text = folder / "corpus.txt.gz"
    _timed(
        steps, "write a corpus", lambda: corpus.write_corpus(text, lines=lines, seed=seed), lambda _: f"{lines:,} lines"
    )
    with ProgressBars() as progress, Build(data_dir, WORDS, progress=progress) as build:
        settings = Word2VecSettings(seed=seed)
        _timed(
            steps,
            "train word2vec and publish",
            lambda: build.from_word2vec(Source(text), settings),
            lambda report: (
                f"{WORDS} version {report.version.number}: {report.version.item_count:,} words, "
                f"{report.spec.description}"
            ),
        )
    every = corpus.sentences()
    step = len(every) // _HELD_OUT
    held_out = every[::step][:_HELD_OUT]
    kept = sorted(set(every) - set(held_out))
    path = folder / "sentences.txt"
    path.write_text("".join(sentence + "\n" for sentence in kept), encoding="utf-8")
    with ProgressBars() as progress:
        progress("load MiniLM", 0, 1, "models")
        minilm = _timed(steps, "load MiniLM", MiniLmEmbedder, lambda model: model.dtype)
        with Build(data_dir, SENTENCES, IndexSettings(family=Family.HNSW), progress) as build:
            _timed(
                steps,
                "embed sentences and publish",
                lambda: build.from_texts(Source(path), minilm, EmbedderRecord(minilm.kind, minilm.fingerprint)),
                lambda report: (
                    f"{SENTENCES} version {report.version.number}: {report.version.item_count:,} sentences, "
                    f"{report.spec.description}"
                ),
            )
    return held_out


@contextmanager
def _server(data_dir: Path, steps: list[Step]) -> Iterator[str]:
    """A real server in a process of its own, on a free port; stopped as an operator would."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "vecinity.cli", "serve", "--data-dir", str(data_dir)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                log.seek(0)
                raise CommandError(f"the server did not start: {log.read()[-2_000:]}", ExitCode.ERROR)
            target = line.removeprefix("listening on ").strip()
            steps.append(Step("start the server", target, time.perf_counter() - began))
            yield target
        finally:
            began = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(_READY_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            process.stdout.close()
        steps.append(Step("stop the server", f"exit code {code}", time.perf_counter() - began))


def _ask(target: str, held_out: Sequence[str], steps: list[Step]) -> None:
    from vecinity.client import Client, Text

    with Client(target, timeout=_READY_SECONDS) as client:
        # The first text of a server waits until MiniLM is loaded; that is not the time of a search.
        _timed(
            steps,
            "wait for MiniLM",
            lambda: client.embed(SENTENCES, ["ready"]),
            lambda e: f"{e.vectors.shape[1]} numbers",
        )
        _timed(
            steps,
            "neighbours of king",
            lambda: client.search(WORDS, id="king", k=5),
            lambda result: ", ".join(f"{hit.id} {hit.score:.2f}" for hit in result),
        )
        for positive, negative in ((["king", "woman"], "man"), (["paris", "germany"], "france")):
            _timed(
                steps,
                f"{positive[0]} - {negative} + {positive[1]}",
                partial(client.solve_analogy, WORDS, positive, [negative], k=3),
                lambda result: ", ".join(f"{hit.id} {hit.score:.2f}" for hit in result),
            )
        _timed(
            steps,
            "similarity of king and queen",
            lambda: client.similarity(WORDS, "king", "queen"),
            lambda score: f"{score:.3f}",
        )
        for question in ("Where do people pay with yen?", "What is a baby dog called?"):
            _timed(
                steps,
                f"search: {question}",
                partial(client.search, SENTENCES, text=question, k=1, include_texts=True),
                lambda result: f"{result[0].text} {result[0].score:.2f}",
            )
        _timed(
            steps,
            "similarity of two sentences",
            lambda: client.similarity(
                SENTENCES, Text("A kitten is a young cat."), Text("Young cats are called kittens.")
            ),
            lambda score: f"{score:.3f}",
        )
        _show_recall(client, held_out, steps)


def _show_recall(client: Client, held_out: Sequence[str], steps: list[Step]) -> None:
    """Compare what the server answers by default with what it answers exactly."""
    import numpy as np

    from vecinity.indexer.evaluation import recall_at_k_with_ties

    def recall(found: BatchSearchResult) -> float:
        scores, true_scores = (np.stack([hits.scores for hits in batch]) for batch in (found, exact))
        return recall_at_k_with_ties(scores, true_scores)

    queries = client.embed(SENTENCES, held_out).vectors
    exact = client.batch_search(SENTENCES, vectors=queries, k=_K, exact=True)
    _timed(
        steps,
        f"{len(held_out)} held-out sentences, k {_K}",
        lambda: client.batch_search(SENTENCES, vectors=queries, k=_K),
        lambda found: f"recall@{_K} measured {recall(found):.3f}, predicted {found.predicted_recall:.3f}",
    )


def _timed(steps: list[Step], what: str, work: Callable[[], T], answer: Callable[[T], str]) -> T:
    began = time.perf_counter()
    result = work()
    steps.append(Step(what, answer(result), time.perf_counter() - began))
    return result


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"
