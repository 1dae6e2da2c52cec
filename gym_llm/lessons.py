"""What an episode taught, and what of it later episodes are told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gym_llm.backends.base import Usage

MAX_LEARNED = 3
"""Lessons of one episode."""
MAX_LESSON = 200
"""Characters of one lesson."""
MAX_CARRIED = 12
"""Lessons that an episode begins with, the newest ones."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Those of one episode, and what it took to get them."""

    learned: Sequence[str] = ()
    problem: str | None = None
    """Why there are none, in words."""
    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None
    latency_ms: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {
            "learned": list(self.learned),
            "problem": self.problem,
            "attempts": self.attempts,
            "latency_ms": self.latency_ms,
            "prompt_tokens": self.usage.prompt,
            "cached_tokens": self.usage.cached,
            "completion_tokens": self.usage.completion,
            "cost_usd": self.cost_usd,
        }


def carried(learned: Iterable[Sequence[str]]) -> list[str]:
    """What an episode begins with.

    Args:
        learned: the lessons of each episode that has ended, in the order in which they ended.
    """
    newest = dict.fromkeys(lesson for lessons in reversed(list(learned)) for lesson in reversed(lessons))
    return list(newest)[:MAX_CARRIED][::-1]
