"""Collections and their embedders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from google.protobuf.message import Message

from vecinity.client._convert.fields import Method, array, member, string, strings, unsigned
from vecinity.client._convert.plan import effort, source
from vecinity.client._types import (
    AttributeType,
    CalibrationPoint,
    Collection,
    Embedder,
    Embeddings,
    Index,
    Metric,
    Tournament,
    TournamentEntry,
)
from vecinity.v1 import collection_service_pb2, core_pb2, embedding_service_pb2


def embed_request(collection: str, texts: Sequence[str], version: int | None) -> embedding_service_pb2.EmbedRequest:
    return embedding_service_pb2.EmbedRequest(
        collection=string("collection", collection),
        version=unsigned("version", version or 0, 64),
        texts=strings("texts", texts).values,
    )


def _collection(message: collection_service_pb2.Collection) -> Collection:
    return Collection(
        name=message.name,
        dimension=message.dimension,
        metric=member(Metric, core_pb2.Metric, message.metric),
        version=message.version,
        item_count=message.item_count,
        publish_time=message.publish_time.ToDatetime(tzinfo=UTC),
        embedder=Embedder(message.embedder.kind, message.embedder.fingerprint)
        if message.HasField("embedder")
        else None,
        index=Index(
            message.index.family,
            message.index.description,
            tuple(
                CalibrationPoint(
                    point.k,
                    effort(point.effort),
                    point.recall,
                    point.recall_lower_bound,
                    point.query_us,
                    source(point.source),
                )
                for point in message.index.calibration
            ),
            _tournament(message.index.tournament) if message.index.HasField("tournament") else None,
        ),
        attributes={
            attribute.name: member(AttributeType, core_pb2.AttributeType, attribute.type)
            for attribute in message.attributes
        },
    )


def _tournament(message: collection_service_pb2.Tournament) -> Tournament:
    return Tournament(
        tuple(
            TournamentEntry(
                entry.description,
                entry.rows,
                effort(entry.effort),
                entry.recall,
                entry.single_us,
                entry.batch_us,
                entry.build_seconds,
                entry.index_bytes,
                entry.excluded,
            )
            for entry in message.entries
        ),
        message.reason,
        message.seconds,
        message.target_recall,
    )


def _collections(response: collection_service_pb2.ListCollectionsResponse, _: Message) -> tuple[list[Collection], str]:
    return [_collection(message) for message in response.collections], response.next_page_token


def _embeddings(response: embedding_service_pb2.EmbedResponse, _: Message) -> Embeddings:
    return Embeddings(array(response.vectors), response.fingerprint, response.version)


GET_COLLECTION = Method(
    "/vecinity.v1.CollectionService/GetCollection",
    collection_service_pb2.GetCollectionResponse,
    lambda response, _: _collection(response.collection),
)
LIST_COLLECTIONS = Method(
    "/vecinity.v1.CollectionService/ListCollections", collection_service_pb2.ListCollectionsResponse, _collections
)
EMBED = Method("/vecinity.v1.EmbeddingService/Embed", embedding_service_pb2.EmbedResponse, _embeddings)
