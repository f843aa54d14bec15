"""The Python client of Vecinity.

>>> from vecinity.client import Client
>>> with Client("127.0.0.1:50051") as client:
...     for hit in client.search("words", id="king", k=3):
...         print(hit.id, hit.score)

`Client` blocks; `AsyncClient` has the same methods as coroutines. `Client.in_process("data")` answers from a data
directory without a server. Errors are the classes of `vecinity.client.errors`.
"""

from vecinity.client._async.client import AsyncClient
from vecinity.client._sync.client import Client
from vecinity.client._types import (
    BatchSearchResult,
    CalibrationPoint,
    Collection,
    Effort,
    Embedder,
    Embeddings,
    Hit,
    Index,
    Metric,
    Query,
    SearchResult,
    Term,
    Text,
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
    "AsyncClient",
    "BatchSearchResult",
    "CalibrationPoint",
    "Client",
    "Collection",
    "CorruptError",
    "DeadlineExceededError",
    "Effort",
    "Embedder",
    "Embeddings",
    "FailedPreconditionError",
    "Hit",
    "Index",
    "InternalError",
    "InvalidArgumentError",
    "Metric",
    "NotFoundError",
    "Query",
    "ResourceExhaustedError",
    "SearchResult",
    "Term",
    "Text",
    "UnavailableError",
    "UnimplementedError",
    "VecinityError",
]
