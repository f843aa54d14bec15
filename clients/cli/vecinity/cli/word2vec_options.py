"""The options of a word2vec training, for every command that trains."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.option_groups import OptionGroup

if TYPE_CHECKING:
    from vecinity.indexer.word2vec import Word2VecSettings


class Architecture(StrEnum):
    SKIP_GRAM = "skip-gram"
    CBOW = "cbow"


class Objective(StrEnum):
    NEGATIVE_SAMPLING = "negative-sampling"
    HIERARCHICAL_SOFTMAX = "hierarchical-softmax"


def _options(
    architecture: Annotated[Architecture, typer.Option(help="word2vec: what predicts what.")] = Architecture.SKIP_GRAM,
    objective: Annotated[
        Objective, typer.Option(help="word2vec: how a word is predicted.")
    ] = Objective.NEGATIVE_SAMPLING,
    dimension: Annotated[int, typer.Option(help="word2vec: numbers in a vector.")] = 100,
    window: Annotated[int, typer.Option(help="word2vec: words to each side.")] = 5,
    negative: Annotated[int, typer.Option(help="word2vec: noise words for each position.")] = 5,
    sample: Annotated[float, typer.Option(help="word2vec: words above this frequency are thinned out.")] = 1e-4,
    min_count: Annotated[int, typer.Option(help="word2vec: rarer words are left out.")] = 5,
    max_vocabulary: Annotated[
        int | None, typer.Option(help="word2vec: only so many of the most frequent words.")
    ] = None,
    max_distinct: Annotated[
        int, typer.Option(help="word2vec: different words held while counting; the rarest of more are pruned.")
    ] = 10_000_000,
    epochs: Annotated[int, typer.Option(help="word2vec: passes over the corpus.")] = 5,
    learning_rate: Annotated[
        float | None, typer.Option(help="word2vec: at the start.  [default: 0.025, with cbow 0.05]")
    ] = None,
    min_learning_rate: Annotated[
        float | None, typer.Option(help="word2vec: at the end.  [default: a tenth of --learning-rate]")
    ] = None,
    cbow_mean: Annotated[
        bool, typer.Option("--cbow-mean/--cbow-sum", help="word2vec: how cbow puts the words around together.")
    ] = True,
    phrase_passes: Annotated[
        int, typer.Option(help="word2vec: passes that join words to phrases, as in new_york.")
    ] = 0,
    phrase_threshold: Annotated[float, typer.Option(help="word2vec: higher gives fewer phrases.")] = 10.0,
    phrase_min_count: Annotated[int, typer.Option(help="word2vec: a phrase occurs more often.")] = 5,
    subword_buckets: Annotated[
        int, typer.Option(help="word2vec: rows for character n-grams, so that unknown words get vectors; 0 is without.")
    ] = 0,
    subword_min: Annotated[int, typer.Option(help="word2vec: shortest n-gram.")] = 3,
    subword_max: Annotated[int, typer.Option(help="word2vec: longest n-gram.")] = 6,
    threads: Annotated[int, typer.Option(help="word2vec: training threads; 0 is one for each CPU.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="word2vec: one thread and one seed give one result.")] = 1,
) -> None:
    """Never called: its parameters are the options, named as the fields of `Word2VecSettings`."""


OPTIONS = OptionGroup(_options)


def settings_of(options: Mapping[str, Any]) -> Word2VecSettings:
    """The settings that the options say."""
    from vecinity.indexer.word2vec import Word2VecSettings

    # 0 threads is the command line's way to say "as many as there are", which is the default.
    given: dict[str, Any] = {
        name: str(value) if isinstance(value, StrEnum) else value for name, value in OPTIONS.of(options).items()
    }
    return Word2VecSettings(**{name: value for name, value in given.items() if name != "threads" or value})
