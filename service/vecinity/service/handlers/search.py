"""The methods that search. Each: validate → engine → convert."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial

from google.protobuf.message import Message

from vecinity.service.answer import Answer
from vecinity.service.call import Call
from vecinity.service.convert import answer as to
from vecinity.service.convert import query as of
from vecinity.service.engine import Engine
from vecinity.service.handlers.alike import Kinds
from vecinity.service.handlers.method import Method, Tell, made
from vecinity.service.limits import Limits
from vecinity.service.query import Search
from vecinity.service.single import is_plain
from vecinity.service.validate import search as validate
from vecinity.v1 import search_service_pb2 as search_pb

_KNOWN_MAX = 1_024
_KNOWN_BYTES_MAX = 256
"""Of the parameters that are remembered: fields that this server does not know may make them as large as a message."""


class SearchHandlers:
    """The methods that search."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits
        self._known: dict[Hashable, Search] = {}
        self._kinds = Kinds()

    def methods(self) -> Mapping[str, Method]:
        """The methods, by full name."""
        return {
            "/vecinity.v1.SearchService/Search": Method(search_pb.SearchRequest, self.search, self.quick_search),
            "/vecinity.v1.SearchService/BatchSearch": Method(search_pb.BatchSearchRequest, self.batch_search),
        }

    async def search(self, call: Call, request: search_pb.SearchRequest) -> Message:
        wanted = self._wanted(request)
        if request.explain:
            call.keep_times()
        found = await self.engine.search(call, wanted, of.one_query(request.query))
        return await made(partial(to.search_response, found, request), len(found.attributes or ()))

    def quick_search(self, call: Call, payload: bytes, tell: Tell) -> bool:
        """A search for a vector, if it wants nothing special."""
        found = self._kinds.find(payload)
        if found is None:
            request = search_pb.SearchRequest.FromString(payload)
            if request.explain or not request.query.vector.packed:
                return False
            wanted = self._wanted(request)
            if not is_plain(wanted):
                return False
            kind = self._kinds.kind_of(payload, request, wanted)
            if kind is None:
                return False
            vectors = of.numbers(request.query.vector)[None]
        else:
            kind, vectors = found
        ready = self.engine.ready(kind.number, kind.search, vectors.shape[1])
        if ready is None:
            return False
        if found is None:  # not before it is known that it can be answered
            self._kinds.keep(len(payload), kind)

        def answered(answer: Answer | Exception) -> None:
            response: Message | Exception
            try:
                response = answer if isinstance(answer, Exception) else to.search_response(answer, kind.example)
            except Exception as error:
                response = error
            tell(response)

        self.engine.ask(call, ready, vectors, answered)
        return True

    def _wanted(self, request: search_pb.SearchRequest) -> Search:
        """What a request wants beside its query. Requests of one kind come by the thousand: theirs is remembered."""
        parameters = request.parameters.SerializeToString()
        # Some clients send a selection that selects nothing.
        selects = request.HasField("selection") and request.selection.ByteSize()
        if selects or request.page_token or len(parameters) > _KNOWN_BYTES_MAX:
            validate.search(request, self.limits)
            return of.search_page(request)
        key = (
            request.collection,
            request.k,
            request.version,
            parameters,
            request.unknown_words,
            request.include_texts,
            request.include_vectors,
            request.include_attributes,
        )
        wanted = self._known.get(key)
        if wanted is not None:
            validate.query(request.query, self.limits)
            return wanted
        validate.search(request, self.limits)
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        wanted = self._known[key] = of.search_page(request)
        return wanted

    async def batch_search(self, call: Call, request: search_pb.BatchSearchRequest) -> Message:
        validate.batch_search(request, self.limits)
        if request.explain:
            call.keep_times()
        found = await self.engine.search(call, of.search(request), of.queries(request.queries))
        return await made(partial(to.batch_search_response, found, request.k), len(found.attributes or ()))
