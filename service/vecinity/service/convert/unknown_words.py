"""The policy for unknown words, and what was done to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vecinity.indexer.unknown_words import UnknownWord, UnknownWords
from vecinity.v1 import core_pb2

_POLICIES: Mapping[int, UnknownWords] = {
    core_pb2.UNKNOWN_WORDS_UNSPECIFIED: UnknownWords.ERROR,
    core_pb2.UNKNOWN_WORDS_ERROR: UnknownWords.ERROR,
    core_pb2.UNKNOWN_WORDS_SKIP: UnknownWords.SKIP,
    core_pb2.UNKNOWN_WORDS_SUBWORD: UnknownWords.SUBWORD,
    core_pb2.UNKNOWN_WORDS_NEAREST_SPELLING: UnknownWords.NEAREST_SPELLING,
}
_ACTIONS = {
    UnknownWords.SKIP: core_pb2.UNKNOWN_WORDS_SKIP,
    UnknownWords.SUBWORD: core_pb2.UNKNOWN_WORDS_SUBWORD,
    UnknownWords.NEAREST_SPELLING: core_pb2.UNKNOWN_WORDS_NEAREST_SPELLING,
}


def policy(number: int) -> UnknownWords:
    return _POLICIES[number]


def unknown_words(met: Sequence[tuple[str, UnknownWord]]) -> list[core_pb2.UnknownWord]:
    return [
        core_pb2.UnknownWord(field=field, word=word.word, action=_ACTIONS[word.action], replacement=word.replacement)
        for field, word in met
    ]
