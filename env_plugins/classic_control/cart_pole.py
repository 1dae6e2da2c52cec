"""CartPole for language models, around Gymnasium's own environment."""

from typing import Any

import gymnasium as gym
from gymnasium.envs.classic_control import CartPoleEnv

from env_plugins.classic_control.scalars import Scalars, Vector, named, named_space
from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

LEFT, RIGHT = 0, 1
FORESIGHT = 0.25
"""In s: the heuristic acts on the angle that the pole's present turn leads to after this time."""

FIELDS: ObservationSchema = {
    "cart_position": {
        "description": "position of the cart, 0 is the middle of the track, positive is right of it",
        "type": "number",
        "unit": "m",
        "allowed": "-2.4 to 2.4, beyond it the episode ends",
    },
    "cart_velocity": {
        "description": "speed of the cart, positive is to the right",
        "type": "number",
        "unit": "m/s",
    },
    "pole_angle": {
        "description": "lean of the pole, 0 is upright, positive leans to the right, negative to the left",
        "type": "number",
        "unit": "rad",
        "allowed": "-0.2095 to 0.2095 (12 degrees), beyond it the episode ends",
    },
    "pole_angular_velocity": {
        "description": "speed at which the pole turns, positive is to the right, negative to the left",
        "type": "number",
        "unit": "rad/s",
    },
}
NAMES = tuple(FIELDS)

ACTIONS: ActionSchema = {
    LEFT: (
        "Push the cart to the left with 10 N: cart_velocity falls by about 0.2 and, since the cart moves away below "
        "it, the pole swings to the right: pole_angular_velocity rises by about 0.29."
    ),
    RIGHT: (
        "Push the cart to the right with 10 N: cart_velocity rises by about 0.2 and, since the cart moves away below "
        "it, the pole swings to the left: pole_angular_velocity falls by about 0.29."
    ),
}

GOAL = """\
Balance a pole that stands on a cart for as long as you can. The pole is hinged to the cart and falls over by \
itself; all you can do is to push the cart left or right. You start near the middle of the track, the pole almost \
upright.

Motion, per step of 1/50 s:
- cart_position changes by 0.02 * cart_velocity, pole_angle by 0.02 * pole_angular_velocity.
- A leaning pole falls ever faster: pole_angular_velocity changes by about 0.32 * pole_angle, away from upright.
- Every step pushes, there is no action for doing nothing: the cart is kept in place by pushes that alternate.

Reward: 1 for every step, the last one included.

The episode ends when the pole leans more than 0.2095 rad (12 degrees) to either side, when the cart is more than \
2.4 m from the middle, or after 500 steps. An average of 475 or more counts as solved.

How to balance:
- Push the cart under the pole: to the right when the pole falls to the right, to the left when it falls to the \
left.
- Look ahead: what counts is where the pole will be, not where it is. Let lean = pole_angle + 0.25 * \
pole_angular_velocity. If lean > 0 choose action 1, else choose action 0.
- Correct small leans at once. One push changes pole_angular_velocity by 0.29, so do not go on pushing the same way \
once the pole swings back.

For example, at pole_angle 0.03 and pole_angular_velocity -0.20 the pole leans to the right, but it already swings \
back: lean = 0.03 - 0.05 = -0.02, so action 0. At pole_angle -0.01 and pole_angular_velocity 0.30 it leans to the left \
and falls to the right: lean = -0.01 + 0.075 = 0.065, so action 1. While the pole is steady, the two actions take \
turns, and the cart stays about where it is. One push too many is mended by the next, if that comes at once.
"""


class CartPoleLLM(gym.ObservationWrapper[Scalars, Any, Any], LLMEnv):
    """`CartPoleLLM-v1`: CartPole-v1 with a name for every number."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(CartPoleEnv(render_mode=render_mode))
        self.observation_space = named_space(NAMES, self.env.observation_space)

    def observation(self, observation: Vector) -> Scalars:
        return named(NAMES, observation)

    def get_observation_schema(self) -> ObservationSchema:
        return FIELDS

    def get_action_schema(self) -> ActionSchema:
        return ACTIONS

    def get_goal_description(self) -> str:
        return GOAL

    def heuristic(self, observation: Any) -> Advice:
        """Push the cart to the side that the pole will soon lean to."""
        angle, turn = float(observation["pole_angle"]), float(observation["pole_angular_velocity"])
        action = RIGHT if angle + FORESIGHT * turn > 0 else LEFT
        return Advice(action, _reason(angle, turn, action))

    def safe_action(self) -> int:
        return LEFT


def _reason(angle: float, turn: float, action: int) -> str:
    side, other, sign = ("right", "left", 1) if action == RIGHT else ("left", "right", -1)
    lean, rate = f"{abs(angle):.4f} rad", f"{abs(turn):.3f} rad/s"
    push = f"pushing {side} to bring the cart under it."
    if sign * angle >= 0 and sign * turn >= 0:
        return f"The pole leans {lean} to the {side} and falls on at {rate}: {push}"
    if sign * angle >= 0:
        return f"The pole leans {lean} to the {side} and swings back at only {rate}: {push}"
    return f"The pole leans {lean} to the {other} but swings {side} past upright at {rate}: {push}"
