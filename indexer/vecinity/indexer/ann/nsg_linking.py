"""Linking the items of an nsg index, in a process of its own that can be ended.

FAISS's NSG looks for a place for a link from any item it has reached, one drawn after the other, without end where all
of them have their number of links: items in dense groups far from each other bring it there. Nothing in FAISS stops it.

    python -m vecinity.indexer.ann.nsg_linking FOLDER LINKS METRIC THREADS

reads vectors.npy and neighbours.npy, and writes index.faiss, unless standard input ends before: then nobody waits for
it any more.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vecinity.indexer.errors import InputError
from vecinity.indexer.files import writing
from vecinity.indexer.metric import Vectors

_ALL_PAIRS_ROWS = 10_000
"""Up to here each item starts from its true neighbours, above from those that NN-descent finds."""

_NEIGHBOURS = 64
"""Neighbours of each item that linking starts from; FAISS's own default."""

_NO_ROOM = 3
"""Exit code of the process: the index could not be written."""

_SECONDS_MIN = 60.0
_TIMES_NEIGHBOURS = 20.0
"""Linking takes about as long as finding the neighbours, where it ends at all."""


def linked(vectors: Vectors, links: int, metric: int) -> Any:
    """FAISS's NSG of vectors, float32 (rows, d), of which it holds a copy.

    Args:
        links: Of an item.
        metric: FAISS's number.

    Raises:
        InputError: FAISS refuses, or does not end.
        StorageError: There is no room for the vectors, or the index, among temporary files.
    """
    began = time.perf_counter()
    neighbours = _neighbours(vectors, metric)
    seconds = max(_SECONDS_MIN, _TIMES_NEIGHBOURS * (time.perf_counter() - began))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with writing(folder):
            np.save(folder / "vectors.npy", vectors)
            np.save(folder / "neighbours.npy", neighbours)
        arguments = [folder, links, metric, faiss.omp_get_max_threads()]
        their_end, our_end = os.pipe()  # ours closes with this process, however that ends
        try:
            subprocess.run(
                # runpy warns of a module that its package has imported too, on the stderr that tells why FAISS refused.
                [sys.executable, "-W", "ignore::RuntimeWarning", "-m", __name__, *map(str, arguments)],
                stdin=their_end,
                check=True,
                timeout=seconds,
                capture_output=True,
                text=True,
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"FAISS can't link these {len(vectors)} items by nsg (not within {seconds:.0f} s): use --index hnsw"
            ) from error
        except subprocess.CalledProcessError as error:
            if error.returncode == _NO_ROOM:
                with writing(folder):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
            raise InputError(
                f"FAISS can't link these {len(vectors)} items by nsg: use --index hnsw ({reason[-200:]})"
            ) from error
        finally:
            os.close(their_end)
            os.close(our_end)
        return faiss.read_index(str(folder / "index.faiss"))


def _neighbours(vectors: Vectors, metric: int) -> NDArray[np.int64]:
    """Neighbours of each row, int64 (rows, 64), without itself; -1 for none."""
    if len(vectors) <= _ALL_PAIRS_ROWS:
        _, found = faiss.knn(vectors, vectors, _NEIGHBOURS + 1, metric=metric)
        others = found != np.arange(len(vectors))[:, None]
        others[:, -1] &= ~others.all(axis=1)  # of 65 that are all others, the last is left out
        return np.ascontiguousarray(found[others].reshape(len(vectors), _NEIGHBOURS))
    index = faiss.IndexNNDescentFlat(vectors.shape[1], _NEIGHBOURS, metric)
    index.nndescent.L = _NEIGHBOURS + 50  # S, R and the rounds are those of FAISS's NSG by default
    index.add(vectors)
    found = faiss.vector_to_array(index.nndescent.final_graph).reshape(len(vectors), _NEIGHBOURS)
    return np.ascontiguousarray(found, dtype=np.int64)


def _main(folder: Path, links: int, metric: int, threads: int) -> None:
    threading.Thread(target=_end_when_orphaned, args=(folder,), daemon=True).start()
    faiss.omp_set_num_threads(threads)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    index = faiss.IndexNSGFlat(vectors.shape[1], links, metric)
    index.GK = _NEIGHBOURS
    try:
        index.build(vectors, np.load(folder / "neighbours.npy", mmap_mode="r"))
    except RuntimeError as error:
        sys.exit(str(error).strip().splitlines()[-1].rsplit(": ", 1)[-1])
    try:
        faiss.write_index(index, str(folder / "index.faiss"))
    except RuntimeError:
        sys.exit(_NO_ROOM)


def _end_when_orphaned(folder: Path) -> None:
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)  # whoever would have done it is gone
    os._exit(1)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
