"""Finds out which analogies are solved: nearly all by bounds from a matrix product, the rest one by one.

One thing is wanted of a question: is the expected word the nearest? A matrix product of the few words that thousands of
questions are made of, with all words, tells that many times faster than question by question, but rounds in another
order. So each score has bounds. Where they leave open which of two words is nearer, as with equal vectors, the question
is solved again on its own, operation by operation as gensim does it.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.word_evaluation.known_words import UNKNOWN, Float32s, Int64s, KnownWords

Bools = npt.NDArray[np.bool_]

PAPER_EPSILON = 1e-3
GENSIM_EPSILON = 1e-6

_LOOKED_AT = 5  # gensim takes so many of the nearest words and passes over those that are in the question.
_BELOW_ALL = np.float32(-4)
_SCORES_AT_ONCE = 1 << 17  # float32 scores of some questions with some words: half a MiB, which a cache holds.
_COSINES_AT_ONCE = 1 << 22
_WORDS_AT_ONCE = 4_096
_COSINE_ERROR = 5e-6  # Well above what rounding makes of a float32 sum of some thousand products.
_FAR_MIN = 0.05  # 1 + cos(x, a) below this would magnify the error of 3CosMul too much.


class Method(StrEnum):
    """How the answer is found among all words x but a, b and c.

    ``3cosadd``: the largest cos(x, b − a + c), all of them unit vectors (Mikolov et al. 2013a, section 4; Levy &
    Goldberg 2014, "Linguistic Regularities in Sparse and Explicit Word Representations", equation 3).
    ``3cosmul``: the largest cos(x, b) · cos(x, c) / (cos(x, a) + ε), the cosines moved to 0 … 1 as (1 + cos) / 2
    (Levy & Goldberg 2014, equation 4 and footnote 7).
    """

    COS_ADD = "3cosadd"
    COS_MUL = "3cosmul"


# How far a score can be from the true one: a share of itself, and an amount.
_ERRORS = {
    Method.COS_ADD: (0.0, 3 * _COSINE_ERROR),
    Method.COS_MUL: (1.1 * _COSINE_ERROR / _FAR_MIN, 5 * _COSINE_ERROR / _FAR_MIN),
}


class AnalogySolver:
    """Solves questions, which are int64 (q, 4): the numbers in `known` of a, b, c and the expected answer.

    Args:
        known: The words that can be asked and answered.
        vectors: float32 (n, d), of all words.
        method: 3CosAdd looks at the words asked. 3CosMul looks at all of them and passes over those not asked, as
            in gensim, whose ``most_similar_cosmul`` makes nothing of ``restrict_vocab``.
        epsilon: ε of 3CosMul.
    """

    def __init__(self, known: KnownWords, vectors: Float32s, method: Method, epsilon: float) -> None:
        self._known = known
        self._method = method
        self._epsilon = epsilon
        self._vectors = vectors[: known.asked] if method is Method.COS_ADD else vectors
        self._number_of_row = known.number_of_row[: len(self._vectors)]
        with np.errstate(over="ignore"):
            self._lengths = np.linalg.norm(self._vectors, axis=1)
        self._has_direction = np.isfinite(self._lengths) & (self._lengths > 0)
        self._unit = np.zeros_like(self._vectors)
        np.divide(self._vectors, self._lengths[:, None], out=self._unit, where=self._has_direction[:, None])

    def solve(self, questions: Int64s, progress: Progress = silent) -> Bools:
        """Which questions are solved, bool (q,)."""
        solved = np.zeros(len(questions), dtype=bool)
        # A word without a direction makes every score NaN, and an expected word that is given is never looked for.
        is_plain = self._has_direction[self._known.first[questions]].all(axis=1)
        is_plain &= (questions[:, :3] != questions[:, 3:]).all(axis=1)
        plain = np.flatnonzero(is_plain)
        right, wrong = self._settle(questions[plain], progress)
        solved[plain[right]] = True
        for i in np.concatenate([np.flatnonzero(~is_plain), plain[~right & ~wrong]]).tolist():
            solved[i] = self._solve_one(*questions[i].tolist())
        return solved

    def _settle(self, questions: Int64s, progress: Progress) -> tuple[Bools, Bools]:
        """Which questions are surely right, and which surely wrong, bool (q,) both.

        A question is wrong if a word that can be the answer, a rival, is nearer than the expected one; right if none
        is, and of the words that are passed over fewer than five.
        """
        asked = self._known.first[questions[:, :3]]
        expected, given = self._cells(questions[:, 3:]), self._cells(questions[:, :3])
        best = np.full(len(questions), _BELOW_ALL)
        np.maximum.at(best, expected[0], self._scores_at(asked, expected))
        share, amount = _ERRORS[self._method]
        low, high = best * (1 - share) - amount, best * (1 + share) + amount
        threshold = (low - amount) / (1 + share)  # What scores less is surely not nearer than the expected word.

        is_other = (given[1][:, None] != asked[given[0]]).all(axis=1)
        others = given[0][is_other], given[1][is_other]
        passed_over = np.zeros(len(questions), dtype=np.int64)
        np.add.at(passed_over, others[0], self._scores_at(asked, others) >= threshold[others[0]])

        hidden = np.concatenate([given[0], expected[0]]), np.concatenate([given[1], expected[1]])
        rival, magnifies = self._sweep(asked, hidden, threshold, passed_over, progress)
        wrong = (rival * (1 - share) - amount > high) & ~magnifies
        right = (rival < threshold) & (passed_over < _LOOKED_AT) & ~magnifies
        return right, wrong

    def _sweep(
        self, asked: Int64s, hidden: tuple[Int64s, Int64s], threshold: Float32s, passed_over: Int64s, progress: Progress
    ) -> tuple[Float32s, Bools]:
        """The score of each question's best rival, float32 (q,), and where the error of it is too large, bool (q,).

        Args:
            asked: int64 (q, 3), the rows of a, b and c.
            hidden: Questions and rows that are no rivals of theirs.
            threshold: float32 (q,).
            passed_over: int64 (q,), to which is added how many of the words not asked reach the threshold.
        """
        q, n = len(asked), len(self._unit)
        rival = np.full(q, _BELOW_ALL)
        distinct, place = np.unique(asked, return_inverse=True)
        place = place.reshape(-1, 3)
        lowest = np.ones(len(distinct), dtype=np.float32)
        width = max(1, min(_WORDS_AT_ONCE, _COSINES_AT_ONCE // max(1, len(distinct))))
        height = max(1, _SCORES_AT_ONCE // width)
        by_question = np.argsort(hidden[0], kind="stable")
        lines, rows = hidden[0][by_question], hidden[1][by_question]
        for start in range(0, n if q else 0, width):
            progress("solve analogies", start, n, "words")
            words = slice(start, start + width)
            cosines = self._unit[distinct] @ self._unit[words].T
            np.minimum(lowest, cosines.min(axis=1), out=lowest)
            near, far = self._terms(cosines)
            inside = (rows >= start) & (rows < start + width)
            hidden_lines, hidden_rows = lines[inside], rows[inside] - start
            not_asked = self._number_of_row[words] == UNKNOWN
            ceiling = np.where(not_asked | ~self._has_direction[words], _BELOW_ALL, np.float32(np.inf))
            for top in range(0, q, height):
                part = slice(top, top + height)
                scores = near[place[part, 1]]
                self._combine(scores, near[place[part, 2]])
                self._combine(scores, far[place[part, 0]])
                cells = slice(*np.searchsorted(hidden_lines, (top, top + height)))
                scores[hidden_lines[cells] - top, hidden_rows[cells]] = _BELOW_ALL
                if not_asked.any():
                    passed_over[part] += np.count_nonzero((scores >= threshold[part, None]) & not_asked, axis=1)
                np.minimum(scores, ceiling, out=scores)
                np.maximum(rival[part], scores.max(axis=1), out=rival[part])
        progress("solve analogies", n, n, "words")
        return rival, (self._method is Method.COS_MUL) & (lowest < _FAR_MIN - 1)[place[:, 0]]

    def _scores_at(self, asked: Int64s, cells: tuple[Int64s, Int64s]) -> Float32s:
        """The scores of some rows, each for a question, float32 (cells,)."""
        lines, rows = cells
        near, far = self._terms(np.einsum("ijk,ik->ij", self._unit[asked[lines]], self._unit[rows]))
        scores: Float32s = near[:, 1].copy()
        self._combine(scores, near[:, 2])
        self._combine(scores, far[:, 0])
        scores[~self._has_direction[rows]] = _BELOW_ALL
        return scores

    def _terms(self, cosines: Float32s) -> tuple[Float32s, Float32s]:
        """What scores are made of: the terms of b and c, and that of a."""
        if self._method is Method.COS_ADD:
            return cosines, -cosines
        near = 1 + cosines  # Without the halves of footnote 7, which change all scores alike.
        return near, 1 / np.maximum(near + np.float32(2 * self._epsilon), np.float32(_COSINE_ERROR))

    def _combine(self, scores: Float32s, terms: Float32s) -> None:
        (np.add if self._method is Method.COS_ADD else np.multiply)(scores, terms, out=scores)

    def _cells(self, numbers: Int64s) -> tuple[Int64s, Int64s]:
        """For the words of each question, int64 (q, m): the question and the row of every spelling."""
        which, rows = self._known.rows_of(numbers.ravel())
        inside = rows < len(self._vectors)
        return which[inside] // numbers.shape[1], rows[inside]

    def _solve_one(self, a: int, b: int, c: int, expected: int) -> bool:
        """As gensim does it, in the same operations on the same types, so that equal scores end in the same order."""
        given = self._known.first[[b, c, a]]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            to_b, to_c, to_a = self._vectors[given] / self._lengths[given, None]
            if self._method is Method.COS_ADD:
                target = (to_b + to_c - to_a).astype(np.float64) / 3
                length = np.linalg.norm(target)
                target = (target * (1 / length) if length > 0 else target).astype(np.float32)
                scores = np.dot(self._vectors, target) / self._lengths
                looked_at = _LOOKED_AT + 3
            else:
                near_b, near_c, near_a = (
                    (1 + np.dot(self._vectors, v) / self._lengths) / 2 for v in (to_b, to_c, to_a)
                )
                scores = near_b * near_c / (near_a + self._epsilon)
                looked_at = _LOOKED_AT + len({a, b, c})
        numbers = [int(self._number_of_row[row]) for row in _largest(scores, looked_at) if row not in given][
            :_LOOKED_AT
        ]
        answers = (number for number in numbers if number not in (UNKNOWN, a, b, c))
        return next(answers, numbers[-1] if numbers else UNKNOWN) == expected


def _largest(scores: Float32s, count: int) -> Int64s:
    """The `count` largest, largest first, equal ones in the order of gensim's ``matutils.argsort``."""
    if count >= scores.size:
        return np.argsort(-scores)[:count]
    found = np.argpartition(-scores, count)[:count]
    largest: Int64s = found[np.argsort(-scores[found])]
    return largest
