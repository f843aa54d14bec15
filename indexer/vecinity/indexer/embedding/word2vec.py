"""Words, and short texts as the mean of their words, by our own word2vec or by vectors that were imported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from vecinity.indexer.errors import MissingExtraError, UnknownWordError
from vecinity.indexer.metric import Vectors, normalise
from vecinity.indexer.spelling import NearSpellings
from vecinity.indexer.word2vec import Word2VecModel, tokenize
from vecinity.indexer.word2vec.phrases import DELIMITER, join_phrases


class Word2VecEmbedder:
    """An `Embedder` over a trained or imported model.

    A text is read so (`canonical`):

    1. Is all of it, as it stands or with single spaces, a word of the model, such as an imported "New York", then it
       is that word.
    2. Otherwise it is split at white space. A part that stands in the model is a word, such as "Apple" or "new_york";
       any other is made words as those of a corpus are: lower case, without punctuation (`tokenize`).
    3. Words that make a phrase of the model are joined: "new york" becomes "new_york".

    The vector of one word is its own; that of several is the mean of their unit vectors. A word that is not in the
    model is left out, unless subwords give it a vector.
    """

    kind = "word2vec"

    def __init__(self, model: Word2VecModel) -> None:
        self.model = model
        self.dimension = int(model.vectors.shape[1])
        self.fingerprint = model.fingerprint
        self._rows = model.index
        self._has_phrases = any(DELIMITER in word for word in model.words)
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
            form = self.canonical(text)
            found = self._vectors_of([form] if form in self._rows else form.split())
            if not len(found):
                raise UnknownWordError(text, self._near_spellings(form))
            vectors[position] = found[0] if len(found) == 1 else normalise(found).mean(axis=0)
        return vectors

    def canonical(self, text: str) -> str:
        """See `Embedder.canonical`. A vector is made of nothing but this form, which for an item's word is its id."""
        parts = text.split()
        for whole in (text, " ".join(parts)):
            if whole in self._rows:
                return whole
        words: list[str] = []
        for part in parts:
            words += [part] if part in self._rows else tokenize(part)
        return " ".join(join_phrases(words, self._rows) if self._has_phrases else words)

    def _vectors_of(self, words: Sequence[str]) -> Vectors:
        """The vectors of the words that have one, float32 (m, d)."""
        if self.model.subwords is None:
            return self.model.vectors[[row for word in words if (row := self._rows.get(word)) is not None]]
        found = []
        for word in words:
            with suppress(UnknownWordError):
                found.append(self.model.vector_of(word))
        return np.array(found, dtype=np.float32)
