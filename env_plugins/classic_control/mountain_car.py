"""MountainCar for language models, around Gymnasium's own environment."""

import math
from typing import Any, SupportsFloat

import gymnasium as gym
from gymnasium.envs.classic_control import MountainCarEnv

from env_plugins.classic_control.scalars import Scalars, Vector, named, named_space
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

LEFT, NOTHING, RIGHT = range(3)
BOTTOM = -math.pi / 6
"""Position of the valley's lowest point, where the slope's pull is zero."""

FIELDS: ObservationSchema = {
    "position": {
        "description": "-0.52 is the bottom of the valley, 0.5 the flag on the right hill, -1.2 a wall on the left",
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

ACTIONS: ActionSchema = {
    LEFT: "Push to the left: velocity falls by 0.001, on top of what the slope does.",
    NOTHING: "Do not push: only the slope changes velocity.",
    RIGHT: "Push to the right: velocity rises by 0.001, on top of what the slope does.",
}

GOAL = """\
Drive a car out of a valley, up to the flag at position 0.5 on the right hill, in as few steps as you can. You start \
at rest near the bottom of the valley, between -0.6 and -0.4. The engine is too weak to climb the hill from there: \
swing back and forth to gain speed, like a child on a swing.

Motion, per step:
- velocity changes by +0.001 (action 2), 0 (action 1) or -0.001 (action 0), and by the slope's pull of -0.0025 * \
cos(3 * position): to the left when position > -0.52, to the right when position < -0.52. On the steep parts the \
pull is stronger than the engine.
- Then position changes by velocity. Speed is limited to 0.07. The wall at -1.2 stops the car.

Reward: -1 for every step, whatever you do: the fewer steps, the better.

The episode ends with success when position is 0.5 or more, and without success after 200 steps, at a total of -200. \
An average of -110 or better counts as solved.

How to get up:
- Always push the way the car already moves: that adds energy, a push against the motion takes it away. So choose \
action 2 while velocity > 0 and action 0 while velocity < 0.
- At rest, push the way the slope pulls: action 2 when position < -0.52, else action 0.
- Do not turn round early: keep pushing up a slope until the velocity changes its sign by itself. Two or three \
swings are enough.

For example:
- position -0.50, velocity 0: at rest, to the right of the bottom. The slope pulls to the left, so push left with it: \
action 0.
- position -0.75, velocity -0.015: the car still rolls up the left hill. Pushing left goes on adding energy: action 0, \
although the flag is to the right.
- position -0.80, velocity 0.002: it has just turned round and rolls down to the right: action 2 from here on, through \
the bottom and up the right hill.
- position 0.10, velocity -0.004: it did not get up to the flag this time and rolls back: action 0, to come back \
faster on the next swing.
A single swing to the right is never enough from the start: the way to the flag leads up the left hill first. With \
each swing the car should get higher than it did on that side before; if it does not, it was pushed against its \
motion, or not pushed at all, in some of the steps between.
"""


class MountainCarLLM(gym.ObservationWrapper[Scalars, Any, Any], LLMEnv):
    """`MountainCarLLM-v0`: MountainCar-v0 with a name for every number, and `is_success` in every step's info."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(MountainCarEnv(render_mode=render_mode))
        self.observation_space = named_space(NAMES, self.env.observation_space)

    def observation(self, observation: Vector) -> Scalars:
        return named(NAMES, observation)

    def step(self, action: int) -> tuple[Scalars, SupportsFloat, bool, bool, dict[str, Any]]:
        """As Gymnasium's, with `is_success`: the flag is the only thing that terminates an episode."""
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "is_success": terminated}

    def get_observation_schema(self) -> ObservationSchema:
        return FIELDS

    def get_action_schema(self) -> ActionSchema:
        return ACTIONS

    def get_goal_description(self) -> str:
        return GOAL

    def heuristic(self, observation: Any) -> Advice:
        """Push the way the car moves; at rest, the way the slope pulls."""
        position, velocity = float(observation["position"]), float(observation["velocity"])
        if velocity == 0:
            return _at_rest(position)
        action, way = (RIGHT, "right") if velocity > 0 else (LEFT, "left")
        slope = "up" if (velocity > 0) == (position > BOTTOM) else "down"
        return Advice(
            action,
            f"At {position:z.3f} the car rolls {slope} the slope to the {way} at {abs(velocity):.4f}: pushing {way} as "
            "well, to gain energy.",
        )

    def safe_action(self) -> int:
        return NOTHING


def _at_rest(position: float) -> Advice:
    action, side, way = (RIGHT, "left", "right") if position < BOTTOM else (LEFT, "right", "left")
    return Advice(
        action,
        f"The car rests at {position:z.3f}, on the {side} side of the valley's bottom: pushing {way}, with the slope.",
    )
