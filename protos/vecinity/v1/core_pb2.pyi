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
METRIC_UNSPECIFIED: Metric
METRIC_COSINE: Metric
METRIC_DOT: Metric
METRIC_EUCLIDEAN: Metric
SHORTFALL_UNSPECIFIED: Shortfall
SHORTFALL_FEW_ITEMS: Shortfall

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
    __slots__ = ("vector", "id", "text")
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    vector: Vector
    id: str
    text: str
    def __init__(self, vector: _Optional[_Union[Vector, _Mapping]] = ..., id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("ids", "scores", "texts", "vectors", "shortfall")
    IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    scores: _containers.RepeatedScalarFieldContainer[float]
    texts: _containers.RepeatedScalarFieldContainer[str]
    vectors: VectorBlock
    shortfall: Shortfall
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., scores: _Optional[_Iterable[float]] = ..., texts: _Optional[_Iterable[str]] = ..., vectors: _Optional[_Union[VectorBlock, _Mapping]] = ..., shortfall: _Optional[_Union[Shortfall, str]] = ...) -> None: ...
