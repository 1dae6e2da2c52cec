"""CartPole, MountainCar, Acrobot, Pendulum: what their words say is measured in the simulator."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import env_plugins  # noqa: F401  (registers)
from gym_llm.llm_env import find_llm_env, get_env_definition


def play(id: str, seed: int) -> tuple[float, dict[str, Any]]:
    """Return and last info of one episode by the heuristic."""
    env = gym.make(id)
    layer = find_llm_env(env)
    observation, _ = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, info = env.step(layer.heuristic(observation).action)
        total, over = total + float(reward), terminated or truncated
    return total, info


def changes(id: str, action: int, options: dict[str, float] | None = None) -> dict[str, np.ndarray]:
    """What one step of `action` changes in each field, over many seeds."""
    env = gym.make(id)
    steps = []
    for seed in range(50):
        before, _ = env.reset(seed=seed, options=options)
        after, *_ = env.step(action)
        steps.append({name: after[name] - before[name] for name in before})
    return {name: np.array([step[name] for step in steps]) for name in steps[0]}


def test_cart_pole_actions_as_described():
    actions = get_env_definition(gym.make("CartPoleLLM-v1"))["action_schema"]
    for action, way, cart, pole, sign in ((0, "left", "falls", "rises", -1), (1, "right", "rises", "falls", 1)):
        change = changes("CartPoleLLM-v1", action)
        assert sign * change["cart_velocity"].mean() == pytest.approx(0.2, abs=0.01)
        assert sign * change["pole_angular_velocity"].mean() == pytest.approx(-0.29, abs=0.01)
        assert f"to the {way}" in actions[action]
        assert f"cart_velocity {cart} by about 0.2 " in actions[action]
        assert f"pole_angular_velocity {pole} by about 0.29" in actions[action]


def test_cart_pole_motion_as_described():
    env = gym.make("CartPoleLLM-v1")
    old, _ = env.reset(seed=0)
    for step in range(20):
        new, *_ = env.step(step % 2)
        assert new["cart_position"] - old["cart_position"] == pytest.approx(0.02 * old["cart_velocity"], abs=1e-5)
        assert new["pole_angle"] - old["pole_angle"] == pytest.approx(0.02 * old["pole_angular_velocity"], abs=1e-5)
        old = new


def test_a_leaning_pole_falls_faster_as_described():
    env = gym.make("CartPoleLLM-v1")
    turns = []
    for action in (0, 1):
        before, _ = env.reset(seed=0, options={"low": 0.1, "high": 0.1})
        after, *_ = env.step(action)
        turns.append(after["pole_angular_velocity"] - before["pole_angular_velocity"])
    assert np.mean(turns) == pytest.approx(0.32 * 0.1, abs=0.002)


def test_cart_pole_heuristic_balances():
    assert np.mean([play("CartPoleLLM-v1", seed)[0] for seed in range(20)]) >= 475


@pytest.mark.parametrize(
    ("angle", "turn", "action", "reflection"),
    [
        (0.02, 0.1, 1, "The pole leans 0.0200 rad to the right and falls on at 0.100 rad/s: pushing right to"),
        (-0.02, 0.02, 0, "The pole leans 0.0200 rad to the left and swings back at only 0.020 rad/s: pushing left to"),
        (-0.02, 0.3, 1, "The pole leans 0.0200 rad to the left but swings right past upright at 0.300 rad/s: pushing"),
        (0.01, -0.3, 0, "The pole leans 0.0100 rad to the right but swings left past upright at 0.300 rad/s: pushing"),
    ],
)
def test_cart_pole_reflection(angle: float, turn: float, action: int, reflection: str):
    layer = find_llm_env(gym.make("CartPoleLLM-v1"))
    advice = layer.heuristic({"pole_angle": angle, "pole_angular_velocity": turn})
    assert (advice.action, advice.reflection[: len(reflection)]) == (action, reflection)


def test_mountain_car_motion_as_described():
    env = gym.make("MountainCarLLM-v0")
    for action, push in ((0, -0.001), (1, 0.0), (2, 0.001)):
        old, _ = env.reset(seed=action)
        for _ in range(30):
            new, *_ = env.step(action)
            velocity = old["velocity"] + push - 0.0025 * np.cos(3 * old["position"])
            assert new["velocity"] == pytest.approx(velocity, abs=1e-6)
            assert new["position"] == pytest.approx(old["position"] + new["velocity"], abs=1e-6)
            old = new


@pytest.mark.parametrize(("start", "sign"), [(-0.6, 1), (-0.45, -1)])
def test_the_slope_pulls_to_the_bottom(start: float, sign: int):
    change = changes("MountainCarLLM-v0", 1, {"low": start, "high": start})
    assert (sign * change["velocity"] > 0).all()


def test_mountain_car_heuristic_reaches_the_flag():
    results = [play("MountainCarLLM-v0", seed) for seed in range(20)]
    assert all(info["is_success"] is True for _, info in results)
    assert np.mean([total for total, _ in results]) > -130


def test_mountain_car_that_does_nothing_has_no_success():
    env = gym.make("MountainCarLLM-v0")
    env.reset(seed=0)
    truncated, steps = False, 0
    while not truncated:
        _, _, terminated, truncated, info = env.step(1)
        steps += 1
    assert (steps, terminated, info["is_success"]) == (200, False, False)


@pytest.mark.parametrize(
    ("position", "velocity", "action", "reflection"),
    [
        (
            -0.6,
            0.0,
            2,
            "The car rests at -0.600, on the left side of the valley's bottom: pushing right, with the slope.",
        ),
        (
            -0.4,
            0.0,
            0,
            "The car rests at -0.400, on the right side of the valley's bottom: pushing left, with the slope.",
        ),
        (
            -0.2,
            0.01,
            2,
            "At -0.200 the car rolls up the slope to the right at 0.0100: pushing right as well, to gain energy.",
        ),
        (
            -0.8,
            0.02,
            2,
            "At -0.800 the car rolls down the slope to the right at 0.0200: pushing right as well, to gain energy.",
        ),
        (
            -0.8,
            -0.02,
            0,
            "At -0.800 the car rolls up the slope to the left at 0.0200: pushing left as well, to gain energy.",
        ),
    ],
)
def test_mountain_car_reflection(position: float, velocity: float, action: int, reflection: str):
    advice = find_llm_env(gym.make("MountainCarLLM-v0")).heuristic({"position": position, "velocity": velocity})
    assert (advice.action, advice.reflection) == (action, reflection)


def test_continuous_mountain_car_motion_as_described():
    env = gym.make("MountainCarContinuousLLM-v0")
    for force in (-1.0, 0.0, 0.4):
        old, _ = env.reset(seed=3)
        for _ in range(30):
            new, reward, *_ = env.step(np.array([force], dtype=np.float32))
            velocity = old["velocity"] + 0.0015 * force - 0.0025 * np.cos(3 * old["position"])
            assert new["velocity"] == pytest.approx(velocity, abs=1e-6)
            assert reward == pytest.approx(-0.1 * force**2)
            old = new


def test_pendulum_motion_and_reward_as_described():
    env = gym.make("PendulumLLM-v1", g=8.0)
    assert "0.6 * sin(angle)" in get_env_definition(env)["goal_description"]
    old, _ = env.reset(seed=1)
    for torque in np.linspace(-2, 2, 30):
        new, reward, *_ = env.step(np.array([torque], dtype=np.float32))
        velocity = old["angular_velocity"] + 0.6 * np.sin(old["angle"]) + 0.15 * torque
        assert new["angular_velocity"] == pytest.approx(velocity, abs=1e-5)
        turned = old["angle"] + 0.05 * new["angular_velocity"]
        assert np.sin(new["angle"]) == pytest.approx(np.sin(turned), abs=1e-5)
        assert np.cos(new["angle"]) == pytest.approx(np.cos(turned), abs=1e-5)
        cost = old["angle"] ** 2 + 0.1 * old["angular_velocity"] ** 2 + 0.001 * torque**2
        assert reward == pytest.approx(-cost, abs=1e-4)
        old = new


@pytest.mark.parametrize(("action", "sign"), [(0, -1), (2, 1)])
def test_acrobot_torque_as_described(action: int, sign: int):
    change = changes("AcrobotLLM-v1", action, {"low": 0.0, "high": 0.0})
    assert sign * change["lower_velocity"].mean() == pytest.approx(0.33, abs=0.01)
    assert sign * change["upper_velocity"].mean() == pytest.approx(-0.13, abs=0.01)


def test_acrobot_tip_height_is_what_ends_an_episode():
    env = gym.make("AcrobotLLM-v1")
    layer = find_llm_env(env)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        assert observation["tip_height"] < -1.9
        terminated = False
        while not terminated:
            assert observation["tip_height"] <= 1
            observation, reward, terminated, _, info = env.step(layer.heuristic(observation).action)
        assert (observation["tip_height"] > 1, reward, info["is_success"]) == (True, 0, True)


@pytest.mark.parametrize(
    ("id", "at_least"), [("AcrobotLLM-v1", -90), ("PendulumLLM-v1", -200), ("MountainCarContinuousLLM-v0", 95)]
)
def test_heuristics_master_swings(id: str, at_least: float):
    assert np.mean([play(id, seed)[0] for seed in range(20)]) > at_least


def test_a_hanging_acrobot_has_no_success():
    env = gym.make("AcrobotLLM-v1")
    env.reset(seed=0)
    *_, info = env.step(1)
    assert info["is_success"] is False
