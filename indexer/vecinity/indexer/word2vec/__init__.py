"""word2vec from scratch: a vector for every frequent word of a corpus (Mikolov et al. 2013a, 2013b).

Read in this order:

1. The corpus: `settings`, `tokens` (text to words), `counting` (words to numbers on disk), `phrases` (words that
   become one), `vocabulary` (which words get a vector), `encoded` (the corpus as rows of the vocabulary).
2. The idea: `sampling` (which words are dropped and which serve as noise), `huffman` (the tree of hierarchical
   softmax), `subwords`, and `reference`, the arithmetic in plain PyTorch.
3. The speed: `simd` (vectors in registers), `step` (one step of learning), `draws` (chance), `kernels` (the walk over
   a chunk, with what `workspace` holds), `trainer` (threads), `gpu` (the same in large batches).
4. The run: `training` (epochs, early stop), `continued` (from a model), `checkpoint`, `result`, `model`.

Mikolov et al. 2013a: "Efficient Estimation of Word Representations in Vector Space", arXiv:1301.3781.
Mikolov et al. 2013b: "Distributed Representations of Words and Phrases and their Compositionality", arXiv:1310.4546.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vecinity.indexer.word2vec.model import Word2VecModel
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.tokens import tokenize

if TYPE_CHECKING:
    from vecinity.indexer.word2vec.checkpoint import Checkpoint
    from vecinity.indexer.word2vec.training import EarlyStop, train

__all__ = ["Checkpoint", "EarlyStop", "Word2VecModel", "Word2VecSettings", "tokenize", "train"]


def __getattr__(name: str) -> Any:
    # numba takes most of a second and 60 MB to import, which a server that embeds with a model should not pay.
    if name == "Checkpoint":
        from vecinity.indexer.word2vec.checkpoint import Checkpoint

        return Checkpoint
    if name in ("EarlyStop", "train"):
        from vecinity.indexer.word2vec import training

        return getattr(training, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
