"""The one door to Gymnasium's LunarLander: its simulator, its heuristic policy, its state."""

import warnings
from typing import NamedTuple

with warnings.catch_warnings():
    # Box2D's SWIG types warn from C while they are imported: turned into an error, that crashes the interpreter.
    warnings.simplefilter("ignore", DeprecationWarning)
    from gymnasium.envs.box2d.lunar_lander import LunarLander, heuristic

__all__ = ["LanderState", "LunarLander", "heuristic"]


class LanderState(NamedTuple):
    """The eight numbers of a LunarLander observation, in its own order and units.

    Gymnasium speaks of a first and a second leg, 1 when it touches the ground, else 0. In the simulator, the first one
    is the right one.
    """

    x: float
    y: float
    velocity_x: float
    velocity_y: float
    angle: float
    angular_velocity: float
    right_leg_contact: float
    left_leg_contact: float
