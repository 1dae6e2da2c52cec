"""Pendulum for language models, around Gymnasium's own environment."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control import PendulumEnv

from env_plugins.classic_control.scalars import Scalars, Vector, named, named_space
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

LARGEST_TORQUE = 2.0
NEAR = 0.5
"""In rad: within this angle of upright, now and 0.2 s ahead, the heuristic catches the pendulum."""

FIELDS: ObservationSchema = {
    "angle": {
        "description": "angle of the pendulum, 0 is upright, positive is counter-clockwise (to the left), pi or "
        "-pi hangs straight down",
        "type": "number",
        "unit": "rad",
        "range": "-pi to pi",
    },
    "angular_velocity": {
        "description": "speed at which it turns, positive is counter-clockwise",
        "type": "number",
        "unit": "rad/s",
        "range": "-8 to 8",
    },
}
NAMES = tuple(FIELDS)

ACTION = """\
The action is a list of one number: the torque on the pendulum in N m, from -2 to 2. A positive torque turns \
counter-clockwise, a negative one clockwise. A torque of 1 changes angular_velocity by 0.15 in one step, so the \
largest one by 0.3; 0 lets the pendulum swing freely. For example, [-1.5] turns it clockwise.\
"""

GOAL = """\
Swing a pendulum up and hold it upright. It is a rod of 1 m and 1 kg, hinged at one end, that can turn all the way \
round. The motor at the hinge is too weak to lift it at once: swing it back and forth to gain energy. You start at any \
angle, with an angular_velocity between -1 and 1.

Motion, per step of 1/20 s:
- angular_velocity changes by {gravity:.4g} * sin(angle), which gravity does, away from upright, and by 0.15 * torque. \
It is limited to 8 either way.
- Then angle changes by 0.05 * angular_velocity.

Reward, per step: -(angle^2 + 0.1 * angular_velocity^2 + 0.001 * torque^2). It is 0 at best, upright and at rest, and \
about -16 at worst: what counts is to be upright soon and to stay there; torque costs next to nothing.

The episode always lasts 200 steps. Its total is about -150 on average for a very good player, and about -1200 for one \
who acts at random.

How to swing up:
- Far from upright, gain energy: choose 2 while angular_velocity > 0 and -2 while angular_velocity < 0, as a torque \
with the motion adds energy. At rest, choose either.
- Do not gain more than it takes to reach the top: let energy = angular_velocity^2 / 6 + {weight:.4g} * (cos(angle) - \
1). While energy < 0 go on; once energy > 0 it would shoot past the top, so choose the opposite torque.
- Near the top, when angle and angle + 0.2 * angular_velocity are both within -0.5 and 0.5, catch it: choose -(10 * \
angle + 2 * angular_velocity), kept within -2 and 2. Go on with that formula to hold it there.
"""


class PendulumLLM(gym.ObservationWrapper[Scalars, Any, Any], LLMEnv):
    """`PendulumLLM-v1`: Pendulum-v1 with the angle instead of its sine and cosine."""

    def __init__(self, render_mode: str | None = None, g: float = 10.0) -> None:
        """The keywords of Pendulum-v1: `g`, the gravity, in m/s²."""
        super().__init__(PendulumEnv(render_mode=render_mode, g=g))
        self.gravity = g
        high = np.array([np.pi, 8.0], dtype=np.float32)
        self.observation_space = named_space(NAMES, spaces.Box(-high, high))

    def observation(self, observation: Vector) -> Scalars:
        cos, sin, velocity = observation
        return named(NAMES, np.array([np.arctan2(sin, cos), velocity], dtype=np.float32))

    def get_observation_schema(self) -> ObservationSchema:
        return FIELDS

    def get_action_schema(self) -> ActionSchema:
        return ACTION

    def get_goal_description(self) -> str:
        return GOAL.format(gravity=0.075 * self.gravity, weight=self.gravity / 2)

    def heuristic(self, observation: Any) -> Advice:
        """Swing up by energy, then hold: Åström and Furuta's way (2000)."""
        angle, velocity = float(observation["angle"]), float(observation["angular_velocity"])
        now = f"At {angle:z.2f} rad, turning at {velocity:z.2f}"
        if abs(angle) < NEAR and abs(angle + 0.2 * velocity) < NEAR:
            torque = -(10 * angle + 2 * velocity)
            return _advice(torque, f"{now}, the pendulum is near upright: a torque back to it holds it there.")
        energy = velocity**2 / 6 + self.gravity / 2 * (math.cos(angle) - 1)
        way = 1.0 if velocity >= 0 else -1.0
        if energy < 0:
            return _advice(way * -5 * energy, f"{now}, it lacks {-energy:.2f} J to get up: torque with the swing.")
        return _advice(way * -5 * energy, f"{now}, it has {energy:.2f} J too much: torque against the swing.")

    def safe_action(self) -> Vector:
        return np.zeros(1, dtype=np.float32)


def _advice(torque: float, reflection: str) -> Advice:
    kept = min(max(torque, -LARGEST_TORQUE), LARGEST_TORQUE)
    return Advice(np.array([kept], dtype=np.float32), reflection)
