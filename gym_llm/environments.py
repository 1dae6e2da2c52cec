"""Environments by name: hand-written plugins first, any other Gymnasium environment adapted."""

import re
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

import gymnasium as gym

from gym_llm.adapt import adapt
from gym_llm.config import EnvironmentConfig, validate
from gym_llm.errors import ConfigError

_LOADING = Lock()
_VERSION = re.compile(r"-v\d+$")


def plugin_id(name: str) -> str:
    """The id that the plugin for the environment `name` has by convention: `CartPoleLLM-v1` for `CartPole-v1`."""
    version = _VERSION.search(name)
    return f"{name[: version.start()]}LLM{version[0]}" if version else f"{name}LLM"


def get_env(env_config: Mapping[str, Any] | EnvironmentConfig, render_mode: str | None = "human") -> gym.Env[Any, Any]:
    """Make the environment that the `environment` section of a configuration names.

    Where `plugin_id` of the name is registered, that environment is made: somebody described it by hand. One that does
    not describe itself is adapted (`gym_llm.adapt`).

    Args:
        env_config: the section, as a mapping or an `EnvironmentConfig`.
        render_mode: `human` opens a window, `rgb_array` gives frames, None renders nothing; a `render_mode` among
            the configuration's own kwargs wins.

    Raises:
        ConfigError: no environment is registered under this name, or it needs a package that is not installed.
    """
    config = validate(EnvironmentConfig, env_config, "environment")
    # Not every environment knows the keyword, so it is given only where it says something.
    rendering = {} if render_mode is None else {"render_mode": render_mode}
    if rendering:
        _load_drawing()
    by_hand = plugin_id(config.name)
    try:
        env = gym.make(by_hand if by_hand in gym.registry else config.name, **{**rendering, **(config.kwargs or {})})
    except (gym.error.UnregisteredEnv, gym.error.DeprecatedEnv, gym.error.DependencyNotInstalled) as error:
        raise ConfigError(f"environment.name: {error}") from error
    return adapt(env)


def _load_drawing() -> None:
    # Gymnasium does it at the first frame, and pygame loads this part at its first use: where two threads were there at
    # once, one found it half loaded (CPython before 3.11.9 and 3.12.3).
    with _LOADING, suppress(ImportError):
        import pygame.surfarray

        _ = pygame.surfarray.pixels3d
