"""Items with attributes of every type, and what filters mean in plain Python: the real one is compared with it."""

from __future__ import annotations

import json
import math
import operator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from vecinity.v1 import core_pb2

SCHEMA = "year:int64,price:double,lang:string,sold:bool,when:timestamp,tags:string-list"
LANGUAGES = ("de", "en", "fr", "naïve", "")
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
OPERATORS = {
    core_pb2.Filter.OPERATOR_EQUAL: operator.eq,
    core_pb2.Filter.OPERATOR_NOT_EQUAL: operator.ne,
    core_pb2.Filter.OPERATOR_LESS: operator.lt,
    core_pb2.Filter.OPERATOR_LESS_OR_EQUAL: operator.le,
    core_pb2.Filter.OPERATOR_GREATER: operator.gt,
    core_pb2.Filter.OPERATOR_GREATER_OR_EQUAL: operator.ge,
}


def items(count: int, seed: int = 5) -> list[dict[str, Any]]:
    """Attributes of items, about a seventh of them lacking each."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        item = {
            "year": int(rng.integers(1990, 2025)),
            "price": float(rng.choice([0.0, -0.0, 0.5, 2.0**53, math.nan, math.inf, *rng.normal(size=3)])),
            "lang": str(rng.choice(LANGUAGES)),
            "sold": bool(rng.integers(2)),
            "when": EPOCH + timedelta(microseconds=int(rng.integers(10**15))),
            "tags": [str(tag) for tag in rng.choice(["new", "draft", "x y"], rng.integers(4), replace=True)],
        }
        made.append({name: value for name, value in item.items() if rng.random() > 1 / 7})
    return made


def write_json_lines(path: Path, made: list[dict[str, Any]]) -> Path:
    lines = [json.dumps({n: v.isoformat() if isinstance(v, datetime) else v for n, v in item.items()}) for item in made]
    path.write_text("".join(line + "\n" for line in lines))
    return path


def value_of(message: core_pb2.AttributeValue) -> Any:
    if message.WhichOneof("value") == "timestamp_value":
        return message.timestamp_value.ToDatetime(tzinfo=UTC)
    return getattr(message, message.WhichOneof("value"))


def meets(item: dict[str, Any], tree: core_pb2.Filter) -> bool:
    """Whether an item meets a filter, as the contract's comments say."""
    match tree.WhichOneof("condition"):
        case "comparison":
            found = item.get(tree.comparison.attribute)
            return found is not None and OPERATORS[tree.comparison.operator](found, value_of(tree.comparison.value))
        case "one_of":
            found = item.get(tree.one_of.attribute)
            return found is not None and any(found == value_of(value) for value in tree.one_of.values)
        case "contains":
            return tree.contains.value in item.get(tree.contains.attribute, ())
        case "exists":
            return tree.exists in item
        case "all_of":
            return all(meets(item, inner) for inner in tree.all_of.filters)
        case "any_of":
            return any(meets(item, inner) for inner in tree.any_of.filters)
        case _:
            return not meets(item, getattr(tree, "not"))
