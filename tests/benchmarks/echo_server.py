"""An empty gRPC server: grpc.aio, in as many processes as asked for, that answers every Search with the same bytes.

    python tests/benchmarks/echo_server.py PROCESSES HITS

What any server written with grpcio costs before it does anything. Prints its address; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import socket
import sys

import grpc

from vecinity.v1 import core_pb2, search_service_pb2


def serve(port: int, hits: int) -> None:
    response = search_service_pb2.SearchResponse(
        hits=core_pb2.Hits(ids=[f"item-{n}" for n in range(hits)], scores=[0.5] * hits), version=1
    )

    async def search(request: search_service_pb2.SearchRequest, context: object) -> search_service_pb2.SearchResponse:
        return response

    async def run() -> None:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
        method = grpc.unary_unary_rpc_method_handler(
            search,
            request_deserializer=search_service_pb2.SearchRequest.FromString,
            response_serializer=search_service_pb2.SearchResponse.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler("vecinity.v1.SearchService", {"Search": method})
        server.add_generic_rpc_handlers((handler,))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(run())


def main() -> None:
    processes, hits = int(sys.argv[1]), int(sys.argv[2])
    with socket.socket() as kept:  # holds the port, without listening
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        context = multiprocessing.get_context("spawn")
        running = [context.Process(target=serve, args=(port, hits), daemon=True) for _ in range(processes)]
        for process in running:
            process.start()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # daemons end with their parent, if it ends as usual
        print(f"listening on 127.0.0.1:{port}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
