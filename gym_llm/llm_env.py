"""What makes a Gymnasium environment readable for a language model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import gymnasium as gym

from gym_llm.errors import EnvError

FieldSchema = Mapping[str, Any]
ObservationSchema = Mapping[str, FieldSchema]
"""Field name -> `description`, `type`, and where they help `unit`, `range`, `size`."""
ActionSchema = Mapping[Any, str] | str
"""Action as the environment takes it -> what it does, effects included; where actions can't be listed, such as numbers
on a scale, one text about all of them."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a heuristic policy would do, and the true reason why, in one sentence."""

    action: Any
    reflection: str


class EnvDefinition(TypedDict):
    """All that an `Agent` needs to know of an environment; passed to it as keyword arguments."""

    observation_schema: ObservationSchema
    action_schema: ActionSchema
    goal_description: str
    action_space: NotRequired[gym.Space[Any] | None]
    observation_space: NotRequired[gym.Space[Any] | None]
    env: NotRequired[LLMEnv | None]


class LLMEnv(ABC):
    """The contract of an environment that describes itself in words.

    Mix it into an environment (`class X(gym.Env, LLMEnv)`) or into a wrapper around one
    (`class X(gym.ObservationWrapper, LLMEnv)`): `get_env_definition` finds it anywhere in the wrapper chain.
    """

    @abstractmethod
    def get_observation_schema(self) -> ObservationSchema:
        """Each field of the observation, in the words a model needs to act on it."""

    @abstractmethod
    def get_action_schema(self) -> ActionSchema:
        """Each action and its effect."""

    @abstractmethod
    def get_goal_description(self) -> str:
        """The goal, how the reward is made up and how an episode ends."""

    def heuristic(self, observation: Any) -> Advice | None:
        """The hand-written policy's advice, where the environment brings one. A function of `observation` alone."""
        return None

    def safe_action(self) -> Any | None:
        """The action to take when a model has given none yet: the one that changes least. None = the space's first."""
        return None


def find_llm_env(env: Any) -> LLMEnv:
    """The outermost layer of the wrapper chain that is an `LLMEnv`.

    Raises:
        EnvError: no layer of `env` is one.
    """
    layer = env
    while True:
        if isinstance(layer, LLMEnv):
            return layer
        if not isinstance(layer, gym.Wrapper):
            raise EnvError(f"{env} does not describe itself: no layer of it is a gym_llm.LLMEnv")
        layer = layer.env


def get_env_definition(env: gym.Env[Any, Any]) -> EnvDefinition:
    """The definition of `env`, as keyword arguments for `Agent`.

    Raises:
        EnvError: no layer of `env` is an `LLMEnv`.
    """
    layer = find_llm_env(env)
    return EnvDefinition(
        observation_schema=layer.get_observation_schema(),
        action_schema=layer.get_action_schema(),
        goal_description=layer.get_goal_description(),
        action_space=env.action_space,
        observation_space=env.observation_space,
        env=layer,
    )
