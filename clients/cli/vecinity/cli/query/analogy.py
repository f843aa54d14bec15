"""``vecinity analogy``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.exit_codes import CommandError, ExitCode
from vecinity.cli.output import print_json, print_table
from vecinity.cli.query.options import (
    AsJson,
    Attributes,
    ByText,
    CollectionName,
    DataDir,
    Exact,
    Filter,
    K,
    Target,
    TargetRecall,
    Timeout,
    UnknownWordsOption,
    Version,
    check_effort,
    open_client,
    or_as_text,
    show,
    with_hint,
)
from vecinity.cli.query.plan import Explain
from vecinity.cli.query.terms import Question, pairs, read_questions, signed

if TYPE_CHECKING:
    from vecinity.client import BatchSearchResult, Client

_BATCH = 1_000


class Method(StrEnum):
    """How an analogy is solved."""

    THREE_COS_ADD = "3cosadd"
    THREE_COS_MUL = "3cosmul"
    PAIR_DIRECTION = "pair-direction"
    THREE_COS_AVG = "3cosavg"


def analogy(
    collection: CollectionName,
    terms: Annotated[
        list[str] | None,
        typer.Argument(help="Such as: king - man + woman, or quoted as a whole: 'king -man +woman'"),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Solve every analogy in a file: a line each, with signs or as in questions-words.txt, "
            "whose capitals a word2vec of ours knows --as-text only."
        ),
    ] = None,
    method: Annotated[Method, typer.Option(help="How to solve it; --example goes with 3cosavg.")] = (
        Method.THREE_COS_ADD
    ),
    example: Annotated[list[str] | None, typer.Option(help="A pair that stands in the relation: man:woman.")] = None,
    include_inputs: Annotated[bool, typer.Option("--include-inputs", help="The terms may be hits.")] = False,
    by_text: ByText = False,
    k: K = 10,
    target_recall: TargetRecall = None,
    exact: Exact = False,
    unknown_words: UnknownWordsOption = None,
    filter: Filter = None,
    attributes: Attributes = False,
    explain: Explain = False,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """The items that solve an analogy, as in king - man + woman."""
    check_effort(target_recall, exact)
    if bool(terms) == (file is not None):
        raise CommandError("give terms, as in king - man + woman, or --file")
    options: dict[str, Any] = {
        "method": method.value,
        "examples": pairs(example or (), by_text),
        "include_inputs": include_inputs,
        "k": k,
        "target_recall": target_recall,
        "exact": exact,
        "unknown_words": unknown_words,
        "version": version,
        "include_attributes": attributes,
        "filter": filter,
        "explain": explain,
    }
    if file is None:
        positive, negative = signed(terms or (), by_text)
        with open_client(target, data_dir, timeout) as client, or_as_text(by_text):
            result = client.solve_analogy(collection, positive, negative, include_texts=True, **options)
        show(result, as_json, filtered=filter is not None)
        return
    questions = list(read_questions(file, by_text))
    rows: list[tuple[str, ...]] = []
    with open_client(target, data_dir, timeout) as client:
        for begin in range(0, len(questions), _BATCH):
            batch = questions[begin : begin + _BATCH]
            found = _solve(client, collection, file, batch, by_text, options)
            for (_, written, _), hits in zip(batch, found, strict=True):
                if as_json:
                    listed = [{"id": hit.id, "score": round(hit.score, 6)} for hit in hits]
                    print_json({"analogy": written, "hits": listed, "version": hits.version})
                else:
                    rows += [(written, hit.id, f"{hit.score:.4f}") for hit in hits] or [(written, "", "")]
    if not as_json:
        print_table(("analogy", "id", "score"), rows, numeric=1)


def _solve(
    client: Client,
    collection: str,
    file: Path,
    questions: Sequence[Question],
    by_text: bool,
    options: dict[str, Any],
) -> BatchSearchResult:
    """
    Raises:
        CommandError: A word is not known: where it stands, and how to go on nevertheless.
    """
    from vecinity.client import NotFoundError

    try:
        return client.batch_solve_analogies(collection, [question.sides for question in questions], **options)
    except NotFoundError as error:
        if error.reason not in ("ERROR_REASON_ITEM_NOT_FOUND", "ERROR_REASON_UNKNOWN_WORD"):
            raise
        name = error.metadata.get("name", "")
        line = next((f":{question.line}" for question in questions if question.has(name)), "")
        ways = "--unknown-words skip leaves such words out"
        ways = ways if by_text else f"--as-text takes words as the embedder writes them, {ways}"
        raise CommandError(f"{file}{line}: {with_hint(error.message, ways)}", ExitCode.NOT_FOUND) from error
