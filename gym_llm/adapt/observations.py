"""Observations of any space as a Dict of described fields."""

import re
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gym_llm.adapt.docstring import Section
from gym_llm.adapt.parts import documented_parts, parts_of
from gym_llm.errors import SpaceError
from gym_llm.json_space import JsonSpace
from gym_llm.spaces import bounds, describe, json_schema, to_json


class Observations:
    """How the observations of `space` are told.

    Attributes:
        space: of the told observations. Floats have no bounds in it: many an environment leaves those that it
            declares, so they are told to the model and not enforced.
        schema: name -> description, type, range, unit.
    """

    def __init__(self, space: gym.Space[Any], told: list[Section]) -> None:
        parts = parts_of(space)
        named = documented_parts(told, "observation", len(parts)) if parts else []
        self._whole = not named and not isinstance(space, spaces.Dict | spaces.Tuple)
        if isinstance(space, spaces.Dict):
            declared = {str(name): part for name, part in space.spaces.items()}
            about = {name: {"description": _mentioned(told, name)} for name in declared}
        elif self._whole:
            name = _name(space)
            declared, about = {name: space}, {name: {"description": ""}}
        else:
            named = named or [{"name": f"item_{index}", "description": ""} for index in range(len(parts))]
            declared = {part["name"]: one for part, one in zip(named, parts, strict=True)}
            about = {part["name"]: part for part in named}
        self.schema = {name: _field(declared[name], **about[name]) for name in declared}
        self.space = spaces.Dict({name: loosened(part) for name, part in declared.items()}, sort_keys=False)

    def element(self, observation: Any) -> Any:
        """An observation of the environment as one of `space`."""
        if self._whole:
            observation = dict.fromkeys(self.space, observation)
        elif not isinstance(observation, Mapping) and len(observation) == len(self.space):
            observation = dict(zip(self.space, observation, strict=True))
        return tidied(self.space, observation)


def _name(space: gym.Space[Any]) -> str:
    match space:
        case spaces.Box(dtype=np.uint8, shape=(_, _, _)):
            return "image"
        case spaces.Text():
            return "text"
    return "state"


def _mentioned(told: list[Section], name: str) -> str:
    item = re.compile(rf"^[-*+]\s+[\"']?{re.escape(name)}[\"']?\s*(?:\([^)]*\))?\s*[:=-]\s+(.+)$", re.MULTILINE)
    found = [item.search(section.text()) for section in told if "observation" in section.heading]
    return next((match[1].strip() for match in found if match), "")


def _field(space: gym.Space[Any], description: str = "", unit: str = "", name: str = "") -> dict[str, str]:
    loose = loosened(space)
    if isinstance(loose, JsonSpace) and not isinstance(space, spaces.Text):
        space = loose
    kind = json_schema(loose).get("type", "any")
    about = {"description": description or describe(space), "type": str(kind)}
    if unit:
        about["unit"] = unit
    if description and (told := _range(space)):
        about["range"] = told
    return about


def _range(space: gym.Space[Any]) -> str:
    match space:
        case spaces.Box(shape=()):
            return bounds(space.low.item(), space.high.item())
        case spaces.Discrete():
            return bounds(int(space.start), int(space.start + space.n) - 1)
    return describe(space)


def loosened(space: gym.Space[Any]) -> gym.Space[Any]:
    """`space` with room for what environments return all the same: floats out of bounds, texts of other characters.

    A kind of space that is not known becomes plain JSON.
    """
    match space:
        case spaces.Box() if np.issubdtype(space.dtype, np.floating):
            return spaces.Box(-np.inf, np.inf, space.shape, space.dtype.type)
        case spaces.Text():
            return JsonSpace({"type": "string"})
        case spaces.Dict():
            return spaces.Dict({name: loosened(part) for name, part in space.spaces.items()}, sort_keys=False)
        case spaces.Tuple():
            return spaces.Tuple([loosened(part) for part in space.spaces])
        case spaces.Sequence() if not space.stack:
            return spaces.Sequence(loosened(space.feature_space))
    try:
        json_schema(space)
    except SpaceError:
        return JsonSpace({"type": "string"} if isinstance(space.sample(), str) else {})
    return space


def tidied(space: gym.Space[Any], value: Any) -> Any:
    """`value` in the types that the loosened `space` asks for, where that loses nothing but precision."""
    match space, value:
        case spaces.Box(), _:
            array = np.asarray(value)
            fits = array.dtype != space.dtype and np.can_cast(array.dtype, space.dtype, "same_kind")
            return array.astype(space.dtype) if fits else array
        case spaces.Dict(), Mapping():
            # Fields that should not be there are kept, so that they are reported.
            return {name: tidied(space[name], part) if name in space.spaces else part for name, part in value.items()}
        case spaces.Tuple(), tuple() | list() if len(value) == len(space.spaces):
            return tuple(tidied(part, item) for part, item in zip(space.spaces, value, strict=True))
        case spaces.Sequence(stack=False), tuple() | list():
            return tuple(tidied(space.feature_space, item) for item in value)
        case JsonSpace(), _:
            return to_json(value)
    return value
