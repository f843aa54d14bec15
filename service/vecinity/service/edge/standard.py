"""The standard services that every gRPC server has, as both gRPC edges serve them: health, and reflection.

They are those of grpcio-health-checking and grpcio-reflection, which need no gRPC server around them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

COLLECTION_HEALTH = "collections/"
"""Prefix of a collection's name in the health service: ``collections/words``."""

HEALTH_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class Health:
    """Which services and collections are served.

    Args:
        services: Full names of the API's services.

    Attributes:
        servicer: Answers Check and Watch.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self.servicer = HealthServicer()
        self._services = list(services)
        self._serving: set[str] = set()
        self._updates: set[asyncio.Task[None]] = set()

    async def start(self, collections: Iterable[str]) -> None:
        """Tell that the server takes calls, and about which collections."""
        for name in ("", *self._services):
            await self.servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._update(set(collections))

    def set_collections(self, collections: Iterable[str]) -> None:
        """Tell that these collections are served now."""
        task = asyncio.create_task(self._update(set(collections)))
        self._updates.add(task)
        task.add_done_callback(self._updates.discard)

    async def tell_stopping(self) -> None:
        """Send callers elsewhere."""
        await self.servicer.enter_graceful_shutdown()

    async def _update(self, serving: set[str]) -> None:
        for name in serving - self._serving:
            await self.servicer.set(COLLECTION_HEALTH + name, health_pb2.HealthCheckResponse.SERVING)
        for name in self._serving - serving:
            await self.servicer.set(COLLECTION_HEALTH + name, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
        self._serving = serving
