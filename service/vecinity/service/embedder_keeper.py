"""The one process that embeds for all workers: a model is in memory once, however many they are.

It is started when the first of them asks for it, and again when one asks after it has died: what they send over the
line (see `embedder_child`) waits in the kernel until there is a process that takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import aclosing

import structlog

from vecinity.service.embedder_command import child_command
from vecinity.service.heartbeat import silences

_PAUSE_SECONDS = 0.1
_LONG_PAUSE_SECONDS = 2.0
_STEADY_SECONDS = 10.0
"""A process that lived so long did not die of its start: the next one may follow at once."""

_log = structlog.get_logger()


class EmbedderKeeper:
    """Keeps the process for as long as `run` does.

    Args:
        timeout_seconds: A process of which nothing is heard for so long is killed.

    Attributes:
        line: The end that workers have a copy of.
        process: Embeds; None while nobody has asked for it.
    """

    def __init__(self, timeout_seconds: float = 30.0) -> None:
        self._timeout_seconds = timeout_seconds
        self.line, self._theirs = socket.socketpair()
        self.process: Process | None = None

    async def run(self) -> None:
        """Start the process whenever it is asked for, until cancelled; then end it."""
        try:
            while True:
                await self._asked()
                began = time.monotonic()
                lived = False
                try:
                    self.process = await self._started()
                except OSError as error:  # no memory, or too many processes: later there may be room
                    _log.warning("the process that embeds can't start", reason=str(error))
                else:
                    lived = await self._attend(self.process)
                    code = await self.process.wait()
                    _log.warning("the process that embeds died: another starts when it is needed", exit_code=code)
                if not lived:
                    self._send_away()
                steady = time.monotonic() - began > _STEADY_SECONDS
                await asyncio.sleep(_PAUSE_SECONDS if steady else _LONG_PAUSE_SECONDS)
        finally:
            await self._end()

    async def _attend(self, process: Process) -> bool:
        """Listen to the process until it ends, or has been silent for so long that it is killed.

        Returns:
            Whether it ever said something, which it does as soon as it takes connections.
        """
        assert process.stdout is not None
        heard = False
        async with aclosing(silences(process.stdout)) as looks:
            async for silent in looks:
                heard = heard or not silent
                if silent >= self._timeout_seconds:
                    _log.warning("the process that embeds is killed, as it stays silent", seconds=silent)
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    break
        return heard

    def _send_away(self) -> None:
        """Close the connections that nobody has taken: who waits there is told, and not left to wait for ever."""
        while select.select([self._theirs], [], [], 0)[0]:  # `recv_fds` has no eye for MSG_DONTWAIT
            _, descriptors, _, _ = socket.recv_fds(self._theirs, 1, 1)
            for descriptor in descriptors:
                os.close(descriptor)

    async def _asked(self) -> None:
        """Wait until somebody has sent a connection. It is left where it is, for the process."""
        loop = asyncio.get_running_loop()
        asked = loop.create_future()
        loop.add_reader(self._theirs, lambda: None if asked.done() else asked.set_result(None))
        try:
            await asked
        finally:
            loop.remove_reader(self._theirs)

    async def _started(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *child_command(self._theirs.fileno()),
            stdin=DEVNULL,
            stdout=PIPE,
            pass_fds=(self._theirs.fileno(),),
            start_new_session=True,  # Ctrl-C is for the supervisor
        )

    async def _end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()  # it has nothing to save
            await self.process.wait()
        self.line.close()
        self._theirs.close()
