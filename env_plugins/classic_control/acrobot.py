"""Acrobot for language models, around Gymnasium's own environment."""

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control import AcrobotEnv

from env_plugins.classic_control.scalars import Scalars, Vector, named, named_space
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

CLOCKWISE, NOTHING, COUNTER_CLOCKWISE = range(3)
BACKLASH = 0.5
"""How much of the upper link's turn the heuristic takes off the lower link's."""

FIELDS: ObservationSchema = {
    "upper_angle": {
        "description": "angle of the upper link, 0 hangs straight down, positive is counter-clockwise (to the right)",
        "type": "number",
        "unit": "rad",
        "range": "-pi to pi",
    },
    "lower_angle": {
        "description": "angle of the lower link relative to the upper one, 0 is in line with it, positive is "
        "counter-clockwise",
        "type": "number",
        "unit": "rad",
        "range": "-pi to pi",
    },
    "upper_velocity": {
        "description": "speed at which the upper link turns, positive is counter-clockwise",
        "type": "number",
        "unit": "rad/s",
        "range": "-12.57 to 12.57",
    },
    "lower_velocity": {
        "description": "speed at which lower_angle changes, positive is counter-clockwise",
        "type": "number",
        "unit": "rad/s",
        "range": "-28.28 to 28.28",
    },
    "tip_height": {
        "description": "height of the free end above the fixed joint; the goal is a height of more than 1",
        "type": "number",
        "unit": "m",
        "range": "-2 to 2",
    },
}
NAMES = tuple(FIELDS)

ACTIONS: ActionSchema = {
    CLOCKWISE: (
        "Turn the lower link clockwise, with a torque of 1 N m at the elbow: from rest, lower_velocity falls by about "
        "0.33, and upper_velocity rises by about 0.13, as the torque works both ways."
    ),
    NOTHING: "No torque: both links swing on freely.",
    COUNTER_CLOCKWISE: (
        "Turn the lower link counter-clockwise, with a torque of 1 N m at the elbow: from rest, lower_velocity rises "
        "by about 0.33, and upper_velocity falls by about 0.13, as the torque works both ways."
    ),
}

GOAL = """\
Swing up an acrobot, a chain of two links of 1 m each, until its free end is more than 1 m above the joint where the \
chain is fixed, in as few steps as you can. The upper link hangs from that fixed joint, the lower link from the elbow \
at the upper link's end. You can turn the elbow only, and far too weakly to lift the chain: it must gain energy swing \
by swing. You start with both links hanging down, almost at rest.

Motion, per step of 0.2 s:
- upper_angle changes by about 0.2 * upper_velocity, lower_angle by about 0.2 * lower_velocity.
- Gravity pulls both links down, like a pendulum; nothing slows the swings but a torque against them.
- tip_height is -cos(upper_angle) - cos(upper_angle + lower_angle).

Reward: -1 for every step, 0 for the one that reaches the goal: the fewer steps, the better.

The episode ends with success when tip_height is more than 1, and without it after 500 steps, at a total of -500. An \
average of -100 or better counts as solved.

How to swing up:
- A torque adds energy when it acts the way the elbow already turns, and takes energy away when it acts against it. So \
choose action 2 while lower_velocity is positive, action 0 while it is negative.
- Slightly better: let turn = lower_velocity - 0.5 * upper_velocity. If turn > 0 choose action 2, else choose action 0.
- Push in every step, and reverse the torque as soon as the turn reverses: doing nothing wastes a step. It takes 60 to \
120 steps.
"""


class AcrobotLLM(gym.ObservationWrapper[Scalars, Any, Any], LLMEnv):
    """`AcrobotLLM-v1`: Acrobot-v1 with angles instead of their sines and cosines, and `is_success`."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(AcrobotEnv(render_mode=render_mode))
        high = np.array([np.pi, np.pi, AcrobotEnv.MAX_VEL_1, AcrobotEnv.MAX_VEL_2, 2.0], dtype=np.float32)
        self.observation_space = named_space(NAMES, spaces.Box(-high, high))

    def observation(self, observation: Vector) -> Scalars:
        cos_1, sin_1, cos_2, sin_2, velocity_1, velocity_2 = observation
        upper, lower = np.arctan2(sin_1, cos_1), np.arctan2(sin_2, cos_2)
        height = -np.cos(upper) - np.cos(upper + lower)
        return named(NAMES, np.array([upper, lower, velocity_1, velocity_2, height], dtype=np.float32))

    def step(self, action: int) -> tuple[Scalars, SupportsFloat, bool, bool, dict[str, Any]]:
        """As Gymnasium's, with `is_success`: the height is the only thing that terminates an episode."""
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "is_success": terminated}

    def get_observation_schema(self) -> ObservationSchema:
        return FIELDS

    def get_action_schema(self) -> ActionSchema:
        return ACTIONS

    def get_goal_description(self) -> str:
        return GOAL

    def heuristic(self, observation: Any) -> Advice:
        """Torque the way the elbow turns: that adds energy in every step."""
        lower, upper = float(observation["lower_velocity"]), float(observation["upper_velocity"])
        action = COUNTER_CLOCKWISE if lower - BACKLASH * upper > 0 else CLOCKWISE
        way = "counter-clockwise" if action == COUNTER_CLOCKWISE else "clockwise"
        return Advice(
            action,
            f"The tip is at {float(observation['tip_height']):z.2f} m, the elbow turns at {lower:z.2f} and the upper "
            f"link at {upper:z.2f}: torque {way}, with the swing, to gain energy.",
        )

    def safe_action(self) -> int:
        return NOTHING
