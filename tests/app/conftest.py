"""Environments that misbehave, for the service's tests only."""

import sys
from collections.abc import Iterator

import gymnasium as gym
import pytest

import env_plugins
from tests.served import PLUGINS


@pytest.fixture(scope="module", autouse=True)
def _oddities() -> Iterator[None]:
    kept = [(known, dict(known)) for known in (gym.registry, env_plugins.plugins, env_plugins.failures)]
    path = list(env_plugins.__path__)
    env_plugins.load(PLUGINS)
    yield
    for known, before in kept:
        known.clear()
        known.update(before)
    env_plugins.__path__[:] = path
    for plugin in PLUGINS.iterdir():
        for name in [name for name in sys.modules if name.startswith(f"env_plugins.{plugin.name}")]:
            del sys.modules[name]
