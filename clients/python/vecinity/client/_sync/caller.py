"""Carrying a request and turning its response, or each part of it, into a result.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from contextlib import closing
from typing import TypeVar

from google.protobuf.message import Message

from vecinity.client._convert.fields import Method, seconds
from vecinity.client._transport import Parts, Transport

R = TypeVar("R")


class Caller:
    """What the methods of a client need."""

    _transport: Transport
    _timeout: float | None

    def _call(self, method: Method[R], request: Message, timeout: float | None) -> R:
        limit = self._timeout if timeout is None else seconds("timeout", timeout)
        response = self._transport.call(method.name, request, method.response, limit)
        return method.result(response, request)

    def _stream(self, method: Method[R], request: Message, timeout: float | None) -> Parts[R]:
        limit = seconds("timeout", timeout)
        with closing(self._transport.stream(method.name, request, method.response, limit)) as parts:
            for part in parts:
                yield method.result(part, request)
