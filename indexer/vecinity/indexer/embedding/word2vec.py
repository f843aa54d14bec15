"""Words, and short texts as the mean of their words, by our own word2vec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vecinity.indexer.errors import MissingExtraError, UnknownWordError
from vecinity.indexer.metric import Vectors, normalise
from vecinity.indexer.spelling import NearSpellings
from vecinity.indexer.word2vec import Word2VecModel, tokenize


class Word2VecEmbedder:
    """An `Embedder` over a trained model.

    The vector of one word is its own; that of several is the mean of their unit vectors, unknown ones left out.
    """

    kind = "word2vec"

    def __init__(self, model: Word2VecModel) -> None:
        self.model = model
        self.dimension = int(model.vectors.shape[1])
        self.fingerprint = model.fingerprint
        self._near_spellings = NearSpellings(model.words)

    @classmethod
    def open(cls, folder: Path) -> Word2VecEmbedder:
        """Read what the build stored.

        Raises:
            MissingExtraError: The folder is gone.
            CorruptError: It is damaged.
        """
        if not folder.is_dir():
            raise MissingExtraError(f"the word2vec model {folder} is missing: build the collection again")
        return cls(Word2VecModel.load(folder))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for position, text in enumerate(texts):
            rows = [row for word in tokenize(text) if (row := self.model.index.get(word)) is not None]
            if not rows:
                raise UnknownWordError(text, self._near_spellings(self.canonical(text)))
            if len(rows) == 1:
                vectors[position] = self.model.vectors[rows[0]]
            else:
                vectors[position] = normalise(self.model.vectors[rows]).mean(axis=0)
        return vectors

    def canonical(self, text: str) -> str:
        """See `Embedder.canonical`."""
        return " ".join(tokenize(text))
