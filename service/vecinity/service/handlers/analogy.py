"""The methods that solve analogies. Each: validate → engine → convert."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from google.protobuf.message import Message

from vecinity.service.call import Call
from vecinity.service.convert import analogy as convert
from vecinity.service.convert import query as of
from vecinity.service.engine import Engine
from vecinity.service.handlers.method import Method, made
from vecinity.service.limits import Limits
from vecinity.service.validate import analogy as validate
from vecinity.v1 import search_service_pb2 as search_pb


class AnalogyHandlers:
    """The methods that solve analogies."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        self.limits = limits

    def methods(self) -> Mapping[str, Method]:
        """The methods, by full name."""
        return {
            "/vecinity.v1.SearchService/SolveAnalogy": Method(search_pb.SolveAnalogyRequest, self.solve_analogy),
            "/vecinity.v1.SearchService/BatchSolveAnalogies": Method(
                search_pb.BatchSolveAnalogiesRequest, self.batch_solve_analogies
            ),
        }

    async def solve_analogy(self, call: Call, request: search_pb.SolveAnalogyRequest) -> Message:
        validate.solve_analogy(request, self.limits)
        if request.explain:
            call.keep_times()
        answer = await self.engine.solve_analogies(call, of.search(request), convert.analogy(request))
        return await made(partial(convert.solve_analogy_response, answer, request.k), len(answer.attributes or ()))

    async def batch_solve_analogies(self, call: Call, request: search_pb.BatchSolveAnalogiesRequest) -> Message:
        validate.batch_solve_analogies(request, self.limits)
        if request.explain:
            call.keep_times()
        answer = await self.engine.solve_analogies(call, of.search(request), convert.analogies(request))
        return await made(
            partial(convert.batch_solve_analogies_response, answer, request.k), len(answer.attributes or ())
        )
