"""Environments that misbehave, each in its own way."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
from env_plugins.oddities import envs

_KINDS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Counting-v0": (envs.Counting, {}),
    "Failing-v0": (envs.Failing, {}),
    "Slow-v0": (envs.Slow, {}),
    "Deadly-v0": (envs.Deadly, {}),
    "Random-v0": (envs.Random, {}),
    "HonestlyRandom-v0": (envs.Random, {"nondeterministic": True}),
    "Mute-v0": (envs.Mute, {}),
    "Blind-v0": (envs.Blind, {}),
}
for _id, (_entry_point, _options) in _KINDS.items():
    gym.register(id=_id, entry_point=_entry_point, disable_env_checker=True, **_options)
