"""The Python client of Vecinity.

>>> from vecinity.client import Client
>>> with Client("127.0.0.1:50051") as client:
...     for hit in client.search("words", id="king", k=3):
...         print(hit.id, hit.score)

`Client` blocks; `AsyncClient` has the same methods as coroutines. `Client.in_process("data")` answers from a data
directory without a server. Errors are the classes of `vecinity.client.errors`.
"""

from vecinity.client._async.client import AsyncClient
from vecinity.client._options import AnalogyOptions, HitOptions
from vecinity.client._plans import Plan, Strategy, Times
from vecinity.client._sync.client import Client
from vecinity.client._types import (
    AnalogyMethod,
    AttributeType,
    AttributeValue,
    BatchSearchResult,
    CalibrationPoint,
    CalibrationSource,
    CloserItems,
    Collection,
    Duplicate,
    Effort,
    Embedder,
    Embeddings,
    Hit,
    Index,
    Metric,
    Neighbours,
    OddOneOut,
    Query,
    SearchResult,
    Term,
    Text,
    Tournament,
    TournamentEntry,
    UnknownWord,
    UnknownWords,
)
from vecinity.client.errors import (
    CorruptError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
    UnimplementedError,
    VecinityError,
)

__all__ = [
    "AnalogyMethod",
    "AnalogyOptions",
    "AsyncClient",
    "AttributeType",
    "AttributeValue",
    "BatchSearchResult",
    "CalibrationPoint",
    "CalibrationSource",
    "Client",
    "CloserItems",
    "Collection",
    "CorruptError",
    "DeadlineExceededError",
    "Duplicate",
    "Effort",
    "Embedder",
    "Embeddings",
    "FailedPreconditionError",
    "Hit",
    "HitOptions",
    "Index",
    "InternalError",
    "InvalidArgumentError",
    "Metric",
    "Neighbours",
    "NotFoundError",
    "OddOneOut",
    "Plan",
    "Query",
    "ResourceExhaustedError",
    "SearchResult",
    "Strategy",
    "Term",
    "Text",
    "Times",
    "Tournament",
    "TournamentEntry",
    "UnavailableError",
    "UnimplementedError",
    "UnknownWord",
    "UnknownWords",
    "VecinityError",
]
