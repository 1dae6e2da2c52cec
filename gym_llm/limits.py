"""How long one call to an environment may take. The operator sets the default, a plugin's manifest its own limit."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

DEFAULT_S = 60.0
MAKE_S = 60.0
"""What making an environment is allowed at least: it may import much before its first step."""

_default_s = DEFAULT_S
_own_s: dict[str, float] = {}


class SelfLimiting(ABC):
    """An environment that keeps its limit itself: it can end a call, which a thread cannot."""

    @abstractmethod
    def give_up(self) -> None:
        """End the call that is under way, from another thread."""


def set_default(seconds: float) -> None:
    """For every environment without a limit of its own."""
    global _default_s
    _default_s = seconds


def set_own(ids: Iterable[str], seconds: float) -> None:
    """For these environments."""
    _own_s.update(dict.fromkeys(ids, seconds))


def timeout_s(id: str | None) -> float:
    """For a call to the environment with this id."""
    return _default_s if id is None else _own_s.get(id, _default_s)


def make_s(id: str | None = None) -> float:
    """For making the environment with this id; None = nobody knows yet which it will be."""
    return max([MAKE_S, _default_s, *_own_s.values()]) if id is None else max(MAKE_S, timeout_s(id))
