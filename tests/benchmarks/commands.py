"""The command line and servers as benchmarks run them: in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def vecinity(*words: object) -> list[str]:
    return [sys.executable, "-m", "vecinity.cli", *map(str, words)]


@contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server that says its address at the end of its first line; gives it."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None
    try:
        address = process.stdout.readline().split()[-1]
        time.sleep(2)  # processes that are told of later than their address
        yield address
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(30)
