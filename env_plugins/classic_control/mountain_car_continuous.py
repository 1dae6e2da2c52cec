"""MountainCar with a force to choose, for language models, around Gymnasium's own environment."""

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.envs.classic_control import Continuous_MountainCarEnv

from env_plugins.classic_control.mountain_car import BOTTOM
from env_plugins.classic_control.scalars import Scalars, Vector, named, named_space
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

FORCE = 0.5
"""The heuristic's: a smaller one costs less and takes longer."""

FIELDS: ObservationSchema = {
    "position": {
        "description": "-0.52 is the bottom of the valley, 0.45 the flag on the right hill, -1.2 a wall on the left",
        "type": "number",
        "range": [-1.2, 0.6],
    },
    "velocity": {
        "description": "change of position per step, positive is to the right",
        "type": "number",
        "range": [-0.07, 0.07],
    },
}
NAMES = tuple(FIELDS)

ACTION = """\
The action is a list of one number: the force of the engine, from -1 to 1. A positive force pushes to the right, a \
negative one to the left: velocity changes by 0.0015 * force, on top of what the slope does. 0 does not push. It costs \
0.1 * force^2. For example, [0.5] pushes to the right with half the force.\
"""

GOAL = """\
Drive a car out of a valley, up to the flag at position 0.45 on the right hill, with as little fuel as you can. You \
start at rest near the bottom of the valley, between -0.6 and -0.4. The engine is too weak to climb the hill from \
there: swing back and forth to gain speed, like a child on a swing.

Motion, per step:
- velocity changes by 0.0015 * force, and by the slope's pull of -0.0025 * cos(3 * position): to the left when \
position > -0.52, to the right when position < -0.52. On the steep parts the pull is stronger than the engine.
- Then position changes by velocity. Speed is limited to 0.07. The wall at -1.2 stops the car.

Reward: -0.1 * force^2 for every step, and 100 with the step that reaches the flag. Time costs nothing.

The episode ends with success when position is 0.45 or more, and without success after 999 steps. An average of 90 or \
more counts as solved. Never pushing totals 0, so the flag is worth every push; a car that is pushed with half the \
force gets there with about 96.

How to get up:
- Always push the way the car already moves: that adds energy, a push against the motion takes it away. So choose \
about 0.5 while velocity > 0 and about -0.5 while velocity < 0.
- At rest, push the way the slope pulls: to the right when position < -0.52, else to the left.
- Do not turn round early: keep pushing up a slope until the velocity changes its sign by itself. It takes about five \
swings and 100 to 160 steps.
"""


class MountainCarContinuousLLM(gym.ObservationWrapper[Scalars, Any, Any], LLMEnv):
    """`MountainCarContinuousLLM-v0`: MountainCarContinuous-v0 with a name for every number, and `is_success`."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(Continuous_MountainCarEnv(render_mode=render_mode))
        self.observation_space = named_space(NAMES, self.env.observation_space)

    def observation(self, observation: Vector) -> Scalars:
        return named(NAMES, observation)

    def step(self, action: Vector) -> tuple[Scalars, SupportsFloat, bool, bool, dict[str, Any]]:
        """As Gymnasium's, with `is_success`: the flag is the only thing that terminates an episode."""
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "is_success": terminated}

    def get_observation_schema(self) -> ObservationSchema:
        return FIELDS

    def get_action_schema(self) -> ActionSchema:
        return ACTION

    def get_goal_description(self) -> str:
        return GOAL

    def heuristic(self, observation: Any) -> Advice:
        """Push with half the force the way the car moves; at rest, the way the slope pulls."""
        position, velocity = float(observation["position"]), float(observation["velocity"])
        way = 1 if velocity > 0 or (velocity == 0 and position < BOTTOM) else -1
        side = "right" if way > 0 else "left"
        moves = (
            f"rolls to the {side} at {abs(velocity):.4f}" if velocity else f"rests, and the slope pulls to the {side}"
        )
        return Advice(
            np.array([way * FORCE], dtype=np.float32),
            f"At {position:z.3f} the car {moves}: pushing {side} with half the force, to gain energy at a low cost.",
        )

    def safe_action(self) -> Vector:
        return np.zeros(1, dtype=np.float32)
