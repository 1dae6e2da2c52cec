"""The space of actions that are only listed."""

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces

from gym_llm.errors import ConfigError


def listed_space(action_schema: Any) -> spaces.Discrete:
    """The space of the actions that are the keys of `action_schema`.

    Raises:
        ConfigError: they are not consecutive integers.
    """
    keys = list(action_schema) if isinstance(action_schema, Mapping) else []
    whole = keys and all(isinstance(key, int) for key in keys)
    if not whole or sorted(keys) != list(range(min(keys), max(keys) + 1)):
        raise ConfigError("action_space: needed, as the keys of the action schema are not consecutive integers")
    return spaces.Discrete(len(keys), start=min(keys))
