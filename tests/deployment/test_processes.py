"""The commands of the compose file, as plain processes against a real Postgres."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.databases import Postgres
from tests.deployment.compose import ROOT, compose, of_image, required
from tests.processes import DEADLINE_S

KEY = "glm_" + "0123456789abcdef" * 4
AS_ADMIN = {"Authorization": f"Bearer {KEY}"}
RUN = {
    "agent": {"backend": "baseline", "model": "heuristic"},
    "environment": {"name": "CartPoleLLM-v1"},
    "experiment": {"seed": 7, "save_gif": True, "max_steps": 20},
}


@dataclass
class Service:
    """One service of the compose file, started here."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """Ask it to stop as Docker does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def told(self) -> str:
        return self.log.read_text()[-5000:]


class Deployment:
    """The compose file with the places of this machine in it: its Postgres, a folder, a free port."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        values = dict.fromkeys(required(), KEY) | {"OLLAMA_HOST": "http://127.0.0.1:9"}
        self._services = compose(values)["services"]
        self._folder = folder
        self._places = {"GYM_LLM_DATABASE_URL": database_url, "GYM_LLM_DATA_DIR": str(folder / "data")}
        self._stack = ExitStack()

    def start(self, name: str) -> Service:
        """Start a service in the background."""
        command, environment = self._command(name)
        log = self._folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(command, cwd=self._folder, env=environment, stdout=output, stderr=output)
        self._stack.callback(_kill, process)
        return Service(process, log)

    def finish(self, name: str) -> None:
        """Run a one-shot service to its end."""
        service = self.start(name)
        assert service.process.wait(DEADLINE_S) == 0, service.told()

    def keys(self, *arguments: str) -> str:
        """`docker compose exec api gym-llm keys ...`."""
        _, environment = self._command("api")
        command = [sys.executable, "-m", "app.cli", "keys", *arguments]
        done = subprocess.run(command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def health(self) -> int:
        """The exit code of the image's health check."""
        _, *arguments = [part.replace("8000", str(self.port)) for part in of_image("HEALTHCHECK")]
        return subprocess.run([sys.executable, *arguments], capture_output=True, check=False).returncode

    def close(self) -> None:
        """Kill what still runs."""
        self._stack.close()

    def _command(self, name: str) -> tuple[list[str], Mapping[str, str]]:
        service = self._services[name]
        arguments = service["command"] + (["--port", str(self.port)] if name == "api" else [])
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GYM_LLM_", "OPENAI_", "OLLAMA_", "PG"))
        }
        places = {name: value for name, value in self._places.items() if name in service["environment"]}
        # One password for both: where the server here wants another, it is part of its address, which comes first.
        environment = inherited | service["environment"] | places | {"PYTHONPATH": str(ROOT)}
        return [sys.executable, "-m", "app.cli", *arguments], environment


@pytest.fixture
def deployment(postgres: Postgres, tmp_path: Path) -> Iterator[Deployment]:
    with postgres.database() as url:
        deployed = Deployment(url, tmp_path)
        yield deployed
        deployed.close()


def test_a_run_posted_to_the_api_is_carried_out_by_a_worker(deployment: Deployment) -> None:
    deployment.finish("migrate")
    assert deployment.health() != 0, "nothing serves yet"
    api = deployment.start("api")
    until(lambda: deployment.health() == 0, api)

    with httpx.Client(base_url=deployment.url, headers=AS_ADMIN, timeout=DEADLINE_S) as client:
        posted = client.post("/runs", json=RUN)
        assert posted.status_code == 202, posted.text
        path = posted.headers["Location"]
        time.sleep(2)
        assert client.get(path).json()["status"] == "queued", "the API carries out no runs"

        worker = deployment.start("worker")
        until(lambda: client.get(path).json()["status"] == "succeeded", worker)
        gif = client.get(f"{path}/episodes/0/gif")
        assert gif.headers["Content-Type"] == "image/gif"
        assert gif.content.startswith(b"GIF8")
        assert client.get("/backends").status_code == 200, "no language model is needed"

    assert worker.stop() == 0, worker.told()
    assert api.stop() == 0, api.told()
    assert KEY not in worker.told() + api.told()


def test_nobody_gets_in_without_a_key(deployment: Deployment) -> None:
    api = deployment.start("api")
    until(lambda: deployment.health() == 0, api)
    with httpx.Client(base_url=deployment.url, timeout=DEADLINE_S) as client:
        assert client.get("/runs").status_code == 401
        assert client.get("/runs", headers=AS_ADMIN).status_code == 200

        key = deployment.keys("create", "laptop", "--owner", "alice").split()[0]
        as_alice = {"Authorization": f"Bearer {key}"}
        assert client.get("/runs", headers=as_alice).status_code == 200
        deployment.keys("revoke", key[:12])
        assert client.get("/runs", headers=as_alice).status_code == 401


def until(found: Callable[[], Any], service: Service) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + DEADLINE_S
    while not found():
        assert service.process.poll() is None, service.told()
        assert time.monotonic() < deadline, service.told()
        time.sleep(0.1)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
