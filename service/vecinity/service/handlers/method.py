"""What the pipeline knows of a method."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from vecinity.service.call import Call

Handler = Callable[[Call, Any], Awaitable[Message]]
Tell = Callable[[Message | Exception], None]
QuickHandler = Callable[[Call, bytes, Tell], bool]
"""Has the answer to a request, which it parses itself, told once, on the event loop; or says, by False, that a handler
must do it.

A task, and a coroutine for every room that a call passes through, take a third of what a search of one vector takes."""

StreamHandler = Callable[[Call, Any], AsyncGenerator[Message, None]]

_MESSAGES_AT_ONCE = 500
"""So many messages within a message take some ten milliseconds to make: longer, and other calls would wait for it."""


@dataclass(frozen=True, slots=True)
class Method:
    """A handler and the type of its request; `quick` for those that come by the thousand."""

    request: type[Message]
    handler: Handler
    quick: QuickHandler | None = None


@dataclass(frozen=True, slots=True)
class StreamMethod:
    """A method whose answer comes in parts: its handler makes the next one when it is asked for it."""

    request: type[Message]
    handler: StreamHandler


async def made(make: Callable[[], Message], messages: int) -> Message:
    """A response with so many messages in it, made in a thread if they are many."""
    return await asyncio.to_thread(make) if messages > _MESSAGES_AT_ONCE else make()
