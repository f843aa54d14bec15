from vecinity.v1 import core_pb2 as _core_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchRequest(_message.Message):
    __slots__ = ("collection", "version", "query", "k", "parameters", "include_texts", "include_vectors")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    query: _core_pb2.Query
    k: int
    parameters: _core_pb2.SearchParameters
    include_texts: bool
    include_vectors: bool
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., query: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ..., include_texts: _Optional[bool] = ..., include_vectors: _Optional[bool] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "version", "predicted_recall")
    HITS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    hits: _core_pb2.Hits
    version: int
    predicted_recall: float
    def __init__(self, hits: _Optional[_Union[_core_pb2.Hits, _Mapping]] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ...) -> None: ...

class BatchSearchRequest(_message.Message):
    __slots__ = ("collection", "version", "queries", "k", "parameters", "include_texts", "include_vectors")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    queries: _core_pb2.QueryBatch
    k: int
    parameters: _core_pb2.SearchParameters
    include_texts: bool
    include_vectors: bool
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., queries: _Optional[_Union[_core_pb2.QueryBatch, _Mapping]] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ..., include_texts: _Optional[bool] = ..., include_vectors: _Optional[bool] = ...) -> None: ...

class BatchSearchResponse(_message.Message):
    __slots__ = ("counts", "ids", "scores", "texts", "vectors", "shortfall", "version", "predicted_recall")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    scores: bytes
    texts: _containers.RepeatedScalarFieldContainer[str]
    vectors: _core_pb2.VectorBlock
    shortfall: _core_pb2.Shortfall
    version: int
    predicted_recall: float
    def __init__(self, counts: _Optional[_Iterable[int]] = ..., ids: _Optional[_Iterable[str]] = ..., scores: _Optional[bytes] = ..., texts: _Optional[_Iterable[str]] = ..., vectors: _Optional[_Union[_core_pb2.VectorBlock, _Mapping]] = ..., shortfall: _Optional[_Union[_core_pb2.Shortfall, str]] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ...) -> None: ...

class AnalogyTerm(_message.Message):
    __slots__ = ("query", "weight")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    query: _core_pb2.Query
    weight: float
    def __init__(self, query: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class SolveAnalogyRequest(_message.Message):
    __slots__ = ("collection", "version", "positives", "negatives", "k", "parameters", "include_texts", "include_vectors")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    NEGATIVES_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    positives: _containers.RepeatedCompositeFieldContainer[AnalogyTerm]
    negatives: _containers.RepeatedCompositeFieldContainer[AnalogyTerm]
    k: int
    parameters: _core_pb2.SearchParameters
    include_texts: bool
    include_vectors: bool
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., positives: _Optional[_Iterable[_Union[AnalogyTerm, _Mapping]]] = ..., negatives: _Optional[_Iterable[_Union[AnalogyTerm, _Mapping]]] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ..., include_texts: _Optional[bool] = ..., include_vectors: _Optional[bool] = ...) -> None: ...

class SolveAnalogyResponse(_message.Message):
    __slots__ = ("hits", "version", "predicted_recall")
    HITS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    hits: _core_pb2.Hits
    version: int
    predicted_recall: float
    def __init__(self, hits: _Optional[_Union[_core_pb2.Hits, _Mapping]] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ...) -> None: ...

class QueryPair(_message.Message):
    __slots__ = ("left", "right")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    left: _core_pb2.Query
    right: _core_pb2.Query
    def __init__(self, left: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., right: _Optional[_Union[_core_pb2.Query, _Mapping]] = ...) -> None: ...

class ComputeSimilarityRequest(_message.Message):
    __slots__ = ("collection", "version", "pairs")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    pairs: _containers.RepeatedCompositeFieldContainer[QueryPair]
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., pairs: _Optional[_Iterable[_Union[QueryPair, _Mapping]]] = ...) -> None: ...

class ComputeSimilarityResponse(_message.Message):
    __slots__ = ("scores", "version")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedScalarFieldContainer[float]
    version: int
    def __init__(self, scores: _Optional[_Iterable[float]] = ..., version: _Optional[int] = ...) -> None: ...
