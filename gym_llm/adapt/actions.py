"""Actions of any space, in words."""

from typing import Any

import gymnasium as gym
from gymnasium import spaces

from gym_llm.adapt.docstring import Section
from gym_llm.adapt.parts import documented_parts, lists_of, parts_of, together
from gym_llm.llm_env import ActionSchema
from gym_llm.spaces import describe
from gym_llm.spaces.schema import MAX_ENUM


class Actions:
    """How the actions of `space` are asked for.

    Attributes:
        space: of the actions that are asked for.
        schema: each action of a Discrete space, each field of a Dict, else one entry for the whole.
        documented: whether the docstring lists the actions one by one.
    """

    def __init__(self, space: gym.Space[Any], told: list[Section], meanings: list[str]) -> None:
        self.space = self._own = space
        self.schema: ActionSchema = {"action": describe(space)}
        self.documented = False
        self._names: list[str] = []
        parts = parts_of(space)
        if isinstance(space, spaces.Discrete) and space.n <= MAX_ENUM:
            effects = _effects(told, space) or dict(zip(_keys(space), meanings, strict=False))
            self.documented = bool(effects)
            self.schema = {key: effects.get(key, "The effect is not documented.") for key in _keys(space)}
        elif parts and (named := documented_parts(told, "action", len(parts))):
            self.documented = True
            fields = {about["name"]: part for about, part in zip(named, parts, strict=True)}
            self.space = spaces.Dict(fields, sort_keys=False)
            self._names = list(fields)
            self.schema = {about["name"]: _told(about, fields[about["name"]]) for about in named}
        elif isinstance(space, spaces.Dict):
            self.schema = {name: describe(part) for name, part in space.spaces.items()}

    def element(self, action: Any) -> Any:
        """The action of the environment that an element of `space` stands for."""
        return together(self._own, [action[name] for name in self._names]) if self._names else action


def _told(about: dict[str, str], part: gym.Space[Any]) -> str:
    unit = f" [{about['unit']}]" if about["unit"] else ""
    return f"{about['description']}{unit}; {describe(part)}"


def _keys(space: spaces.Discrete) -> list[int]:
    return list(range(int(space.start), int(space.start + space.n)))


def _effects(told: list[Section], space: spaces.Discrete) -> dict[int, str]:
    tables = [table for section in told for table in section.tables if table and {"num", "action"} <= table[0].keys()]
    listed = [{int(row["num"]): _effect(row) for row in table if row["num"].isdigit()} for table in tables]
    candidates = [effects for effects in [*listed, *lists_of(told, "action")] if sorted(effects) == _keys(space)]
    return candidates[0] if candidates else {}


def _effect(row: dict[str, str]) -> str:
    name = row.get("name", "")
    return f"{name}: {row['action']}" if name else row["action"]
