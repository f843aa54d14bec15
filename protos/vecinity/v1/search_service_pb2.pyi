from vecinity.v1 import core_pb2 as _core_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnalogyMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANALOGY_METHOD_UNSPECIFIED: _ClassVar[AnalogyMethod]
    ANALOGY_METHOD_THREE_COS_ADD: _ClassVar[AnalogyMethod]
    ANALOGY_METHOD_THREE_COS_MUL: _ClassVar[AnalogyMethod]
    ANALOGY_METHOD_PAIR_DIRECTION: _ClassVar[AnalogyMethod]
    ANALOGY_METHOD_THREE_COS_AVG: _ClassVar[AnalogyMethod]
ANALOGY_METHOD_UNSPECIFIED: AnalogyMethod
ANALOGY_METHOD_THREE_COS_ADD: AnalogyMethod
ANALOGY_METHOD_THREE_COS_MUL: AnalogyMethod
ANALOGY_METHOD_PAIR_DIRECTION: AnalogyMethod
ANALOGY_METHOD_THREE_COS_AVG: AnalogyMethod

class SearchRequest(_message.Message):
    __slots__ = ("collection", "version", "query", "k", "parameters", "include_texts", "include_vectors", "selection", "unknown_words", "include_attributes", "explain", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    query: _core_pb2.Query
    k: int
    parameters: _core_pb2.SearchParameters
    include_texts: bool
    include_vectors: bool
    selection: _core_pb2.Selection
    unknown_words: _core_pb2.UnknownWords
    include_attributes: bool
    explain: bool
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., query: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ..., include_texts: _Optional[bool] = ..., include_vectors: _Optional[bool] = ..., selection: _Optional[_Union[_core_pb2.Selection, _Mapping]] = ..., unknown_words: _Optional[_Union[_core_pb2.UnknownWords, str]] = ..., include_attributes: _Optional[bool] = ..., explain: _Optional[bool] = ..., page_token: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "version", "predicted_recall", "plan", "unknown_words", "next_page_token")
    HITS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    hits: _core_pb2.Hits
    version: int
    predicted_recall: float
    plan: _core_pb2.Plan
    unknown_words: _containers.RepeatedCompositeFieldContainer[_core_pb2.UnknownWord]
    next_page_token: str
    def __init__(self, hits: _Optional[_Union[_core_pb2.Hits, _Mapping]] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ..., plan: _Optional[_Union[_core_pb2.Plan, _Mapping]] = ..., unknown_words: _Optional[_Iterable[_Union[_core_pb2.UnknownWord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class BatchSearchRequest(_message.Message):
    __slots__ = ("collection", "version", "queries", "k", "parameters", "include_texts", "include_vectors", "selection", "unknown_words", "include_attributes", "explain")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    queries: _core_pb2.QueryBatch
    k: int
    parameters: _core_pb2.SearchParameters
    include_texts: bool
    include_vectors: bool
    selection: _core_pb2.Selection
    unknown_words: _core_pb2.UnknownWords
    include_attributes: bool
    explain: bool
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., queries: _Optional[_Union[_core_pb2.QueryBatch, _Mapping]] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ..., include_texts: _Optional[bool] = ..., include_vectors: _Optional[bool] = ..., selection: _Optional[_Union[_core_pb2.Selection, _Mapping]] = ..., unknown_words: _Optional[_Union[_core_pb2.UnknownWords, str]] = ..., include_attributes: _Optional[bool] = ..., explain: _Optional[bool] = ...) -> None: ...

class BatchSearchResponse(_message.Message):
    __slots__ = ("counts", "ids", "scores", "texts", "vectors", "shortfall", "version", "predicted_recall", "plan", "unknown_words", "attributes")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    scores: bytes
    texts: _containers.RepeatedScalarFieldContainer[str]
    vectors: _core_pb2.VectorBlock
    shortfall: _core_pb2.Shortfall
    version: int
    predicted_recall: float
    plan: _core_pb2.Plan
    unknown_words: _containers.RepeatedCompositeFieldContainer[_core_pb2.UnknownWord]
    attributes: _containers.RepeatedCompositeFieldContainer[_core_pb2.Attributes]
    def __init__(self, counts: _Optional[_Iterable[int]] = ..., ids: _Optional[_Iterable[str]] = ..., scores: _Optional[bytes] = ..., texts: _Optional[_Iterable[str]] = ..., vectors: _Optional[_Union[_core_pb2.VectorBlock, _Mapping]] = ..., shortfall: _Optional[_Union[_core_pb2.Shortfall, str]] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ..., plan: _Optional[_Union[_core_pb2.Plan, _Mapping]] = ..., unknown_words: _Optional[_Iterable[_Union[_core_pb2.UnknownWord, _Mapping]]] = ..., attributes: _Optional[_Iterable[_Union[_core_pb2.Attributes, _Mapping]]] = ...) -> None: ...

class AnalogyTerm(_message.Message):
    __slots__ = ("query", "weight")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    query: _core_pb2.Query
    weight: float
    def __init__(self, query: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class SolveAnalogyRequest(_message.Message):
    __slots__ = ("collection", "version", "positives", "negatives", "k", "parameters", "include_texts", "include_vectors", "method", "examples", "include_inputs", "selection", "unknown_words", "include_attributes", "explain")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    NEGATIVES_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    positives: _containers.RepeatedCompositeFieldContainer[AnalogyTerm]
    negatives: _containers.RepeatedCompositeFieldContainer[AnalogyTerm]
    k: int
    parameters: _core_pb2.SearchParameters
    include_texts: bool
    include_vectors: bool
    method: AnalogyMethod
    examples: _containers.RepeatedCompositeFieldContainer[QueryPair]
    include_inputs: bool
    selection: _core_pb2.Selection
    unknown_words: _core_pb2.UnknownWords
    include_attributes: bool
    explain: bool
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., positives: _Optional[_Iterable[_Union[AnalogyTerm, _Mapping]]] = ..., negatives: _Optional[_Iterable[_Union[AnalogyTerm, _Mapping]]] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ..., include_texts: _Optional[bool] = ..., include_vectors: _Optional[bool] = ..., method: _Optional[_Union[AnalogyMethod, str]] = ..., examples: _Optional[_Iterable[_Union[QueryPair, _Mapping]]] = ..., include_inputs: _Optional[bool] = ..., selection: _Optional[_Union[_core_pb2.Selection, _Mapping]] = ..., unknown_words: _Optional[_Union[_core_pb2.UnknownWords, str]] = ..., include_attributes: _Optional[bool] = ..., explain: _Optional[bool] = ...) -> None: ...

class SolveAnalogyResponse(_message.Message):
    __slots__ = ("hits", "version", "predicted_recall", "plan", "unknown_words")
    HITS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    hits: _core_pb2.Hits
    version: int
    predicted_recall: float
    plan: _core_pb2.Plan
    unknown_words: _containers.RepeatedCompositeFieldContainer[_core_pb2.UnknownWord]
    def __init__(self, hits: _Optional[_Union[_core_pb2.Hits, _Mapping]] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ..., plan: _Optional[_Union[_core_pb2.Plan, _Mapping]] = ..., unknown_words: _Optional[_Iterable[_Union[_core_pb2.UnknownWord, _Mapping]]] = ...) -> None: ...

class QueryPair(_message.Message):
    __slots__ = ("left", "right")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    left: _core_pb2.Query
    right: _core_pb2.Query
    def __init__(self, left: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., right: _Optional[_Union[_core_pb2.Query, _Mapping]] = ...) -> None: ...

class ComputeSimilarityRequest(_message.Message):
    __slots__ = ("collection", "version", "pairs", "set_pairs", "relative_to_top", "unknown_words")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    SET_PAIRS_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_TO_TOP_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    pairs: _containers.RepeatedCompositeFieldContainer[QueryPair]
    set_pairs: _containers.RepeatedCompositeFieldContainer[QuerySetPair]
    relative_to_top: int
    unknown_words: _core_pb2.UnknownWords
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., pairs: _Optional[_Iterable[_Union[QueryPair, _Mapping]]] = ..., set_pairs: _Optional[_Iterable[_Union[QuerySetPair, _Mapping]]] = ..., relative_to_top: _Optional[int] = ..., unknown_words: _Optional[_Union[_core_pb2.UnknownWords, str]] = ...) -> None: ...

class ComputeSimilarityResponse(_message.Message):
    __slots__ = ("scores", "version", "unknown_words")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedScalarFieldContainer[float]
    version: int
    unknown_words: _containers.RepeatedCompositeFieldContainer[_core_pb2.UnknownWord]
    def __init__(self, scores: _Optional[_Iterable[float]] = ..., version: _Optional[int] = ..., unknown_words: _Optional[_Iterable[_Union[_core_pb2.UnknownWord, _Mapping]]] = ...) -> None: ...

class BatchSolveAnalogiesRequest(_message.Message):
    __slots__ = ("collection", "version", "terms", "term_counts", "weights", "k", "parameters", "method", "examples", "include_inputs", "include_texts", "include_vectors", "selection", "unknown_words", "include_attributes", "explain")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    TERM_COUNTS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TEXTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_VECTORS_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    terms: _core_pb2.QueryBatch
    term_counts: _containers.RepeatedScalarFieldContainer[int]
    weights: _containers.RepeatedScalarFieldContainer[float]
    k: int
    parameters: _core_pb2.SearchParameters
    method: AnalogyMethod
    examples: _containers.RepeatedCompositeFieldContainer[QueryPair]
    include_inputs: bool
    include_texts: bool
    include_vectors: bool
    selection: _core_pb2.Selection
    unknown_words: _core_pb2.UnknownWords
    include_attributes: bool
    explain: bool
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., terms: _Optional[_Union[_core_pb2.QueryBatch, _Mapping]] = ..., term_counts: _Optional[_Iterable[int]] = ..., weights: _Optional[_Iterable[float]] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ..., method: _Optional[_Union[AnalogyMethod, str]] = ..., examples: _Optional[_Iterable[_Union[QueryPair, _Mapping]]] = ..., include_inputs: _Optional[bool] = ..., include_texts: _Optional[bool] = ..., include_vectors: _Optional[bool] = ..., selection: _Optional[_Union[_core_pb2.Selection, _Mapping]] = ..., unknown_words: _Optional[_Union[_core_pb2.UnknownWords, str]] = ..., include_attributes: _Optional[bool] = ..., explain: _Optional[bool] = ...) -> None: ...

class BatchSolveAnalogiesResponse(_message.Message):
    __slots__ = ("counts", "ids", "scores", "texts", "vectors", "shortfall", "version", "predicted_recall", "plan", "unknown_words", "attributes")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    scores: bytes
    texts: _containers.RepeatedScalarFieldContainer[str]
    vectors: _core_pb2.VectorBlock
    shortfall: _core_pb2.Shortfall
    version: int
    predicted_recall: float
    plan: _core_pb2.Plan
    unknown_words: _containers.RepeatedCompositeFieldContainer[_core_pb2.UnknownWord]
    attributes: _containers.RepeatedCompositeFieldContainer[_core_pb2.Attributes]
    def __init__(self, counts: _Optional[_Iterable[int]] = ..., ids: _Optional[_Iterable[str]] = ..., scores: _Optional[bytes] = ..., texts: _Optional[_Iterable[str]] = ..., vectors: _Optional[_Union[_core_pb2.VectorBlock, _Mapping]] = ..., shortfall: _Optional[_Union[_core_pb2.Shortfall, str]] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ..., plan: _Optional[_Union[_core_pb2.Plan, _Mapping]] = ..., unknown_words: _Optional[_Iterable[_Union[_core_pb2.UnknownWord, _Mapping]]] = ..., attributes: _Optional[_Iterable[_Union[_core_pb2.Attributes, _Mapping]]] = ...) -> None: ...

class QuerySetPair(_message.Message):
    __slots__ = ("left", "right")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    left: _containers.RepeatedCompositeFieldContainer[_core_pb2.Query]
    right: _containers.RepeatedCompositeFieldContainer[_core_pb2.Query]
    def __init__(self, left: _Optional[_Iterable[_Union[_core_pb2.Query, _Mapping]]] = ..., right: _Optional[_Iterable[_Union[_core_pb2.Query, _Mapping]]] = ...) -> None: ...

class FindOddOneOutRequest(_message.Message):
    __slots__ = ("collection", "version", "queries", "unknown_words")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    queries: _containers.RepeatedCompositeFieldContainer[_core_pb2.Query]
    unknown_words: _core_pb2.UnknownWords
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., queries: _Optional[_Iterable[_Union[_core_pb2.Query, _Mapping]]] = ..., unknown_words: _Optional[_Union[_core_pb2.UnknownWords, str]] = ...) -> None: ...

class FindOddOneOutResponse(_message.Message):
    __slots__ = ("position", "scores", "version", "unknown_words")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WORDS_FIELD_NUMBER: _ClassVar[int]
    position: int
    scores: _containers.RepeatedScalarFieldContainer[float]
    version: int
    unknown_words: _containers.RepeatedCompositeFieldContainer[_core_pb2.UnknownWord]
    def __init__(self, position: _Optional[int] = ..., scores: _Optional[_Iterable[float]] = ..., version: _Optional[int] = ..., unknown_words: _Optional[_Iterable[_Union[_core_pb2.UnknownWord, _Mapping]]] = ...) -> None: ...

class FindCloserItemsRequest(_message.Message):
    __slots__ = ("collection", "version", "query", "than", "k")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    THAN_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    query: _core_pb2.Query
    than: _core_pb2.Query
    k: int
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., query: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., than: _Optional[_Union[_core_pb2.Query, _Mapping]] = ..., k: _Optional[int] = ...) -> None: ...

class FindCloserItemsResponse(_message.Message):
    __slots__ = ("rank", "hits", "version")
    RANK_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    rank: int
    hits: _core_pb2.Hits
    version: int
    def __init__(self, rank: _Optional[int] = ..., hits: _Optional[_Union[_core_pb2.Hits, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class StreamNeighboursRequest(_message.Message):
    __slots__ = ("collection", "version", "k", "parameters")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    k: int
    parameters: _core_pb2.SearchParameters
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., k: _Optional[int] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ...) -> None: ...

class StreamNeighboursResponse(_message.Message):
    __slots__ = ("ids", "counts", "neighbour_ids", "scores", "version", "predicted_recall")
    IDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOUR_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    counts: _containers.RepeatedScalarFieldContainer[int]
    neighbour_ids: _containers.RepeatedScalarFieldContainer[str]
    scores: bytes
    version: int
    predicted_recall: float
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., counts: _Optional[_Iterable[int]] = ..., neighbour_ids: _Optional[_Iterable[str]] = ..., scores: _Optional[bytes] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ...) -> None: ...

class FindDuplicatesRequest(_message.Message):
    __slots__ = ("collection", "version", "min_score", "parameters")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    version: int
    min_score: float
    parameters: _core_pb2.SearchParameters
    def __init__(self, collection: _Optional[str] = ..., version: _Optional[int] = ..., min_score: _Optional[float] = ..., parameters: _Optional[_Union[_core_pb2.SearchParameters, _Mapping]] = ...) -> None: ...

class FindDuplicatesResponse(_message.Message):
    __slots__ = ("left_ids", "right_ids", "scores", "version", "predicted_recall")
    LEFT_IDS_FIELD_NUMBER: _ClassVar[int]
    RIGHT_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    left_ids: _containers.RepeatedScalarFieldContainer[str]
    right_ids: _containers.RepeatedScalarFieldContainer[str]
    scores: bytes
    version: int
    predicted_recall: float
    def __init__(self, left_ids: _Optional[_Iterable[str]] = ..., right_ids: _Optional[_Iterable[str]] = ..., scores: _Optional[bytes] = ..., version: _Optional[int] = ..., predicted_recall: _Optional[float] = ...) -> None: ...
