"""Arguments to requests and responses to results; shared by both clients. Pure functions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Generic, TypeVar

import numpy as np
from google.protobuf.message import Message
from numpy.typing import ArrayLike, NDArray

from vecinity.client._types import (
    BatchSearchResult,
    CalibrationPoint,
    Collection,
    Effort,
    Embedder,
    Embeddings,
    Index,
    Metric,
    Query,
    SearchResult,
    Term,
    Text,
)
from vecinity.client.errors import InvalidArgumentError
from vecinity.v1 import collection_service_pb2, core_pb2, embedding_service_pb2, search_service_pb2

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Method(Generic[R]):
    """A method of the API, and what its response to a request becomes."""

    name: str
    response: type[Message]
    result: Callable[[Any, Any], R]


def search_request(
    collection: str,
    vector: ArrayLike | None,
    id: str | None,
    text: str | None,
    k: int,
    parameters: core_pb2.SearchParameters,
    version: int | None,
    include_texts: bool,
    include_vectors: bool,
) -> search_service_pb2.SearchRequest:
    given = [value for value in (vector, id, None if text is None else Text(text)) if value is not None]
    if len(given) != 1:
        raise InvalidArgumentError("give exactly one of vector, id and text")
    return search_service_pb2.SearchRequest(
        collection=collection,
        version=_unsigned("version", version or 0, 64),
        query=query(given[0]),
        k=_unsigned("k", k),
        parameters=parameters,
        include_texts=include_texts,
        include_vectors=include_vectors,
    )


def batch_search_request(
    collection: str,
    vectors: ArrayLike | None,
    ids: Sequence[str] | None,
    texts: Sequence[str] | None,
    k: int,
    parameters: core_pb2.SearchParameters,
    version: int | None,
    include_texts: bool,
    include_vectors: bool,
) -> search_service_pb2.BatchSearchRequest:
    if sum(value is not None for value in (vectors, ids, texts)) != 1:
        raise InvalidArgumentError("give exactly one of vectors, ids and texts")
    if vectors is not None:
        batch = core_pb2.QueryBatch(vectors=_block(vectors))
    elif ids is not None:
        batch = core_pb2.QueryBatch(ids=core_pb2.StringList(values=_listed("ids", ids)))
    else:
        batch = core_pb2.QueryBatch(texts=core_pb2.StringList(values=_listed("texts", texts or ())))
    return search_service_pb2.BatchSearchRequest(
        collection=collection,
        version=_unsigned("version", version or 0, 64),
        queries=batch,
        k=_unsigned("k", k),
        parameters=parameters,
        include_texts=include_texts,
        include_vectors=include_vectors,
    )


def solve_analogy_request(
    collection: str,
    positive: Sequence[Query | Term],
    negative: Sequence[Query | Term],
    k: int,
    parameters: core_pb2.SearchParameters,
    version: int | None,
    include_texts: bool,
    include_vectors: bool,
) -> search_service_pb2.SolveAnalogyRequest:
    return search_service_pb2.SolveAnalogyRequest(
        collection=collection,
        version=_unsigned("version", version or 0, 64),
        positives=[_term(term) for term in _listed("positive", positive)],
        negatives=[_term(term) for term in _listed("negative", negative)],
        k=_unsigned("k", k),
        parameters=parameters,
        include_texts=include_texts,
        include_vectors=include_vectors,
    )


def similarity_request(
    collection: str, pairs: Sequence[tuple[Query, Query]], version: int | None
) -> search_service_pb2.ComputeSimilarityRequest:
    return search_service_pb2.ComputeSimilarityRequest(
        collection=collection,
        version=_unsigned("version", version or 0, 64),
        pairs=[search_service_pb2.QueryPair(left=query(left), right=query(right)) for left, right in pairs],
    )


def embed_request(collection: str, texts: Sequence[str], version: int | None) -> embedding_service_pb2.EmbedRequest:
    return embedding_service_pb2.EmbedRequest(
        collection=collection, version=_unsigned("version", version or 0, 64), texts=_listed("texts", texts)
    )


def parameters(target_recall: float | None, exact: bool, effort: Effort | None) -> core_pb2.SearchParameters:
    """What decides how much a search spends; at most one of the three may be given."""
    if sum((target_recall is not None, exact, effort is not None)) > 1:
        raise InvalidArgumentError("give at most one of target_recall, exact and effort")
    if target_recall is not None:
        return core_pb2.SearchParameters(target_recall=target_recall)
    if exact:
        return core_pb2.SearchParameters(exact=True)
    if effort is not None:
        numbers = {name: _unsigned(name, value) for name, value in effort._asdict().items()}
        return core_pb2.SearchParameters(effort=core_pb2.Effort(**numbers))
    return core_pb2.SearchParameters()


def query(value: Query) -> core_pb2.Query:
    """A plain string is an id, a `Text` a text, all else a vector."""
    if isinstance(value, Text):
        return core_pb2.Query(text=value)
    if isinstance(value, str):
        return core_pb2.Query(id=value)
    if isinstance(value, int | np.integer):
        raise InvalidArgumentError(f"ids are strings: write {str(value)!r}, not {value!r}")
    return core_pb2.Query(vector=core_pb2.Vector(packed=_numbers(value, 1).tobytes()))


def _term(value: Query | Term) -> search_service_pb2.AnalogyTerm:
    if isinstance(value, Term):
        return search_service_pb2.AnalogyTerm(query=query(value.query), weight=value.weight)
    return search_service_pb2.AnalogyTerm(query=query(value))


def _search_result(
    response: search_service_pb2.SearchResponse | search_service_pb2.SolveAnalogyResponse,
    request: search_service_pb2.SearchRequest | search_service_pb2.SolveAnalogyRequest,
) -> SearchResult:
    hits = response.hits
    return SearchResult(
        ids=list(hits.ids),
        scores=np.array(hits.scores, dtype=np.float32),
        texts=list(hits.texts) if hits.texts else None,
        vectors=_array(hits.vectors) if hits.HasField("vectors") else None,
        version=response.version,
        predicted_recall=_predicted_recall(response),
        few_items=len(hits.ids) < request.k,
    )


def _batch_search_result(
    response: search_service_pb2.BatchSearchResponse, request: search_service_pb2.BatchSearchRequest
) -> BatchSearchResult:
    ids, texts, predicted_recall = list(response.ids), list(response.texts), _predicted_recall(response)
    scores = np.frombuffer(response.scores, "<f4")
    vectors = _array(response.vectors) if response.HasField("vectors") else None
    results, begin = [], 0
    for count in response.counts:
        part = slice(begin, begin + count)
        begin += count
        results.append(
            SearchResult(
                ids=ids[part],
                scores=scores[part],
                texts=texts[part] if texts else None,
                vectors=None if vectors is None else vectors[part],
                version=response.version,
                predicted_recall=predicted_recall,
                few_items=count < request.k,
            )
        )
    return BatchSearchResult(results, response.version, predicted_recall)


def _predicted_recall(response: Any) -> float | None:
    return response.predicted_recall if response.HasField("predicted_recall") else None


def _similarities(response: search_service_pb2.ComputeSimilarityResponse, _: Message) -> NDArray[np.float32]:
    return np.array(response.scores, dtype=np.float32)


def _embeddings(response: embedding_service_pb2.EmbedResponse, _: Message) -> Embeddings:
    return Embeddings(_array(response.vectors), response.fingerprint, response.version)


def _collection(message: collection_service_pb2.Collection) -> Collection:
    return Collection(
        name=message.name,
        dimension=message.dimension,
        metric=Metric(core_pb2.Metric.Name(message.metric).removeprefix("METRIC_").lower()),
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
                    Effort(point.effort.nprobe, point.effort.ef_search, point.effort.k_factor),
                    point.recall,
                    point.recall_lower_bound,
                    point.query_us,
                )
                for point in message.index.calibration
            ),
        ),
    )


def _collections(response: collection_service_pb2.ListCollectionsResponse, _: Message) -> tuple[list[Collection], str]:
    return [_collection(message) for message in response.collections], response.next_page_token


def _array(block: core_pb2.VectorBlock) -> NDArray[np.float32]:
    return np.frombuffer(block.packed, "<f4").reshape(block.count, -1 if block.count else 0)


def _block(vectors: ArrayLike) -> core_pb2.VectorBlock:
    numbers = _numbers(vectors, 2)
    return core_pb2.VectorBlock(count=len(numbers), packed=numbers.tobytes())


def _numbers(values: ArrayLike, dimensions: int) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # becomes infinity, which the server refuses by name
            numbers = np.asarray(values, dtype="<f4")
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"a vector must be numbers ({error})") from error
    if numbers.ndim != dimensions or not numbers.size:
        raise InvalidArgumentError(f"expected a {dimensions}-d array that is not empty, not shape {numbers.shape}")
    return np.ascontiguousarray(numbers)


def _listed(name: str, values: Sequence[R]) -> Sequence[R]:
    # A lone string is a sequence of its letters; nobody means that.
    if isinstance(values, str):
        raise InvalidArgumentError(f"{name} must be a list, not a string: write [{values!r}]")
    return values


def _unsigned(name: str, value: int, bits: int = 32) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InvalidArgumentError(f"{name} is {value!r}; it must be a whole number") from error
    if not 0 <= number < 1 << bits:
        raise InvalidArgumentError(f"{name} is {number}; it must be from 0 to {(1 << bits) - 1}")
    return number


SEARCH = Method("/vecinity.v1.SearchService/Search", search_service_pb2.SearchResponse, _search_result)
BATCH_SEARCH = Method(
    "/vecinity.v1.SearchService/BatchSearch", search_service_pb2.BatchSearchResponse, _batch_search_result
)
SOLVE_ANALOGY = Method(
    "/vecinity.v1.SearchService/SolveAnalogy", search_service_pb2.SolveAnalogyResponse, _search_result
)
COMPUTE_SIMILARITY = Method(
    "/vecinity.v1.SearchService/ComputeSimilarity", search_service_pb2.ComputeSimilarityResponse, _similarities
)
GET_COLLECTION = Method(
    "/vecinity.v1.CollectionService/GetCollection",
    collection_service_pb2.GetCollectionResponse,
    lambda response, _: _collection(response.collection),
)
LIST_COLLECTIONS = Method(
    "/vecinity.v1.CollectionService/ListCollections", collection_service_pb2.ListCollectionsResponse, _collections
)
EMBED = Method("/vecinity.v1.EmbeddingService/Embed", embedding_service_pb2.EmbedResponse, _embeddings)
