"""Finds out which environments an isolated plugin has, by importing it in its own process."""

from gym_llm import limits
from gym_llm.errors import EnvError
from gym_llm.isolation.env import load, register
from gym_llm.isolation.process import ChildProcess, Program
from gym_llm.isolation.wire import WireError


class Discovery:
    """A process that starts now and is asked later, so that many can start at the same time."""

    def __init__(self, program: Program, timeout_s: float | None) -> None:
        """
        Raises:
            EnvError: it cannot be started.
        """
        self._program = program
        self._timeout_s = max(limits.make_s(), timeout_s or 0)
        self._child = ChildProcess(program)

    def register(self) -> tuple[str, ...]:
        """Register the plugin's environments; their ids.

        Raises:
            EnvError: it can't be imported, or one of its ids is taken.
        """
        try:
            told = load(self._child, self._program, self._timeout_s)
            return register(self._program, told["environments"])
        except WireError as error:
            raise EnvError(str(error)) from error
        finally:
            self._child.kill()
