"""Observations as plain JSON: what is stored of a step, sent to models, and compared when a step is taken again."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import orjson
from gymnasium import spaces

from gym_llm.errors import SpaceError
from gym_llm.spaces.summary import is_large, summarise


def to_json(value: Any) -> Any:
    """An observation or an action as plain JSON at full precision, but for large arrays, which are summarised.

    Raises:
        SpaceError: it holds NaN, an infinity, or something with no JSON form; the message names the field.
    """
    return _plain(value, "observation")


def _plain(value: Any, field: str) -> Any:
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            if not math.isfinite(value):
                raise SpaceError(f"{field} is {value}")
            return value
        case np.generic():
            return _plain(value.item(), field)
        case np.ndarray() if value.dtype.kind in "biuf":
            if is_large(value.shape):
                return summarise(value, field)
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise SpaceError(f"{field} holds NaN or an infinity")
            return value.tolist()
        case np.ndarray():
            return _plain(value.tolist(), field)
        case Mapping():
            return {str(name): _plain(part, f"{field}.{name}") for name, part in value.items()}
        case list() | tuple():
            return [_plain(part, f"{field}[{index}]") for index, part in enumerate(value)]
    raise SpaceError(f"{field} is a {type(value).__name__}, which has no JSON form")


def check_contains(space: gym.Space[Any], value: Any, field: str = "observation") -> None:
    """Check that `value` belongs to `space`.

    Raises:
        SpaceError: it does not; the message names the innermost field that is wrong.
    """
    if space.contains(value):
        return
    match space, value:
        case spaces.Dict(), Mapping():
            if missing := set(space.spaces) ^ set(value):
                raise SpaceError(f"{field}: fields {sorted(missing)} are missing or unknown")
            for name, part in space.spaces.items():
                check_contains(part, value[name], f"{field}.{name}")
        case spaces.Tuple(), tuple() | list():
            if len(value) != len(space.spaces):
                raise SpaceError(f"{field} has {len(value)} values instead of {len(space.spaces)}")
            for index, (part, item) in enumerate(zip(space.spaces, value, strict=True)):
                check_contains(part, item, f"{field}[{index}]")
        case spaces.Sequence(stack=False), tuple():
            for index, item in enumerate(value):
                check_contains(space.feature_space, item, f"{field}[{index}]")
    raise SpaceError(f"{field} is outside its space {space!s:.200}: {value!r:.200}")


def digest(observation: Any) -> str:
    """A fingerprint of a JSON observation: equal exactly where the observations are."""
    return hashlib.blake2b(orjson.dumps(observation, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
