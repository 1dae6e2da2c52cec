"""One decision: what the agent thought, what it does, and how that came about."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import gymnasium as gym

from gym_llm.backends.base import Cut, Reply, Usage
from gym_llm.errors import InvalidReplyError, SpaceError
from gym_llm.spaces import from_json, to_json

Outcome = Literal["valid", "repaired", "fallback"]

_CUTS: Mapping[Cut, str] = {
    "limit": "it was cut off by the token limit before it ended, so be shorter",
    "server": "it was broken off before it ended, so be shorter and do not repeat yourself",
}
_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one observation.

    `action` is plain JSON. `reply` is the model's own text, which stands for the decision in the history; None where
    that is what `Strategy.reply_text` makes of it. `attempts` counts every request sent for it. `decided` is false
    where an earlier action is only repeated.
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
    notes: Mapping[str, str] = field(default_factory=dict)
    """What the strategy keeps of this step: `plan`, `summary`."""

    def raw_output(self) -> dict[str, Any]:
        """What `get_action` and the raw-outputs files give: the reflection, the action, and notes where there are."""
        return {"reflection": self.reflection, "action": self.action, **self.notes}


class Spent(TypedDict):
    """What replies took to get, all together."""

    attempts: int
    usage: Usage
    cost_usd: float | None


def spent(replies: Sequence[Reply]) -> Spent:
    """What `replies` took; a cost that is not known for one of them is not known at all, rather than 0."""
    costs = [reply.cost_usd for reply in replies if reply.cost_usd is not None]
    return Spent(
        attempts=sum(reply.requests for reply in replies),
        usage=sum((reply.usage for reply in replies), Usage()),
        cost_usd=sum(costs) if len(costs) == len(replies) else None,
    )


def read_reply(reply: Reply, action_space: gym.Space[Any]) -> tuple[str, Any]:
    """The reflection and the action (plain JSON) that a reply holds; see `read_object` and `read_action`.

    Raises:
        InvalidReplyError: with what is wrong, in words that a model can act on.
    """
    values = read_object(reply, ("reflection", "action"))
    return read_text(values, "reflection"), read_action(values, action_space)


def read_object(reply: Reply, needed: Sequence[str]) -> dict[str, Any]:
    """The JSON object that a reply holds.

    Text around the JSON object, a code fence and a leading block of thoughts are forgiven; a missing key is not.

    Raises:
        InvalidReplyError: with what is wrong, in words that a model can act on.
    """
    text = _THOUGHTS.sub("", reply.text, count=1)
    start = text.find("{")
    if start < 0 and not text.strip():
        thought = ": the token limit was spent on thinking, before the answer began"
        raise InvalidReplyError(f"it was empty{thought if reply.cut == 'limit' else ''}")
    if start < 0:
        raise InvalidReplyError(_or_cut(reply, "it holds no JSON object"))
    try:
        values, _ = json.JSONDecoder().raw_decode(text, start)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidReplyError(_or_cut(reply, "it is not valid JSON")) from error
    for name in needed:
        if name not in values:
            raise InvalidReplyError(f'it has no "{name}"')
    return dict(values)


def read_text(values: Mapping[str, Any], name: str) -> str:
    """The string that an object holds under `name`.

    Raises:
        InvalidReplyError: it is something else.
    """
    if not isinstance(values[name], str):
        raise InvalidReplyError(f'"{name}" must be a string')
    return storable(values[name])


def read_action(values: Mapping[str, Any], action_space: gym.Space[Any]) -> Any:
    """The action, as plain JSON, that an object holds.

    Raises:
        InvalidReplyError: it is not one of the action space.
    """
    try:
        return to_json(from_json(action_space, values["action"]))
    except SpaceError as error:
        raise InvalidReplyError(str(error)) from error


def storable(text: str) -> str:
    """`text` without what no database takes: NUL, and halves of characters."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def _or_cut(reply: Reply, problem: str) -> str:
    return _CUTS[reply.cut] if reply.cut else problem
