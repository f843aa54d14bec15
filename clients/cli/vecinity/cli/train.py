"""``vecinity train``: word2vec without an index, to keep, evaluate, take elsewhere or train on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vecinity.cli.exit_codes import CommandError, ExitCode
from vecinity.cli.extras import require_server
from vecinity.cli.option_groups import takes
from vecinity.cli.output import print_json, print_report
from vecinity.cli.progress import ProgressBars
from vecinity.cli.sources import EncodingErrorPolicy, check_is_file, names, read_model, refuse_vectors
from vecinity.cli.word2vec_options import OPTIONS, settings_of

if TYPE_CHECKING:
    from vecinity.indexer.dataset import Source
    from vecinity.indexer.word2vec import Checkpoint, EarlyStop, Word2VecModel


_KEPT = (
    *("architecture", "dimension", "window", "negative", "sample", "cbow_mean"),
    *("phrase_passes", "phrase_threshold", "phrase_min_count", "subword_buckets", "subword_min", "subword_max"),
)


@takes(OPTIONS)
def train(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help=".txt, .csv, .tsv, .jsonl (each also .gz) or .parquet.")],
    model: Annotated[Path, typer.Argument(help="Folder to make for the model.")],
    text_column: Annotated[
        str | None, typer.Option(help="Column with the text; several, with commas, are joined by a space.")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Names for a CSV or TSV file that has no line of names.")] = None,
    encoding_errors: Annotated[
        EncodingErrorPolicy, typer.Option(help="strict stops at invalid UTF-8, replace goes on.")
    ] = EncodingErrorPolicy.STRICT,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Go on from this model, or from vectors in a file: new words are added, its settings are defaults; "
            "a lower --learning-rate moves its vectors less."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with this training after it was interrupted.")] = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="Save the training so often, in MODEL.checkpoint; 0 never does.", min=0)
    ] = 60,
    early_stop: Annotated[
        int,
        typer.Option(
            help="End after so many epochs that bring nothing better; --epochs is the most. 0 never does.",
            min=0,
        ),
    ] = 0,
    held_out: Annotated[
        int, typer.Option(help="early stop: hold out one of so many chunks, whose loss decides.", min=2)
    ] = 20,
    evaluation: Annotated[
        Path | None, typer.Option(help="early stop: a file of analogies or word pairs that decides instead.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, or what PyTorch calls another device: cuda, without checkpoints.")
    ] = "cpu",
    overwrite: Annotated[bool, typer.Option(help="Replace a model that MODEL holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    **word2vec: Any,
) -> None:
    """Train word2vec on texts and save the model.

    After an interruption, repeat the command with --resume; with --threads 1 the result is as if there had been none.
    """
    require_server("'vecinity train'")
    from vecinity.indexer.dataset import Source, read_texts
    from vecinity.indexer.word2vec import train as train_word2vec
    from vecinity.indexer.word2vec.model import check_free

    if source.is_dir():
        raise CommandError(f"{source} is a folder: give a file of text, and a trained model with --start")
    check_is_file(source)
    model = model.resolve()  # A link keeps pointing where it does, and "." has a name.
    # Hours of training must not end at a folder that can't be written.
    if model.is_mount():
        raise CommandError(f"{model} is a mount point: name a folder in it", ExitCode.ERROR)
    check_free(model, overwrite=overwrite)
    refuse_vectors(source, "--start")
    texts = Source(source, names(text_column), (), names(columns), encoding_errors.value)
    base = None
    if start is not None:
        base = read_model(start, encoding_errors.value, outputs=True)
        _take_over(word2vec, base, context)
    settings = settings_of(word2vec)
    checkpoint = None
    if checkpoint_seconds and device == "cpu":
        checkpoint = _checkpoint(model, checkpoint_seconds, texts, base, evaluation, resume)
    elif resume:
        raise CommandError("--resume goes with checkpoints: not with --checkpoint-seconds 0 or another --device")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stopping = _early_stop(early_stop, held_out, evaluation)
    began = time.perf_counter()
    with _saying_what_is_saved(checkpoint), ProgressBars() as progress:
        trained = train_word2vec(
            lambda: read_texts(texts),
            settings,
            workdir=model.parent,
            progress=progress,
            device=device,
            start=base,
            early_stop=stopping,
            checkpoint=checkpoint,
        )
    trained.save(model, overwrite=overwrite)
    if checkpoint is not None:
        checkpoint.discard()
    _report(trained, model, time.perf_counter() - began, as_json)


def _take_over(word2vec: dict[str, Any], base: Word2VecModel, context: typer.Context) -> None:
    """Settings that were not given are those of the model that is gone on from, as far as they shape a model."""
    for name in _KEPT:
        given = context.get_parameter_source(name)
        if given is None or given.name != "COMMANDLINE":
            if base.settings is not None:
                word2vec[name] = getattr(base.settings, name)
            elif name == "dimension":
                word2vec[name] = base.dimension


def _checkpoint(
    model: Path, seconds: float, texts: Source, base: Word2VecModel | None, evaluation: Path | None, resume: bool
) -> Checkpoint:
    from vecinity.indexer.word2vec import Checkpoint

    folder = model.parent / f"{model.name}.checkpoint"
    status = texts.path.stat()
    # What a training that goes on has to share with the one that was interrupted.
    told = [str(texts.path.resolve()), f"{status.st_size:,} bytes", *texts.text_columns]
    told += [f"from {base.fingerprint}"] if base else []
    told += [f"judged by {evaluation.resolve()}"] if evaluation else []
    checkpoint = Checkpoint(folder, seconds, ", ".join(told))
    if checkpoint.exists() and not resume:
        raise CommandError(
            f"{folder} holds a training that was interrupted: repeat the command with --resume, or delete the folder",
            ExitCode.ERROR,
        )
    if resume and not checkpoint.exists():
        raise CommandError(f"there is nothing to go on with in {folder}: leave out --resume", ExitCode.NOT_FOUND)
    return checkpoint


@contextmanager
def _saying_what_is_saved(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Tell whoever interrupts a training how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is not None and checkpoint.exists():
            typer.echo(f"vecinity: saved in {checkpoint.folder}: repeat the command with --resume", err=True)
        raise


def _early_stop(patience: int, held_out: int, evaluation: Path | None) -> EarlyStop | None:
    if not patience:
        if evaluation is not None:
            raise CommandError("--evaluation goes with --early-stop: say after how many epochs, such as --early-stop 1")
        return None
    from vecinity.indexer.word2vec import EarlyStop
    from vecinity.indexer.word_evaluation import evaluate_file
    from vecinity.indexer.word_evaluation.files import Kind, kind_of, read_pairs, read_questions

    if evaluation is None:
        return EarlyStop(patience, held_out)
    # A malformed file shows now, and not after the first epoch.
    (read_questions if kind_of(evaluation) is Kind.ANALOGIES else read_pairs)(evaluation)
    return EarlyStop(patience, held_out, lambda words, vectors: evaluate_file(evaluation, words, vectors))


def _report(trained: Word2VecModel, folder: Path, seconds: float, as_json: bool) -> None:
    assert trained.training is not None and trained.counts is not None
    report = {
        "model": str(folder),
        "words": len(trained),
        "dimension": trained.dimension,
        "corpus_words": int(trained.counts.sum()),
        "epochs": trained.training.epochs,
        "best_epoch": trained.training.best_epoch,
        "losses": list(trained.training.losses),
        "losses_of": trained.training.losses_of,
        "seconds": round(seconds, 1),
        "fingerprint": trained.fingerprint,
    }
    if as_json:
        print_json(report)
        return
    shown: dict[str, Any] = report | {
        "losses": " ".join("?" if loss is None else f"{loss:.4f}" for loss in trained.training.losses)
    }
    print_report("trained", shown)
