"""``vecinity search``, ``analogy``, ``similarity`` and ``collections``: questions to a server or a data directory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.exit_codes import CommandError
from vecinity.cli.output import print_json, print_table

if TYPE_CHECKING:
    from vecinity.client import CalibrationPoint, Client, Query, SearchResult, Term

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
ByText = Annotated[bool, typer.Option("--as-text", help="Take the terms as texts, not as ids of items.")]


def search(
    collection: CollectionName,
    text: Annotated[str | None, typer.Option(help="Look for a text, through the collection's embedder.")] = None,
    id: Annotated[str | None, typer.Option(help="Look for what is close to an item.")] = None,
    vector: Annotated[
        Path | None, typer.Option(help="Look for a vector: a .npy file with one of them, or one in each row.")
    ] = None,
    k: K = 10,
    target_recall: TargetRecall = None,
    exact: Exact = False,
    nprobe: Annotated[int | None, typer.Option(help="IVF: lists to visit.", min=1)] = None,
    ef_search: Annotated[int | None, typer.Option(help="HNSW: candidates to keep.", min=1)] = None,
    k_factor: Annotated[int | None, typer.Option(help="IVF-PQ: candidates re-ranked, × k.", min=1)] = None,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """The items closest to a text, an item or a vector."""
    if sum(value is not None for value in (text, id, vector)) != 1:
        raise CommandError("give exactly one of --text, --id and --vector")
    from vecinity.client import Effort

    effort = Effort(nprobe or 0, ef_search or 0, k_factor or 0)
    options: dict[str, Any] = {
        "k": k,
        "target_recall": target_recall,
        "exact": exact,
        "effort": effort if any(effort) else None,
        "version": version,
        "include_texts": True,
    }
    with _client(target, data_dir, timeout) as client:
        if vector is not None:
            results = list(client.batch_search(collection, vectors=_vectors(vector), **options))
        else:
            results = [client.search(collection, text=text, id=id, **options)]
    for result in results:
        _show(result, as_json)


def analogy(
    collection: CollectionName,
    terms: Annotated[list[str], typer.Argument(help="Such as: king - man + woman")],
    by_text: ByText = False,
    k: K = 10,
    target_recall: TargetRecall = None,
    exact: Exact = False,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """The items closest to a sum, as in king - man + woman."""
    positive, negative = _signed(terms, by_text)
    with _client(target, data_dir, timeout) as client:
        result = client.solve_analogy(
            collection,
            positive,
            negative,
            k=k,
            target_recall=target_recall,
            exact=exact,
            version=version,
            include_texts=True,
        )
    _show(result, as_json)


def similarity(
    collection: CollectionName,
    left: Annotated[str, typer.Argument(help="An item.")],
    right: Annotated[str, typer.Argument(help="Another.")],
    by_text: ByText = False,
    version: Version = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """The score of two items, or texts, with each other."""
    with _client(target, data_dir, timeout) as client:
        score = client.similarity(collection, _query(left, by_text), _query(right, by_text), version=version)
    if as_json:
        print_json({"left": left, "right": right, "score": score})
    else:
        typer.echo(f"{score:.4f}")


def collections(
    name: Annotated[str | None, typer.Argument(help="Only this one, with what its calibration measured.")] = None,
    target: Target = None,
    data_dir: DataDir = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """What collections there are."""
    from dataclasses import asdict

    with _client(target, data_dir, timeout) as client:
        found = list(client.list_collections()) if name is None else [client.get_collection(name)]
    if as_json:
        values = [{**asdict(c), "publish_time": c.publish_time.isoformat()} for c in found]
        print_json(values if name is None else values[0])
        return
    print_table(
        ("name", "metric", "embedder", "index", "version", "items", "dimension"),
        [
            (
                c.name,
                c.metric.value,
                c.embedder.kind if c.embedder else "none",
                c.index.description,
                str(c.version),
                f"{c.item_count:,}",
                str(c.dimension),
            )
            for c in found
        ],
        numeric=3,
    )
    if name is not None and found[0].index.calibration:
        print_table(
            ("k", "nprobe", "ef_search", "k_factor", "recall", "at least", "µs a query"),
            [
                (
                    str(p.k),
                    *(str(number or "-") for number in p.effort),
                    f"{p.recall:.4f}",
                    f"{p.recall_lower_bound:.4f}",
                    f"{p.query_us:.0f}",
                )
                for p in _worth_it(found[0].index.calibration)
            ],
            title="recall against cost, as the build measured it",
            numeric=7,
        )


def _client(target: str | None, data_dir: Path | None, timeout: float) -> Client:
    from vecinity.client import Client

    if target is not None and data_dir is not None:
        raise CommandError("give --target or --data-dir, not both")
    if data_dir is not None:
        return Client.in_process(data_dir, timeout=timeout)
    target = target or DEFAULT_TARGET
    return Client(target if ":" in target else f"{target}:{DEFAULT_PORT}", timeout=timeout)


def _worth_it(points: Sequence[CalibrationPoint]) -> list[CalibrationPoint]:
    """By k and cost, those points that find more than every cheaper one."""
    kept: list[CalibrationPoint] = []
    for point in sorted(points, key=lambda p: (p.k, p.query_us)):
        if not kept or kept[-1].k != point.k or point.recall > kept[-1].recall:
            kept.append(point)
    return kept


def _query(term: str, by_text: bool) -> str:
    from vecinity.client import Text

    return Text(term) if by_text else term


def _signed(terms: Sequence[str], by_text: bool) -> tuple[list[Query | Term], list[Query | Term]]:
    """``king - man + woman`` to the terms added and the terms subtracted."""
    positive: list[Query | Term] = []
    negative: list[Query | Term] = []
    sign: list[Query | Term] | None = positive
    if len(terms) == 1:  # quoted as a whole
        terms = re.split(r"\s+([+-])\s+", terms[0])
    for term in terms:
        if term in ("+", "-"):
            sign = positive if term == "+" else negative
        elif sign is None:
            raise CommandError(f"there is no sign before {term!r}: write them as in king - man + woman")
        else:
            sign.append(_query(term, by_text))
            sign = None
    if sign is not None:
        raise CommandError("a term is missing at the end: write them as in king - man + woman")
    return positive, negative


def _vectors(path: Path) -> Any:
    import numpy as np

    try:
        vectors = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy parses the header as Python: a damaged one raises almost anything
        raise CommandError(f"{path} can't be read as a .npy file of one vector, or one in each row") from error
    if vectors.ndim not in (1, 2):
        raise CommandError(f"{path} must hold a vector or a row of them, not shape {vectors.shape}")
    return np.atleast_2d(vectors)


def _show(result: SearchResult, as_json: bool) -> None:
    has_texts = result.texts is not None and any(result.texts)
    if as_json:
        hits = [
            {"id": hit.id, "score": round(hit.score, 6), **({"text": hit.text} if has_texts else {})} for hit in result
        ]
        print_json(
            {
                "hits": hits,
                "version": result.version,
                "predicted_recall": None if result.predicted_recall is None else round(result.predicted_recall, 4),
                "few_items": result.few_items,
            }
        )
        return
    columns = ("id", "text", "score") if has_texts else ("id", "score")
    print_table(
        columns,
        [(hit.id, *((hit.text or "",) if has_texts else ()), f"{hit.score:.4f}") for hit in result],
        numeric=1,
    )
    if result.few_items:
        typer.echo("The collection holds no more items.", err=True)
