"""Word vectors against questions, human scores and chance; against gensim, see test_word_evaluation_gensim."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from vecinity.indexer.errors import InputError, SettingError
from vecinity.indexer.word2vec import Word2VecSettings
from vecinity.indexer.word2vec.matrices import Matrices
from vecinity.indexer.word_evaluation import (
    Method,
    analogy_accuracy,
    evaluate_file,
    nearest_words,
    ranks,
    solver,
    untrained_vectors,
    vector_health,
    word_pair_correlation,
)
from vecinity.indexer.word_evaluation.files import Kind, kind_of
from vecinity.indexer.word_evaluation.health import chance_cosine


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
    monkeypatch.setattr(solver, "_SCORES_AT_ONCE", 7)
    monkeypatch.setattr(solver, "_WORDS_AT_ONCE", 3)
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
    with pytest.raises(InputError, match=r"none\.txt: can't be read"):
        word_pair_correlation(WORDS, VECTORS, tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"man woman 1\n\xff\xfe\n")
    with pytest.raises(InputError, match="not UTF-8"):
        analogy_accuracy(WORDS, VECTORS, tmp_path / "binary")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="not a regular file"):
            kind_of(path)


def test_a_line_without_end(tmp_path: Path) -> None:
    path = write(tmp_path / "long", ": s\na b c d\n" + "a " * 600_000)
    with pytest.raises(InputError, match=r"long:3: a line of over 1,048,576 characters"):
        analogy_accuracy(WORDS, VECTORS, path)


@pytest.mark.parametrize("text", ["", "\n", ": one\n: two\n"])
def test_a_file_without_questions(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"q\.txt: holds no question"):
        analogy_accuracy(WORDS, VECTORS, write(tmp_path / "q.txt", text))


@pytest.mark.parametrize("scale", [1e308, 1e-300])
def test_scores_of_any_size(tmp_path: Path, scale: float) -> None:
    scores = {"woman": -1.0, "king": 1.0, "uncle": 0.5, "rare": 0.25}
    results = [
        word_pair_correlation(
            WORDS,
            VECTORS,
            write(tmp_path / "pairs", "".join(f"man {word} {score * by}\n" for word, score in scores.items())),
        )
        for by in (1, scale)
    ]
    assert results[0].pearson == pytest.approx(results[1].pearson, rel=1e-12)
    assert results[0].spearman == results[1].spearman


def test_3cosmul_by_hand(tmp_path: Path) -> None:
    # Cosines with a, b and c: x ½, 1, 0 and so 2 · 1 / (1.5 + 2ε); y 0, ½, ½ and so 2.25 / (1 + 2ε), which is more.
    # 3CosAdd gives x ½ and y 1. With ε = 1, its largest, x has 2 / 3.5 and y 2.25 / 3.
    words = ["a", "b", "c", "x", "y"]
    root = math.sqrt(0.5)
    vectors = np.array(
        [[1, 0, 0, 0], [0.5, 0.75**0.5, 0, 0], [0, 0, 1, 0], [0.5, 0.75**0.5, 0, 0], [0, 0.5, 0.5, root]]
    )
    vectors = vectors.astype(np.float32)
    questions = write(tmp_path / "q.txt", ": s\na b c y\na b c x\n")
    for method, epsilon in ((Method.COS_MUL, 1e-3), (Method.COS_MUL, 1.0), (Method.COS_ADD, 1e-3)):
        scores = {}
        for row, word in ((3, "x"), (4, "y")):
            a, b, c = (vectors[:3] @ vectors[row]).tolist()
            scores[word] = b - a + c if method is Method.COS_ADD else (1 + b) * (1 + c) / (1 + a + 2 * epsilon)
        assert abs(scores["x"] - scores["y"]) > 0.01
        solved = analogy_accuracy(words, vectors, questions, method=method, epsilon=epsilon)
        assert solved.total.correct == 1
        only_y = analogy_accuracy(
            words, vectors, write(tmp_path / "y.txt", ": s\na b c y\n"), method=method, epsilon=epsilon
        )
        assert only_y.total.correct == (scores["y"] > scores["x"])


def test_the_methods_can_disagree(tmp_path: Path, rng: np.random.Generator) -> None:
    words = [f"w{i}" for i in range(60)]
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = (1 + unit @ unit.T) / 2
    lines, expected = [], {Method.COS_ADD: 0, Method.COS_MUL: 0}
    for _ in range(400):
        a, b, c, d = rng.choice(60, 4, replace=False).tolist()
        lines.append(f"w{a} w{b} w{c} w{d}")
        for method in Method:
            scores = near[b] - near[a] + near[c] if method is Method.COS_ADD else near[b] * near[c] / (near[a] + 0.001)
            scores = scores.copy()
            scores[[a, b, c]] = -9
            expected[method] += scores.argmax() == d
    questions = write(tmp_path / "q.txt", ": s\n" + "\n".join(lines))
    found = {method: analogy_accuracy(words, vectors, questions, method=method).total.correct for method in Method}
    assert found == expected
    assert found[Method.COS_ADD] != found[Method.COS_MUL]


def test_a_section_named_twice_is_two(tmp_path: Path) -> None:
    questions = write(tmp_path / "q.txt", ": s\nman woman king queen\n: t\n: s\nman woman uncle king\n")
    sections = analogy_accuracy(WORDS, VECTORS, questions).sections
    assert [(section.section, section.correct, section.asked) for section in sections] == [
        ("s", 1, 1),
        ("t", 0, 0),
        ("s", 0, 1),
    ]


def test_unknown_words_can_count_as_wrong(tmp_path: Path) -> None:
    questions = write(tmp_path / "q.txt", ": s\nman woman king queen\nman woman missing queen\n")
    total = analogy_accuracy(WORDS, VECTORS, questions, dummy4unknown=True).total
    assert (total.correct, total.asked, total.unknown) == (1, 2, 1)
    pairs = write(tmp_path / "p.tsv", "man\twoman\t1\nman\tking\t9\nman\tmissing\t5\n")
    # Cosines −0.923, 0.693 and, for the unknown word, 0: in the order of 1, 9 and 5.
    result = word_pair_correlation(WORDS, VECTORS, pairs, dummy4unknown=True)
    assert (result.spearman, result.pairs, result.unknown) == (pytest.approx(1), 2, 1)
    assert result.unknown_share == pytest.approx(1 / 3)


def test_case_can_matter(tmp_path: Path) -> None:
    questions = write(tmp_path / "q.txt", ": s\nman woman King queen\nMan woman king queen\n")
    assert analogy_accuracy(WORDS, VECTORS, questions).total.asked == 2
    total = analogy_accuracy(WORDS, VECTORS, questions, case_insensitive=False).total
    assert (total.asked, total.unknown) == (1, 1)


@pytest.mark.parametrize("epsilon", [0, -1, 2, math.nan, math.inf])
def test_epsilon_out_of_range(tmp_path: Path, epsilon: float) -> None:
    with pytest.raises(SettingError, match="above 0"):
        analogy_accuracy(WORDS, VECTORS, write(tmp_path / "q.txt", ": s\n"), epsilon=epsilon)


def test_restrict_vocab_out_of_range(tmp_path: Path) -> None:
    for evaluate, text in ((analogy_accuracy, ": s\na b c d\n"), (word_pair_correlation, "a b 1\n")):
        with pytest.raises(SettingError, match="at least 1"):
            evaluate(WORDS, VECTORS, write(tmp_path / "file", text), restrict_vocab=0)


@pytest.mark.parametrize("vectors", [VECTORS[:-1], VECTORS[0], VECTORS.astype(np.float64)])
def test_vectors_of_another_form(tmp_path: Path, vectors: np.ndarray) -> None:
    path = write(tmp_path / "empty", "\n")
    for evaluate in (analogy_accuracy, word_pair_correlation):
        with pytest.raises(InputError, match="must be float32"):
            evaluate(WORDS, vectors, path)
    for measure in (vector_health, nearest_words):
        with pytest.raises(InputError, match="must be float32"):
            measure(WORDS, vectors)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (": s\na b c d\n", Kind.ANALOGIES),
        ("\ufeff\n# heading\n: s\n", Kind.ANALOGIES),
        ("# heading\nnew york\tcity\t1.5\n", Kind.WORD_PAIRS),
        ("a b 1\n", Kind.WORD_PAIRS),
    ],
)
def test_the_kind_of_a_file(tmp_path: Path, text: str, kind: Kind) -> None:
    assert kind_of(write(tmp_path / "file", text)) is kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no question and no word pair"),
        ("# only this\n", "holds no question and no word pair"),
        ("\na b c d\n", ":2: neither ': section'"),
        ("Word 1\tWord 2\tHuman (mean)\n", ":1: neither ': section'"),
        ("x" * 500, "x…' "),
    ],
)
def test_files_of_neither_kind(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        evaluate_file(write(tmp_path / "file", text), WORDS, VECTORS)


def test_one_score_for_a_file_of_either_kind(tmp_path: Path) -> None:
    questions = write(tmp_path / "a", ": s\nman woman king queen\nman woman king aunt\n")
    assert evaluate_file(questions, WORDS, VECTORS) == 0.5
    pairs = write(tmp_path / "b", "man woman 1\nman king 9\nman rare 5\n")
    assert evaluate_file(pairs, WORDS, VECTORS) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": s\nx y z w\n", "none of the 1 questions has four known words"),
        (": s\n", "holds no question"),
        ("x y 1\nman woman 2\n", "1 of 2 pairs have two known words"),
        ("man woman 1\nman king 1\n", "2 of 2 pairs have two known words, and give no correlation"),
    ],
)
def test_no_score_without_known_words(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate_file(write(tmp_path / "file", text), WORDS, VECTORS)


def test_one_score_of_vectors_that_diverged(tmp_path: Path) -> None:
    lost = np.full_like(VECTORS, np.nan)
    assert evaluate_file(write(tmp_path / "a", ": s\nman woman noise queen\n"), WORDS, lost) == 0
    with pytest.raises(InputError, match="give no correlation"):
        evaluate_file(write(tmp_path / "b", "man woman 1\nman king 9\n"), WORDS, lost)


def test_untrained_vectors_are_those_of_a_training() -> None:
    vectors = untrained_vectors(5_000, 20)
    settings = Word2VecSettings(dimension=20, seed=1)
    assert np.array_equal(vectors, Matrices.untrained(5_000, settings).inputs[:, :20])
    assert vectors.shape == (5_000, 20) and vectors.dtype == np.float32
    assert np.abs(vectors).max() <= 1 / 20
    assert vectors.std() == pytest.approx(1 / 20 / math.sqrt(3), rel=0.01)  # of a uniform distribution
    assert np.array_equal(vectors, untrained_vectors(5_000, 20))
    assert not np.array_equal(vectors, untrained_vectors(5_000, 20, seed=2))
    with pytest.raises(SettingError):
        untrained_vectors(1, 0)


def topics(rng: np.random.Generator, rows: int = 2_000, dimension: int = 30) -> np.ndarray:
    """Vectors around 50 directions, as those of words with something in common."""
    centres = rng.normal(size=(50, dimension))
    return (centres[rng.integers(0, 50, rows)] + 0.3 * rng.normal(size=(rows, dimension))).astype(np.float32)


def names(count: int) -> list[str]:
    return [f"w{i}" for i in range(count)]


def test_sound_vectors_have_no_faults(rng: np.random.Generator) -> None:
    health = vector_health(names(2_000), topics(rng))
    assert health.faults == []
    assert (health.words, health.dimension, health.measured) == (2_000, 30, 2_000)
    assert health.beyond_chance > 0.99
    assert abs(health.mean_cosine) < 0.1


def test_figures_of_health_by_brute_force(rng: np.random.Generator) -> None:
    vectors = topics(rng, rows=300)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit @ unit.T).astype(np.float64)
    others = ~np.eye(300, dtype=bool)
    health = vector_health(names(300), vectors)
    assert health.mean_cosine == pytest.approx(cosines[others].mean(), abs=1e-6)
    np.fill_diagonal(cosines, -9)
    times = np.bincount(np.argsort(-cosines, axis=1)[:, :10].ravel(), minlength=300)
    skewness = ((times - times.mean()) ** 3).mean() / times.std() ** 3
    assert health.hubness == pytest.approx(skewness, abs=1e-6)


def test_untrained_vectors_are_told_from_trained_ones() -> None:
    health = vector_health(names(3_000), untrained_vectors(3_000, 50))
    assert health.beyond_chance < 0.03  # .01 of 1,000 words, give or take what draws vary
    assert ["hold little that was learnt" in fault for fault in health.faults] == [True]


def test_chance_is_what_random_directions_do(rng: np.random.Generator) -> None:
    trials, directions, dimension = 4_000, 25, 8
    vectors = rng.normal(size=(trials, directions, dimension))
    largest = (vectors[:, :, 0] / np.linalg.norm(vectors, axis=2)).max(axis=1)
    assert (largest > chance_cosine(dimension, directions, 0.1)).mean() == pytest.approx(0.1, abs=0.02)
    assert chance_cosine(3, 1, 0.25) == pytest.approx(0.5, abs=1e-6)
    assert chance_cosine(2, 1, 0.5) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("broken", "faults"),
    [
        (lambda v: np.full_like(v, np.nan), ["2,000 of 2,000 vectors hold NaN"]),
        (lambda v: np.where(np.arange(len(v))[:, None] < 3, np.inf, v), ["3 of 2,000 vectors hold NaN or inf"]),
        (lambda v: np.where(np.arange(len(v))[:, None] < 3, 0, v), ["3 of 2,000 vectors are zero"]),
        (lambda v: np.zeros_like(v), ["2,000 of 2,000 vectors are zero"]),
        (
            lambda v: np.ones_like(v),
            ["1,999 of the 2,000 most frequent words have", "all vectors are alike", "0.0% of the most"],
        ),
        (lambda v: 50 + v, ["all vectors are alike"]),
        (lambda v: np.concatenate([v[:-1], v[:1]]), ["1 of the 2,000 most frequent words have the vector of another"]),
    ],
)
def test_broken_vectors_are_told(rng: np.random.Generator, broken, faults: list[str]) -> None:  # type: ignore[no-untyped-def]
    found = vector_health(names(2_000), broken(topics(rng)).astype(np.float32)).faults
    assert len(found) == len(faults), found
    assert all(wanted in fault for wanted, fault in zip(faults, found, strict=True)), found


def test_hubs_are_told(rng: np.random.Generator) -> None:
    """Ten words in the middle of all others, which point everywhere else: cosines of about .7 against .5."""
    noise = rng.normal(size=(6_000, 300)) / math.sqrt(300)
    noise[:10] *= 0.1
    vectors = noise + np.eye(300)[0]
    hubs, _ = vector_health(names(6_000), vectors.astype(np.float32)).faults
    assert hubs.startswith("hubness is 24.")  # √(6,000 / 10), if each of the ten is a neighbour of all


@pytest.mark.parametrize("rows", [0, 1, 2, 11])
@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_health_of_few_words(rng: np.random.Generator, rows: int, dimension: int) -> None:
    vectors = rng.normal(size=(rows, dimension)).astype(np.float32)
    health = vector_health(names(rows), vectors)
    assert health.measured == rows
    assert math.isnan(health.hubness) == (rows < 11)
    assert math.isnan(health.mean_cosine) == (rows < 2)
    assert math.isnan(health.beyond_chance) == (rows < 2 or dimension < 4)
    assert len(nearest_words(names(rows), vectors)) == (0 if rows < 2 else len({min(50, rows), rows}))


def test_nearest_words_by_hand() -> None:
    words, vectors = ["a", "none", "b", "c"], np.array([[1, 0], [0, 0], [3, 4], [1, -1]], dtype=np.float32)
    (near,) = nearest_words(words, vectors, k=5)
    assert (near.word, near.rank) == ("c", 4)
    assert near.nearest == [("a", pytest.approx(math.sqrt(0.5))), ("b", pytest.approx(-1 / 5 / math.sqrt(2)))]
    with pytest.raises(SettingError):
        nearest_words(words, vectors, k=0)
