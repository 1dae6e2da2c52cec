"""Poles, cars and pendulums."""

import math
from collections.abc import Mapping
from typing import Any

from tests.scripted_llm.prompt import Rules


def cart_pole(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Push under the pole."""
    angle, spin = observation["pole_angle"], observation["pole_angular_velocity"]
    lean = 0.1 * observation["cart_position"] + 0.2 * observation["cart_velocity"] + 2.0 * angle + 0.5 * spin
    side = "right" if lean > 0 else "left"
    text = f"The pole is at {angle:.3f} and turns at {spin:.3f}: I push to the {side} to get under it."
    return {"reflection": text, "action": rules.action(rf"push[\w ,-]*{side}|{side}ward")}


def mountain_car(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Push the way the car moves."""
    side, text = _swing(observation)
    return {"reflection": text, "action": rules.action(rf"(accelerate|push)[\w ,-]*{side}|{side}ward")}


def mountain_car_by_force(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with half the force, as force costs."""
    side, text = _swing(observation)
    right = rules.sign(r"(positive|negative) force pushes to the right", "positive")
    return {"reflection": text, "action": [0.5 * right * (1 if side == "right" else -1)]}


def acrobot(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Torque the way the elbow turns."""
    turn = observation["lower_velocity"] - 0.5 * observation["upper_velocity"]
    way = "counter-clockwise" if turn > 0 else "clockwise"
    text = f"The elbow turns at {turn:.2f}: torque {way} adds energy."
    return {"reflection": text, "action": rules.action(rf"lower link {way}")}


def pendulum(rules: Rules, observation: Mapping[str, Any]) -> dict[str, Any]:
    """Swing up by energy, then hold."""
    angle, velocity = observation["angle"], observation["angular_velocity"]
    with_it = rules.sign(r"(positive|negative) torque turns counter-clockwise", "positive")
    if abs(angle) < 0.5 and abs(angle + 0.2 * velocity) < 0.5:
        torque = -(10 * angle + 2 * velocity)
    else:
        energy = velocity**2 / 6 + 5 * (math.cos(angle) - 1)
        torque = -5 * energy * (1 if velocity >= 0 else -1)
    text = f"At {angle:.2f}, turning at {velocity:.2f}: a torque of {torque:.2f}."
    return {"reflection": text, "action": [with_it * min(2.0, max(-2.0, torque))]}


def _swing(observation: Mapping[str, Any]) -> tuple[str, str]:
    position, velocity = observation["position"], observation["velocity"]
    side = "left" if velocity < 0 else "right"
    return (
        side,
        f"At {position:.3f} with velocity {velocity:.4f}: I gain energy by pushing the way I move, to the {side}.",
    )
