"""Protobuf messages to what the engine takes, and back: the only place that knows both. Requests are validated."""

from __future__ import annotations

import numpy as np

from vecinity.indexer.ann import Effort
from vecinity.indexer.metric import Metric, Vectors
from vecinity.service.engine import Answer, Embedding, Kind, Queries, Query, Search
from vecinity.service.planner import Wish
from vecinity.service.store import OpenVersion
from vecinity.v1 import collection_service_pb2, core_pb2, embedding_service_pb2, search_service_pb2

_METRICS = {
    Metric.COSINE: core_pb2.METRIC_COSINE,
    Metric.DOT: core_pb2.METRIC_DOT,
    Metric.EUCLIDEAN: core_pb2.METRIC_EUCLIDEAN,
}

SearchLike = (
    search_service_pb2.SearchRequest | search_service_pb2.BatchSearchRequest | search_service_pb2.SolveAnalogyRequest
)


def search(request: SearchLike) -> Search:
    return Search(
        collection=request.collection,
        version=request.version,
        k=request.k,
        wish=wish(request.parameters),
        include_texts=request.include_texts,
        include_vectors=request.include_vectors,
    )


def wish(parameters: core_pb2.SearchParameters) -> Wish:
    match parameters.WhichOneof("choice"):
        case "target_recall":
            return Wish(target_recall=parameters.target_recall)
        case "exact":
            return Wish(exact=parameters.exact)
        case "effort":
            effort = parameters.effort
            return Wish(effort=Effort(effort.nprobe, effort.ef_search, effort.k_factor))
        case _:
            return Wish()


def query(message: core_pb2.Query, field: str) -> Query:
    """One query; `field` is where it stands in its request, for errors."""
    match message.WhichOneof("query"):
        case "vector":
            vector = message.vector
            numbers = np.frombuffer(vector.packed, "<f4") if vector.packed else np.array(vector.values, "<f4")
            return Query(Kind.VECTOR, field, vector=numbers)
        case "id":
            return Query(Kind.ID, field, message.id)
        case _:
            return Query(Kind.TEXT, field, message.text)


def one_query(message: core_pb2.Query) -> Queries:
    single = query(message, "query")
    return Queries(single.kind, (single.string,), None if single.vector is None else single.vector[None])


def queries(message: core_pb2.QueryBatch) -> Queries:
    match message.WhichOneof("queries"):
        case "vectors":
            block = message.vectors
            return Queries(Kind.VECTOR, vectors=np.frombuffer(block.packed, "<f4").reshape(block.count, -1))
        case "ids":
            return Queries(Kind.ID, message.ids.values)
        case _:
            return Queries(Kind.TEXT, message.texts.values)


def terms(request: search_service_pb2.SolveAnalogyRequest) -> list[tuple[Query, float]]:
    sides = (("positives", 1, request.positives), ("negatives", -1, request.negatives))
    return [
        (query(term.query, f"{side}[{position}].query"), sign * (term.weight if term.HasField("weight") else 1.0))
        for side, sign, given in sides
        for position, term in enumerate(given)
    ]


def pairs(request: search_service_pb2.ComputeSimilarityRequest) -> list[tuple[Query, Query]]:
    return [
        (query(pair.left, f"pairs[{position}].left"), query(pair.right, f"pairs[{position}].right"))
        for position, pair in enumerate(request.pairs)
    ]


def hits(answer: Answer, k: int) -> core_pb2.Hits:
    """The hits of an answer to one query."""
    return core_pb2.Hits(
        ids=answer.ids,
        scores=answer.scores.tolist(),
        texts=answer.texts,
        vectors=None if answer.vectors is None else block(answer.vectors),
        shortfall=shortfall(answer, k),
    )


def search_response(answer: Answer, k: int) -> search_service_pb2.SearchResponse:
    return search_service_pb2.SearchResponse(
        hits=hits(answer, k), version=answer.version, predicted_recall=answer.predicted_recall
    )


def solve_analogy_response(answer: Answer, k: int) -> search_service_pb2.SolveAnalogyResponse:
    return search_service_pb2.SolveAnalogyResponse(
        hits=hits(answer, k), version=answer.version, predicted_recall=answer.predicted_recall
    )


def batch_search_response(answer: Answer, k: int) -> search_service_pb2.BatchSearchResponse:
    return search_service_pb2.BatchSearchResponse(
        counts=answer.counts,
        ids=answer.ids,
        scores=answer.scores.astype("<f4", copy=False).tobytes(),
        texts=answer.texts,
        vectors=None if answer.vectors is None else block(answer.vectors),
        shortfall=shortfall(answer, k),
        version=answer.version,
        predicted_recall=answer.predicted_recall,
    )


def embed_response(embedding: Embedding) -> embedding_service_pb2.EmbedResponse:
    return embedding_service_pb2.EmbedResponse(
        vectors=block(embedding.vectors),
        dimension=embedding.vectors.shape[1],
        fingerprint=embedding.fingerprint,
        version=embedding.version,
    )


def block(vectors: Vectors) -> core_pb2.VectorBlock:
    return core_pb2.VectorBlock(count=len(vectors), packed=vectors.astype("<f4", copy=False).tobytes())


def shortfall(answer: Answer, k: int) -> core_pb2.Shortfall:
    few = min(answer.counts, default=0) < k
    return core_pb2.SHORTFALL_FEW_ITEMS if few else core_pb2.SHORTFALL_UNSPECIFIED


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
                    effort=core_pb2.Effort(
                        nprobe=point.effort.nprobe, ef_search=point.effort.ef_search, k_factor=point.effort.k_factor
                    ),
                    recall=point.recall,
                    recall_lower_bound=point.recall_lower_bound,
                    query_us=point.query_us,
                )
                for point in manifest.calibration.points
            ],
        ),
    )
    message.publish_time.FromNanoseconds(int(record.published_time * 1e9))
    if record.embedder is not None:
        message.embedder.kind = record.embedder.kind
        message.embedder.fingerprint = record.embedder.fingerprint
    return message
