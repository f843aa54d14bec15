"""The policy for unknown words, and what was done to them."""

from __future__ import annotations

from collections.abc import Sequence

from vecinity.client._convert.fields import one_of
from vecinity.client._types import UnknownWord, UnknownWords
from vecinity.v1 import core_pb2

_POLICIES = {
    UnknownWords.ERROR: core_pb2.UNKNOWN_WORDS_ERROR,
    UnknownWords.SKIP: core_pb2.UNKNOWN_WORDS_SKIP,
    UnknownWords.SUBWORD: core_pb2.UNKNOWN_WORDS_SUBWORD,
    UnknownWords.NEAREST_SPELLING: core_pb2.UNKNOWN_WORDS_NEAREST_SPELLING,
}
_ACTIONS = {number: policy for policy, number in _POLICIES.items()}


def policy(value: UnknownWords | str | None) -> core_pb2.UnknownWords:
    """None leaves it to the server, which takes ERROR."""
    if value is None:
        return core_pb2.UNKNOWN_WORDS_UNSPECIFIED
    return _POLICIES[one_of("unknown_words", UnknownWords, value)]


def unknown_words(messages: Sequence[core_pb2.UnknownWord]) -> tuple[UnknownWord, ...]:
    if not messages:
        return ()
    return tuple(
        UnknownWord(message.field, message.word, _ACTIONS.get(message.action), message.replacement)
        for message in messages
    )
