"""A client whose methods ask a server, or a service in this process.

`_sync/` is generated from `_async/`: change that one, then run ``make clients``.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from vecinity.client._sync.analogy import AnalogyMethods
from vecinity.client._sync.collection import CollectionMethods
from vecinity.client._sync.graph import GraphMethods
from vecinity.client._sync.search import SearchMethods
from vecinity.client._sync.similarity import SimilarityMethods
from vecinity.client._transport import GrpcTransport, InProcessTransport


class Client(SearchMethods, AnalogyMethods, SimilarityMethods, GraphMethods, CollectionMethods):
    """Asks a Vecinity server.

    One client serves many calls at once; the one for asyncio is made and used on one event loop, the blocking one may
    be shared between threads. Every method raises the errors of `vecinity.client.errors`.

    Args:
        target: Address of the server, ``host:port``; gRPC's other forms (``dns:///…``, ``unix:…``) work too.
        timeout: Seconds until the deadline of calls that give none; None for no deadline.
    """

    def __init__(self, target: str = "127.0.0.1:50051", *, timeout: float | None = 30.0) -> None:
        self._transport = GrpcTransport(target)
        self._timeout = timeout

    @classmethod
    def in_process(cls, data_dir: str | Path, *, timeout: float | None = None) -> Client:
        """A client that answers from a data directory in this process, without a server.

        For notebooks and batch jobs. Needs the server part (``pip install .[server]``). Opening takes as long as it
        takes to compare the checksums of all collections.

        Raises:
            VecinityError: The server part is not installed, or `data_dir` is not a data directory.
        """
        client = cls.__new__(cls)
        client._transport = InProcessTransport(data_dir)
        client._timeout = timeout
        return client

    def close(self) -> None:
        """Release the connection."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
