"""``vecinity serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vecinity.cli.exit_codes import ExitCode
from vecinity.cli.extras import require_server


def serve(
    data_dir: Annotated[Path | None, typer.Option(help="What 'vecinity build' wrote.  [default: data]")] = None,
    listen: Annotated[
        str | None, typer.Option(help="host:port; port 0 takes a free one.  [default: 127.0.0.1:50051]")
    ] = None,
    reflection: Annotated[
        bool | None, typer.Option("--reflection/--no-reflection", help="Tell tools such as grpcurl the schema.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Search threads.  [default: 0, one for each CPU]")] = None,
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
    require_server("serve")
    import asyncio
    import os
    import sys

    from vecinity.service.config import load_config
    from vecinity.service.server import run_server

    config = load_config(
        data_dir=data_dir,
        listen=listen,
        reflection=reflection,
        threads=threads,
        target_recall=target_recall,
        drain_seconds=drain_seconds,
        log_format=log_format,
        log_level=log_level,
    )
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(run_server(config, lambda address: typer.echo(f"listening on {address}")))
    finally:
        loop.close()
    # Everything is closed, but a thread may still be loading a model: leaving as usual would wait for it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ExitCode.DONE)
