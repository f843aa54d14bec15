"""Durable writes: what is on disk after a crash is all of it or none of it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vecinity.indexer.errors import StorageError

_ADVICE = {
    errno.ENOSPC: "the disk is full: make room and run it again",
    errno.EDQUOT: "the disk quota is used up: make room and run it again",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "permission denied: choose another folder or change its owner",
    errno.EPERM: "permission denied: choose another folder or change its owner",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENOENT: "a folder above it does not exist: make it",
    errno.EBUSY: "it is a mount point or in use: choose a folder inside it",
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
        advice = _ADVICE.get(error.errno or errno.ENOSPC, error.strerror)
        # The path that was refused may be a temporary one, which says nothing to a reader.
        raise StorageError(f"can't write {what}: {advice}; what was there before is as it was") from error


def os_error_of(error: Exception) -> OSError:
    """What the operating system said, from the error of a library in Rust, which tells it as ``(os error 28)``."""
    text = " ".join(str(error).split())
    found = re.search(r"\(os error (\d+)\)", text)
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else OSError(errno.EIO, text)


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
