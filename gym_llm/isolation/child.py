"""The program that an isolated environment runs in: imports a plugin and does what the line says, one at a time.

It may run in another interpreter than ours: CPython 3.11 or newer with Gymnasium 1.x and NumPy. Of gym_llm, a plugin
finds here what an environment needs: `LLMEnv` and `Advice`.
"""

import contextlib
import fcntl
import importlib
import os
import select
import signal
import socket
import sys
import types
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import load_env_creator

from gym_llm.isolation import describe, wire
from gym_llm.llm_env import LLMEnv

LIFELINE = 0
"""Standard input: a pipe that nobody writes to, whose other end only our parent holds."""


def main(line: int) -> None:
    """Serve the line with this file descriptor until it is closed."""
    _die_with_parent()
    # The line is ours: whatever the plugin prints goes to standard error, and there is nothing for it to read.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with socket.socket(fileno=line) as connection, contextlib.suppress(EOFError, OSError):
        _Host(connection).serve()
    # Not by returning: threads that the plugin left behind would hold the process.
    sys.stderr.flush()
    os._exit(0)


def _die_with_parent() -> None:
    # The kernel sends SIGIO when the other end closes, also after a SIGKILL of our parent, and nobody handles it: this
    # ends even code that never comes back to Python.
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    lifeline = os.dup(LIFELINE)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    ended = select.poll()
    ended.register(lifeline, select.POLLIN)
    if ended.poll(0):  # Before we could be told.
        os._exit(1)


class _Host:
    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._env: Any = None
        self._layer: LLMEnv | None = None

    def serve(self) -> None:
        calls: dict[str, Callable[..., Any]] = {
            name: getattr(self, name) for name in ("load", "make", "reset", "step", "render", "heuristic", "close")
        }
        while True:
            name, *arguments = wire.receive(self._line)
            try:
                answer = {"value": calls[name](*arguments)}
                message = wire.encode(answer)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything; our parent is told
                message = wire.encode({"error": f"{type(error).__name__}: {error}"[:10_000]})
            self._line.sendall(message)

    def load(self, module: str, call: str | None, folders: list[str]) -> Any:
        """Import a plugin; the environments that it registered."""
        if folders:
            # Not the real one, which would import all its plugins.
            package: Any = types.ModuleType("env_plugins")
            package.__path__ = folders
            sys.modules["env_plugins"] = package
        before = set(gym.registry)
        plugin = importlib.import_module(module)
        if call is not None:
            getattr(plugin, call)()
        return {
            "environments": [_registered(id) for id in gym.registry if id not in before],
            "versions": {"python": sys.version.split()[0], "gymnasium": gym.__version__, "numpy": np.__version__},
        }

    def make(self, id: str, kwargs: dict[str, Any]) -> Any:
        """Make the environment of this process; all that is known of it."""
        self._env = gym.make(id, **kwargs)
        self._layer = _llm_layer(self._env)
        return {
            "observation_space": describe.space(self._env.observation_space),
            "action_space": describe.space(self._env.action_space),
            "render_mode": self._env.render_mode,
            "definition": None if self._layer is None else _definition(self._layer),
        }

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> Any:
        observation, info = self._env.reset(seed=seed, options=options)
        return observation, wire.without_what_cannot_cross(info)

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = self._env.step(action)
        return observation, float(reward), bool(terminated), bool(truncated), wire.without_what_cannot_cross(info)

    def render(self) -> Any:
        return self._env.render()

    def heuristic(self, observation: Any) -> Any:
        advice = self._layer.heuristic(observation) if self._layer is not None else None
        return None if advice is None else (advice.action, advice.reflection)

    def close(self) -> None:
        if self._env is not None:
            self._env.close()


def _registered(id: str) -> Any:
    spec = gym.registry[id]
    told: dict[str, Any] = {
        "id": id,
        "name": spec.name,
        "max_episode_steps": spec.max_episode_steps,
        "reward_threshold": spec.reward_threshold,
        "nondeterministic": spec.nondeterministic,
        "parameters": [],
        "render_modes": [],
        "render_fps": None,
    }
    with contextlib.suppress(Exception):  # Whoever makes it will be told why it can't be.
        entry_point: Any = spec.entry_point
        creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
        metadata = getattr(creator, "metadata", None)
        if not isinstance(metadata, dict):  # Of a wrapper, it is the property.
            metadata = {}
        told["render_modes"] = [str(mode) for mode in metadata.get("render_modes", ())]
        told["render_fps"] = metadata.get("render_fps")
        told["parameters"] = [
            {**entry, "default": spec.kwargs[entry["name"]]} if entry["name"] in spec.kwargs else entry
            for entry in describe.parameters(creator)
        ]
    return told


def _llm_layer(env: Any) -> LLMEnv | None:
    while not isinstance(env, LLMEnv):
        if not isinstance(env, gym.Wrapper):
            return None
        env = env.env
    return env


def _definition(layer: LLMEnv) -> Any:
    actions = layer.get_action_schema()
    return {
        "observation_schema": _plain(layer.get_observation_schema()),
        "action_schema": _plain(actions),
        "goal_description": layer.get_goal_description(),
        "heuristic": type(layer).heuristic is not LLMEnv.heuristic,
        "safe_action": layer.safe_action(),
    }


def _plain(schema: Any) -> Any:
    return {name: _plain(part) for name, part in schema.items()} if hasattr(schema, "items") else schema
