"""Any Gymnasium environment as one that describes itself, with no code written for it."""

from typing import Any, SupportsFloat

import gymnasium as gym

from gym_llm.adapt.actions import Actions
from gym_llm.adapt.docstring import docstring, sections
from gym_llm.adapt.goal import goal
from gym_llm.adapt.observations import Observations
from gym_llm.errors import EnvError
from gym_llm.llm_env import ActionSchema, LLMEnv, ObservationSchema, find_llm_env

__all__ = ["AdaptedEnv", "adapt"]


def adapt(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """`env` as an environment that describes itself; `env` itself where a layer of it does so already.

    Fields and ranges come from its spaces, names, effects and the goal from its docstring where that tells them, else
    from its id and its spaces. See `AdaptedEnv` for what becomes of observations and actions.
    """
    try:
        find_llm_env(env)
    except EnvError:
        return AdaptedEnv(env)
    return env


class AdaptedEnv(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs, LLMEnv):
    """`env`, described by what its spaces and its docstring tell.

    Observations become a Dict of fields: the fields of a Dict; the numbers of a vector, or the parts of a tuple, each
    under its own name where the docstring names them; anything else as one field. Actions stay what they are, save
    that the numbers of a vector become the fields of a Dict where the docstring names them.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        gym.utils.RecordConstructorArgs.__init__(self)  # so that its spec can make it again
        gym.Wrapper.__init__(self, env)
        told = sections(docstring(env))
        self._observations = Observations(env.observation_space, told)
        self._actions = Actions(env.action_space, told, _meanings(env))
        self.observation_space = self._observations.space
        self.action_space = self._actions.space
        self._goal = goal(env.spec, told, listed=self._actions.documented)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        return self._observations.element(observation), info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(self._actions.element(action))
        return self._observations.element(observation), reward, terminated, truncated, info

    def get_observation_schema(self) -> ObservationSchema:
        return self._observations.schema

    def get_action_schema(self) -> ActionSchema:
        return self._actions.schema

    def get_goal_description(self) -> str:
        return self._goal


def _meanings(env: gym.Env[Any, Any]) -> list[str]:
    # The Atari environments name their actions in this method, and nowhere else.
    meanings = getattr(env.unwrapped, "get_action_meanings", None)
    return [str(meaning) for meaning in meanings()] if callable(meanings) else []
