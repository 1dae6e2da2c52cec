"""MiniGrid and BabyAI for language models: one wrapper around all of their environments."""

import logging
import re
import string
from typing import Any, ClassVar, SupportsFloat

import gymnasium as gym
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec, load_env_creator
from minigrid.envs.babyai.core import roomgrid_level

from env_plugins.minigrid import pilot, view, words
from env_plugins.minigrid.view import Image
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

log = logging.getLogger(__name__)

# It prints that it draws a mission anew, into whatever else goes to standard output.
vars(roomgrid_level)["print"] = lambda *told: log.debug("%s", " ".join(map(str, told)))

Observation = dict[str, Any]
LONGEST = 4000
"""Characters of a field: far more than a view full of things takes."""


class MiniGridLLM(gym.ObservationWrapper[Observation, int, Any], LLMEnv):
    """An environment of MiniGrid or BabyAI with its view in words, and `is_success`; `described` makes the classes."""

    described: ClassVar[EnvSpec]
    """What is wrapped."""

    def __init__(self, render_mode: str | None = None) -> None:
        creator: Any = load_env_creator(str(self.described.entry_point))
        super().__init__(creator(**self.described.kwargs, render_mode=render_mode))
        inner: Any = self.env.unwrapped
        self.size = int(inner.agent_view_size)
        self.max_steps = int(inner.max_steps)
        self.kinds = [kind.__name__ for kind in type(inner).__mro__]
        self.count = int(inner.action_space.n)
        self.needs_done = self._rule() == words.GO_TO
        line = spaces.Text(LONGEST, min_length=0, charset=string.printable)
        row = spaces.Text(self.size, min_length=self.size, charset=view.CHARSET)
        parts: dict[str, spaces.Space[Any]] = dict.fromkeys(words.fields(self.size), line)
        self.observation_space = spaces.Dict({**parts, "view": spaces.Tuple([row] * self.size)}, sort_keys=False)

    def observation(self, observation: Any) -> Observation:
        image: Image = observation["image"]
        carrying = view.carried(image)
        return {
            "mission": observation["mission"],
            "direction": words.DIRECTIONS[observation["direction"]],
            "carrying": carrying,
            "ahead": view.ray(image, 1, 0),
            "left": view.ray(image, 0, -1),
            "right": view.ray(image, 0, 1),
            "things": view.listed(view.things(image)),
            "view": view.rows(image),
            "useful_actions": words.useful(view.in_front(image), carrying, self.count, self.needs_done),
        }

    def step(self, action: int) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """As MiniGrid's, with `is_success`: only a completed mission earns anything."""
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "is_success": float(reward) > 0}

    def get_observation_schema(self) -> ObservationSchema:
        return words.fields(self.size)

    def get_action_schema(self) -> ActionSchema:
        return words.actions(self.count)

    def get_goal_description(self) -> str:
        return words.goal(self.max_steps, self._rule())

    def safe_action(self) -> int:
        return words.LEFT

    def _rule(self) -> str:
        special = [words.RULES[kind] for kind in self.kinds if kind in words.RULES]
        return special[0] if special else words.BABYAI if "RoomGridLevel" in self.kinds else words.PLAIN


class PilotedMiniGridLLM(MiniGridLLM):
    """One whose missions the heuristic knows how to complete."""

    def heuristic(self, observation: Any) -> Advice:
        """The shortest way to what the mission asks for, in view; else on to where there is more to see."""
        return pilot.advise(observation, self.needs_done)


def llm_id(id: str) -> str:
    """The id under which the environment `id` is described: `LLM` before the version."""
    return re.sub(r"(-v\d+)$", r"LLM\1", id)


def described(spec: EnvSpec) -> Any:
    """The class that describes the environment of `spec`. A class of its own, since what it wraps is not an argument:
    a request must not choose it."""
    base = PilotedMiniGridLLM if pilot.FAMILIES.match(spec.id) else MiniGridLLM
    return type(f"{base.__name__}[{spec.id}]", (base,), {"described": spec})
