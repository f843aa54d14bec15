"""A client whose methods ask a server, or a service in this process.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from vecinity.client._async.analogy import AsyncAnalogyMethods
from vecinity.client._async.collection import AsyncCollectionMethods
from vecinity.client._async.graph import AsyncGraphMethods
from vecinity.client._async.search import AsyncSearchMethods
from vecinity.client._async.similarity import AsyncSimilarityMethods
from vecinity.client._transport import AsyncGrpcTransport, AsyncInProcessTransport


class AsyncClient(
    AsyncSearchMethods, AsyncAnalogyMethods, AsyncSimilarityMethods, AsyncGraphMethods, AsyncCollectionMethods
):
    """Asks a Vecinity server.

    One client serves many calls at once; the one for asyncio is made and used on one event loop, the blocking one may
    be shared between threads. Every method raises the errors of `vecinity.client.errors`.

    Args:
        target: Address of the server, ``host:port``; gRPC's other forms (``dns:///…``, ``unix:…``) work too.
        timeout: Seconds until the deadline of calls that give none; None for no deadline.
    """

    def __init__(self, target: str = "127.0.0.1:50051", *, timeout: float | None = 30.0) -> None:
        self._transport = AsyncGrpcTransport(target)
        self._timeout = timeout

    @classmethod
    def in_process(cls, data_dir: str | Path, *, timeout: float | None = None) -> AsyncClient:
        """A client that answers from a data directory in this process, without a server.

        For notebooks and batch jobs. Needs the server part (``pip install .[server]``). Opening takes as long as it
        takes to compare the checksums of all collections.

        Raises:
            VecinityError: The server part is not installed, or `data_dir` is not a data directory.
        """
        client = cls.__new__(cls)
        client._transport = AsyncInProcessTransport(data_dir)
        client._timeout = timeout
        return client

    async def close(self) -> None:
        """Release the connection."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
