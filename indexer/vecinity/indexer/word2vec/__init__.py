"""word2vec from scratch: a vector for every frequent word of a corpus (Mikolov et al. 2013a, 2013b).

Read in this order: `settings`, `vocabulary` (text to words), `encoded` (words to numbers on disk), `sampling` (which
words are dropped and which serve as noise), `kernels` (the arithmetic), `training` (threads and epochs), `model`.

Mikolov et al. 2013a: "Efficient Estimation of Word Representations in Vector Space", arXiv:1301.3781.
Mikolov et al. 2013b: "Distributed Representations of Words and Phrases and their Compositionality", arXiv:1310.4546.
"""

from vecinity.indexer.word2vec.model import Word2VecModel
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.training import train
from vecinity.indexer.word2vec.vocabulary import tokenize

__all__ = ["Word2VecModel", "Word2VecSettings", "tokenize", "train"]
