"""How good results are: recall against exact neighbours, and word vectors against human judgement.

`recall_at_k` compares ids and `recall_at_k_with_ties` scores. `analogy_accuracy` and `word_pair_correlation` mean
what `evaluate_word_analogies` and `evaluate_word_pairs` of gensim mean, so that figures can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecinity.indexer.errors import InputError

Float32s = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]

_SCORES_AT_ONCE = 1 << 24  # float32 scores held at a time: 64 MiB.


def recall_at_k(found: Int64s, truth: Int64s) -> float:
    """The share of the true k nearest neighbours that were found, 0 to 1, averaged over queries.

    Ids that tie with the k-th true neighbour count as misses here; see `recall_at_k_with_ties`.

    Args:
        found: int64 (queries, k); −1 where there were too few results. An id found twice counts once.
        truth: int64 (queries, k), distinct in a row; −1 where the collection has fewer than k items.

    >>> recall_at_k(np.array([[1, 2], [3, 9]]), np.array([[2, 1], [3, 4]]))
    0.75
    """
    _check_shapes(found, truth)
    queries, k = truth.shape
    hits = 0
    step = max(1, _SCORES_AT_ONCE // (k * k))
    for start in range(0, queries, step):
        f, t = found[start : start + step], truth[start : start + step]
        hits += int(((f[:, :, None] == t[:, None, :]).any(axis=1) & (t >= 0)).sum())
    return _share(hits, int((truth >= 0).sum()))


def recall_at_k_with_ties(found_scores: Float32s, truth_scores: Float32s, tolerance: float = 1e-5) -> float:
    """As `recall_at_k`, but any item that scores as high as the k-th true neighbour is a hit.

    With duplicates in a collection many answers are equally right, and ids cannot tell (FAISS, contrib/evaluation.py:
    `check_ref_knn_with_draws`; ANN-Benchmarks, Aumüller et al. 2018, section 3.2).

    Args:
        found_scores: float32 (queries, k), exact scores (not those of compressed codes) of distinct items,
            higher is closer; −inf where there were too few results.
        truth_scores: float32 (queries, k), of the true neighbours; −inf where the collection has fewer than k.
        tolerance: Scores this much lower, in proportion to the k-th true score or absolutely if that is below 1,
            still count: rounding differs between ways of computing one score.

    >>> recall_at_k_with_ties(np.array([[0.9, 0.7]]), np.array([[0.9, 0.8]]))
    0.5
    """
    hits, real = _hits_with_ties(found_scores, truth_scores, tolerance)
    return _share(int(hits.sum()), int(real.sum()))


def shares_found(found_scores: Float32s, truth_scores: Float32s, tolerance: float = 1e-5) -> npt.NDArray[np.float64]:
    """The recall of each query, float64 (queries,); `recall_at_k_with_ties` has the arguments."""
    hits, real = _hits_with_ties(found_scores, truth_scores, tolerance)
    return hits / np.maximum(real, 1)


def _hits_with_ties(found_scores: Float32s, truth_scores: Float32s, tolerance: float) -> tuple[Int64s, Int64s]:
    """Of each query, how many true neighbours were found and how many there are; int64 (queries,) both."""
    _check_shapes(found_scores, truth_scores)
    real = truth_scores > -np.inf
    lowest = np.where(real, truth_scores, np.inf).min(axis=1, keepdims=True)
    lowest -= tolerance * np.maximum(1, np.abs(lowest, where=np.isfinite(lowest), out=np.zeros_like(lowest)))
    return np.minimum((found_scores >= lowest).sum(axis=1), real.sum(axis=1)), real.sum(axis=1)


@dataclass(frozen=True)
class SectionAccuracy:
    """How many analogies of one section were solved.

    Args:
        section: Its name in the file, or ``"total"``.
        correct: Questions whose fourth word was the nearest.
        asked: Questions with four known words.
        unknown: Questions skipped because a word is not in the vocabulary.
    """

    section: str
    correct: int
    asked: int
    unknown: int

    @property
    def accuracy(self) -> float:
        """correct / asked; NaN when nothing could be asked."""
        return self.correct / self.asked if self.asked else math.nan


@dataclass(frozen=True)
class AnalogyAccuracy:
    """Accuracy for each section in file order, and in total."""

    sections: list[SectionAccuracy]
    total: SectionAccuracy


@dataclass(frozen=True)
class WordPairCorrelation:
    """Agreement of cosines with human scores.

    Args:
        spearman: Rank correlation, −1 to 1, ties sharing their mean rank; NaN for fewer than two known pairs
            or when all scores are equal.
        pearson: Linear correlation, likewise.
        pairs: Pairs with both words known.
        unknown: Pairs skipped because a word is not in the vocabulary.
    """

    spearman: float
    pearson: float
    pairs: int
    unknown: int


def analogy_accuracy(
    words: Sequence[str], vectors: Float32s, questions_path: Path, restrict_vocab: int | None = 30_000
) -> AnalogyAccuracy:
    """Solve "a is to b as c is to ?" by the word nearest to b − a + c (3CosAdd, Mikolov et al. 2013a, section 4).

    As in gensim: a, b and c are made unit vectors first, the answer is the nearest by cosine other than the
    three, words are compared in upper case, and of two spellings of one word the more frequent is asked.

    Args:
        words: n words, most frequent first.
        vectors: float32 (n, d).
        questions_path: Lines of four words under ``: section`` lines.
        restrict_vocab: Ask and answer with so many of the most frequent words only; None for all.

    Raises:
        InputError: The file cannot be read, or has a line of another form.
    """
    vocabulary = _Spellings(words[:restrict_vocab])
    unit = _unit_rows(vectors[:restrict_vocab])
    questions: dict[str, list[list[int]]] = {}
    unknown: dict[str, int] = {}
    for section, question in _read_questions(questions_path):
        spellings = [vocabulary.number.get(word.upper(), -1) for word in question]
        asked = questions.setdefault(section, [])
        if min(spellings) < 0:
            unknown[section] = unknown.get(section, 0) + 1
        else:
            asked.append(spellings)
    sections = []
    for section, asked in questions.items():
        correct = _count_solved(np.array(asked, dtype=np.int64).reshape(-1, 4), unit, vocabulary)
        sections.append(SectionAccuracy(section, correct, len(asked), unknown.get(section, 0)))
    total = SectionAccuracy(
        "total",
        sum(section.correct for section in sections),
        sum(section.asked for section in sections),
        sum(section.unknown for section in sections),
    )
    return AnalogyAccuracy(sections, total)


def word_pair_correlation(
    words: Sequence[str], vectors: Float32s, path: Path, restrict_vocab: int | None = 300_000
) -> WordPairCorrelation:
    """Compare the cosines of word pairs with human scores of how alike they are.

    As in gensim: words are compared in upper case, and lines that start with ``#`` are skipped.

    Args:
        words: n words, most frequent first.
        vectors: float32 (n, d).
        path: Lines of two words and a number, separated by tabs (or by spaces, if no line needs them in a word).
        restrict_vocab: Use so many of the most frequent words only; None for all.

    Raises:
        InputError: The file cannot be read, or has a line of another form.
    """
    vocabulary = _Spellings(words[:restrict_vocab])
    rows: list[tuple[int, int]] = []
    human: list[float] = []
    unknown = 0
    for first, second, score in _read_pairs(path):
        a = vocabulary.number.get(first.upper())
        b = vocabulary.number.get(second.upper())
        if a is None or b is None:
            unknown += 1
        else:
            rows.append((vocabulary.row[a], vocabulary.row[b]))
            human.append(score)
    pairs = np.array(rows, dtype=np.int64).reshape(-1, 2)
    cosines = np.einsum("ij,ij->i", _unit_rows(vectors[pairs[:, 0]]), _unit_rows(vectors[pairs[:, 1]]))
    scores = np.array(human, dtype=np.float64)
    return WordPairCorrelation(
        spearman=_correlation(ranks(cosines), ranks(scores)),
        pearson=_correlation(cosines.astype(np.float64), scores),
        pairs=len(pairs),
        unknown=unknown,
    )


def ranks(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Ranks from 1, equal values sharing the mean of their ranks, float64 (n,).

    >>> ranks(np.array([0.3, 0.1, 0.3])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(size)  # The highest rank in each group of equal values.
    means: npt.NDArray[np.float64] = (last - (size - 1) / 2)[group]
    return means


class _Spellings:
    """Words told apart by upper case only: a number for each, in order of first sight.

    Args:
        words: Most frequent first.

    Attributes:
        number: Upper-case word to number.
        row: The most frequent row of each number.
        rows: Every row of each number.
        number_of_row: int64 (len(words),).
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.number: dict[str, int] = {}
        self.rows: list[list[int]] = []
        number_of_row = []
        for row, word in enumerate(words):
            number = self.number.setdefault(word.upper(), len(self.rows))
            if number == len(self.rows):
                self.rows.append([])
            self.rows[number].append(row)
            number_of_row.append(number)
        self.number_of_row = np.array(number_of_row, dtype=np.int64)
        self.row = [rows[0] for rows in self.rows]


def _count_solved(questions: Int64s, unit: Float32s, vocabulary: _Spellings) -> int:
    """How many of `questions` (spelling numbers a, b, c and answer, (q, 4)) the rows of `unit` answer right."""
    row = np.array(vocabulary.row, dtype=np.int64)
    solved = 0
    step = max(1, _SCORES_AT_ONCE // max(1, len(unit)))
    for start in range(0, len(questions), step):
        batch = questions[start : start + step]
        a, b, c = (unit[row[batch[:, i]]] for i in range(3))
        scores = (b - a + c) @ unit.T
        for i, given in enumerate(batch[:, :3]):
            for spelling in given:
                scores[i, vocabulary.rows[spelling]] = -np.inf
        answers = vocabulary.number_of_row[scores.argmax(axis=1)]
        # An answer that is one of the three given words cannot be found, as in gensim.
        possible = ~(batch[:, :3] == batch[:, 3:]).any(axis=1)
        solved += int((possible & (answers == batch[:, 3])).sum())
    return solved


def _read_questions(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each question of an analogy file with the section it stands in."""
    section = None
    for number, line in _read_lines(path):
        if line.startswith(":"):
            section = line[1:].strip()
            continue
        question = line.split()
        if len(question) != 4:
            raise InputError(f"a question has four words, not {len(question)}", path=path, line=number)
        if section is None:
            raise InputError("a question before the first ': section' line", path=path, line=number)
        yield section, question


def _read_pairs(path: Path) -> Iterator[tuple[str, str, float]]:
    """The two words and the score of each line of a word-pair file."""
    for number, line in _read_lines(path):
        if line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
        try:
            first, second, text = fields
            score = float(text)
        except ValueError:
            raise InputError(f"not two words and a number: {line[:80]!r}", path=path, line=number) from None
        if not math.isfinite(score):
            raise InputError(f"the score is {text}; it must be a finite number", path=path, line=number)
        yield first, second, score


def _read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, stripped, with their 1-based numbers."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip()
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", path=path, line=number + 1) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error


def _unit_rows(vectors: Float32s) -> Float32s:
    """Rows divided by their length, float32 (n, d); a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32s = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)
    return unit


def _correlation(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Pearson's r of two float64 (n,); NaN where it is not defined."""
    if len(x) < 2:
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    spread = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / spread if spread > 0 else math.nan


def _check_shapes(found: npt.NDArray[np.generic], truth: npt.NDArray[np.generic]) -> None:
    if found.ndim != 2 or found.shape != truth.shape or found.size == 0:
        raise InputError(f"found {found.shape} and truth {truth.shape} must have one shape, (queries, k), not empty")


def _share(hits: int, possible: int) -> float:
    return hits / possible if possible else math.nan
