import math
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer import evaluation
from vecinity.indexer.errors import InputError
from vecinity.indexer.evaluation import (
    analogy_accuracy,
    ranks,
    recall_at_k,
    recall_at_k_with_ties,
    word_pair_correlation,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_recall_by_hand() -> None:
    truth = np.array([[1, 2, 3], [4, 5, 6]])
    assert recall_at_k(truth[:, ::-1], truth) == 1
    assert recall_at_k(np.array([[1, 2, 9], [4, 8, 7]]), truth) == pytest.approx(3 / 6)
    assert recall_at_k(np.array([[1, 1, 1], [-1, -1, -1]]), truth) == pytest.approx(1 / 6)


def test_recall_of_a_collection_smaller_than_k() -> None:
    truth = np.array([[7, 8, -1]])
    assert recall_at_k(np.array([[8, 7, -1]]), truth) == 1
    assert recall_at_k(np.array([[8, -1, -1]]), truth) == 0.5
    assert math.isnan(recall_at_k(np.array([[-1]]), np.array([[-1]])))


def test_recall_equals_sets_in_python(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_SCORES_AT_ONCE", 300)
    truth = np.array([rng.permutation(20)[:8] for _ in range(50)])
    found = np.array([rng.permutation(20)[:8] for _ in range(50)])
    wanted = np.mean([len(set(f) & set(t)) / 8 for f, t in zip(found.tolist(), truth.tolist(), strict=True)])
    assert recall_at_k(found, truth) == pytest.approx(wanted)


def test_recall_with_ties_takes_any_equal_score() -> None:
    truth = np.array([[0.9, 0.8, 0.8]], dtype=np.float32)
    assert recall_at_k_with_ties(truth, truth) == 1
    assert recall_at_k_with_ties(np.array([[0.9, 0.8, 0.8 - 1e-6]]), truth) == 1
    assert recall_at_k_with_ties(np.array([[0.9, 0.8, 0.79]]), truth) == pytest.approx(2 / 3)
    assert recall_at_k_with_ties(np.array([[0.9, -np.inf, -np.inf]]), truth) == pytest.approx(1 / 3)


def test_recall_with_ties_of_a_collection_smaller_than_k() -> None:
    truth = np.array([[-4.0, -9.0, -np.inf], [-np.inf] * 3])
    assert recall_at_k_with_ties(np.array([[-4.0, -10.0, -np.inf], [-np.inf] * 3]), truth) == 0.5
    more_than_there_are = np.array([[-4.0, -9.0, -9.0], [-np.inf] * 3])
    assert recall_at_k_with_ties(more_than_there_are, truth) == 1


def test_recall_with_ties_scales_its_tolerance() -> None:
    truth = np.array([[-1e6]])
    assert recall_at_k_with_ties(np.array([[-1e6 - 5]]), truth) == 1
    assert recall_at_k_with_ties(np.array([[-1e6 - 50]]), truth) == 0


@pytest.mark.parametrize("found", [np.zeros((2, 3), dtype=np.int64), np.zeros(2, dtype=np.int64)])
def test_recall_of_other_shapes(found: np.ndarray) -> None:
    with pytest.raises(InputError, match="one shape"):
        recall_at_k(found, np.zeros((2, 2), dtype=np.int64))
    with pytest.raises(InputError, match="one shape"):
        recall_at_k_with_ties(found, np.zeros((2, 2), dtype=np.float32))


def test_ranks_share_ties() -> None:
    assert ranks(np.array([10.0, 20, 10, 5, 20, 20])).tolist() == [2.5, 5, 2.5, 1, 5, 5]


# Topic along the first axis, gender along the second; "noise" lies nowhere near an answer.
WORDS = ["man", "woman", "king", "queen", "uncle", "aunt", "noise", "King", "rare"]
VECTORS = np.array(
    [
        [0, 1, 0, 0.2],
        [0, -1, 0, 0.2],
        [1, 1, 0, 0],
        [1, -1, 0, 0],
        [0, 1, 1, 0],
        [0, -1, 1, 0],
        [-1, 0, -1, 0],
        [1, 1, 0, 0.01],
        [0, 0, 0, 1],
    ],
    dtype=np.float32,
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_analogies_by_hand(tmp_path: Path) -> None:
    questions = write(
        tmp_path / "q.txt",
        ": family\nMan woman KING queen\nman woman uncle aunt\nman woman king aunt\n\n"
        ": other\nman woman missing queen\nking queen uncle aunt\nman woman king king\n",
    )
    result = analogy_accuracy(WORDS, VECTORS, questions)
    family, other = result.sections
    assert (family.section, family.correct, family.asked, family.unknown) == ("family", 2, 3, 0)
    assert (other.section, other.correct, other.asked, other.unknown) == ("other", 1, 2, 1)
    assert (result.total.section, result.total.correct, result.total.asked, result.total.unknown) == ("total", 3, 5, 1)
    assert family.accuracy == pytest.approx(2 / 3)


def test_inputs_are_never_the_answer(tmp_path: Path) -> None:
    """Without the exclusion of every spelling of "king", "King" would be nearest to king − man + man."""
    questions = write(tmp_path / "q.txt", ": s\nman man king queen\n")
    words, vectors = ["man", "king", "queen", "King"], VECTORS[[0, 2, 3, 7]]
    assert analogy_accuracy(words, vectors, questions).total.correct == 1


def test_vectors_are_made_unit_first(tmp_path: Path) -> None:
    questions = write(tmp_path / "q.txt", ": s\nman woman king queen\n")
    stretched = VECTORS * np.array([[100], [1], [7], [0.01], [1], [50], [100], [1], [1]], dtype=np.float32)
    assert analogy_accuracy(WORDS, stretched, questions).total.correct == 1


def test_restrict_vocab_hides_rare_words(tmp_path: Path) -> None:
    questions = write(tmp_path / "q.txt", ": s\nman woman king queen\nman woman uncle aunt\n")
    total = analogy_accuracy(WORDS, VECTORS, questions, restrict_vocab=4).total
    assert (total.correct, total.asked, total.unknown) == (1, 1, 1)
    assert analogy_accuracy(WORDS, VECTORS, questions, restrict_vocab=None).total.asked == 2
    nothing = analogy_accuracy(WORDS, VECTORS, questions, restrict_vocab=2).total
    assert math.isnan(nothing.accuracy)


def test_small_batches_give_the_same(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w{i}" for i in range(40)]
    vectors = rng.normal(size=(40, 3)).astype(np.float32)
    lines = [" ".join(rng.choice(words, 4, replace=False)) for _ in range(300)]
    questions = write(tmp_path / "q.txt", ": s\n" + "\n".join(lines))
    at_once = analogy_accuracy(words, vectors, questions)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    correct = 0
    for line in lines:
        a, b, c, d = (words.index(word) for word in line.split())
        scores = unit @ (unit[b] - unit[a] + unit[c])
        scores[[a, b, c]] = -9
        correct += scores.argmax() == d
    assert at_once.total.correct == correct > 0
    monkeypatch.setattr(evaluation, "_SCORES_AT_ONCE", 40 * 7)
    assert analogy_accuracy(words, vectors, questions) == at_once


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (": s\na b c d\na b c\n", 3, "four words, not 3"),
        ("a b c d\n", 1, "before the first"),
    ],
)
def test_a_malformed_question(tmp_path: Path, text: str, line: int, message: str) -> None:
    questions = write(tmp_path / "q.txt", text)
    with pytest.raises(InputError, match=message) as caught:
        analogy_accuracy(WORDS, VECTORS, questions)
    assert (caught.value.path, caught.value.line) == (questions, line)


def test_word_pairs_by_hand(tmp_path: Path) -> None:
    # Cosines from `man`: woman −0.923, king 0.693, uncle 0.693, rare 0.196. Ranks 1, 3.5, 3.5, 2 against 1, 3, 4, 2:
    # differences 0, ½, −½, 0 with one tie, so ρ = 4.5 / √(4.5 · 5).
    path = write(
        tmp_path / "pairs.tsv",
        "# a comment\nman\twoman\t1\nMAN\tking\t3.5\nman\tuncle\t9\nman\trare\t2\nman\tno such\t5\n",
    )
    result = word_pair_correlation(WORDS, VECTORS, path)
    assert result.spearman == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    cosines = [-0.96 / 1.04, 1 / math.sqrt(2.08), 1 / math.sqrt(2.08), 0.2 / math.sqrt(1.04)]
    assert result.pearson == pytest.approx(np.corrcoef(cosines, [1, 3.5, 9, 2])[0, 1], abs=1e-6)
    assert (result.pairs, result.unknown) == (4, 1)


def test_word_pairs_that_say_nothing(tmp_path: Path) -> None:
    none = word_pair_correlation(WORDS, VECTORS, write(tmp_path / "a", "x y 1\n"))
    assert (none.pairs, none.unknown) == (0, 1)
    assert math.isnan(none.spearman)
    equal = word_pair_correlation(WORDS, VECTORS, write(tmp_path / "b", "man woman 1\nman king 1\n"))
    assert math.isnan(equal.spearman)
    assert math.isnan(equal.pearson)


@pytest.mark.parametrize("line", ["man woman", "man woman high", "man woman nan", "man woman 1 2"])
def test_a_malformed_pair(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "pairs.txt", f"man woman 1\n{line}\n")
    with pytest.raises(InputError) as caught:
        word_pair_correlation(WORDS, VECTORS, path)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: cannot be read"):
        word_pair_correlation(WORDS, VECTORS, tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"man woman 1\n\xff\xfe\n")
    with pytest.raises(InputError, match="not UTF-8"):
        analogy_accuracy(WORDS, VECTORS, tmp_path / "binary")
