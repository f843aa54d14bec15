"""The event loop of a server, and of a supervisor, which starts before anything that takes long to import."""

from __future__ import annotations

import asyncio
import contextlib

from vecinity.service.config import Config


def new_event_loop(config: Config) -> asyncio.AbstractEventLoop:
    """A loop to run a server on: uvloop's where it is installed (``vecinity[fast]``), unless grpcio has its own."""
    if config.edge != "grpcio":
        with contextlib.suppress(ImportError):
            import uvloop

            return uvloop.new_event_loop()
    return asyncio.new_event_loop()
