"""Collections and embeddings to responses."""

from __future__ import annotations

from vecinity.indexer.metric import Metric
from vecinity.indexer.tournament import TournamentReport
from vecinity.service.convert.answer import block
from vecinity.service.convert.attributes import schema
from vecinity.service.convert.plan import SOURCES, effort
from vecinity.service.engine import Embedding
from vecinity.service.store import OpenVersion
from vecinity.v1 import collection_service_pb2, core_pb2, embedding_service_pb2

_METRICS = {
    Metric.COSINE: core_pb2.METRIC_COSINE,
    Metric.DOT: core_pb2.METRIC_DOT,
    Metric.EUCLIDEAN: core_pb2.METRIC_EUCLIDEAN,
}


def collection(version: OpenVersion) -> collection_service_pb2.Collection:
    record, manifest = version.record, version.segment.manifest
    message = collection_service_pb2.Collection(
        name=record.collection,
        dimension=record.dimension,
        metric=_METRICS[record.metric],
        version=record.number,
        item_count=record.item_count,
        index=collection_service_pb2.Index(
            family=manifest.spec.family.value,
            description=manifest.spec.description,
            calibration=[
                collection_service_pb2.CalibrationPoint(
                    k=point.k,
                    effort=effort(point.effort),
                    recall=point.recall,
                    recall_lower_bound=point.recall_lower_bound,
                    query_us=point.query_us,
                    source=SOURCES[point.source],
                )
                for point in manifest.calibration.points
            ],
        ),
    )
    message.attributes.extend(map(schema, manifest.attributes))
    message.publish_time.FromNanoseconds(int(record.published_time * 1e9))
    if manifest.tournament is not None:
        message.index.tournament.CopyFrom(_tournament(manifest.tournament))
    if record.embedder is not None:
        message.embedder.kind = record.embedder.kind
        message.embedder.fingerprint = record.embedder.fingerprint
    return message


def _tournament(report: TournamentReport) -> collection_service_pb2.Tournament:
    return collection_service_pb2.Tournament(
        entries=[
            collection_service_pb2.TournamentEntry(
                description=entry.spec.description,
                rows=entry.rows,
                effort=core_pb2.Effort(
                    nprobe=entry.effort.nprobe, ef_search=entry.effort.ef_search, k_factor=entry.effort.k_factor
                ),
                recall=entry.recall,
                single_us=entry.single_us,
                batch_us=entry.batch_us,
                build_seconds=entry.build_seconds,
                index_bytes=entry.index_bytes,
                excluded=entry.excluded,
            )
            for entry in report.entries
        ],
        reason=report.reason,
        seconds=report.seconds,
        target_recall=report.target_recall,
    )


def embed_response(embedding: Embedding) -> embedding_service_pb2.EmbedResponse:
    return embedding_service_pb2.EmbedResponse(
        vectors=block(embedding.vectors),
        dimension=embedding.vectors.shape[1],
        fingerprint=embedding.fingerprint,
        version=embedding.version,
    )
