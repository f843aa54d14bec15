"""What a request says about which of the close items become hits, to what the engine takes."""

from __future__ import annotations

from vecinity.service.convert.filter import filter_tree
from vecinity.service.query import Diversity, Grouping, Selection
from vecinity.v1 import core_pb2


def selection(message: core_pb2.Selection) -> Selection:
    return Selection(
        filter=filter_tree(message.filter) if message.HasField("filter") else None,
        min_score=message.min_score if message.HasField("min_score") else None,
        grouping=_grouping(message.grouping) if message.HasField("grouping") else None,
        diversity=_diversity(message.diversity) if message.HasField("diversity") else None,
        farthest=message.farthest,
    )


def pages(message: core_pb2.Selection) -> bool:
    """Whether the hits of a selection can come in pages: where they are all items above a score, in order."""
    return message.HasField("min_score") and not (message.HasField("grouping") or message.HasField("diversity"))


def _grouping(message: core_pb2.Grouping) -> Grouping:
    return Grouping(message.attribute, message.hits_per_group or 1)


def _diversity(message: core_pb2.Diversity) -> Diversity:
    if not message.HasField("relevance"):
        return Diversity(candidates=message.candidates)
    return Diversity(message.relevance, message.candidates)
