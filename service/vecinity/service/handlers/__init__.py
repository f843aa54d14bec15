"""The methods of the API, a room for each kind."""

from __future__ import annotations

from collections.abc import Mapping

from vecinity.service.engine import Engine
from vecinity.service.handlers.analogy import AnalogyHandlers
from vecinity.service.handlers.collection import CollectionHandlers
from vecinity.service.handlers.graph import GraphHandlers
from vecinity.service.handlers.method import Handler, Method, StreamHandler, StreamMethod
from vecinity.service.handlers.search import SearchHandlers
from vecinity.service.handlers.similarity import SimilarityHandlers
from vecinity.service.limits import Limits

__all__ = ["Handler", "Method", "StreamHandler", "StreamMethod", "methods"]


def methods(engine: Engine, limits: Limits) -> Mapping[str, Method | StreamMethod]:
    """All methods, by full name."""
    groups = (SearchHandlers, AnalogyHandlers, SimilarityHandlers, GraphHandlers, CollectionHandlers)
    return {name: method for group in groups for name, method in group(engine, limits).methods().items()}
