"""Child processes and what they cost. The numbers come from Linux's /proc: nothing that is measured measures itself."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import orjson

MODEL = "scripted"
READY = "ready"
START_WITHIN_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured play. CPU time and the clock start when the process is up and is told to play."""

    wall_s: float
    cpu_s: float
    """User and system, of all threads."""
    peak_mb: float
    """Largest resident memory since the process began, imports included."""
    steps: int
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def cpu_ms_per_step(self) -> float:
        return 1000 * self.cpu_s / self.steps


class Child:
    """A Python process for the time of a `with` block."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._proc = Path(f"/proc/{self._process.pid}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def cpu_s(self) -> float:
        """CPU time so far, to 10 ms."""
        # The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def peak_mb(self) -> float:
        """The most memory that it ever had resident."""
        lines = (self._proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """Read a line from its standard output.

        Raises:
            RuntimeError: it ended instead.
        """
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line.strip()

    def wait_for(self, url: str) -> None:
        """Return when it answers at `url`.

        Raises:
            RuntimeError: it ended instead, or took too long.
        """
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                httpx.get(url, trust_env=False).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"{self._process.args!r} does not answer")


@contextmanager
def scripted_llm(port: int, latency_ms: float) -> Iterator[dict[str, str]]:
    """The scripted server in a process of its own; yields the variables that lead clients to it."""
    url = f"http://127.0.0.1:{port}"
    with Child("-m", "tests.scripted_llm", "--port", str(port), "--latency-ms", str(latency_ms)) as server:
        server.wait_for(f"{url}/_log")
        yield {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "benchmark", "OLLAMA_HOST": url}


def play_on_command(play: Callable[[], dict[str, Any]]) -> None:
    """A measured process: be ready, play when told, tell what came of it (`steps` at least), wait to be ended."""
    print(READY, flush=True)
    sys.stdin.readline()
    print(orjson.dumps(play()).decode(), flush=True)
    sys.stdin.readline()


def measure(module: str, *arguments: object, **variables: str) -> Sample:
    """Run a module that calls `play_on_command`, and measure its play."""
    with Child("-m", module, *map(str, arguments), **variables) as child:
        if (said := child.hear()) != READY:
            raise RuntimeError(f"{module} is not ready but says {said!r}")
        cpu, started = child.cpu_s(), time.perf_counter()
        child.tell("play")
        outcome = orjson.loads(child.hear())
        wall = time.perf_counter() - started
        return Sample(wall, child.cpu_s() - cpu, child.peak_mb(), outcome.pop("steps"), outcome)
