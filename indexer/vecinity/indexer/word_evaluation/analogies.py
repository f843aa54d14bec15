"""Analogies: "a is to b as c is to ?", by section, counted as gensim counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vecinity.indexer.errors import SettingError
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.word_evaluation.files import read_questions
from vecinity.indexer.word_evaluation.known_words import UNKNOWN, Float32s, KnownWords, check_vectors
from vecinity.indexer.word_evaluation.solver import PAPER_EPSILON, AnalogySolver, Method


@dataclass(frozen=True)
class SectionAccuracy:
    """How many analogies of one section were solved.

    Args:
        section: Its name in the file, or ``"total"``.
        correct: Questions whose fourth word was the nearest.
        asked: Questions that `accuracy` is about: those with four known words, and with `dummy4unknown` all.
        unknown: Questions with a word that is not in the vocabulary.
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


def analogy_accuracy(
    words: Sequence[str],
    vectors: Float32s,
    questions_path: Path,
    restrict_vocab: int | None = 30_000,
    *,
    method: Method = Method.COS_ADD,
    epsilon: float = PAPER_EPSILON,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
    progress: Progress = silent,
) -> AnalogyAccuracy:
    """Solve the questions of a file; the counts are those of gensim's ``KeyedVectors.evaluate_word_analogies``.

    As in gensim: an answer is looked for among the five words of the highest scores, passing over every spelling
    of the three given words; of two spellings of one word the more frequent is asked; a word without a direction
    (zero, NaN) is never nearest; 3CosAdd answers with the words that `restrict_vocab` leaves, 3CosMul looks at all
    and passes over the others.

    Args:
        words: n words, most frequent first.
        vectors: float32 (n, d).
        questions_path: Lines of four words under ``: section`` lines.
        restrict_vocab: Ask and answer with so many of the most frequent words only; None for all.
        method: 3CosAdd is gensim's ``most_similar``, 3CosMul its ``most_similar_cosmul``. (gensim 4.4 takes a
            ``similarity_function`` but makes nothing of it: its evaluation asks ``most_similar`` always.)
        epsilon: ε of 3CosMul, above 0 and at most 1: .001 in the paper; gensim has 1e-6 (`GENSIM_EPSILON`).
        case_insensitive: Compare words in upper case.
        dummy4unknown: Count a question with an unknown word as wrong instead of leaving it out.
        progress: Stage ``"solve analogies"``, in questions.

    Raises:
        InputError: The file cannot be read, has a line of another form or no question, or `vectors` are of another
            form.
        SettingError: `restrict_vocab` is below 1 or `epsilon` out of its range.
    """
    check_vectors(words, vectors)
    if not 0 < epsilon <= 1:
        raise SettingError(f"epsilon is {epsilon}; it must be above 0 and at most 1, such as {PAPER_EPSILON}")
    sections = read_questions(questions_path)
    known = KnownWords(words, restrict_vocab, case_insensitive)
    numbers = [[known.number(word) for word in question] for section in sections for question in section.questions]
    questions = np.array(numbers, dtype=np.int64).reshape(-1, 4)
    section_of = np.repeat(np.arange(len(sections)), [len(section.questions) for section in sections])
    is_known = (questions != UNKNOWN).all(axis=1)
    solved = np.zeros(len(questions), dtype=bool)
    if is_known.any():
        solved[is_known] = AnalogySolver(known, vectors, method, epsilon).solve(questions[is_known], progress)
    correct, asked, given = (
        np.bincount(section_of, weights, minlength=len(sections)).astype(int).tolist()
        for weights in (solved, is_known, None)
    )
    results = [
        SectionAccuracy(section.name, correct[i], given[i] if dummy4unknown else asked[i], given[i] - asked[i])
        for i, section in enumerate(sections)
    ]
    total = SectionAccuracy(
        "total",
        sum(section.correct for section in results),
        sum(section.asked for section in results),
        sum(section.unknown for section in results),
    )
    return AnalogyAccuracy(results, total)
