"""Everything that is claimed about the index engine, in one run: an hour of two processors.

    python tests/benchmarks/bench_index.py [--cache FOLDER] [--data ../shared/data] [--plots docs] [--only sweep,…]

1. sweep: every index worth trying on 125,259 sentences, and how near `--index auto` comes to the best.
2. promise: whether target recalls are kept, on five data sets.
3. filters: recall and cost by selectivity, and by where the matches lie.
4. analogies: agreement with gensim, and speed beside it.
5. scale: build time, memory and speed from 10,000 to 1,000,000 rows.

Each is a benchmark of its own in this folder and prints JSON lines; their tables go to standard error. One after the
other, never two at once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from commands import vecinity
from data_sets import glosses, many_sentences, sentences, titles
from reporting import ROOT

from vecinity.indexer.word2vec import Word2VecModel

HERE = Path(__file__).parent
STEPS = ("sweep", "promise", "filters", "analogies", "scale")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=ROOT / "bench-cache")
    parser.add_argument("--plots", type=Path, default=ROOT / "docs")
    parser.add_argument("--only", default=",".join(STEPS))
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.stderr.write(f"{arguments.data} is missing: this benchmark needs it\n")
        return 1
    wanted = arguments.only.split(",")
    where = ("--data", arguments.data, "--cache", arguments.cache)
    if "sweep" in wanted:
        out = arguments.cache / "sweep.jsonl"
        run("sweep", *where, "--out", out, "--plot", arguments.plots / "index-sweep.svg")
    if "promise" in wanted:
        run("promise", *data_sets_of_promises(arguments.data, arguments.cache), "--k", "1,10,100")
    if "filters" in wanted:
        glosses(arguments.data, arguments.cache)
        run("filters", arguments.cache / "glosses.npy", "--source", arguments.data / "glosses.tsv.gz")
    if "analogies" in wanted:
        run("analogies", "--data", arguments.data, "--data-dir", arguments.cache / "words")
    if "scale" in wanted:
        run("scale", *where, "--plot", arguments.plots / "index-scale.svg")
    return 0


def data_sets_of_promises(data: Path, cache: Path) -> Sequence[str]:
    """Definitions; definitions and news, two clusters; words; mixtures; and titles of news asked of definitions."""
    glosses(data, cache)
    titles(data, cache)
    np.save(cache / "sentences.npy", sentences(data, cache))
    many_sentences(300_000, 128, data, cache)
    words = cache / "words.npy"
    if not words.exists():
        model = cache / "words-model"
        subprocess.run(vecinity("train", data / "words.txt.gz", model), check=True, stdout=sys.stderr)
        np.save(words, Word2VecModel.load(model).vectors)
    return (
        f"glosses={cache / 'glosses.npy'}",
        f"sentences={cache / 'sentences.npy'}",
        f"words={words}",
        f"mixtures={cache / 'sentences-300000x128.npy'}",
        f"titles-of-glosses={cache / 'glosses.npy'}:{cache / 'titles.npy'}",
    )


def run(name: str, *arguments: object) -> None:
    sys.stderr.write(f"== {name}\n")
    subprocess.run([sys.executable, str(HERE / f"bench_{name}.py"), *map(str, arguments)], check=True)


if __name__ == "__main__":
    sys.exit(main())
