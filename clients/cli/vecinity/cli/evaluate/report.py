"""Everything that is measured of one or two sets of word vectors, as the JSON document has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecinity.indexer.progress import Progress
    from vecinity.indexer.word_vectors import WordVectors

UNTRAINED = "untrained"
CORRELATIONS = ("spearman", "pearson")
MEASURES = ("mean_cosine", "hubness", "beyond_chance")

NO_FILES = (
    "Only the vectors themselves were looked at. Give --questions for analogies (Google's questions-words.txt, of the "
    "original word2vec) and --pairs for human judgement (WordSim-353, SimLex-999: two words and a number a line); "
    "gensim's package has all three in gensim/test/test_data."
)


def measure(
    vectors: WordVectors,
    questions: Path | None,
    pairs: Sequence[Path],
    restrict_vocab: int,
    methods: Sequence[str],
    epsilon: float,
    progress: Progress,
) -> dict[str, Any]:
    """All that is measured of one set of vectors. Where nothing could be measured stands NaN."""
    from dataclasses import asdict

    from vecinity.indexer import word_evaluation

    words, matrix = vectors.words, vectors.vectors
    analogies: dict[str, Any] = {}
    for name in methods:
        if questions is None:
            break
        solved = word_evaluation.analogy_accuracy(
            words,
            matrix,
            questions,
            restrict_vocab,
            method=word_evaluation.Method(name),
            epsilon=epsilon,
            progress=progress,
        )
        analogies[name] = {
            "total": {**asdict(solved.total), "accuracy": solved.total.accuracy},
            "sections": [{**asdict(section), "accuracy": section.accuracy} for section in solved.sections],
        }
    correlations: list[dict[str, Any]] = []
    for path in pairs:
        result = word_evaluation.word_pair_correlation(words, matrix, path, restrict_vocab)
        correlations.append({"file": str(path), **asdict(result), "unknown_share": result.unknown_share})
    health = word_evaluation.vector_health(words, matrix)
    return {
        "analogies": analogies or None,
        "pairs": correlations,
        "vectors": {**asdict(health), "faults": health.faults},
        "neighbours": [
            {
                "word": near.word,
                "rank": near.rank,
                "nearest": [{"word": word, "score": score} for word, score in near.nearest],
            }
            for near in word_evaluation.nearest_words(words, matrix)
        ],
    }


def differences(report: dict[str, Any], baseline: dict[str, Any]) -> dict[str, Any]:
    """What the model has more than the baseline."""

    def solved_more(name: str) -> dict[str, Any]:
        ours, theirs = report["analogies"][name], baseline["analogies"][name]
        return {
            "total": {"accuracy": ours["total"]["accuracy"] - theirs["total"]["accuracy"]},
            "sections": [
                {"section": a["section"], "accuracy": a["accuracy"] - b["accuracy"]}
                for a, b in zip(ours["sections"], theirs["sections"], strict=True)
            ],
        }

    analogies = report["analogies"]
    return {
        "analogies": None if analogies is None else {name: solved_more(name) for name in analogies},
        "pairs": [
            {"file": ours["file"], **{name: ours[name] - theirs[name] for name in CORRELATIONS}}
            for ours, theirs in zip(report["pairs"], baseline["pairs"], strict=True)
        ],
        "vectors": {name: report["vectors"][name] - baseline["vectors"][name] for name in MEASURES},
    }


def notes_on(report: dict[str, Any], questions: Path | None, pairs: Sequence[Path]) -> list[str]:
    """What a reader of the figures should know."""
    notes: list[str] = [] if questions is not None or pairs else [NO_FILES]
    for part in (report, report["baseline"]):
        if part is None:
            continue
        name = part["model"]
        # The random vectors of a baseline are meant to be what a fault of the model would be.
        notes += [f"{name}: {fault}." for fault in part["vectors"]["faults"] if name != UNTRAINED or part is report]
        known = next(iter(part["analogies"].values()))["total"] if part["analogies"] else None
        if known is not None and not known["asked"]:
            notes.append(
                f"{name}: no question of {questions} has all four words among the {report['restrict_vocab']:,} most "
                "frequent words; is it in the language of the vectors?"
            )
        for result in part["pairs"]:
            if math.isnan(result["spearman"]):
                notes.append(
                    f"{name}: the {result['pairs']:,} pairs of {result['file']} with two known words give no "
                    "correlation; two at least must differ."
                )
    return notes


def without_nan(value: Any) -> Any:
    """The same with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {name: without_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
