"""Our end of the line to an isolated environment: starts its process, asks it, and ends it when it does not answer."""

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gym_llm.errors import EnvError
from gym_llm.isolation import wire

log = logging.getLogger(__name__)

LIBRARY = Path(__file__).parents[1]
CLOSE_S = 2.0
"""How long an environment may take to close before its process is killed."""
LAST_LINES = 5
LINE_LENGTH = 300
"""Of what it printed, this much is told when it has ended."""
MAX_CHUNKS = 64
_SECRETS = ("AWS_", "GYM_LLM_", "OLLAMA_", "OPENAI_", "PG")
"""Variables that begin like this are ours, and none of a plugin's business."""
_START = """\
import importlib.util, sys, types
library, line, path = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
sys.path += [folder for folder in path if folder not in sys.path]
package = types.ModuleType("gym_llm")
package.__path__ = [library]
sys.modules["gym_llm"] = package
import gym_llm.llm_env
package.LLMEnv = gym_llm.llm_env.LLMEnv
from gym_llm.isolation.child import main
main(line)
"""
"""The child sees what it imports of our library, and nothing of the folder around that: its own packages always win."""


@dataclass(frozen=True, slots=True)
class Program:
    """A plugin, and what it runs in."""

    name: str
    """Of the plugin."""
    module: str
    call: str | None = None
    """A function of the module that registers its environments; None = importing it does."""
    folders: tuple[str, ...] = ()
    """Where `env_plugins` is, for a plugin that is inside it."""
    python: str | None = None
    """A virtual environment or an interpreter; None = ours."""

    @property
    def interpreter(self) -> str:
        """The program to start."""
        if self.python is None:
            return sys.executable
        path = Path(self.python)
        return str(path / "bin" / "python") if path.is_dir() else self.python


class ChildProcess:
    """One process with one plugin in it. It ends with `close`, with us, or when it does not answer in time."""

    def __init__(self, program: Program) -> None:
        """
        Raises:
            EnvError: it cannot be started.
        """
        self._program = program
        self._line, theirs = socket.socketpair()
        self._errors, their_errors = os.pipe()
        os.set_blocking(self._errors, False)
        # With our own interpreter, the plugin sees what it would see in our process.
        path = [folder for folder in sys.path if folder] if program.python is None else []
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the operator names the interpreter
                [program.interpreter, "-I", "-c", _START, str(LIBRARY), str(theirs.fileno()), *path],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=their_errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)},
            )
        except OSError as error:
            self._line.close()
            os.close(self._errors)
            raise EnvError(f"{program.interpreter}: {error.strerror}") from error
        finally:
            theirs.close()
            os.close(their_errors)
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._unfinished_line = ""
        self._silent = False
        self._finalizer = weakref.finalize(self, _end, self._process, self._line, self._errors)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, call: str, *arguments: Any, timeout_s: float) -> Any:
        """Have the process do something, and wait for what comes of it.

        Raises:
            EnvError: the environment raised, its process ended, or it did not answer in time; then it is killed.
        """
        if not self._finalizer.alive:
            raise EnvError("its process has ended")
        try:
            message = wire.encode([call, *arguments])
        except wire.WireError as error:
            raise EnvError(str(error)) from error
        try:
            self._line.settimeout(timeout_s)
            self._line.sendall(message)
            answer = self._receive(time.monotonic() + timeout_s)
        except TimeoutError:
            self.kill()
            raise EnvError(f"no answer within {timeout_s:g} s (env_timeout_s); its process was killed") from None
        except (EOFError, OSError):
            raise EnvError(self._epitaph()) from None
        except wire.WireError as error:
            self.kill()
            raise EnvError(f"{error}; its process was killed") from error
        except BaseException:
            # Interrupted: whatever it answers later must not be taken for the answer to something else.
            self.kill()
            raise
        if not isinstance(answer, Mapping) or not answer.keys() & {"value", "error"}:
            self.kill()
            raise EnvError("its answer is none; its process was killed")
        if "error" in answer:
            raise EnvError(str(answer["error"]))
        return answer["value"]

    def close(self) -> None:
        """Close the environment and end the process, with force where it does not end by itself."""
        if self._finalizer.alive:
            with contextlib.suppress(EnvError):
                self.ask("close", timeout_s=CLOSE_S)
        self.kill()

    def kill(self) -> None:
        """End the process and all that it has started, now."""
        self._finalizer()

    def _receive(self, deadline: float) -> Any:
        text, data = wire.lengths(self._exactly(wire.HEADER.size, deadline))
        return wire.decode(self._exactly(text, deadline), self._exactly(data, deadline))

    def _exactly(self, size: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < size:
            chunk = self._line.recv(min(size - len(received), 1 << 20)) if self._readable(deadline) else None
            if chunk == b"":
                raise EOFError
            received += chunk or b""
        return bytes(received)

    def _readable(self, deadline: float) -> bool:
        # What it prints is read while we wait: a full pipe would stop it.
        waiting = select.poll()
        waiting.register(self._line, select.POLLIN)
        if not self._silent:
            waiting.register(self._errors, select.POLLIN)
        ready = dict(waiting.poll(max(0.0, deadline - time.monotonic()) * 1000))
        if not ready:
            raise TimeoutError
        if self._errors in ready:
            self._read_errors()
        return self._line.fileno() in ready

    def _read_errors(self) -> bool:
        """Take in what it has printed; whether there was any."""
        try:
            chunk = os.read(self._errors, 1 << 16)
        except BlockingIOError:
            return False
        self._silent = not chunk
        *lines, rest = (self._unfinished_line + chunk.decode(errors="replace")).split("\n")
        self._unfinished_line = rest[-LINE_LENGTH:]
        for line in lines:
            log.debug("%s: %s", self._program.name, line)
            if line.strip():
                self._last_lines.append(line.strip()[-LINE_LENGTH:])
        return bool(chunk)

    def _epitaph(self) -> str:
        """How the process ended, and what it said last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_S)
        for _ in range(MAX_CHUNKS):
            if not self._read_errors():
                break
        code = self._process.poll()
        self.kill()
        if code is None:
            how = "its process closed the line"
        elif code < 0:
            how = f"its process was ended by {signal.Signals(-code).name}"
        else:
            how = f"its process ended with exit code {code}"
        said = " | ".join(filter(None, [*self._last_lines, self._unfinished_line.strip()]))
        return f"{how}; it said last: {said}" if said else how


def _end(process: subprocess.Popen[bytes], line: socket.socket, errors: int) -> None:
    line.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    os.close(errors)
    if process.stdin is not None:
        process.stdin.close()
