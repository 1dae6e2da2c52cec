"""Landing a rocket, with the policy that Gymnasium ships."""

from collections.abc import Mapping
from typing import Any

from tests.scripted_llm.prompt import Rules

NAMES = ("x", "y", "velocity_x", "velocity_y", "angle", "angular_velocity", "left_leg_contact", "right_leg_contact")
ARRAYS = ("lander_cartesian", "lander_angular", "legs_contact")


def by_action(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """One of the engines, or none."""
    turn, rise, text = _errors(observation)
    if rise > abs(turn) and rise > 0.05:
        engine = "main engine"
    elif turn < -0.05:
        engine = r"turns the lander to the right|right[\w -]*engine"
    elif turn > 0.05:
        engine = r"turns the lander to the left|left[\w -]*engine"
    else:
        engine = "nothing"
    return {"reflection": text, "action": rules.action(engine)}


def by_thrust(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """A power for the main engine and one for the side engines."""
    turn, rise, text = _errors(observation)
    left = rules.sign(r"(less|more) than -?0\.5: the side engine that turns the lander to the left", "more")
    thrust = [20 * rise - 1, 20 * turn * left]
    return {"reflection": text, "action": [min(1.0, max(-1.0, part)) for part in thrust]}


def _errors(observation: Mapping[str, Any]) -> tuple[float, float, str]:
    fields = NAMES if NAMES[0] in observation else ARRAYS
    numbers = [observation[field] for field in fields]
    state = [float(item) for part in numbers for item in (part if isinstance(part, list) else [part])]
    x, y, velocity_x, velocity_y, angle, spin, left_leg, right_leg = state
    target_angle = min(0.4, max(-0.4, 0.5 * x + velocity_x))
    turn = 0.5 * (target_angle - angle) - spin
    rise = 0.5 * (0.55 * abs(x) - y) - 0.5 * velocity_y
    if left_leg or right_leg:
        turn, rise = 0.0, -0.5 * velocity_y
    text = (
        f"At ({x:.2f}, {y:.2f}), falling at {-velocity_y:.2f}, tilt {angle:.2f}: want turn {turn:.2f}, lift {rise:.2f}."
    )
    return turn, rise, text
