import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from vecinity.v1 import core_pb2 as _core_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Collection(_message.Message):
    __slots__ = ("name", "dimension", "metric", "version", "item_count", "publish_time", "embedder", "index", "attributes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    dimension: int
    metric: _core_pb2.Metric
    version: int
    item_count: int
    publish_time: _timestamp_pb2.Timestamp
    embedder: Embedder
    index: Index
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeSchema]
    def __init__(self, name: _Optional[str] = ..., dimension: _Optional[int] = ..., metric: _Optional[_Union[_core_pb2.Metric, str]] = ..., version: _Optional[int] = ..., item_count: _Optional[int] = ..., publish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., embedder: _Optional[_Union[Embedder, _Mapping]] = ..., index: _Optional[_Union[Index, _Mapping]] = ..., attributes: _Optional[_Iterable[_Union[AttributeSchema, _Mapping]]] = ...) -> None: ...

class Embedder(_message.Message):
    __slots__ = ("kind", "fingerprint")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    fingerprint: str
    def __init__(self, kind: _Optional[str] = ..., fingerprint: _Optional[str] = ...) -> None: ...

class Index(_message.Message):
    __slots__ = ("family", "description", "calibration", "tournament")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    TOURNAMENT_FIELD_NUMBER: _ClassVar[int]
    family: str
    description: str
    calibration: _containers.RepeatedCompositeFieldContainer[CalibrationPoint]
    tournament: Tournament
    def __init__(self, family: _Optional[str] = ..., description: _Optional[str] = ..., calibration: _Optional[_Iterable[_Union[CalibrationPoint, _Mapping]]] = ..., tournament: _Optional[_Union[Tournament, _Mapping]] = ...) -> None: ...

class Tournament(_message.Message):
    __slots__ = ("entries", "reason", "seconds", "target_recall")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    TARGET_RECALL_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[TournamentEntry]
    reason: str
    seconds: float
    target_recall: float
    def __init__(self, entries: _Optional[_Iterable[_Union[TournamentEntry, _Mapping]]] = ..., reason: _Optional[str] = ..., seconds: _Optional[float] = ..., target_recall: _Optional[float] = ...) -> None: ...

class TournamentEntry(_message.Message):
    __slots__ = ("description", "rows", "effort", "recall", "single_us", "batch_us", "build_seconds", "index_bytes", "excluded")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    SINGLE_US_FIELD_NUMBER: _ClassVar[int]
    BATCH_US_FIELD_NUMBER: _ClassVar[int]
    BUILD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    INDEX_BYTES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_FIELD_NUMBER: _ClassVar[int]
    description: str
    rows: int
    effort: _core_pb2.Effort
    recall: float
    single_us: float
    batch_us: float
    build_seconds: float
    index_bytes: int
    excluded: str
    def __init__(self, description: _Optional[str] = ..., rows: _Optional[int] = ..., effort: _Optional[_Union[_core_pb2.Effort, _Mapping]] = ..., recall: _Optional[float] = ..., single_us: _Optional[float] = ..., batch_us: _Optional[float] = ..., build_seconds: _Optional[float] = ..., index_bytes: _Optional[int] = ..., excluded: _Optional[str] = ...) -> None: ...

class CalibrationPoint(_message.Message):
    __slots__ = ("k", "effort", "recall", "recall_lower_bound", "query_us", "source")
    K_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    RECALL_LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    QUERY_US_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    k: int
    effort: _core_pb2.Effort
    recall: float
    recall_lower_bound: float
    query_us: float
    source: _core_pb2.CalibrationSource
    def __init__(self, k: _Optional[int] = ..., effort: _Optional[_Union[_core_pb2.Effort, _Mapping]] = ..., recall: _Optional[float] = ..., recall_lower_bound: _Optional[float] = ..., query_us: _Optional[float] = ..., source: _Optional[_Union[_core_pb2.CalibrationSource, str]] = ...) -> None: ...

class AttributeSchema(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: _core_pb2.AttributeType
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[_core_pb2.AttributeType, str]] = ...) -> None: ...

class GetCollectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class ListCollectionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCollectionsResponse(_message.Message):
    __slots__ = ("collections", "next_page_token")
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedCompositeFieldContainer[Collection]
    next_page_token: str
    def __init__(self, collections: _Optional[_Iterable[_Union[Collection, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
