"""word2vec on a GPU, or any device of PyTorch: the door to `torch_training`, with all that can be wrong before it.

torch is an optional package that takes seconds to import, and servers must not carry it. So it, and the modules that
import it, are imported by name and only when a device is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

from vecinity.indexer.errors import MissingExtraError, SettingError
from vecinity.indexer.progress import Progress, silent
from vecinity.indexer.word2vec.encoded import EncodedCorpus
from vecinity.indexer.word2vec.matrices import Matrices
from vecinity.indexer.word2vec.settings import Word2VecSettings
from vecinity.indexer.word2vec.vocabulary import Vocabulary

_TRAINING = "vecinity.indexer.word2vec.torch_training"


def check_device(settings: Word2VecSettings, device: str) -> Any:
    """The torch.device of that name, if it can do this kind of training.

    Args:
        device: A device of torch: ``"cuda"``, ``"cuda:1"``, ``"cpu"``.

    Raises:
        MissingExtraError: torch is not installed.
        SettingError: There is no such device, or only the CPU does this kind of training.
    """
    if settings.objective != "negative-sampling" or settings.subword_buckets:
        kind = settings.objective if settings.objective != "negative-sampling" else "subwords"
        raise SettingError(
            f"--device {device} trains with negative sampling and without subwords, not with {kind}: leave out "
            "--device to train that on the CPU"
        )
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise MissingExtraError(
            f"--device {device} needs torch, which is not installed: pip install torch, or leave out --device"
        ) from error
    return _find_device(torch, device)


def train_torch(
    corpus: EncodedCorpus,
    vocabulary: Vocabulary,
    matrices: Matrices,
    settings: Word2VecSettings,
    *,
    device: str,
    progress: Progress = silent,
) -> int:
    """Learn the vectors of an encoded corpus in large batches on a device.

    Differs from the training on the CPU in that all words of a batch are trained on at once: `torch_kernels` tells
    how, and what it costs. On the CPU with one thread the same seed gives the same vectors; a GPU adds in no fixed
    order, and the last digits differ. `settings.threads` means nothing here.

    Args:
        device: See `check_device`.
        matrices: Updated.
        progress: Stage ``"train word2vec"``.

    Returns:
        Pairs of a neighbour and a position that were trained on.

    Raises:
        MissingExtraError, SettingError: As `check_device`.
        SettingError: The device's memory is too small.
    """
    found = check_device(settings, device)
    torch = importlib.import_module("torch")
    try:
        training = importlib.import_module(_TRAINING).TorchTraining(vocabulary, matrices, settings, device=found)
        return int(training.run(corpus, progress))
    except torch.OutOfMemoryError as error:
        raise SettingError(
            f"{len(vocabulary):,} words of dimension {settings.dimension} don't fit into the memory of {device}: "
            "lower --dimension, raise --min-count, or leave out --device"
        ) from error


def _find_device(torch: Any, name: str) -> Any:
    """The torch.device of that name, if torch can use it on this machine."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingError(f"device is {name!r}; it must be one that torch knows, such as 'cuda' or 'cpu'") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            f"this machine has no CUDA device that torch can use: leave out --device {name}, or install a CUDA build "
            "of torch and the GPU's driver"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingError(
            f"device is {name!r}, but this machine's CUDA devices are 0 to {torch.cuda.device_count() - 1}: "
            "choose one of them"
        )
    if device.type not in ("cuda", "cpu"):
        try:
            torch.zeros(1, device=device).item()
        except Exception as error:  # Each kind of device that is absent says so in its own way.
            raise SettingError(
                f"this machine has no {device.type} device that torch can use: leave out --device {name}"
            ) from error
    return device
