"""The commands, called in this process or started as processes of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest
import yaml
from typer.testing import CliRunner

from app.cli import app
from tests.processes import Server

NOWHERE = "http://127.0.0.1:9"
Process = subprocess.Popen[str]
Start = Callable[..., Process]


def config(**experiment: Any) -> dict[str, Any]:
    return {
        "agent": {"backend": "baseline", "model": "heuristic"},
        "environment": {"name": "CartPoleLLM-v1"},
        "experiment": {"name": "pole", "max_steps": 20, **experiment},
    }


def written(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own, without settings of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("GYM_LLM_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OLLAMA_HOST", NOWHERE)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service, shared by the tests of a file."""
    server = Server(tmp_path_factory.mktemp("server"), {})
    try:
        server.start()
        yield server.url
    finally:
        server.kill()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `gym-llm` processes; what is left of them at the end is killed."""
    with ExitStack() as processes:

        def begin(*arguments: str, **environ: str) -> Process:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | environ | {"PYTHONUNBUFFERED": "1"},
                # In the background of a script, Ctrl-C is ignored, by all that are started there too.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield begin


def line(process: Process) -> str:
    return out(process).readline()


def out(process: Process) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def served(process: Process) -> str:
    """The address of a service that has just been started."""
    first = line(process)
    found = re.search(r"http://\S+", first)
    assert found, (first, process.communicate(timeout=10))
    return found[0]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def invoke(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr
