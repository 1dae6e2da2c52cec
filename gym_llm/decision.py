"""One decision: what the agent thought, what it does, and how that came about."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

import gymnasium as gym

from gym_llm.backends.base import Reply, Usage
from gym_llm.errors import InvalidReplyError, SpaceError
from gym_llm.spaces import from_json, to_json

Outcome = Literal["valid", "repaired", "fallback"]

_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one observation.

    `action` is plain JSON. `reply` is the text that stands for it in the history: the model's own where it was valid.
    `attempts` counts every request sent for it. `decided` is false where an earlier action is only repeated.
    """

    reflection: str
    action: Any
    outcome: Outcome | None = "valid"
    decided: bool = True
    attempts: int = 1
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None
    latency_ms: float = 0.0
    reply: str | None = None
    problem: str | None = None
    """The last thing that went wrong on the way, in words."""

    def raw_output(self) -> dict[str, Any]:
        """The pair that `get_action` and the raw-outputs files give."""
        return {"reflection": self.reflection, "action": self.action}


def read_reply(reply: Reply, action_space: gym.Space[Any]) -> tuple[str, Any]:
    """The reflection and the action (plain JSON) that a reply holds.

    Text around the JSON object, a code fence and a leading block of thoughts are forgiven; a wrong value is not.

    Raises:
        InvalidReplyError: with what is wrong, in words that a model can act on.
    """
    text = _THOUGHTS.sub("", reply.text, count=1)
    start = text.find("{")
    if start < 0:
        raise InvalidReplyError("it was empty" if not text.strip() else _or_cut(reply, "it holds no JSON object"))
    try:
        values, _ = json.JSONDecoder().raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidReplyError(_or_cut(reply, "it is not valid JSON")) from error
    for name in ("reflection", "action"):
        if name not in values:
            raise InvalidReplyError(f'it has no "{name}"')
    if not isinstance(values["reflection"], str):
        raise InvalidReplyError('"reflection" must be a string')
    try:
        action = from_json(action_space, values["action"])
    except SpaceError as error:
        raise InvalidReplyError(str(error)) from error
    return storable(values["reflection"]), to_json(action)


def storable(text: str) -> str:
    """`text` without what no database takes: NUL, and halves of characters."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def _or_cut(reply: Reply, problem: str) -> str:
    return "it was cut off by the token limit before it ended, so be shorter" if reply.cut else problem
