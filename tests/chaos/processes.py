"""Processes that somebody looks after: whatever ends is started again."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.processes import ROOT


class Supervised:
    """`python -m app.cli ...`, started again whenever it ends, until it is closed."""

    def __init__(self, folder: Path, name: str, arguments: Sequence[str], settings: dict[str, str]) -> None:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("GYM_LLM_", "OPENAI_", "OLLAMA_"))
        }
        self.name = name
        self.log = folder / f"{name}.log"
        self.exits: list[int] = []
        """Codes of all processes that have ended, oldest first."""
        self._folder = folder
        self._arguments = arguments
        self._environment = inherited | settings | {"PYTHONPATH": str(ROOT)}
        self._closing = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)
        self._keeper.start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process of the moment."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self) -> None:
        """End it for good."""
        self._closing.set()
        while self._keeper.is_alive():
            self.signal(signal.SIGKILL)
            self._keeper.join(0.2)

    def said(self, words: str) -> bool:
        """Whether the process of the moment has logged these words."""
        return words.encode() in self.log.read_bytes()[self._begin :]

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            self._begin = log.tell()
            return subprocess.Popen(
                [sys.executable, "-m", "app.cli", *self._arguments],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def _keep(self) -> None:
        while True:
            self.exits.append(self._process.wait())
            if self._closing.wait(0.1):
                return
            self._process = self._start()
