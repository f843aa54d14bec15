"""Embedders: what turns texts into vectors. One file for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.embedding.reading import Reading
from vecinity.indexer.errors import CorruptError
from vecinity.indexer.metric import Vectors
from vecinity.indexer.unknown_words import UnknownWords


class Embedder(Protocol):
    """Turns texts into vectors. Safe to call from many threads.

    Attributes:
        kind: "word2vec" or "minilm".
        dimension: d.
        fingerprint: Names the model exactly: the same fingerprint gives the same vectors (cosine > .999).
    """

    kind: str
    dimension: int
    fingerprint: str

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts, float32 (n, d), not scaled to length 1.

        Raises:
            UnknownWordError: A text has no word in the vocabulary.
        """
        ...

    def canonical(self, text: str) -> str:
        """The form in which the embedder sees a text: two texts of one form have one vector."""
        ...

    def read(self, texts: Sequence[str], unknown_words: UnknownWords) -> Reading:
        """As `embed`, with a policy for words that the embedder does not know, and what came of each.

        Raises:
            UnknownWordError: The policy has no answer for a word, or for a text.
            NoSubwordsError: The policy is SUBWORD, a word is unknown, and the embedder has no subwords.
        """
        ...

    def subword_vector(self, word: str) -> Vectors:
        """The vector that the character n-grams of a word give it, float32 (d,).

        Raises:
            UnknownWordError: They give none.
            NoSubwordsError: The embedder has no subwords.
        """
        ...


def computes(record: EmbedderRecord) -> bool:
    """Whether vectors are computed by a model, in milliseconds and for any text, or else looked up in microseconds."""
    return record.kind != "word2vec"


def open_embedder(record: EmbedderRecord, data_dir: Path, threads: int = 0) -> Embedder:
    """Open the embedder that made a version's vectors.

    Args:
        threads: That a model which computes may use; 0 leaves that to its library.

    Raises:
        MissingExtraError: A package or model is not installed; it says how to get it.
        CorruptError: The model is damaged, or is not the one of the fingerprint.
    """
    embedder: Embedder
    if record.kind == "word2vec":
        from vecinity.indexer.embedding.word2vec import Word2VecEmbedder

        embedder = Word2VecEmbedder.open(data_dir / "models" / record.fingerprint)
    elif record.kind == "minilm":
        from vecinity.indexer.embedding.minilm import MiniLmEmbedder

        embedder = MiniLmEmbedder(record.source, threads=threads)
    else:
        raise CorruptError(data_dir / "catalog.db", f"names an embedder of unknown kind {record.kind!r}")
    if embedder.fingerprint != record.fingerprint:
        raise CorruptError(
            Path(record.source or data_dir),
            f"holds the {record.kind} model {embedder.fingerprint}, but the vectors were made by {record.fingerprint}: "
            "bring that model back, or build the collection again",
        )
    return embedder
