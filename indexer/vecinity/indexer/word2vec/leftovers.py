"""What a save of a model leaves beside its folder when it is killed, and what may be deleted of it.

A model NAME is written to ``.NAME-xxxxxxxx``, which then takes the name; a model that it replaces is moved to
``.NAME-xxxxxxxx.old`` first, and deleted at last. Each save holds a lock on the folder it writes to, so that others
see that it is alive.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OLD = ".old"


@contextmanager
def new_folder(directory: Path) -> Iterator[Path]:
    """A locked folder beside `directory` to write a model to; deleted on an error."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        with suppress(OSError):  # A file system without locks.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def old_of(temporary: Path) -> Path:
    """Where the model that is replaced by the one in `temporary` waits until that is in place."""
    return temporary.with_name(temporary.name + _OLD)


def unfinished(directory: Path, files: Collection[str]) -> list[Path]:
    """Folders that saves as `directory` were killed in; they hold nothing but `files`."""
    return [path for path in _beside(directory, files) if path.suffix != _OLD]


def replaced(directory: Path, files: Collection[str]) -> list[Path]:
    """Models that were in `directory` before a save that was killed; they hold nothing but `files`."""
    return [path for path in _beside(directory, files) if path.suffix == _OLD]


def sweep(folders: list[Path]) -> None:
    """Delete those of the folders that no save is busy with."""
    for folder in folders:
        with suppress(OSError):  # Another save is alive, or was quicker; a file system without locks keeps all.
            descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def _beside(directory: Path, files: Collection[str]) -> list[Path]:
    # What `tempfile.mkdtemp` makes of the prefix: a model NAME-2 has its own, which end in another eight characters.
    ours = re.compile(rf"\.{re.escape(directory.name)}-[a-z0-9_]{{8}}({re.escape(_OLD)})?")
    found = []
    with suppress(OSError):
        for path in sorted(directory.parent.iterdir()):
            if ours.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                names = os.listdir(path)
                # An empty one may be that of a save that has just begun and is about to lock it.
                if names and set(names) <= set(files):
                    found.append(path)
    return found
