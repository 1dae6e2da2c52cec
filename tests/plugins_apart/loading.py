"""Loads plugins for a test and takes them out again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gymnasium as gym

import env_plugins
from gym_llm import limits

APART = Path(__file__).parent
"""The folder of the plugins that are isolated."""


@contextmanager
def restored() -> Iterator[None]:
    """Everything that loading a plugin changes is put back at the end."""
    known = (gym.registry, env_plugins.plugins, env_plugins.failures, env_plugins._where, limits._own_s)
    kept = [(mapping, dict(mapping)) for mapping in known]
    paths, modules, names = list(env_plugins.__path__), set(sys.modules), set(vars(env_plugins))
    isolate = set(env_plugins._isolate)
    try:
        yield
    finally:
        for mapping, before in kept:
            mapping.clear()
            mapping.update(before)  # type: ignore[arg-type]
        env_plugins.__path__[:] = paths
        env_plugins._isolate.clear()
        env_plugins._isolate.update(isolate)
        for name in set(sys.modules) - modules:
            if name.startswith("env_plugins."):
                del sys.modules[name]
        for name in set(vars(env_plugins)) - names:
            delattr(env_plugins, name)
        limits.set_default(limits.DEFAULT_S)


@contextmanager
def loaded(folder: Path) -> Iterator[None]:
    """The plugins of `folder`, for a while."""
    with restored():
        env_plugins.load(folder)
        yield
