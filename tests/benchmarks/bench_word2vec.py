"""Train word2vec on 7.5 million words; print speed and quality as one JSON line, beside gensim's if it is installed.

    python tests/benchmarks/bench_word2vec.py [--data ../shared/data] [--architecture cbow] [--peer none]

Words a second are raw words times epochs over the time from the encoded corpus (gensim: from the built vocabulary)
to the vectors, compilation included. Both sides' vectors go through the same evaluation, with gensim's meaning.
"""

import argparse
import gzip
import hashlib
import importlib.util
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vecinity.indexer.evaluation import analogy_accuracy, word_pair_correlation
from vecinity.indexer.word2vec import Word2VecSettings, train

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"google_analogies": 0.19, "wordsim353_spearman": 0.55}
CLAIMS = {
    "google_analogies": "Google analogies solved, of the 30,000 most frequent words",
    "wordsim353_spearman": "WordSim-353, Spearman",
    "simlex999_spearman": "SimLex-999, Spearman",
    "words_per_s": "raw words trained on a second",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--architecture", choices=["skip-gram", "cbow"], default="skip-gram")
    parser.add_argument("--threads", type=int, default=Word2VecSettings().threads)
    parser.add_argument("--peer", choices=["gensim", "none"], default="gensim")
    arguments = parser.parse_args()
    corpus = arguments.data / "words.txt.gz"
    settings = Word2VecSettings(architecture=arguments.architecture, threads=arguments.threads)

    raw_words = sum(len(line.split()) for line in read(corpus))
    ours = measure_ours(corpus, settings, raw_words, arguments.data)
    theirs = None
    if arguments.peer == "gensim" and importlib.util.find_spec("gensim"):
        theirs = measure_gensim(corpus, settings, raw_words, arguments.data)
    line = {
        "benchmark": "word2vec",
        "architecture": settings.architecture,
        "commit": commit(),
        "dataset": hashlib.sha256(corpus.read_bytes()).hexdigest()[:12],
        "threads": settings.threads,
        "raw_words": raw_words,
        **ours,
        "comparisons": compare(ours, theirs, settings.architecture),
    }
    print(json.dumps(line))


def read(corpus: Path) -> Iterator[str]:
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        yield from lines


def measure_ours(corpus: Path, settings: Word2VecSettings, raw_words: int, data: Path) -> dict[str, float]:
    encoded_at = start = time.perf_counter()

    def progress(stage: str, *_: object) -> None:
        nonlocal encoded_at
        if stage == "encode corpus":
            encoded_at = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        model = train(lambda: read(corpus), settings, workdir=Path(folder), progress=progress)
    end = time.perf_counter()
    return {
        "words_per_s": round(raw_words * settings.epochs / (end - encoded_at)),
        "encode_s": round(encoded_at - start, 1),
        "train_s": round(end - encoded_at, 1),
        **quality(model.words, model.vectors, data),
    }


def measure_gensim(corpus: Path, settings: Word2VecSettings, raw_words: int, data: Path) -> dict[str, float]:
    from gensim.models import Word2Vec

    with tempfile.NamedTemporaryFile() as plain:  # gensim's fastest way in is an uncompressed file.
        plain.write(gzip.decompress(corpus.read_bytes()))
        plain.flush()
        model = Word2Vec(
            sg=int(settings.architecture == "skip-gram"),
            vector_size=settings.dimension,
            window=settings.window,
            negative=settings.negative,
            sample=settings.sample,
            min_count=settings.min_count,
            alpha=settings.learning_rate,
            min_alpha=settings.min_learning_rate,
            seed=settings.seed,
            workers=settings.threads,
        )
        model.build_vocab(corpus_file=plain.name)
        start = time.perf_counter()
        model.train(
            corpus_file=plain.name,
            total_examples=model.corpus_count,
            total_words=model.corpus_total_words,
            epochs=settings.epochs,
        )
        seconds = time.perf_counter() - start
    return {
        "words_per_s": round(raw_words * settings.epochs / seconds),
        **quality(model.wv.index_to_key, model.wv.vectors, data),
    }


def quality(words: list[str], vectors: Any, data: Path) -> dict[str, float]:
    analogies = analogy_accuracy(words, vectors, data / "questions-words.txt").total
    return {
        "google_analogies": round(analogies.accuracy, 4),
        "google_questions": analogies.asked,
        "wordsim353_spearman": round(word_pair_correlation(words, vectors, data / "wordsim353.tsv").spearman, 4),
        "simlex999_spearman": round(word_pair_correlation(words, vectors, data / "simlex999.txt").spearman, 4),
    }


def compare(ours: dict[str, float], theirs: dict[str, float] | None, architecture: str) -> list[dict[str, Any]]:
    """One record a claim; `met` is None where there is no target."""
    targets = TARGETS if architecture == "skip-gram" else {}
    return [
        {
            "claim": claim,
            "ours": ours[key],
            "peer": "gensim" if theirs else None,
            "theirs": theirs[key] if theirs else None,
            "ratio": round(ours[key] / theirs[key], 3) if theirs else None,
            "target": targets.get(key),
            "met": ours[key] >= targets[key] if key in targets else None,
        }
        for key, claim in CLAIMS.items()
    ]


def commit() -> str | None:
    answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else None


if __name__ == "__main__":
    main()
