"""What the server understands of a conversation: fields, actions and reply schema, from the prompt's words alone."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Message = Mapping[str, str]

_FIELD = re.compile(r'^- "(\w+)"(.*)$', re.MULTILINE)
_ACTION = re.compile(r"^- (\S+?): (.+)$", re.MULTILINE)
_SECTION = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Rules:
    """What a system prompt tells: the goal, the fields of an observation, what each action does, the schema of a reply.

    `acting` is all that it says about actions, `actions` what it says about each where they are listed.
    """

    goal: str
    fields: Mapping[str, str]
    acting: str
    actions: Mapping[Any, str]
    schema: Mapping[str, Any]

    def action(self, pattern: str) -> Any:
        """The action whose description speaks of `pattern` first.

        Raises:
            LookupError: none does: the prompt does not say all that a model needs.
        """
        found = {key: re.search(pattern, text, re.IGNORECASE) for key, text in self.actions.items()}
        starts = {key: match.start() for key, match in found.items() if match}
        if not starts:
            raise LookupError(f"no action is described as {pattern!r} in {self.actions}")
        return min(starts, key=starts.__getitem__)

    def sign(self, pattern: str, positive: str) -> int:
        """1 where the first group of `pattern`, as found in the words about actions, is `positive`, else -1.

        Raises:
            LookupError: nothing is said like that.
        """
        found = re.search(pattern, self.acting, re.IGNORECASE)
        if not found:
            raise LookupError(f"nothing is described as {pattern!r} in {self.acting}")
        return 1 if found[1].lower() == positive else -1


@dataclass(frozen=True)
class Turn:
    """The newest observation, its step, and the number of messages up to and including it."""

    step: int
    observation: Any
    length: int


@lru_cache(maxsize=256)
def read_rules(system: str) -> Rules:
    """The rules in a system prompt; whatever it does not hold is left empty."""
    parts = _SECTION.split(system)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    acting = sections.get("Actions", "")
    actions = {_key(key): text for key, text in _ACTION.findall(acting)}
    fields = dict(_FIELD.findall(sections.get("Observation", "").partition("are:")[2]))
    return Rules(sections.get("Goal", ""), fields, acting, actions, _schema(sections.get("Reply", "")))


def read_turn(messages: Sequence[Message]) -> Turn:
    """The newest observation; a repair message after it is passed over. Step 0 and None where there is none."""
    for index in range(len(messages) - 1, -1, -1):
        content = messages[index].get("content") or ""
        if messages[index]["role"] == "user" and content.startswith("{"):
            try:
                turn = json.loads(content)
            except ValueError:
                continue
            if "observation" in turn:
                return Turn(turn.get("step", 0), turn["observation"], index + 1)
    return Turn(0, None, len(messages))


def _key(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _schema(section: str) -> Mapping[str, Any]:
    for line in section.splitlines():
        if line.startswith("{"):
            try:
                schema = json.loads(line)
            except ValueError:
                continue
            if "properties" in schema:
                return dict(schema)
    return {}
