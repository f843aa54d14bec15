"""``vecinity similarity`` and ``vecinity odd-one-out``."""

from __future__ import annotations

from typing import Annotated

import typer

from vecinity.cli.exit_codes import CommandError
from vecinity.cli.output import print_json
from vecinity.cli.query.options import (
    AsJson,
    ByText,
    CollectionName,
    DataDir,
    Target,
    Timeout,
    UnknownWordsOption,
    Version,
    open_client,
    or_as_text,
    query_of,
    show_unknown,
)


def similarity(
    collection: CollectionName,
    left: Annotated[str, typer.Argument(help="An item.")],
    right: Annotated[str, typer.Argument(help="Another.")],
    sets: Annotated[
        bool, typer.Option("--sets", help="Take both as sets, with commas between their items: compare the means.")
    ] = False,
    relative_to_top: Annotated[
        int, typer.Option(help="Divide by the sum of the scores of LEFT's so many closest items.", min=0)
    ] = 0,
    by_text: ByText = False,
    unknown_words: UnknownWordsOption = None,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """The score of two items, texts, or sets of them, with each other."""
    if sets and relative_to_top:
        raise CommandError("--relative-to-top does not go with --sets")
    with open_client(target, data_dir, timeout) as client, or_as_text(by_text):
        if sets:
            one, other = ([query_of(term.strip(), by_text) for term in side.split(",")] for side in (left, right))
            score = client.set_similarity(collection, one, other, unknown_words=unknown_words, version=version)
        else:
            score = client.similarity(
                collection,
                query_of(left, by_text),
                query_of(right, by_text),
                relative_to_top=relative_to_top,
                unknown_words=unknown_words,
                version=version,
            )
    if as_json:
        print_json({"left": left, "right": right, "score": None if score != score else score})
    else:
        typer.echo(f"{score:.4f}")


def odd_one_out(
    collection: CollectionName,
    terms: Annotated[list[str], typer.Argument(help="Two or more items.")],
    by_text: ByText = False,
    unknown_words: UnknownWordsOption = None,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """The item that fits least among several: the farthest from the mean of all."""
    with open_client(target, data_dir, timeout) as client, or_as_text(by_text):
        odd = client.odd_one_out(
            collection, [query_of(term, by_text) for term in terms], unknown_words=unknown_words, version=version
        )
    if as_json:
        scores = [None if score != score else score for score in odd.scores.tolist()]
        print_json(
            {"odd": terms[odd.position], "scores": dict(zip(terms, scores, strict=True)), "version": odd.version}
        )
    else:
        show_unknown(odd.unknown_words)
        typer.echo(terms[odd.position])
