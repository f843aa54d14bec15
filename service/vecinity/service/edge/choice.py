"""Which edge carries gRPC: over libnghttp2 where it is installed, or gRPC's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import structlog

from vecinity.indexer.errors import SettingError
from vecinity.service.config import Config
from vecinity.service.edge.sharing import Handed

if TYPE_CHECKING:
    from vecinity.service.pipeline import Pipeline  # which a supervisor, that asks `takes_handed`, can do without

_log = structlog.get_logger()


class Edge(Protocol):
    """What a server asks of an edge, in this order."""

    def bind(self, listen: str) -> str:
        """Take the address, without taking calls yet; returns it with the real port.

        Raises:
            SettingError: The address can't be bound.
        """
        ...

    async def start(self, collections: Iterable[str]) -> None:
        """Take calls, and tell health checks so, and about which collections."""
        ...

    def set_collections(self, collections: Iterable[str]) -> None:
        """Tell health checks that these collections are served now."""
        ...

    def connection_count(self) -> int | None:
        """How many are open; None where the transport does not say."""
        ...

    async def tell_stopping(self) -> None:
        """Send callers elsewhere with new calls."""
        ...

    async def stop(self) -> None:
        """Let the answers of calls that have ended reach their callers, and end the rest."""
        ...


def takes_handed(config: Config) -> bool:
    """Whether the edge that the settings ask for takes connections that another process has accepted."""
    if config.edge == "grpcio":
        return False
    try:
        from vecinity.service.edge.nghttp2.binding import LibraryError, load

        load()
    except (ImportError, LibraryError):
        return False
    return True


def open_edge(pipeline: Pipeline, config: Config, handed: Handed | None = None) -> Edge:
    """The edge that the settings ask for.

    Args:
        handed: Connections that another process accepts, for an edge that takes them (`takes_handed`).

    Raises:
        SettingError: It can't be had, or the files for TLS are none.
    """
    if config.edge != "grpcio":
        try:
            from vecinity.service.edge.nghttp2.edge import LibraryError, Nghttp2Edge
        except ImportError as error:
            fault = f"the edge over nghttp2 needs cffi ({error}): in the folder of Vecinity, pip install '.[server]'"
        else:
            try:
                return Nghttp2Edge(pipeline, config, handed=handed)
            except LibraryError as error:
                fault = str(error)
        if config.edge == "nghttp2":
            raise SettingError(f"--edge nghttp2: {fault}; or take --edge grpcio")
        _log.info("edge: grpcio, which costs more for each call than nghttp2", reason=fault)
    from vecinity.service.edge.grpcio import GrpcEdge

    return GrpcEdge(pipeline, config)
