"""Real word vectors on the public files: the figures of gensim, many times faster."""

import gzip
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from vecinity.indexer.word2vec import Word2VecModel, Word2VecSettings, train
from vecinity.indexer.word_evaluation import (
    GENSIM_EPSILON,
    Method,
    analogy_accuracy,
    evaluate_file,
    untrained_vectors,
    vector_health,
    word_pair_correlation,
)

DATA = Path(os.environ.get("TEST_DATA_DIR", Path(__file__).resolve().parents[3] / "shared" / "data"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (DATA / "words.txt.gz").exists(), reason=f"no {DATA / 'words.txt.gz'}: set TEST_DATA_DIR to its folder"
    ),
    pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning"),
]

QUESTIONS = DATA / "questions-words.txt"
PAIRS = [DATA / "wordsim353.tsv", DATA / "simlex999.txt"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Word2VecModel:
    """Two passes over a third of the words: enough to solve hundreds of analogies."""
    with gzip.open(DATA / "words.txt.gz", "rt", encoding="utf-8") as lines:
        texts = list(itertools.islice(lines, 0, None, 3))
    settings = Word2VecSettings(dimension=60, epochs=2, threads=1)
    return train(lambda: texts, settings, workdir=tmp_path_factory.mktemp("training"))


class ByCosMul(KeyedVectors):
    """gensim's evaluation, which makes nothing of its `similarity_function`, with gensim's 3CosMul."""

    def most_similar(self, **arguments: object) -> object:
        return self.most_similar_cosmul(**arguments)


@pytest.mark.parametrize("restrict_vocab", [10_000, None])
@pytest.mark.parametrize("method", list(Method))
def test_google_analogies_are_gensims(model: Word2VecModel, method: Method, restrict_vocab: int | None) -> None:
    theirs = (KeyedVectors if method is Method.COS_ADD else ByCosMul)(60)
    theirs.add_vectors(model.words, model.vectors)
    _, sections = theirs.evaluate_word_analogies(str(QUESTIONS), restrict_vocab=restrict_vocab)
    ours = analogy_accuracy(
        model.words, model.vectors, QUESTIONS, restrict_vocab, method=method, epsilon=GENSIM_EPSILON
    )
    wanted = [(s["section"], len(s["correct"]), len(s["correct"]) + len(s["incorrect"])) for s in sections[:-1]]
    assert [(s.section, s.correct, s.asked) for s in ours.sections] == wanted
    assert ours.total.correct > 100


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.name)
@pytest.mark.parametrize("restrict_vocab", [5_000, 300_000])
def test_word_pairs_are_gensims(model: Word2VecModel, path: Path, restrict_vocab: int) -> None:
    theirs = KeyedVectors(60)
    theirs.add_vectors(model.words, model.vectors)
    for dummy4unknown in (False, True):
        options = {"restrict_vocab": restrict_vocab, "dummy4unknown": dummy4unknown}
        pearson, spearman, unknown = theirs.evaluate_word_pairs(str(path), **options)
        ours = word_pair_correlation(model.words, model.vectors, path, **options)
        assert (ours.pearson, ours.spearman, ours.unknown_share * 100) == pytest.approx(
            (pearson[0], spearman[0], unknown), abs=1e-6
        )


def test_trained_vectors_are_better_than_untrained_ones(model: Word2VecModel) -> None:
    random = untrained_vectors(len(model), 60)
    for path, at_least in ((QUESTIONS, 0.01), (PAIRS[0], 0.1)):
        trained = evaluate_file(path, model.words, model.vectors)
        assert trained == evaluate_file(path, model.words, model.vectors)
        assert trained > evaluate_file(path, model.words, random) + at_least
    health = vector_health(model.words, model.vectors)
    assert health.faults == []
    assert health.beyond_chance > 0.9
    assert vector_health(model.words, random).beyond_chance < 0.03
    assert not np.isnan(health.hubness)
