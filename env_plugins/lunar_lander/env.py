"""LunarLander for language models, around Gymnasium's own environment."""

from abc import abstractmethod
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from env_plugins.lunar_lander import pilot, words
from env_plugins.lunar_lander.simulator import LanderState, LunarLander
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

Observation = dict[str, Any]
Vector = NDArray[np.float32]

# Gymnasium declares y within 2.5, velocities within 10 and the angle within 2 pi. In its simulator a steady climb goes
# to y = 200, a fall with one side engine on often spins beyond 2 pi, and speeds reach 20: only x is held, by the
# episode's end at 1.
LOW = LanderState(-2.5, -2.5, -np.inf, -np.inf, -np.inf, -np.inf, 0, 0)
HIGH = LanderState(2.5, np.inf, np.inf, np.inf, np.inf, np.inf, 1, 1)
LEGS = LanderState._fields[6:]


class DescribedLander(gym.ObservationWrapper[Observation, int, Vector], LLMEnv):
    """LunarLander in words; the subclasses give the observation its shape."""

    continuous: ClassVar[bool] = False
    max_steps: ClassVar[int]
    horizon: ClassVar[str]
    """What `max_steps` steps allow, for the goal."""

    def __init__(
        self,
        render_mode: str | None = None,
        gravity: float = -10.0,
        enable_wind: bool = False,
        wind_power: float = 15.0,
        turbulence_power: float = 1.5,
    ) -> None:
        """The keywords of LunarLander-v3: `gravity` between -12 and 0, powers up to 20 (wind) and 2 (turbulence)."""
        super().__init__(
            LunarLander(
                render_mode=render_mode,
                continuous=self.continuous,
                gravity=gravity,
                enable_wind=enable_wind,
                wind_power=wind_power,
                turbulence_power=turbulence_power,
            )
        )
        self.observation_space = self.space()
        self.gravity = gravity
        self.winds = words.wind(wind_power, turbulence_power) if enable_wind else ""

    @abstractmethod
    def space(self) -> spaces.Dict:
        """The space of the observations."""

    @abstractmethod
    def state(self, observation: Observation) -> LanderState:
        """The simulator's numbers, back from an observation or from its JSON form."""

    def get_action_schema(self) -> ActionSchema:
        return words.actions(self.gravity)

    def get_goal_description(self) -> str:
        return words.goal(self.max_steps, self.gravity, self.winds, self.horizon, words.BY_NUMBER)

    def heuristic(self, observation: Observation) -> Advice:
        return pilot.advise(self, self.state(observation))

    def safe_action(self) -> Any:
        return pilot.NOTHING


class LunarLanderLLM(DescribedLander):
    """`LunarLanderLLM-v3`: every number under its own name."""

    max_steps = 1000
    horizon = "A good landing takes 150 to 300."

    def space(self) -> spaces.Dict:
        bounds = zip(LanderState._fields, LOW, HIGH, strict=True)
        parts: dict[str, spaces.Space[Any]] = {
            name: spaces.Discrete(2) if name in LEGS else spaces.Box(low, high, shape=(), dtype=np.float32)
            for name, low, high in bounds
        }
        return spaces.Dict(parts, sort_keys=False)

    def observation(self, observation: Vector) -> Observation:
        return {
            name: np.int64(number) if name in LEGS else np.array(number, dtype=np.float32)
            for name, number in zip(LanderState._fields, observation, strict=True)
        }

    def state(self, observation: Observation) -> LanderState:
        return LanderState(*(float(observation[name]) for name in LanderState._fields))

    def get_observation_schema(self) -> ObservationSchema:
        return words.SCALARS


class LunarLanderContinuousLLM(LunarLanderLLM):
    """`LunarLanderContinuousLLM-v3`: the same observation, and a power for each engine to choose."""

    continuous = True

    def get_action_schema(self) -> ActionSchema:
        return words.thrusts(self.gravity)

    def get_goal_description(self) -> str:
        return words.goal(self.max_steps, self.gravity, self.winds, self.horizon, words.BY_THRUST)

    def heuristic(self, observation: Observation) -> Advice:
        return pilot.advise_thrust(self, self.state(observation))

    def safe_action(self) -> Vector:
        return np.zeros(2, dtype=np.float32)


class LunarLanderArraysLLM(DescribedLander):
    """`LunarLanderLLM-v2`: the same numbers in three fields, and 80 steps."""

    max_steps = 80
    horizon = (
        "That is too short to come to rest: the total reward is then what was gained by getting nearer, slower and "
        "upright, without a crash."
    )

    def space(self) -> spaces.Dict:
        low, high = np.array(LOW, dtype=np.float32), np.array(HIGH, dtype=np.float32)
        parts: dict[str, spaces.Space[Any]] = {
            "lander_cartesian": spaces.Box(low[:4], high[:4]),
            "lander_angular": spaces.Box(low[4:6], high[4:6]),
            "legs_contact": spaces.MultiBinary(2),
        }
        return spaces.Dict(parts, sort_keys=False)

    def observation(self, observation: Vector) -> Observation:
        return {
            "lander_cartesian": observation[:4].copy(),
            "lander_angular": observation[4:6].copy(),
            "legs_contact": observation[6:].astype(np.bool_),
        }

    def state(self, observation: Observation) -> LanderState:
        return LanderState(*(float(number) for part in words.ARRAYS for number in observation[part]))

    def get_observation_schema(self) -> ObservationSchema:
        return words.ARRAYS
