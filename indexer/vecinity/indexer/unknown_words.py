"""What becomes of words that are not known, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class UnknownWords(StrEnum):
    """A policy, and what was done to one word.

    ERROR: it is refused. In a text of several words only a text with no known word is: the others of its words are left
    out, as in gensim's ``get_mean_vector`` and word2vec's readers, or made of their subwords where the model has them,
    as in fastText's ``get_sentence_vector``.
    SKIP: it is left out, whether or not there are subwords.
    SUBWORD: its vector is the mean of those of its character n-grams (Bojanowski et al. 2017).
    NEAREST_SPELLING: the known word of the nearest spelling stands in.
    """

    ERROR = "error"
    SKIP = "skip"
    SUBWORD = "subword"
    NEAREST_SPELLING = "nearest-spelling"


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """What was done to a word; `replacement` is what stood in for it, "" if nothing did."""

    word: str
    action: UnknownWords
    replacement: str = ""
