"""Durable writes: what is on disk after a crash is all of it or none of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vecinity.indexer.errors import StorageError

_ADVICE = {
    errno.ENOSPC: "the disk is full: make room and run it again",
    errno.EDQUOT: "the disk quota is used up: make room and run it again",
    errno.EROFS: "the file system is read-only: choose another --data-dir",
    errno.EACCES: "permission denied: choose another --data-dir or change its owner",
    errno.EPERM: "permission denied: choose another --data-dir or change its owner",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a file stands where a folder is needed",
}


@contextmanager
def writing(what: Path) -> Iterator[None]:
    """Turn the operating system's refusals into one clear StorageError.

    A failed write or fsync is never tried again: after EIO the kernel may have dropped the pages, and a second
    fsync would report success for data that is gone.
    """
    try:
        yield
    except OSError as error:
        # NumPy reports a short write without an errno.
        advice = _ADVICE.get(error.errno or errno.ENOSPC, os.strerror(error.errno or 0))
        where = error.filename or what
        raise StorageError(f"can't write {where}: {advice}; nothing was published") from error


def fsync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_folder(source: Path, target: Path, *, top: Path | None = None) -> None:
    """Make the finished folder `source` appear as `target`, durably and in one step, on the same file system.

    Args:
        top: A folder above `target` that is known to be durable: those between, which may be new, are synced too.
    """
    for path in source.iterdir():
        fsync(path)
    fsync(source)
    source.rename(target)
    fsync(target.parent)
    if top is not None:
        for folder in target.parent.parents:
            fsync(folder)
            if folder == top:
                break
