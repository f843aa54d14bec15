"""How large a filter may be: what a server would refuse is refused before it is sent."""

from __future__ import annotations

from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import core_pb2

CONDITIONS_MAX = 10_000
DEPTH_MAX = 64
MESSAGES_MAX = 94
"""Protobuf reads 100 messages inside each other; the request and the value of a comparison are some of them."""


def check_size(tree: core_pb2.Filter) -> None:
    """Check the size of a filter, without recursion.

    Raises:
        InvalidArgumentError: It is too deep or has too many conditions.
    """
    pending = [(tree, 1, 1)]
    count = 0
    while pending:
        condition, depth, messages = pending.pop()
        count += 1
        if depth > DEPTH_MAX or messages > MESSAGES_MAX:
            raise too_deep()
        match condition.WhichOneof("condition"):
            case "one_of":
                count += len(condition.one_of.values)
            case "not":
                pending.append((getattr(condition, "not"), depth + 1, messages + 1))
            case "all_of" | "any_of" as kind:
                filters = getattr(condition, kind).filters
                if len(filters) <= CONDITIONS_MAX:
                    pending += [(inner, depth + 1, messages + 2) for inner in filters]
                else:
                    count += len(filters)
        if count + len(pending) > CONDITIONS_MAX:
            raise InvalidArgumentError(f"filter: has over {CONDITIONS_MAX} conditions and values")


def too_deep() -> InvalidArgumentError:
    return InvalidArgumentError(
        f"filter: is nested too deep: at most {DEPTH_MAX} conditions, of them 46 lists, inside each other"
    )
