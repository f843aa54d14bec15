"""The examples of the README run as they stand, and its commands are those of the program."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, RunCommand, running_server
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import Default

import vecinity.v1.search_service_pb2
from vecinity.client import Client
from vecinity.service.config import Config

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.M | re.S)


@pytest.mark.timeout(300)
def test_the_examples_run_as_they_stand(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    (shell,) = blocks("bash")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", shell],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # How far a build is, where it takes long; nothing else.
    assert all(re.match(r"[a-z0-9 ]+: ", line) for line in done.stderr.splitlines()), done.stderr
    assert "queen" in done.stdout
    training, asking = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", training + asking],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "['queen']" in done.stdout and "did you mean 'king'" in done.stdout
    with running_server(tmp_path / "data", tmp_path / "log") as server, Client(server.target) as client:
        assert client.solve_analogy("words", ["king", "woman"], ["man"], k=1).ids == ["queen"]


def test_the_grpcurl_example_fits_the_protos() -> None:
    (command,) = re.findall(r"^grpcurl .*$", README, flags=re.M)
    words = shlex.split(command)
    service, name = words[-1].rsplit("/", 1)
    assert vecinity.v1.search_service_pb2.DESCRIPTOR.services_by_name
    method = Default().FindServiceByName(service).FindMethodByName(name)
    body = words[words.index("-d") + 1]
    request = json_format.ParseDict(json.loads(body), message_factory.GetMessageClass(method.input_type)())
    assert json_format.MessageToDict(request, preserving_proto_field_name=True) == json.loads(body)


def test_every_command_is_documented_and_every_documented_one_exists(vecinity: RunCommand) -> None:
    shown = vecinity("--help").stdout
    commands = {*re.findall(r"^  ([a-z-]+)  ", shown.split("Commands:")[1], flags=re.M)}
    assert commands == {
        "build",
        "train",
        "convert",
        "evaluate",
        "serve",
        "search",
        "analogy",
        "similarity",
        "odd-one-out",
        "neighbours",
        "duplicates",
        "collections",
        "demo",
    }
    assert {*re.findall(r"^vecinity ([a-z-]+)", README, flags=re.M)} == commands
    for line in re.findall(r"^vecinity .*$", README, flags=re.M):
        words = shlex.split(line, comments=True)
        options = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        shown = vecinity(words[1], "--help").stdout
        assert all(option in shown for option in options), line


def test_settings_named_in_the_readme_exist() -> None:
    for name in re.findall(r"`VECINITY_([A-Z_]+)`", README):
        assert name == "CONFIG" or name.lower() in Config.model_fields


def test_exit_codes_are_those_of_the_program(vecinity: RunCommand) -> None:
    listed = re.search(r"Exit codes: (.*?)\.", README.replace("\n", " "))
    assert listed is not None
    assert " ".join(listed[1].split()) in " ".join(vecinity("--help").stdout.split())


def test_files_named_in_the_documents_exist() -> None:
    for document in ("README.md", "ARCHITECTURE.md"):
        text = (ROOT / document).read_text()
        for path in re.findall(r"\]\(([^)#]+)\)", text):
            if not path.startswith("http"):
                assert (ROOT / path).exists(), f"{document} names {path}"
        for path in re.findall(r"`((?:service|indexer|clients|protos|tests)/[\w/.-]+)`", text):
            assert (ROOT / path).exists(), f"{document} names {path}"
