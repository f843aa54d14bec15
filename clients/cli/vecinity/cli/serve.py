"""``vecinity serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vecinity.cli.exit_codes import ExitCode
from vecinity.cli.extras import require_server

_STDERR = 2


def serve(
    data_dir: Annotated[Path | None, typer.Option(help="What 'vecinity build' wrote.  [default: data]")] = None,
    listen: Annotated[
        str | None, typer.Option(help="host:port; port 0 takes a free one.  [default: 127.0.0.1:50051]")
    ] = None,
    edge: Annotated[
        str | None,
        typer.Option(help="What carries gRPC: nghttp2 costs least, grpcio needs no system library.  [default: auto]"),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file with the certificate chain: serve TLS alone.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with the certificate's private key.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="PEM file: clients must show a certificate of one of these.")
    ] = None,
    reflection: Annotated[
        bool | None, typer.Option("--reflection/--no-reflection", help="Tell tools such as grpcurl the schema.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that answer.  [default: 0, one for each CPU, at most 8]")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Search threads of each, for large requests.  [default: 0, one for each CPU]")
    ] = None,
    pin_workers: Annotated[
        bool | None, typer.Option("--pin-workers/--no-pin-workers", help="Keep each worker on a CPU of its own.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="host:port where Prometheus fetches metrics; port 0 takes a free one.")
    ] = None,
    target_recall: Annotated[
        float | None, typer.Option(help="For requests that name no effort.  [default: 0.95]")
    ] = None,
    drain_seconds: Annotated[
        float | None, typer.Option(help="Time for calls under way when stopped.  [default: 10]")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="console or json.  [default: console]")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.  [default: info]")] = None,
) -> None:
    """Answer queries over gRPC until SIGTERM or Ctrl-C.

    New versions that 'vecinity build' publishes are served within a second. Every option can also be set as an
    environment variable, such as VECINITY_LISTEN, or in the TOML file that VECINITY_CONFIG names.
    """
    require_server("'vecinity serve'")
    import os
    import sys

    _fill_standard_descriptors()
    from vecinity.service.config import load_config
    from vecinity.service.event_loop import new_event_loop

    config = load_config(
        data_dir=data_dir,
        listen=listen,
        edge=edge,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        reflection=reflection,
        workers=workers,
        threads=threads,
        pin_workers=pin_workers,
        metrics=metrics,
        target_recall=target_recall,
        drain_seconds=drain_seconds,
        log_format=log_format,
        log_level=log_level,
    )
    loop = new_event_loop(config)
    # Either takes long to import, and a supervisor can do without the server.
    if config.worker_count == 1:
        from vecinity.service.server import run_server

        serving = run_server(config, _announce)
    else:
        from vecinity.service.supervisor import run_supervisor

        serving = run_supervisor(config, _announce)
    try:
        loop.run_until_complete(serving)
    finally:
        loop.close()
    # Everything is closed, but a thread may still be loading a model: leaving as usual would wait for it.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed from the beginning
            stream.flush()
    os._exit(ExitCode.DONE)


def _announce(address: str) -> None:
    typer.echo(f"listening on {address}")


def _fill_standard_descriptors() -> None:
    """Let nothing else take the numbers of standard streams that are closed: libuv ends a process that closes a socket
    with one of them, and workers would take it for theirs."""
    import os

    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
