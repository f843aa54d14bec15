"""What these commands share: options, the client, and how hits are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.exit_codes import CommandError, ExitCode
from vecinity.cli.extras import require_server
from vecinity.cli.output import print_json, print_table
from vecinity.cli.query.plan import plan_as_json, show_plan

if TYPE_CHECKING:
    from vecinity.client import AttributeValue, Client, SearchResult, UnknownWord


class UnknownWordsChoice(StrEnum):
    """What becomes of words that the collection does not know."""

    ERROR = "error"
    SKIP = "skip"
    SUBWORD = "subword"
    NEAREST_SPELLING = "nearest-spelling"


DEFAULT_PORT = 50051
DEFAULT_TARGET = f"127.0.0.1:{DEFAULT_PORT}"

CollectionName = Annotated[str, typer.Argument(help="Name of the collection.")]
K = Annotated[int, typer.Option("-k", help="How many hits.", min=1)]
Target = Annotated[str | None, typer.Option(help=f"Server to ask.  [default: {DEFAULT_TARGET}]")]
DataDir = Annotated[Path | None, typer.Option(help="Ask a data directory instead, without a server.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the answer.", min=0)]
TargetRecall = Annotated[float | None, typer.Option(help="Share of the true nearest items to find.")]
Exact = Annotated[bool, typer.Option("--exact", help="Compare with every item.")]
Version = Annotated[int | None, typer.Option(help="Ask this version.  [default: the current one]", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as one JSON document.")]
Filter = Annotated[
    str | None, typer.Option(help="""Only items that meet it, as in 'year >= 2000 and tags contains "new"'.""")
]
Attributes = Annotated[bool, typer.Option("--attributes", help="Show the attributes of the items.")]
UnknownWordsOption = Annotated[
    UnknownWordsChoice | None, typer.Option(help="What becomes of words that the collection does not know.")
]
ByText = Annotated[bool, typer.Option("--as-text", help="Take the terms as texts, not as ids of items.")]


def open_client(target: str | None, data_dir: Path | None, timeout: float) -> Client:
    from vecinity.client import Client

    if target is not None and data_dir is not None:
        raise CommandError("give --target or --data-dir, not both")
    if data_dir is not None:
        require_server("--data-dir")
        return Client.in_process(data_dir, timeout=timeout)
    target = target or DEFAULT_TARGET
    return Client(target if ":" in target else f"{target}:{DEFAULT_PORT}", timeout=timeout)


def check_effort(target_recall: float | None, exact: bool, *effort: int | None) -> None:
    """
    Raises:
        CommandError: More than one of them says how much a search may cost.
    """
    if (target_recall is not None) + exact + any(effort) > 1:
        others = ", --exact and --nprobe, --ef-search, --k-factor" if effort else " and --exact"
        raise CommandError(f"--target-recall{others} don't go together: give one")


def query_of(term: str, by_text: bool) -> str:
    from vecinity.client import Text

    return Text(term) if by_text else term


@contextmanager
def or_as_text(by_text: bool) -> Iterator[None]:
    """Where terms are ids, and one is none: it may have been meant as a text.

    Raises:
        CommandError: As the `NotFoundError` within, and how a text is asked.
    """
    from vecinity.client import NotFoundError

    try:
        yield
    except NotFoundError as error:
        if by_text or error.reason != "ERROR_REASON_ITEM_NOT_FOUND":
            raise
        raise CommandError(with_hint(error.message, "a text? add --as-text"), ExitCode.NOT_FOUND) from error


def with_hint(message: str, hint: str) -> str:
    return f"{message}{'' if message.endswith('?') else ';'} {hint}"


def show(result: SearchResult, as_json: bool, *, filtered: bool = False) -> None:
    """
    Args:
        filtered: Whether a filter, and nothing else, chose among the items.
    """
    has_texts = result.texts is not None and any(result.texts)
    if as_json:
        hits = [
            {
                "id": hit.id,
                "score": round(hit.score, 6),
                **({"text": hit.text} if has_texts else {}),
                **({} if hit.attributes is None else {"attributes": plain(hit.attributes)}),
            }
            for hit in result
        ]
        print_json(
            {
                "hits": hits,
                "version": result.version,
                "predicted_recall": None if result.predicted_recall is None else round(result.predicted_recall, 4),
                "few_items": result.few_items,
                **({} if result.plan is None else {"plan": plan_as_json(result.plan)}),
                **({"unknown_words": met} if (met := [word._asdict() for word in result.unknown_words]) else {}),
                "few_matches": result.few_matches,
                **({"next_page_token": result.next_page_token} if result.next_page_token else {}),
            }
        )
        return
    show_unknown(result.unknown_words)
    names = sorted({name for values in result.attributes or () for name in values})
    columns = ("id", *(("text",) if has_texts else ()), *names, "score")
    print_table(
        columns,
        [
            (
                hit.id,
                *((hit.text or "",) if has_texts else ()),
                *(_shown(plain(hit.attributes or {}).get(name)) for name in names),
                f"{hit.score:.4f}",
            )
            for hit in result
        ],
        numeric=1,
    )
    if result.few_items:
        typer.echo("The collection holds no more items.", err=True)
    if result.next_page_token:
        typer.echo(f"There are more: ask the same with --page-token {result.next_page_token}", err=True)
    if result.few_matches:
        wish = "the filter" if filtered else f"what was asked of {'them' if result.ids else 'it'}"
        typer.echo(f"{'No more items meet' if result.ids else 'No item meets'} {wish}.", err=True)
    if result.plan is not None:
        show_plan(result.plan)


def show_unknown(words: Sequence[UnknownWord]) -> None:
    """What was done to unknown words, for people."""
    done = {"skip": "left out", "subword": "made of its subwords"}
    for met in words:
        how = done.get(met.action or "", "treated in a way that only a newer client knows")
        action = f"taken for {met.replacement}" if met.replacement else how
        typer.echo(f"{met.word} is not known: {action}.", err=True)


def plain(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    """Attributes as JSON can hold them."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in sorted(attributes.items())
    }


def _shown(value: Any) -> str:
    """A value in a table; nothing for what the item lacks."""
    if isinstance(value, list):
        return "; ".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
