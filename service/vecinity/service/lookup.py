"""From rows to what an answer says of them: ids, and texts, vectors and attributes where they are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.attributes import Value
from vecinity.indexer.metric import Vectors
from vecinity.indexer.stored_vectors import as_float32
from vecinity.service.answer import Answer, Explanation
from vecinity.service.call import Call
from vecinity.service.choosing import Hits
from vecinity.service.planner import Plan
from vecinity.service.query import Position, Search
from vecinity.service.store import OpenVersion


@dataclass(frozen=True, slots=True)
class FoundPart:
    """The hits of one chunk of queries, laid out as in `Answer`; texts are empty if not asked for."""

    counts: list[int]
    ids: list[str]
    scores: NDArray[np.float32]
    texts: list[str]
    text_chars: int
    vectors: Vectors | None
    attributes: list[dict[str, Value]]
    following: Position | None


def joined(
    parts: Sequence[FoundPart],
    call: Call,
    version: OpenVersion,
    search: Search,
    chosen: Plan,
    *,
    selected: bool = False,
) -> Answer:
    """What the parts are together."""
    return Answer(
        counts=[count for part in parts for count in part.counts],
        ids=[item_id for part in parts for item_id in part.ids],
        scores=np.concatenate([part.scores for part in parts]),
        texts=[text for part in parts for text in part.texts] if search.include_texts else None,
        vectors=np.concatenate([v for part in parts if (v := part.vectors) is not None])
        if search.include_vectors
        else None,
        version=version.record.number,
        predicted_recall=chosen.predicted_recall,
        attributes=[item for part in parts for item in part.attributes] if search.include_attributes else None,
        selected=selected,
        following=parts[-1].following,
        explanation=_explained(call, version, chosen),
    )


def _explained(call: Call, version: OpenVersion, chosen: Plan) -> Explanation | None:
    """How an answer was found, for a call that asks."""
    if call.times is None:
        return None
    manifest = version.segment.manifest
    return Explanation(chosen, manifest.spec.description, manifest.rows, call.times)


def looked_up(hits: Hits, version: OpenVersion, search: Search, ids: list[str] | None = None) -> FoundPart:
    """What an answer says of hits; `ids` are theirs, if they are known."""
    segment = version.segment
    ids = segment.ids(hits.rows) if ids is None else ids
    texts = segment.texts(hits.rows) if search.include_texts else []
    attributes = segment.attributes(hits.rows) if search.include_attributes else []
    return FoundPart(
        counts=hits.counts,
        ids=ids,
        scores=hits.scores,
        texts=texts,
        text_chars=sum(map(len, texts)) + sum(map(len, ids)) + sum(map(_size, attributes)),
        vectors=as_float32(segment.vectors[hits.rows]) if search.include_vectors else None,
        attributes=attributes,
        following=hits.following,
    )


def _size(attributes: Mapping[str, Value]) -> int:
    """About what the attributes of an item take in an answer."""
    return sum(
        len(name) + (len(value) if isinstance(value, str) else sum(map(len, value)) if isinstance(value, tuple) else 8)
        for name, value in attributes.items()
    )
