"""What a model is told about LunarLander. Every number is the simulator's; the tests measure them again."""

from gym_llm.llm_env import ActionSchema, ObservationSchema

GRAVITY_PER_STEP = 1 / 375
"""A step's change of `velocity_y`, per unit of gravity: 1/50 s, in units of 7.5 per second."""
MAIN_ENGINE_PER_STEP = 0.047
"""Mean change of `velocity_y` by one step of the main engine, upright."""
WIND_PER_STEP, TURBULENCE_PER_STEP = 0.0008, 0.0093
"""Largest changes of `velocity_x` and `angular_velocity` by one step of wind, per unit of its power."""


def _listed(numbers: dict[str, str]) -> str:
    return "in this order, " + "; ".join(f"{name}: {text}" for name, text in numbers.items())


_CARTESIAN = {
    "x": "horizontal position; 0 is the middle of the pad, positive is right of it; 1 is 10 m",
    "y": "height of the lander above where it would stand on the pad; 1 is 6.7 m",
    "velocity_x": "horizontal speed, positive is to the right; 1 is 5 m/s",
    "velocity_y": "vertical speed, positive is up, negative is falling; 1 is 7.5 m/s",
}
_ANGULAR = {
    "angle": "tilt; 0 is upright, positive leans to the left (counter-clockwise), negative to the right",
    "angular_velocity": "speed of the turn, positive is to the left (counter-clockwise); 1 is 2.5 rad/s",
}

SCALARS: ObservationSchema = {
    **{name: {"description": text, "type": "number"} for name, text in _CARTESIAN.items()},
    "angle": {"description": _ANGULAR["angle"], "type": "number", "unit": "rad"},
    "angular_velocity": {"description": _ANGULAR["angular_velocity"], "type": "number"},
    "right_leg_contact": {"description": "1 when the right leg touches the ground, else 0", "type": "integer"},
    "left_leg_contact": {"description": "1 when the left leg touches the ground, else 0", "type": "integer"},
}
"""The fields of `LunarLanderLLM-v3`."""
ARRAYS: ObservationSchema = {
    "lander_cartesian": {"description": _listed(_CARTESIAN), "type": "number", "size": 4},
    "lander_angular": {"description": _listed(_ANGULAR), "type": "number", "size": 2},
    "legs_contact": {
        "description": "true when the leg touches the ground, else false: first the right leg, then the left leg",
        "type": "boolean",
        "size": 2,
    },
}
"""The fields of `LunarLanderLLM-v2`, which hold the same numbers in the same order."""


def actions(gravity: float) -> ActionSchema:
    """The four actions and what one step of each does."""
    fall = -gravity * GRAVITY_PER_STEP
    return {
        0: f"Do nothing. Gravity lowers velocity_y by {fall:.3f}; sideways drift and turn go on unchanged. Free.",
        1: (
            "Fire the side engine that turns the lander to the left (counter-clockwise): angular_velocity rises by "
            "about 0.04, so angle grows. While upright it also pushes the lander left: velocity_x falls by about 0.01. "
            "Costs 0.03."
        ),
        2: (
            "Fire the main engine: it pushes the lander along its own upward axis. Upright, velocity_y rises by about "
            f"{MAIN_ENGINE_PER_STEP} (0.023 to 0.070, thrust is uneven), so {MAIN_ENGINE_PER_STEP - fall:+.3f} with "
            "gravity. Tilted, velocity_x changes as well, by about -0.07 * sin(angle): to the left when angle > 0, to "
            "the right when angle < 0. Costs 0.3."
        ),
        3: (
            "Fire the side engine that turns the lander to the right (clockwise): angular_velocity falls by about "
            "0.04, so angle shrinks. While upright it also pushes the lander right: velocity_x rises by about 0.01. "
            "Costs 0.03."
        ),
    }


def thrusts(gravity: float) -> str:
    """The two numbers of a continuous action, and what one step of them does."""
    fall = -gravity * GRAVITY_PER_STEP
    return f"""\
The action is a list of two numbers, each from -1 to 1: first the main engine, then the side engines. For example, \
[0.2, 0] fires the main engine with 60 % of its power, and [-1, -0.8] only the side engine that turns left.
The first number, the main engine:
- 0 or less: off. Gravity lowers velocity_y by {fall:.3f}. Free.
- more than 0: on, with a power of 50 % just above 0, rising to 100 % at 1. It pushes the lander along its own upward \
axis: at full power and upright, velocity_y rises by about {MAIN_ENGINE_PER_STEP} (0.023 to 0.070, thrust is uneven), \
so {MAIN_ENGINE_PER_STEP - fall:+.3f} with gravity, and at 50 % by half of {MAIN_ENGINE_PER_STEP}. Tilted, velocity_x \
changes as well, at full power by about -0.07 * sin(angle): to the left when angle > 0, to the right when angle < 0. \
Costs 0.3 * power.
The second number, the side engines:
- between -0.5 and 0.5: off. Free.
- less than -0.5: the side engine that turns the lander to the left (counter-clockwise) fires with a power of 50 % to \
100 %: at full power angular_velocity rises by about 0.04, so angle grows; while upright it also pushes the lander \
left: velocity_x falls by about 0.01. Costs 0.03 * power.
- more than 0.5: the same to the right (clockwise): at full power angular_velocity falls by about 0.04, so angle \
shrinks; while upright velocity_x rises by about 0.01. Costs 0.03 * power."""


def wind(wind_power: float, turbulence_power: float) -> str:
    """The sentence about wind, where there is any."""
    return (
        f"- Wind of slowly changing strength moves velocity_x by up to about {wind_power * WIND_PER_STEP:.3f} and "
        f"angular_velocity by about {turbulence_power * TURBULENCE_PER_STEP:.3f} per step, either way, until a leg "
        "touches the ground.\n"
    )


BY_NUMBER = """\
- Tilt to steer: lean against your drift and towards the pad. A good wanted_angle is 0.5 * x + velocity_x, kept \
within -0.4 and 0.4. Let turn = 0.5 * (wanted_angle - angle) - angular_velocity. If turn > 0.05 choose action 1, if \
turn < -0.05 choose action 3: a few pulses are enough, then let it turn, and stop the turn before it overshoots.
- Slow down as you get lower, and stay higher while you are off to the side. Let lift = 0.5 * (0.55 * |x| - y - \
velocity_y). If lift > 0.05 and lift > |turn|, the descent is more urgent than the turn: choose action 2.
- Do not climb away or hover: time costs fuel. If neither needs correction choose action 0.
- As soon as a leg touches the ground, stop turning: choose action 2 only while velocity_y < -0.1, otherwise action \
0, until the episode ends. An engine that fires keeps the lander from coming to rest.
"""
"""How to fly with one of four actions."""
BY_THRUST = """\
- Tilt to steer: lean against your drift and towards the pad. A good wanted_angle is 0.5 * x + velocity_x, kept \
within -0.4 and 0.4. Let turn = 0.5 * (wanted_angle - angle) - angular_velocity. Choose -20 * turn for the side \
engines, kept within -1 and 1.
- Slow down as you get lower, and stay higher while you are off to the side. Let lift = 0.5 * (0.55 * |x| - y - \
velocity_y). Choose 20 * lift - 1 for the main engine, kept within -1 and 1.
- Do not climb away or hover: time costs fuel.
- As soon as a leg touches the ground, stop turning: choose 0 for the side engines, and -10 * velocity_y - 1 for the \
main engine, kept within -1 and 1, until the episode ends. An engine that fires keeps the lander from coming to rest.
"""
"""How to fly with two numbers."""


def goal(max_steps: int, gravity: float, winds: str, horizon: str, flying: str) -> str:
    """Goal, motion, reward, end and flying advice. `horizon` says what `max_steps` steps allow."""
    return f"""\
Land a rocket on the moon: on the landing pad, gently and upright, with little fuel. The pad is flat and reaches \
from x = -0.2 to x = 0.2 at y = 0; beside it are hills and valleys. You start near x = 0, y = 1.4, upright, with a \
random velocity.

Motion, per step of 1/50 s:
- x changes by 0.01 * velocity_x, y by 0.0225 * velocity_y, angle by 0.05 * angular_velocity.
- Gravity lowers velocity_y by {-gravity * GRAVITY_PER_STEP:.3f}. Nothing slows drift or turn but an engine.
{winds}
Reward, per step:
- the change since the last step of: -100 * sqrt(x^2 + y^2) - 100 * sqrt(velocity_x^2 + velocity_y^2) - 100 * \
|angle| + 10 for each leg on the ground. So coming nearer, slower and more upright earns, and the opposite costs.
- minus fuel: 0.3 for the main engine, 0.03 for a side engine.

The episode ends:
- with +100 as the last reward when the lander has come to rest, on the pad or beside it: about half a second \
without motion.
- with -100 as the last reward when the body hits the ground (a crash) or when x reaches -1 or 1.
- after {max_steps} steps. {horizon}
A total reward of 200 or more counts as a solved landing.

How to fly:
{flying}"""
