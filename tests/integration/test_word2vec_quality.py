"""word2vec on a real corpus is as good as the reference implementation is, within what seeds and threads vary."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from vecinity.indexer.word2vec import Word2VecSettings, tokenize, train
from vecinity.indexer.word_evaluation import analogy_accuracy, word_pair_correlation

DATA = Path(os.environ.get("TEST_DATA_DIR", Path(__file__).resolve().parents[3] / "shared" / "data"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "words.txt.gz").exists(), reason=f"no {DATA / 'words.txt.gz'}: set TEST_DATA_DIR to its folder"
    ),
]


def lines() -> Iterator[str]:
    with gzip.open(DATA / "words.txt.gz", "rt", encoding="utf-8") as file:
        yield from file


@pytest.mark.timeout(600)
@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_it_reaches_gensims_quality(tmp_path: Path, architecture: Literal["skip-gram", "cbow"]) -> None:
    # gensim 4.4's skip-gram on the same corpus and settings: analogies .206, WordSim-353 .58.
    model = train(lines, Word2VecSettings(architecture=architecture), workdir=tmp_path)
    assert len(model) == 54_670
    analogies = analogy_accuracy(model.words, model.vectors, DATA / "questions-words.txt").total
    assert analogies.asked > 11_000
    assert analogies.accuracy >= 0.19
    pairs = word_pair_correlation(model.words, model.vectors, DATA / "wordsim353.tsv")
    assert pairs.pairs == 351
    assert pairs.spearman >= 0.55


def test_tokenize_changes_nothing_in_a_prepared_corpus() -> None:
    different = [(number, line) for number, line in enumerate(lines(), start=1) if tokenize(line) != line.split()]
    assert different == []
