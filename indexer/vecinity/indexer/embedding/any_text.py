"""What embedders share that read any text: to them no word is unknown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from vecinity.indexer.embedding.reading import Reading
from vecinity.indexer.errors import NoSubwordsError
from vecinity.indexer.metric import Vectors
from vecinity.indexer.unknown_words import UnknownWords


class AnyTextEmbedder(ABC):
    """An `Embedder` but for `embed` and the attributes."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""

    def canonical(self, text: str) -> str:
        """See `Embedder.canonical`. Every text is its own form."""
        return text

    def read(self, texts: Sequence[str], unknown_words: UnknownWords) -> Reading:
        """See `Embedder.read`. Every text is made of pieces that the model knows, so no word is unknown."""
        return Reading(self.embed(texts), np.ones(len(texts), dtype=bool), texts)

    def subword_vector(self, word: str) -> Vectors:
        """See `Embedder.subword_vector`."""
        raise NoSubwordsError
