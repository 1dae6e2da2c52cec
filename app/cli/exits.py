"""How a command ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

SUCCESS = 0
FAILED = 1
"""The run or the experiment did not succeed."""
USAGE = 2
"""Wrong usage or an invalid configuration; also what typer itself exits with."""
UNREACHABLE = 3
"""The service does not answer, or not as gym-llm does."""
INTERRUPTED = 130


class CommandError(Exception):
    """Ends the command: one line on standard error, and this exit code."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def interruptible(told: str) -> Iterator[None]:
    """Ends the command at Ctrl-C, and says `told`."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(told, err=True)
        raise typer.Exit(INTERRUPTED) from None
