"""Words, and short texts as the mean of their words, by our own word2vec or by vectors that were imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vecinity.indexer.embedding.reading import Reading
from vecinity.indexer.errors import MissingExtraError, NoSubwordsError, UnknownWordError
from vecinity.indexer.metric import Vectors, normalise
from vecinity.indexer.spelling import NearSpellings
from vecinity.indexer.unknown_words import UnknownWord, UnknownWords
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
        return self.read(texts, UnknownWords.ERROR).vectors

    def read(self, texts: Sequence[str], unknown_words: UnknownWords) -> Reading:
        """See `Embedder.read`."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        forms: list[str] = []
        met: dict[int, list[UnknownWord]] = {}
        for place, text in enumerate(texts):
            form = self.canonical(text)
            words = [form] if form in self._rows else form.split()
            if any(word not in self._rows for word in words):
                words, met[place] = self._without_unknown(words, unknown_words)
                form = " ".join(words)
            if words:
                found = self._vectors_of(words)
                vectors[place] = found[0] if len(found) == 1 else normalise(found).mean(axis=0)
            elif unknown_words is not UnknownWords.SKIP:
                raise UnknownWordError(text, self._near_spellings(self.canonical(text)))
            else:
                met[place] = [UnknownWord(text, UnknownWords.SKIP)]
            forms.append(form)
        known = np.fromiter(map(bool, forms), dtype=bool, count=len(forms))
        return Reading(vectors, known, forms, met)

    def subword_vector(self, word: str) -> Vectors:
        """See `Embedder.subword_vector`."""
        if self.model.subwords is None:
            raise NoSubwordsError
        return self.model.vector_of(word)

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

    def _without_unknown(self, words: Sequence[str], policy: UnknownWords) -> tuple[list[str], list[UnknownWord]]:
        """Words that all have a vector, and what was done to those that had none in the vocabulary."""
        kept, met = [], []
        for word in words:
            if word in self._rows:
                kept.append(word)
                continue
            stand_in, done = self._stand_in(word, policy)
            kept += [stand_in] if stand_in else []
            met.append(done)
        return kept, met

    def _stand_in(self, word: str, policy: UnknownWords) -> tuple[str, UnknownWord]:
        """What takes the place of an unknown word, "" for nothing, and what was done to it."""
        if policy is UnknownWords.NEAREST_SPELLING:
            if not (near := self._near_spellings(word)):
                raise UnknownWordError(word)
            return near[0], UnknownWord(word, policy, near[0])
        if policy is UnknownWords.SUBWORD and self.model.subwords is None:
            raise NoSubwordsError
        if policy is not UnknownWords.SKIP and self.model.subwords is not None:
            if self.model.subwords.rows_of(word):
                return word, UnknownWord(word, UnknownWords.SUBWORD)
            if policy is UnknownWords.SUBWORD:
                raise UnknownWordError(word, self._near_spellings(word))
        return "", UnknownWord(word, UnknownWords.SKIP)

    def _vectors_of(self, words: Sequence[str]) -> Vectors:
        """The vectors of words that have one, float32 (m, d)."""
        if self.model.subwords is None:
            return self.model.vectors[[self._rows[word] for word in words]]
        return np.array([self.model.vector_of(word) for word in words], dtype=np.float32)
