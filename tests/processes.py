"""The service as it is deployed: a uvicorn process with its own folder, which can be killed and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).parents[1]
DEADLINE_S = 60
"""Far longer than anything here takes: only a hanging test gets there."""
OPTIONS = ("--factory", "tests.served:create_app", "--timeout-graceful-shutdown", "2", "--no-access-log")
T = TypeVar("T")


class Server:
    """One server. `settings` are those of the service, without their prefix; UPPER-CASE ones are passed as they are."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = {
            "OLLAMA_HOST": "http://127.0.0.1:9",
            # With Postgres one process is enough for a test, and a lost one is missed soon.
            "GYM_LLM_EMBEDDED_WORKER": "true",
            "GYM_LLM_HEARTBEAT_S": "0.5",
            "GYM_LLM_LOST_AFTER_S": "2",
            "GYM_LLM_DATA_DIR": str(folder / "data"),
            **{name if name.isupper() else f"GYM_LLM_{name.upper()}": str(value) for name, value in settings.items()},
        }

    def start(self) -> None:
        """Start on a free port, and return when it is ready."""
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("GYM_LLM_", "OPENAI_", "OLLAMA_"))
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", *OPTIONS, "--port", str(port)],
                cwd=self.folder,
                env=inherited | self._settings | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        with self.client() as client:
            self.until(lambda: _ready(client))

    def kill(self) -> None:
        """End the process as a power cut would."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the process to stop, and return when it has."""
        self._end(signal.SIGTERM)

    def client(self) -> httpx.Client:
        """Talks to it."""
        return connected(self.url)

    def until(self, probe: Callable[[], T | None]) -> T:
        """The first thing that `probe` finds."""
        for _ in range(DEADLINE_S * 20):
            if found := probe():
                return found
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the server did not get there:\n{self.log.read_text()[-5000:]}")

    def until_gone(self) -> None:
        """Return when the process has ended by itself."""
        assert self._process is not None
        self._process.wait(DEADLINE_S)
        self._process = None

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self.until_gone()


def connected(url: str) -> httpx.Client:
    """A client without the certificates, which take a while to read, and which no server here has a use for."""
    return httpx.Client(base_url=url, timeout=DEADLINE_S, verify=False)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
