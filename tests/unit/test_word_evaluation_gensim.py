"""The figures are those of gensim, on vectors made to be hard: ties, duplicates, spellings, zeros, NaN.

Of the two evaluations of analogies in gensim only 3CosAdd can be had as it is: `evaluate_word_analogies` takes a
`similarity_function` and makes nothing of it (4.4). So its own `most_similar_cosmul` is put in the place that it asks.
"""

from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec

from vecinity.cli.demo.corpus import write_corpus
from vecinity.indexer.corpus import read_lines
from vecinity.indexer.word_evaluation import (
    GENSIM_EPSILON,
    Method,
    analogy_accuracy,
    solver,
    word_pair_correlation,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),  # gensim divides by zero lengths
    pytest.mark.filterwarnings("ignore:An input array is constant"),
    pytest.mark.filterwarnings(
        "ignore:Call to deprecated `init_sims`:DeprecationWarning"
    ),  # by its most_similar_cosmul
]


class ByCosMul(KeyedVectors):
    """gensim's evaluation with gensim's 3CosMul."""

    def most_similar(self, **arguments: object) -> object:
        return self.most_similar_cosmul(**arguments)


def assert_equal_analogies(words: list[str], vectors: np.ndarray, path: Path, **options: object) -> int:
    """Compare by section; the number solved."""
    solved = 0
    for method, keyed in ((Method.COS_ADD, KeyedVectors), (Method.COS_MUL, ByCosMul)):
        theirs = keyed(vectors.shape[1])
        theirs.add_vectors(words, vectors)
        _, sections = theirs.evaluate_word_analogies(str(path), **options)
        wanted = [(s["section"], len(s["correct"]), len(s["correct"]) + len(s["incorrect"])) for s in sections]
        ours = analogy_accuracy(words, vectors, path, method=method, epsilon=GENSIM_EPSILON, **options)
        found = [(s.section, s.correct, s.asked) for s in (*ours.sections, ours.total)]
        assert found[:-1] == wanted[:-1], (method, options)
        assert found[-1][1:] == wanted[-1][1:]
        solved += ours.total.correct
    return solved


def assert_equal_pairs(words: list[str], vectors: np.ndarray, path: Path, **options: object) -> None:
    theirs = KeyedVectors(vectors.shape[1])
    theirs.add_vectors(words, vectors)
    pearson, spearman, unknown = theirs.evaluate_word_pairs(str(path), **options)
    ours = word_pair_correlation(words, vectors, path, **options)
    assert ours.pearson == pytest.approx(pearson[0], abs=1e-6, nan_ok=True)
    assert ours.spearman == pytest.approx(spearman[0], abs=1e-6, nan_ok=True)
    assert ours.unknown_share * 100 == pytest.approx(unknown, abs=1e-6)


def spell(rng: np.random.Generator, word: str) -> str:
    return "".join(letter.upper() if rng.random() < 0.3 else letter for letter in word)


def hard(rng: np.random.Generator, kind: str) -> tuple[list[str], np.ndarray]:
    """120 words, of which several differ by case only, and vectors in which much is equal."""
    words = list(dict.fromkeys(spell(rng, f"word{chr(97 + i % 20)}{chr(97 + i % 3)}") for i in range(120)))
    n = len(words)
    vectors = rng.normal(size=(n, 6))
    if kind == "grid":  # few directions, so that most scores tie
        vectors = rng.integers(-1, 2, size=(n, 3))
    elif kind == "duplicates":
        vectors = vectors[rng.integers(0, n // 3, n)]
    elif kind == "zeros":
        vectors[rng.random(n) < 0.15] = 0
    elif kind == "nan":
        vectors[rng.random(n) < 0.1] = np.nan
    elif kind == "constant":
        vectors[:] = 1
    elif kind == "opposite":  # 1 + cos is 0 for many pairs, where 3CosMul divides by ε
        vectors = np.sign(rng.normal(size=(n, 1))) * rng.uniform(0.5, 2, size=(n, 1)) * np.ones((1, 6))
    return words, vectors.astype(np.float32)


KINDS = ["plain", "grid", "duplicates", "zeros", "nan", "constant", "opposite"]


def write_questions(rng: np.random.Generator, words: list[str], path: Path) -> Path:
    lines = []
    for i in range(300):
        if i % 100 == 0:
            lines.append(f": section {i}")
        chosen = [spell(rng, str(word).lower()) for word in rng.choice([*words, "missing"], 4)]
        if i % 9 == 0:
            chosen[int(rng.integers(0, 3))] = chosen[3]  # what is asked for is given
        lines.append(" ".join(chosen))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_analogies_of_hard_vectors(tmp_path: Path, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words, vectors = hard(rng, kind)
    path = write_questions(rng, words, tmp_path / "q.txt")
    for restrict_vocab in (None, 300_000, 60, 9, 2):
        assert_equal_analogies(words, vectors, path, restrict_vocab=restrict_vocab)
    assert_equal_analogies(words, vectors, path, case_insensitive=False)
    assert_equal_analogies(words, vectors, path, dummy4unknown=True, restrict_vocab=50)


def test_analogies_with_more_spellings_than_gensim_looks_at(tmp_path: Path) -> None:
    """Six spellings of a given word lie nearer than the answer; gensim sees five and gives up."""
    rng = np.random.default_rng(5)
    spellings = ["king", "King", "KING", "kIng", "kiNg", "kinG", "KIng"]
    words = ["man", "woman", "queen", "noise", *spellings]
    king = np.array([1, 1, 0, 0])
    vectors = np.array([[0, 1, 0, 0.2], [0, 1, 0, 0.3], [1, 0.5, 0, 0], [-1, 0, 1, 0], *[king] * 7])
    vectors = (vectors + 0.001 * rng.normal(size=vectors.shape)).astype(np.float32)
    path = tmp_path / "q.txt"
    path.write_text(": s\nman woman king queen\nman woman king king\nman man king queen\nman king king queen\n")
    assert assert_equal_analogies(words, vectors, path) < assert_equal_analogies(words[:8], vectors[:8], path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_hard_vectors(tmp_path: Path, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words, vectors = hard(rng, kind)
    path = tmp_path / "pairs.tsv"
    lines = ["# two words\tand\ta score"]
    for i in range(300):
        first, second = (str(word) for word in rng.choice([*words, "missing", "absent"], 2))
        if i % 2:
            first, second = spell(rng, first), spell(rng, second)
        lines.append(f"{first}\t{second}\t{rng.integers(0, 20) / 2}")
    path.write_text("\n".join(lines) + "\n")
    for restrict_vocab in (None, 300_000, 30):
        assert_equal_pairs(words, vectors, path, restrict_vocab=restrict_vocab)
        assert_equal_pairs(words, vectors, path, restrict_vocab=restrict_vocab, dummy4unknown=True)
    assert_equal_pairs(words, vectors, path, case_insensitive=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], np.ndarray, Path]:
    """Words, vectors that gensim trained on the corpus of the demo, and analogies among them."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder / "corpus.txt.gz", lines=20_000)
    sentences = [line.lower().replace(".", "").split() for _, line in read_lines(folder / "corpus.txt.gz")]
    model = Word2Vec(sentences, vector_size=40, epochs=2, workers=1, seed=1, sg=1)
    words = model.wv.index_to_key
    rng = np.random.default_rng(3)
    questions = [" ".join(rng.choice(words[:200], 4, replace=False)) for _ in range(1_000)]
    near = [
        (a, b, c, model.wv.most_similar(positive=[b, c], negative=[a], topn=1)[0][0])
        for a, b, c in (rng.choice(words[:300], 3, replace=False).tolist() for _ in range(300))
    ]
    path = folder / "q.txt"
    path.write_text(": random\n" + "\n".join(questions) + "\n: near\n" + "\n".join(map(" ".join, near)) + "\n")
    return words, model.wv.vectors, path


@pytest.mark.parametrize("restrict_vocab", [None, 500])
def test_analogies_of_trained_vectors(trained: tuple[list[str], np.ndarray, Path], restrict_vocab: int | None) -> None:
    words, vectors, path = trained
    assert assert_equal_analogies(words, vectors, path, restrict_vocab=restrict_vocab) > 200


def test_few_questions_are_left_to_be_solved_one_by_one(
    trained: tuple[list[str], np.ndarray, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, vectors, path = trained
    one_by_one = []
    solve_one = solver.AnalogySolver._solve_one

    def counted(self: solver.AnalogySolver, *question: int) -> bool:
        one_by_one.append(question)
        return solve_one(self, *question)

    monkeypatch.setattr(solver.AnalogySolver, "_solve_one", counted)
    for method in Method:
        asked = analogy_accuracy(words, vectors, path, method=method).total.asked
        assert asked == 1_300
    assert len(one_by_one) < 0.05 * 2 * 1_300
