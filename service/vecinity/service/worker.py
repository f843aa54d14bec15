"""One of several processes that serve the same address; `supervisor` starts it.

    python -m vecinity.service.worker

reads its `Orders` from the first line of standard input, as JSON, and answers calls until SIGTERM, or until standard
input ends: then the supervisor is gone, and nobody would replace or stop this process. It writes one line to standard
output, as JSON: that it is ready, or why it can't be; and from then on a byte each `BEAT_SECONDS`, from its event loop,
by which the supervisor knows that it turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from vecinity.indexer.errors import IndexerError
from vecinity.service.config import Config
from vecinity.service.errors import ServiceError
from vecinity.service.heartbeat import BEAT_SECONDS, STDOUT


class Orders(BaseModel):
    """What a supervisor tells a worker.

    Attributes:
        number: Among its workers, from 0.
        cpu: The one to stay on; None for any.
        metrics_folder: Where to write metrics; None if nobody wants them.
        line: Number of the open socket on which connections are handed over; None if the worker listens itself.
        embed_line: Number of the open socket to the process that embeds for all; None for one of its own.
    """

    number: int
    cpu: int | None
    metrics_folder: Path | None
    line: int | None
    embed_line: int | None
    config: Config


def _main() -> None:
    orders = Orders.model_validate_json(sys.stdin.readline())
    if orders.cpu is not None:
        # Before there is any other thread. Where the CPU has been taken from us meanwhile, any will do.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {orders.cpu})
    threading.Thread(target=_stop_when_orphaned, args=(orders.metrics_folder,), daemon=True).start()
    # Not before: NumPy and others make threads when they are imported, which stay on the CPUs they were made on.
    from vecinity.service.edge.sharing import Handed
    from vecinity.service.event_loop import new_event_loop
    from vecinity.service.server import run_server

    loop = new_event_loop(orders.config)
    serving = run_server(
        orders.config,
        lambda address: _ready(address, loop),
        worker=orders.number,
        metrics_folder=orders.metrics_folder,
        handed=None if orders.line is None else Handed(socket.socket(fileno=orders.line)),
        embed_line=None if orders.embed_line is None else socket.socket(fileno=orders.embed_line),
    )
    try:
        loop.run_until_complete(serving)
    except (IndexerError, ServiceError) as error:
        _say(error=str(error))
        sys.exit(1)
    finally:
        loop.close()
    # Everything is closed, but a thread may still be loading a model: leaving as usual would wait for it.
    sys.stderr.flush()
    os._exit(0)


def _say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def _ready(address: str, loop: asyncio.AbstractEventLoop) -> None:
    _say(ready=address)
    os.set_blocking(STDOUT, False)  # a supervisor that does not read must not hold us up
    _beat(loop)


def _beat(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(OSError):
        os.write(STDOUT, b".")
    loop.call_later(BEAT_SECONDS, _beat, loop)


def _stop_when_orphaned(metrics_folder: Path | None) -> None:
    # Past Python's buffer: a thread that waits in it could not be left behind at the end.
    while os.read(0, 1):
        pass
    if metrics_folder is not None:
        shutil.rmtree(metrics_folder, ignore_errors=True)  # nobody reads them, and nobody else would clear up
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _main()
