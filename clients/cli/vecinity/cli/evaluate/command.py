"""``vecinity evaluate``: the command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.evaluate.report import UNTRAINED, differences, measure, notes_on, without_nan
from vecinity.cli.evaluate.tables import print_report
from vecinity.cli.extras import require_server
from vecinity.cli.output import print_json
from vecinity.cli.progress import ProgressBars
from vecinity.cli.sources import EncodingErrorPolicy

if TYPE_CHECKING:
    from vecinity.indexer.word_vectors import WordVectors


class MethodName(StrEnum):
    COS_ADD = "3cosadd"
    COS_MUL = "3cosmul"
    BOTH = "both"


def evaluate(
    model: Annotated[
        Path, typer.Argument(help="Word vectors in any format that 'vecinity convert' reads, or the folder of a model.")
    ],
    questions: Annotated[
        Path | None, typer.Option(help="Analogies: lines of four words under ': section' lines.")
    ] = None,
    pairs: Annotated[
        list[Path] | None, typer.Option(help="Lines of two words and a human score. Can be given again.")
    ] = None,
    restrict_vocab: Annotated[
        int, typer.Option(help="Ask and answer with so many of the most frequent words.", min=1)
    ] = 300_000,
    method: Annotated[MethodName, typer.Option(help="How analogies are solved.")] = MethodName.BOTH,
    epsilon: Annotated[
        float, typer.Option(help="The ε of 3cosmul: 0.001 in the paper, 1e-6 in gensim's most_similar_cosmul.")
    ] = 1e-3,
    baseline: Annotated[
        str | None,
        typer.Option(
            help=f"Show beside it another model, or '{UNTRAINED}': the random vectors that a training begins with."
        ),
    ] = None,
    encoding_errors: Annotated[
        EncodingErrorPolicy, typer.Option(help="strict stops at a word in invalid UTF-8, replace goes on.")
    ] = EncodingErrorPolicy.STRICT,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON document.")] = False,
) -> None:
    """How good word vectors are: at analogies, against human judgement, and by themselves.

    Figures are those of gensim for the same vectors: evaluate_word_analogies (3cosadd; 3cosmul as most_similar_cosmul
    with its ε) and evaluate_word_pairs, words compared in upper case. Files with a fault are refused.
    """
    require_server("'vecinity evaluate'")
    from vecinity.indexer.formats import read_word_vectors
    from vecinity.indexer.word_evaluation.files import read_pairs, read_questions

    # A wrong file shows before the vectors are read, which can take minutes.
    if questions is not None:
        read_questions(questions)
    for path in pairs or ():
        read_pairs(path)
    methods = [MethodName.COS_ADD, MethodName.COS_MUL] if method is MethodName.BOTH else [method]

    def measured(vectors: WordVectors) -> dict[str, Any]:
        return measure(vectors, questions, pairs or [], restrict_vocab, methods, epsilon, progress)

    with ProgressBars() as progress:
        vectors = read_word_vectors(model, encoding_errors=encoding_errors.value)
        report: dict[str, Any] = {
            "model": str(model),
            "questions": None if questions is None else str(questions),
            "restrict_vocab": restrict_vocab,
            "epsilon": epsilon if MethodName.COS_MUL in methods else None,
            **measured(vectors),
            "baseline": None,
            "differences": None,
        }
        if baseline is not None:
            other = _untrained(vectors) if baseline == UNTRAINED else read_word_vectors(Path(baseline))
            report["baseline"] = {"model": baseline, **measured(other)}
            report["differences"] = differences(report, report["baseline"])
    report["notes"] = notes_on(report, questions, pairs or [])
    if as_json:
        print_json(without_nan(report))
        return
    print_report(report)
    for note in report["notes"]:
        typer.echo(note, err=True)


def _untrained(vectors: WordVectors) -> WordVectors:
    from vecinity.indexer.word_evaluation import untrained_vectors
    from vecinity.indexer.word_vectors import WordVectors

    return WordVectors(vectors.words, untrained_vectors(len(vectors), vectors.dimension))
