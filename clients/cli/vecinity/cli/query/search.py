"""``vecinity search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.exit_codes import CommandError

if TYPE_CHECKING:
    from vecinity.client import Client, SearchResult

from vecinity.cli.query.options import (
    AsJson,
    Attributes,
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
    show,
)
from vecinity.cli.query.plan import Explain


def search(
    collection: CollectionName,
    item_or_text: Annotated[
        str | None, typer.Argument(metavar="[ITEM]", help="An item, or a text if no item has this id.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Look for a text, through the collection's embedder.")] = None,
    id: Annotated[str | None, typer.Option(help="Look for what is close to an item.")] = None,
    vector: Annotated[
        Path | None, typer.Option(help="Look for a vector: a .npy file with one of them, or one in each row.")
    ] = None,
    k: K = 10,
    target_recall: TargetRecall = None,
    exact: Exact = False,
    nprobe: Annotated[int | None, typer.Option(help="IVF: lists to visit.", min=1)] = None,
    ef_search: Annotated[int | None, typer.Option(help="HNSW, NSG: candidates to keep.", min=1)] = None,
    k_factor: Annotated[int | None, typer.Option(help="Indexes of codes: candidates re-ranked, × k.", min=1)] = None,
    unknown_words: UnknownWordsOption = None,
    positive: Annotated[
        list[str] | None, typer.Option(help="Look for what is like several items: name each. Left out of the hits.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option(help="With --positive: items that it should not be like.")
    ] = None,
    filter: Filter = None,
    min_score: Annotated[
        float | None, typer.Option(help="Only items that score at least this; -k is how many at most.")
    ] = None,
    page_token: Annotated[str, typer.Option(help="With --min-score: go on where an earlier answer ended.")] = "",
    group_by: Annotated[str | None, typer.Option(help="At most so many hits of each value of this attribute.")] = None,
    hits_per_group: Annotated[int | None, typer.Option(help="With --group-by: how many.  [default: 1]", min=1)] = None,
    diversity: Annotated[
        float | None, typer.Option(help="How much hits should differ from each other, 0 to 1.", min=0, max=1)
    ] = None,
    candidates: Annotated[
        int | None, typer.Option(help="With --diversity: closest items to choose from.  [default: 10 × k]", min=1)
    ] = None,
    farthest: Annotated[bool, typer.Option("--farthest", help="The items that score lowest, lowest first.")] = False,
    attributes: Attributes = False,
    explain: Explain = False,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """The items closest to a text, an item or a vector."""
    check_effort(target_recall, exact, nprobe, ef_search, k_factor)
    examples = positive or negative or None
    if sum(value is not None for value in (item_or_text, text, id, vector, examples)) != 1:
        raise CommandError(
            "give an item or a text, or exactly one of --text, --id and --vector, or examples by --positive"
        )
    vectors = None if vector is None else _vectors(vector)
    if page_token and vectors is not None and len(vectors) > 1:
        raise CommandError(f"--page-token goes with one query, and {vector} holds {len(vectors)} vectors")
    from vecinity.client import Effort

    effort = Effort(nprobe or 0, ef_search or 0, k_factor or 0)
    options: dict[str, Any] = {
        "k": k,
        "target_recall": target_recall,
        "exact": exact,
        "effort": effort if any(effort) else None,
        "version": version,
        "include_texts": True,
        "include_attributes": attributes,
        "filter": filter,
        "explain": explain,
        "unknown_words": unknown_words,
        "min_score": min_score,
        "group_by": group_by,
        "diversity": diversity,
        "farthest": farthest,
        **({"page_token": page_token} if page_token else {}),
    }
    for name, value in (("hits_per_group", hits_per_group), ("candidates", candidates)):
        if value is not None:
            options[name] = value
    with open_client(target, data_dir, timeout) as client:
        if vectors is not None and len(vectors) > 1:
            results = list(client.batch_search(collection, vectors=vectors, **options))
            if min_score is not None and (full := sum(len(result) >= k for result in results)):
                typer.echo(
                    f"{full} of {len(results)} answers end at -k {k}: there may be more above the score", err=True
                )
        elif vectors is not None:
            results = [client.search(collection, vector=vectors[0], **options)]
        elif item_or_text is not None:
            results = [_item_or_text(client, collection, item_or_text, options)]
        else:
            asked: dict[str, Any] = {"text": text, "id": id, "positive": positive, "negative": negative}
            results = [client.search(collection, **asked, **options)]
    for result in results:
        show(result, as_json, filtered=filter is not None and min_score is None and group_by is None)


def _item_or_text(client: Client, collection: str, query: str, options: dict[str, Any]) -> SearchResult:
    """A search by id, or by text where no item has that id and the collection has an embedder.

    What the policy does to unknown words is done to those of the text: an id that is none is a text. The token of a
    page tells the two apart: it fits only what it came from.
    """
    from vecinity.client import FailedPreconditionError, InvalidArgumentError, NotFoundError

    try:
        return client.search(collection, id=query, **{**options, "unknown_words": None})
    except (NotFoundError, InvalidArgumentError) as error:
        if error.reason != "ERROR_REASON_ITEM_NOT_FOUND" and "page_token" not in error.violations:
            raise
        try:
            found = client.search(collection, text=query, **options)
        except FailedPreconditionError as no_embedder:
            if no_embedder.reason != "ERROR_REASON_NO_EMBEDDER":
                raise
        else:
            # One word may well be an id that was mistyped; what became of unknown words is told anyway.
            if not query.split()[1:] and not found.unknown_words:
                typer.echo(f"There is no item {query!r}: searched as a text.", err=True)
            return found
        raise


def _vectors(path: Path) -> Any:
    import numpy as np

    try:
        vectors = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise CommandError(f"there is no file {path}") from error
    except Exception as error:  # NumPy parses the header as Python: a damaged one raises almost anything
        raise CommandError(f"{path} can't be read as a .npy file of one vector, or one in each row") from error
    if vectors.ndim not in (1, 2):
        raise CommandError(f"{path} must hold a vector or a row of them, not shape {vectors.shape}")
    return np.atleast_2d(vectors)
