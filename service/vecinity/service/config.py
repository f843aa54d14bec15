"""All settings of a server: the only module that looks at the environment.

Later wins: defaults, then the TOML file named by ``VECINITY_CONFIG``, then ``VECINITY_…`` variables, then what the
caller (the command line) passes.
"""

from __future__ import annotations

import os
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from vecinity.indexer.cpus import available_cpus
from vecinity.indexer.errors import SettingError
from vecinity.service.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic_core import ErrorDetails

_PREFIX = "VECINITY_"
_CONFIG_VARIABLE = "VECINITY_CONFIG"

_WORKERS_MAX = 8
"""Each takes some hundred megabytes; beyond, the threads of each do more for large requests."""


_EMBED_THREADS_MAX = 16
"""Batches are of 16 texts."""


class Config(BaseSettings):
    """Settings of a server; every field can be set as ``VECINITY_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Path("data")
    listen: str = Field("127.0.0.1:50051", description="host:port; port 0 takes a free one; loopback by default")
    edge: Literal["auto", "grpcio", "nghttp2"] = Field(
        "auto",
        description="what carries gRPC; auto: nghttp2, which costs least, or grpcio without libnghttp2",
    )
    reuse_port: bool = Field(False, description="whether other processes may listen on the same address")
    tls_certificate: Path | None = Field(None, description="PEM file with the server's certificate chain: serves TLS")
    tls_key: Path | None = Field(None, description="PEM file with its private key")
    tls_client_ca: Path | None = Field(None, description="PEM file: clients must show a certificate of one of these")
    reflection: bool = Field(False, description="whether tools such as grpcurl may ask for the schema")
    workers: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="processes that answer; 0: one for each CPU, at most 8"
    )
    threads: Annotated[int, Field(ge=0, le=1_024)] = Field(
        0, description="search threads of each worker, for what is large; 0: one for each CPU"
    )
    pin_workers: bool = Field(
        False, description="whether each of several workers stays on a CPU of its own, its search threads too"
    )
    metrics: str | None = Field(
        None,
        description="host:port where Prometheus fetches metrics (HTTP); port 0 takes a free one; off by default",
    )
    embed_threads: Annotated[int, Field(ge=0, le=1_024)] = Field(
        0, description="threads of the process that embeds by MiniLM; 0: one for each CPU, at most 16"
    )
    embeddings_kept: Annotated[int, Field(ge=0, le=100_000_000)] = Field(
        10_000, description="vectors of texts that each worker remembers, at 1.5 kB each for MiniLM; 0: none"
    )
    k_max: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    batch_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(10_000, description="queries, or pairs, in one call")
    texts_max: Annotated[int, Field(ge=1)] = Field(1_000, description="texts to embed in one call")
    text_chars_max: Annotated[int, Field(ge=1)] = Field(32_768, description="characters in one text")
    hits_max: Annotated[int, Field(ge=1)] = Field(1_000_000, description="queries × k in one call")
    message_bytes_max: Annotated[int, Field(ge=4_096, lt=1 << 31)] = 64 << 20
    calls_max: Annotated[int, Field(ge=1, le=100_000)] = Field(
        256,
        description="calls under way at once in each worker; more are refused. A connection can have half of them: "
        "clients of gRPC wait with what is more",
    )
    target_recall: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="for requests that name no effort")
    analogy_recall: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.995, description="for analogies that name no effort; their queries are harder than those of the calibration"
    )
    worker_timeout_seconds: Annotated[float, Field(ge=2, le=86_400)] = Field(
        30.0, description="one of several workers of which nothing is heard for so long is killed and replaced"
    )
    drain_seconds: Annotated[float, Field(ge=0, le=3_600)] = Field(10.0, description="for calls under way at SIGTERM")
    refresh_seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(0.25, description="between looks for new versions")
    verify: bool = Field(
        True, description="whether to compare the checksum of every file that is opened: a damaged one can end a worker"
    )
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def worker_count(self) -> int:
        """How many processes answer."""
        return self.workers or min(available_cpus(), _WORKERS_MAX)

    @property
    def calls_each_max(self) -> int:
        """Calls under way at once on one connection: whoever has one can't take all places.

        Two at least: while a client reads a stream, or watches a server's health, a call beside that must not wait for
        the end of it.
        """
        return max(2, self.calls_max // 2)

    @property
    def embed_thread_count(self) -> int:
        """Threads of the process that embeds."""
        return self.embed_threads or min(available_cpus(), _EMBED_THREADS_MAX)

    @property
    def limits(self) -> Limits:
        return Limits(**{field.name: getattr(self, field.name) for field in fields(Limits)})

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Config:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: give both or neither")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    @field_validator("listen", "metrics")
    @classmethod
    def _has_port(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, _, port = value.rpartition(":")
        if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
            raise ValueError("must be host:port, such as 127.0.0.1:50051")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = os.environ.get(_CONFIG_VARIABLE)  # noqa: TID251 - this is the configuration module
        if path is None:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(path))


def load_config(**overrides: object) -> Config:
    """The settings from all sources; an override of None is as if not given.

    Raises:
        SettingError: A value is out of range or a name is unknown; it names the setting and its source's spelling.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    # Pydantic takes them in lower case too.
    variables = {name.upper() for name in os.environ if name.upper().startswith(_PREFIX)}  # noqa: TID251
    path = os.environ.get(_CONFIG_VARIABLE)  # noqa: TID251
    if path is not None and not Path(path).is_file():
        raise SettingError(f"{_CONFIG_VARIABLE} is {path!r}, which is no file: it must be the path of a TOML file")
    known = {f"{_PREFIX}{name.upper()}" for name in Config.model_fields} | {_CONFIG_VARIABLE}
    if unknown := sorted(variables - known):
        near = get_close_matches(unknown[0].removeprefix(_PREFIX), [name.removeprefix(_PREFIX) for name in known], 1)
        hint = f"did you mean {_PREFIX}{near[0]}?" if near else "see 'vecinity serve --help'"
        raise SettingError(f"there is no setting {', '.join(unknown)}: {hint}")
    try:
        return Config(**given)  # type: ignore[arg-type]  # pydantic checks each value
    except ValidationError as error:
        faults = "; ".join(_fault(fault, given.keys(), variables, path) for fault in error.errors())
        raise SettingError(f"in the settings: {faults}") from error
    except ValueError as error:
        raise SettingError(f"{path} is no TOML file ({error})") from error


def _fault(fault: ErrorDetails, given: Collection[str], variables: Collection[str], path: str | None) -> str:
    """What is wrong with a setting, with the name by which its source calls it."""
    name, message = ".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(name.lower(), Config.model_fields, 1)
        message = "there is no such setting" + (f"; did you mean {near[0]!r}?" if near else "")
    if not name:  # of several settings together
        return message
    if name in given:
        return f"{name}: {message}"
    variable = f"{_PREFIX}{name.upper()}"
    return f"{variable}: {message}" if variable in variables else f"{name!r} in {path}: {message}"
