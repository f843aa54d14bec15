import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Metric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_UNSPECIFIED: _ClassVar[Metric]
    METRIC_COSINE: _ClassVar[Metric]
    METRIC_DOT: _ClassVar[Metric]
    METRIC_EUCLIDEAN: _ClassVar[Metric]

class Shortfall(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHORTFALL_UNSPECIFIED: _ClassVar[Shortfall]
    SHORTFALL_FEW_ITEMS: _ClassVar[Shortfall]
    SHORTFALL_FEW_MATCHES: _ClassVar[Shortfall]

class UnknownWords(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_WORDS_UNSPECIFIED: _ClassVar[UnknownWords]
    UNKNOWN_WORDS_ERROR: _ClassVar[UnknownWords]
    UNKNOWN_WORDS_SKIP: _ClassVar[UnknownWords]
    UNKNOWN_WORDS_SUBWORD: _ClassVar[UnknownWords]
    UNKNOWN_WORDS_NEAREST_SPELLING: _ClassVar[UnknownWords]

class AttributeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTRIBUTE_TYPE_UNSPECIFIED: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_BOOL: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_INT64: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_DOUBLE: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_STRING: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_TIMESTAMP: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_STRING_LIST: _ClassVar[AttributeType]

class Strategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRATEGY_UNSPECIFIED: _ClassVar[Strategy]
    STRATEGY_INDEX: _ClassVar[Strategy]
    STRATEGY_EXACT: _ClassVar[Strategy]
    STRATEGY_EXACT_MATCHES: _ClassVar[Strategy]
    STRATEGY_INDEX_FILTERED: _ClassVar[Strategy]
    STRATEGY_OVER_FETCH: _ClassVar[Strategy]

class CalibrationSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALIBRATION_SOURCE_UNSPECIFIED: _ClassVar[CalibrationSource]
    CALIBRATION_SOURCE_ITEMS: _ClassVar[CalibrationSource]
    CALIBRATION_SOURCE_QUERIES: _ClassVar[CalibrationSource]
METRIC_UNSPECIFIED: Metric
METRIC_COSINE: Metric
METRIC_DOT: Metric
METRIC_EUCLIDEAN: Metric
SHORTFALL_UNSPECIFIED: Shortfall
SHORTFALL_FEW_ITEMS: Shortfall
SHORTFALL_FEW_MATCHES: Shortfall
UNKNOWN_WORDS_UNSPECIFIED: UnknownWords
UNKNOWN_WORDS_ERROR: UnknownWords
UNKNOWN_WORDS_SKIP: UnknownWords
UNKNOWN_WORDS_SUBWORD: UnknownWords
UNKNOWN_WORDS_NEAREST_SPELLING: UnknownWords
ATTRIBUTE_TYPE_UNSPECIFIED: AttributeType
ATTRIBUTE_TYPE_BOOL: AttributeType
ATTRIBUTE_TYPE_INT64: AttributeType
ATTRIBUTE_TYPE_DOUBLE: AttributeType
ATTRIBUTE_TYPE_STRING: AttributeType
ATTRIBUTE_TYPE_TIMESTAMP: AttributeType
ATTRIBUTE_TYPE_STRING_LIST: AttributeType
STRATEGY_UNSPECIFIED: Strategy
STRATEGY_INDEX: Strategy
STRATEGY_EXACT: Strategy
STRATEGY_EXACT_MATCHES: Strategy
STRATEGY_INDEX_FILTERED: Strategy
STRATEGY_OVER_FETCH: Strategy
CALIBRATION_SOURCE_UNSPECIFIED: CalibrationSource
CALIBRATION_SOURCE_ITEMS: CalibrationSource
CALIBRATION_SOURCE_QUERIES: CalibrationSource

class Vector(_message.Message):
    __slots__ = ("packed", "values")
    PACKED_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    packed: bytes
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, packed: _Optional[bytes] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class VectorBlock(_message.Message):
    __slots__ = ("count", "packed")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    count: int
    packed: bytes
    def __init__(self, count: _Optional[int] = ..., packed: _Optional[bytes] = ...) -> None: ...

class Query(_message.Message):
    __slots__ = ("vector", "id", "text", "examples")
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    vector: Vector
    id: str
    text: str
    examples: Examples
    def __init__(self, vector: _Optional[_Union[Vector, _Mapping]] = ..., id: _Optional[str] = ..., text: _Optional[str] = ..., examples: _Optional[_Union[Examples, _Mapping]] = ...) -> None: ...

class Examples(_message.Message):
    __slots__ = ("positives", "negatives")
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    NEGATIVES_FIELD_NUMBER: _ClassVar[int]
    positives: _containers.RepeatedCompositeFieldContainer[WeightedQuery]
    negatives: _containers.RepeatedCompositeFieldContainer[WeightedQuery]
    def __init__(self, positives: _Optional[_Iterable[_Union[WeightedQuery, _Mapping]]] = ..., negatives: _Optional[_Iterable[_Union[WeightedQuery, _Mapping]]] = ...) -> None: ...

class WeightedQuery(_message.Message):
    __slots__ = ("query", "weight")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    query: Query
    weight: float
    def __init__(self, query: _Optional[_Union[Query, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class QueryBatch(_message.Message):
    __slots__ = ("vectors", "ids", "texts")
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    vectors: VectorBlock
    ids: StringList
    texts: StringList
    def __init__(self, vectors: _Optional[_Union[VectorBlock, _Mapping]] = ..., ids: _Optional[_Union[StringList, _Mapping]] = ..., texts: _Optional[_Union[StringList, _Mapping]] = ...) -> None: ...

class StringList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class SearchParameters(_message.Message):
    __slots__ = ("target_recall", "exact", "effort")
    TARGET_RECALL_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    target_recall: float
    exact: bool
    effort: Effort
    def __init__(self, target_recall: _Optional[float] = ..., exact: _Optional[bool] = ..., effort: _Optional[_Union[Effort, _Mapping]] = ...) -> None: ...

class Effort(_message.Message):
    __slots__ = ("nprobe", "ef_search", "k_factor")
    NPROBE_FIELD_NUMBER: _ClassVar[int]
    EF_SEARCH_FIELD_NUMBER: _ClassVar[int]
    K_FACTOR_FIELD_NUMBER: _ClassVar[int]
    nprobe: int
    ef_search: int
    k_factor: int
    def __init__(self, nprobe: _Optional[int] = ..., ef_search: _Optional[int] = ..., k_factor: _Optional[int] = ...) -> None: ...

class Hits(_message.Message):
    __slots__ = ("ids", "scores", "texts", "vectors", "shortfall", "attributes")
    IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    scores: _containers.RepeatedScalarFieldContainer[float]
    texts: _containers.RepeatedScalarFieldContainer[str]
    vectors: VectorBlock
    shortfall: Shortfall
    attributes: _containers.RepeatedCompositeFieldContainer[Attributes]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., scores: _Optional[_Iterable[float]] = ..., texts: _Optional[_Iterable[str]] = ..., vectors: _Optional[_Union[VectorBlock, _Mapping]] = ..., shortfall: _Optional[_Union[Shortfall, str]] = ..., attributes: _Optional[_Iterable[_Union[Attributes, _Mapping]]] = ...) -> None: ...

class UnknownWord(_message.Message):
    __slots__ = ("field", "word", "action", "replacement")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    WORD_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    field: str
    word: str
    action: UnknownWords
    replacement: str
    def __init__(self, field: _Optional[str] = ..., word: _Optional[str] = ..., action: _Optional[_Union[UnknownWords, str]] = ..., replacement: _Optional[str] = ...) -> None: ...

class AttributeValue(_message.Message):
    __slots__ = ("bool_value", "int64_value", "double_value", "string_value", "timestamp_value", "string_list_value")
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT64_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_LIST_VALUE_FIELD_NUMBER: _ClassVar[int]
    bool_value: bool
    int64_value: int
    double_value: float
    string_value: str
    timestamp_value: _timestamp_pb2.Timestamp
    string_list_value: StringList
    def __init__(self, bool_value: _Optional[bool] = ..., int64_value: _Optional[int] = ..., double_value: _Optional[float] = ..., string_value: _Optional[str] = ..., timestamp_value: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., string_list_value: _Optional[_Union[StringList, _Mapping]] = ...) -> None: ...

class Attributes(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.MessageMap[str, AttributeValue]
    def __init__(self, values: _Optional[_Mapping[str, AttributeValue]] = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("comparison", "one_of", "contains", "exists", "all_of", "any_of")
    class Operator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OPERATOR_UNSPECIFIED: _ClassVar[Filter.Operator]
        OPERATOR_EQUAL: _ClassVar[Filter.Operator]
        OPERATOR_NOT_EQUAL: _ClassVar[Filter.Operator]
        OPERATOR_LESS: _ClassVar[Filter.Operator]
        OPERATOR_LESS_OR_EQUAL: _ClassVar[Filter.Operator]
        OPERATOR_GREATER: _ClassVar[Filter.Operator]
        OPERATOR_GREATER_OR_EQUAL: _ClassVar[Filter.Operator]
    OPERATOR_UNSPECIFIED: Filter.Operator
    OPERATOR_EQUAL: Filter.Operator
    OPERATOR_NOT_EQUAL: Filter.Operator
    OPERATOR_LESS: Filter.Operator
    OPERATOR_LESS_OR_EQUAL: Filter.Operator
    OPERATOR_GREATER: Filter.Operator
    OPERATOR_GREATER_OR_EQUAL: Filter.Operator
    class Comparison(_message.Message):
        __slots__ = ("attribute", "operator", "value")
        ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
        OPERATOR_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        attribute: str
        operator: Filter.Operator
        value: AttributeValue
        def __init__(self, attribute: _Optional[str] = ..., operator: _Optional[_Union[Filter.Operator, str]] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    class OneOf(_message.Message):
        __slots__ = ("attribute", "values")
        ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
        VALUES_FIELD_NUMBER: _ClassVar[int]
        attribute: str
        values: _containers.RepeatedCompositeFieldContainer[AttributeValue]
        def __init__(self, attribute: _Optional[str] = ..., values: _Optional[_Iterable[_Union[AttributeValue, _Mapping]]] = ...) -> None: ...
    class Contains(_message.Message):
        __slots__ = ("attribute", "value")
        ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        attribute: str
        value: str
        def __init__(self, attribute: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    ONE_OF_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    ALL_OF_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    NOT_FIELD_NUMBER: _ClassVar[int]
    comparison: Filter.Comparison
    one_of: Filter.OneOf
    contains: Filter.Contains
    exists: str
    all_of: FilterList
    any_of: FilterList
    def __init__(self, comparison: _Optional[_Union[Filter.Comparison, _Mapping]] = ..., one_of: _Optional[_Union[Filter.OneOf, _Mapping]] = ..., contains: _Optional[_Union[Filter.Contains, _Mapping]] = ..., exists: _Optional[str] = ..., all_of: _Optional[_Union[FilterList, _Mapping]] = ..., any_of: _Optional[_Union[FilterList, _Mapping]] = ..., **kwargs) -> None: ...

class FilterList(_message.Message):
    __slots__ = ("filters",)
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    filters: _containers.RepeatedCompositeFieldContainer[Filter]
    def __init__(self, filters: _Optional[_Iterable[_Union[Filter, _Mapping]]] = ...) -> None: ...

class Selection(_message.Message):
    __slots__ = ("filter", "min_score", "grouping", "diversity", "farthest")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    GROUPING_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    FARTHEST_FIELD_NUMBER: _ClassVar[int]
    filter: Filter
    min_score: float
    grouping: Grouping
    diversity: Diversity
    farthest: bool
    def __init__(self, filter: _Optional[_Union[Filter, _Mapping]] = ..., min_score: _Optional[float] = ..., grouping: _Optional[_Union[Grouping, _Mapping]] = ..., diversity: _Optional[_Union[Diversity, _Mapping]] = ..., farthest: _Optional[bool] = ...) -> None: ...

class Grouping(_message.Message):
    __slots__ = ("attribute", "hits_per_group")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    HITS_PER_GROUP_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    hits_per_group: int
    def __init__(self, attribute: _Optional[str] = ..., hits_per_group: _Optional[int] = ...) -> None: ...

class Diversity(_message.Message):
    __slots__ = ("relevance", "candidates")
    RELEVANCE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    relevance: float
    candidates: int
    def __init__(self, relevance: _Optional[float] = ..., candidates: _Optional[int] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("index", "strategy", "effort", "target_recall", "predicted_recall", "calibration_source", "items", "items_matching", "items_scanned", "reasons", "times", "texts_remembered")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    TARGET_RECALL_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_RECALL_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_SOURCE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_MATCHING_FIELD_NUMBER: _ClassVar[int]
    ITEMS_SCANNED_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_REMEMBERED_FIELD_NUMBER: _ClassVar[int]
    index: str
    strategy: Strategy
    effort: Effort
    target_recall: float
    predicted_recall: float
    calibration_source: CalibrationSource
    items: int
    items_matching: int
    items_scanned: int
    reasons: _containers.RepeatedScalarFieldContainer[str]
    times: Times
    texts_remembered: int
    def __init__(self, index: _Optional[str] = ..., strategy: _Optional[_Union[Strategy, str]] = ..., effort: _Optional[_Union[Effort, _Mapping]] = ..., target_recall: _Optional[float] = ..., predicted_recall: _Optional[float] = ..., calibration_source: _Optional[_Union[CalibrationSource, str]] = ..., items: _Optional[int] = ..., items_matching: _Optional[int] = ..., items_scanned: _Optional[int] = ..., reasons: _Optional[_Iterable[str]] = ..., times: _Optional[_Union[Times, _Mapping]] = ..., texts_remembered: _Optional[int] = ...) -> None: ...

class Times(_message.Message):
    __slots__ = ("queue", "embed", "filter", "search", "lookup")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    EMBED_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    LOOKUP_FIELD_NUMBER: _ClassVar[int]
    queue: _duration_pb2.Duration
    embed: _duration_pb2.Duration
    filter: _duration_pb2.Duration
    search: _duration_pb2.Duration
    lookup: _duration_pb2.Duration
    def __init__(self, queue: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., embed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., filter: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., search: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., lookup: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
