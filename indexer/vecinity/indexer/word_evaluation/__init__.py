"""How good word vectors are: against human judgement, against chance, and against other vectors.

`analogies` solves "a is to b as c is to ?", `word_pairs` compares cosines with human scores, `health` needs no file and
tells broken vectors from sound ones. `evaluate_file` gives one number for a file of either kind, for a training that
stops when it no longer improves. The first two count as `evaluate_word_analogies` and `evaluate_word_pairs` of gensim
do, so that figures can be compared. `files` reads what they ask, `known_words` is what can be asked and answered.
"""

from vecinity.indexer.word_evaluation.analogies import AnalogyAccuracy, SectionAccuracy, analogy_accuracy
from vecinity.indexer.word_evaluation.health import Neighbours, VectorHealth, nearest_words, vector_health
from vecinity.indexer.word_evaluation.score import evaluate_file, untrained_vectors
from vecinity.indexer.word_evaluation.solver import GENSIM_EPSILON, PAPER_EPSILON, Method
from vecinity.indexer.word_evaluation.word_pairs import WordPairCorrelation, ranks, word_pair_correlation

__all__ = [
    "GENSIM_EPSILON",
    "PAPER_EPSILON",
    "AnalogyAccuracy",
    "Method",
    "Neighbours",
    "SectionAccuracy",
    "VectorHealth",
    "WordPairCorrelation",
    "analogy_accuracy",
    "evaluate_file",
    "nearest_words",
    "ranks",
    "untrained_vectors",
    "vector_health",
    "word_pair_correlation",
]
