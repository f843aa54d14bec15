"""Checks of requests about collections and their embedders."""

from __future__ import annotations

from vecinity.service.limits import Limits
from vecinity.service.validate.fields import (
    in_range,
    name_of_collection,
    strings,
)
from vecinity.v1 import collection_service_pb2, embedding_service_pb2

_PAGE_DEFAULT = 100
_PAGE_MAX = 1_000


def embed(request: embedding_service_pb2.EmbedRequest, limits: Limits) -> None:
    name_of_collection(request.collection)
    in_range("texts", len(request.texts), limits.texts_max)
    strings("texts", request.texts, limits)


def get_collection(request: collection_service_pb2.GetCollectionRequest) -> None:
    name_of_collection(request.name, "name")


def page_size(request: collection_service_pb2.ListCollectionsRequest) -> int:
    """The number of collections in a page; 0 asks for the default."""
    return min(request.page_size or _PAGE_DEFAULT, _PAGE_MAX)
