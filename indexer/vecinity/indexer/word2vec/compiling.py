"""How functions become machine code, and where it is kept until the next start."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numba
import xxhash
from numba.core import config

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., object])

# What lets LLVM reorder a sum, less the promise that NaN and infinity never occur: a diverging training must end in
# them, to be reported, and not in undefined behaviour.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
_OPTIONS = {"nogil": True, "fastmath": _FASTMATH, "error_model": "numpy"}
_HERE = Path(__file__).parent
_SOURCES = ("compiling.py", "simd.py", "step.py", "workspace.py", "draws.py", "kernels.py")


def _cache_folder() -> str | None:
    """A folder for the machine code of just these sources; None where none can be written.

    numba compiles again when the file of a function has changed, but not when that of a function it calls has: after
    an update it would run old code. So the folder is named by all of them.
    """
    digest = xxhash.xxh3_64()
    for name in _SOURCES:
        digest.update((_HERE / name).read_bytes())
    own = [_HERE / "__pycache__", Path(os.path.expanduser("~/.cache/vecinity"))]
    for parent in [Path(config.CACHE_DIR)] if config.CACHE_DIR else own:
        folder = parent / f"kernels-{digest.hexdigest()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return None


_CACHE_FOLDER = _cache_folder()


def compiled(function: _F) -> _F:
    """numba without the GIL, cached on disk where some folder can be written."""
    if _CACHE_FOLDER is None:
        return numba.njit(**_OPTIONS)(function)  # type: ignore[no-any-return]
    before, config.CACHE_DIR = config.CACHE_DIR, _CACHE_FOLDER
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)  # type: ignore[no-any-return]
    finally:
        config.CACHE_DIR = before


def inlined(function: _F) -> _F:
    """numba, merged into its callers: it is cached with them."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)  # type: ignore[no-any-return]


def call_first(function: Callable[..., _T], *arguments: object) -> _T:
    """Call a `compiled` function for the first time, whatever is the matter with the cache."""
    try:
        return function(*arguments)
    except OSError:  # A full disk: it could be compiled, but not kept.
        return function(*arguments)
    except Exception:  # What a power cut left of the cache: an error of pickle, or of many other kinds.
        if _CACHE_FOLDER is None:
            raise
        shutil.rmtree(_CACHE_FOLDER, ignore_errors=True)
        with suppress(OSError):
            os.makedirs(_CACHE_FOLDER, exist_ok=True)
        return function(*arguments)
