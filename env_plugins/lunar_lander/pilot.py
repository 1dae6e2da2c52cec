"""Gymnasium's heuristic landing policy, and the reason for each of its actions in a sentence.

The policy decides by two errors: how far the lander must still turn, and by how much it sinks faster than is safe.
They are computed here again, as that function keeps them to itself; a test holds that they always explain its action.
"""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from env_plugins.lunar_lander.simulator import LanderState, heuristic
from gym_llm.llm_env import Advice

NOTHING, TURN_LEFT, MAIN_ENGINE, TURN_RIGHT = range(4)
LARGEST_TILT = 0.4
"""In rad: what the policy leans at most to steer."""
TOLERANCE = 0.05
"""Errors up to this are left alone."""
SIDE_FROM = 0.5
"""Of a continuous action's second number: above it, either way, a side engine fires."""


class Errors(NamedTuple):
    """What the policy wants to correct: `turn` > 0 means turn left, `lift` > 0 means slow the fall (or climb)."""

    wanted_angle: float
    wanted_y: float
    turn: float
    lift: float


def errors(state: LanderState) -> Errors:
    """The quantities that decide the heuristic policy's action."""
    wanted_angle = min(max(0.5 * state.x + state.velocity_x, -LARGEST_TILT), LARGEST_TILT)
    wanted_y = 0.55 * abs(state.x)
    if state.left_leg_contact or state.right_leg_contact:
        return Errors(wanted_angle, wanted_y, turn=0.0, lift=-0.5 * state.velocity_y)
    turn = 0.5 * (wanted_angle - state.angle) - state.angular_velocity
    lift = 0.5 * (wanted_y - state.y) - 0.5 * state.velocity_y
    return Errors(wanted_angle, wanted_y, turn, lift)


def advise(env: gym.Env[Any, Any], state: LanderState) -> Advice:
    """The heuristic's action for `state`, and why. `env` is only asked whether its actions are continuous."""
    action = int(heuristic(env, state))  # type: ignore[no-untyped-call]
    if state.left_leg_contact or state.right_leg_contact:
        return Advice(action, _on_the_ground(state, action))
    if action == NOTHING:
        return Advice(action, _coasting(state))
    return Advice(action, _descent(state) if action == MAIN_ENGINE else _turn(state, action))


def advise_thrust(env: gym.Env[Any, Any], state: LanderState) -> Advice:
    """The heuristic's two numbers for `state`, where `env` is continuous, and why."""
    thrust = heuristic(env, state).astype(np.float32)  # type: ignore[no-untyped-call]
    main, side = thrust[0] > 0, abs(thrust[1]) > SIDE_FROM
    if state.left_leg_contact or state.right_leg_contact:
        return Advice(thrust, _on_the_ground(state, MAIN_ENGINE if main else NOTHING))
    reasons = [_descent(state)] if main else []
    if side:
        reasons.append(_turn(state, TURN_LEFT if thrust[1] < 0 else TURN_RIGHT))
    return Advice(thrust, " ".join(reasons) or _coasting(state))


def _on_the_ground(state: LanderState, action: int) -> str:
    if state.left_leg_contact and state.right_leg_contact:
        legs = "Both legs touch the ground"
    else:
        legs = f"The {'left' if state.left_leg_contact else 'right'} leg touches the ground"
    if action == MAIN_ENGINE:
        return f"{legs} but the lander still sinks at {-state.velocity_y:.3f}: firing the main engine to soften it."
    sinking = (
        f"the lander sinks at only {-state.velocity_y:.3f}" if state.velocity_y < 0 else "the lander does not sink"
    )
    return f"{legs} and {sinking}: engines off, so that the lander comes to rest."


def _coasting(state: LanderState) -> str:
    wanted = errors(state)
    limit = state.y - wanted.wanted_y + 2 * TOLERANCE
    safe = f"within the safe limit of {limit:.3f}" if state.velocity_y < 0 else "no fall to slow"
    return (
        f"{_speed(state)} at a height of {state.y:z.2f}, {safe}, and the turn from {_tilt(state.angle)} to the wanted "
        f"{_tilt(wanted.wanted_angle)} needs no correction: no engine, to save fuel."
    )


def _descent(state: LanderState) -> str:
    above = state.y - errors(state).wanted_y
    if above < 0:
        return (
            f"{_speed(state)} at a height of {state.y:z.2f}, which is {-above:z.2f} too low for being "
            f"{abs(state.x):.2f} away from the middle of the pad: firing the main engine for lift."
        )
    return (
        f"{_speed(state)} at a height of {state.y:z.2f}, where {above + 2 * TOLERANCE:z.3f} is the safe limit: firing "
        "the main engine to slow the descent."
    )


def _turn(state: LanderState, action: int) -> str:
    wanted_angle = errors(state).wanted_angle
    way, other, sign = ("left", "right", 1) if action == TURN_LEFT else ("right", "left", -1)
    to_go = sign * (wanted_angle - state.angle)
    turning = sign * state.angular_velocity
    if to_go > 0:
        return (
            f"The tilt is {_tilt(state.angle)}, wanted is {_tilt(wanted_angle)}, {_purpose(state)}, and it turns "
            f"{way if turning >= 0 else other} at {abs(turning):.3f}: firing a side engine to turn more to the {way}."
        )
    return (
        f"It turns {other} at {-turning:.2f} with only {-to_go:.2f} rad to go to the wanted tilt of "
        f"{_tilt(wanted_angle)}: firing a side engine to slow the turn."
    )


def _purpose(state: LanderState) -> str:
    """What the wanted tilt is for. Of its two parts, drift and distance, the larger one has its sign."""
    if abs(state.velocity_x) > 0.5 * abs(state.x):
        return f"against the drift to the {'right' if state.velocity_x > 0 else 'left'} at {abs(state.velocity_x):.2f}"
    return f"towards the middle of the pad {abs(state.x):.2f} to the {'left' if state.x > 0 else 'right'}"


def _speed(state: LanderState) -> str:
    return f"{'Falling' if state.velocity_y < 0 else 'Rising'} at {abs(state.velocity_y):.3f}"


def _tilt(angle: float) -> str:
    return f"{abs(angle):.2f} rad to the {'left' if angle > 0 else 'right'}"
