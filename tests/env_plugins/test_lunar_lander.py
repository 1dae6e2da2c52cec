"""LunarLander: what its words say is measured in the simulator."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import env_plugins  # noqa: F401  (registers)
from env_plugins.lunar_lander import pilot
from env_plugins.lunar_lander.simulator import LanderState, heuristic
from gym_llm.llm_env import LLMEnv, find_llm_env, get_env_definition
from gym_llm.spaces import check_contains, to_json

BOTH = ("LunarLanderLLM-v3", "LunarLanderLLM-v2")
SEEDS = 60


def definition_of(**kwargs: Any) -> tuple[dict[Any, str], str]:
    definition = get_env_definition(gym.make("LunarLanderLLM-v3", **kwargs))
    return dict(definition["action_schema"]), definition["goal_description"]


def one_step(action: int, tilt_steps: tuple[int, ...] = (), **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
    """The angle before, and the mean change of each number, over many seeds, by one step of `action`."""
    env = gym.make("LunarLander-v3", **kwargs).unwrapped
    changes, angles = [], []
    for seed in range(SEEDS):
        env.reset(seed=seed)
        for step in (*tilt_steps, 0, 0):
            before, *_ = env.step(step)
        after, *_ = env.step(action)
        changes.append(after - before)
        angles.append(before[4])
    return np.array(angles), np.array(changes)


def fly(id: str, seed: int, choose: Callable[[LLMEnv, Any, int], int], **kwargs: Any) -> Iterator[tuple[Any, float]]:
    env = gym.make(id, **kwargs)
    layer = find_llm_env(env)
    observation, _ = env.reset(seed=seed)
    step, over = 0, False
    while not over:
        check_contains(env.observation_space, observation)
        observation, reward, terminated, truncated, _ = env.step(choose(layer, observation, step))
        check_contains(env.observation_space, observation)
        step, over = step + 1, terminated or truncated
        yield observation, float(reward)
    env.close()


def by_heuristic(layer: LLMEnv, observation: Any, step: int) -> int:
    return layer.heuristic(observation).action


def climb(layer: LLMEnv, observation: Any, step: int) -> int:
    """Upright, main engine on, for ever."""
    turn = pilot.errors(layer.state(observation)).turn
    return pilot.TURN_LEFT if turn > 0.1 else pilot.TURN_RIGHT if turn < -0.1 else pilot.MAIN_ENGINE


@pytest.mark.parametrize("id", BOTH)
def test_observation_is_gymnasiums_under_other_names(id: str):
    theirs, ours = gym.make("LunarLander-v3"), gym.make(id)
    layer = find_llm_env(ours)
    (vector, _), (observation, _) = theirs.reset(seed=5), ours.reset(seed=5)
    for step in range(80):
        assert layer.state(observation) == tuple(vector.tolist())
        vector, reward, *_ = theirs.step(step % 4)
        observation, our_reward, *_ = ours.step(step % 4)
        assert reward == our_reward


def test_json_form_of_the_legs():
    (v3, _), (v2, _) = (gym.make(id).reset(seed=0) for id in BOTH)
    assert (to_json(v3)["left_leg_contact"], to_json(v3)["right_leg_contact"]) == (0, 0)
    assert to_json(v2)["legs_contact"] == [False, False]


def test_the_first_leg_is_the_right_one():
    env = gym.make("LunarLanderLLM-v3")
    layer = find_llm_env(env)
    simulator = env.unwrapped
    told = set()
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            observation, _, terminated, truncated, _ = env.step(layer.heuristic(observation).action)
            over = terminated or truncated
            right, left = simulator.legs
            if abs(simulator.lander.angle) < 0.5:
                assert left.worldCenter[0] < simulator.lander.position[0] < right.worldCenter[0]
            contacts = int(observation["left_leg_contact"]), int(observation["right_leg_contact"])
            assert contacts == (left.ground_contact, right.ground_contact)
            told.add(contacts)
    assert told == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_motion_of_the_goal_text():
    env = gym.make("LunarLanderLLM-v3")
    old, _ = env.reset(seed=1)
    for _ in range(30):
        new, *_ = env.step(0)
        assert new["x"] - old["x"] == pytest.approx(0.01 * new["velocity_x"], abs=2e-4)
        assert new["y"] - old["y"] == pytest.approx(0.0225 * new["velocity_y"], abs=5e-4)
        assert new["angle"] - old["angle"] == pytest.approx(0.05 * new["angular_velocity"], abs=5e-4)
        assert new["velocity_x"] == pytest.approx(old["velocity_x"], abs=2e-3)
        assert new["angular_velocity"] == pytest.approx(old["angular_velocity"], abs=2e-3)
        old = new


@pytest.mark.parametrize("gravity", [-10.0, -4.0])
def test_action_0_as_described(gravity: float):
    _, changes = one_step(0, gravity=gravity)
    fall = -changes[:, 3].mean()
    actions, goal = definition_of(gravity=gravity)
    assert f"lowers velocity_y by {fall:.3f}" in actions[0]
    assert f"lowers velocity_y by {fall:.3f}" in goal


@pytest.mark.parametrize(("action", "way", "sign"), [(1, "left", 1), (3, "right", -1)])
def test_side_engines_as_described(action: int, way: str, sign: int):
    angles, changes = one_step(action)
    assert (sign * changes[:, 5] > 0).all()
    assert (sign * changes[:, 2] < 0).all()
    assert sign * changes[:, 5].mean() == pytest.approx(0.04, abs=0.003)
    assert sign * changes[:, 2].mean() == pytest.approx(-0.01, abs=0.001)
    held, _ = one_step(0, tilt_steps=(action,) * 10)
    assert (sign * (held - angles) > 0).all()
    text = definition_of()[0][action]
    assert f"turns the lander to the {way}" in text
    assert f"angular_velocity {'rises' if sign > 0 else 'falls'} by about 0.04" in text
    assert f"pushes the lander {way}: velocity_x {'falls' if sign > 0 else 'rises'} by about 0.01" in text


def test_main_engine_as_described():
    _, nothing = one_step(0)
    _, changes = one_step(2)
    lift = changes[:, 3] - nothing[:, 3]
    assert lift.mean() == pytest.approx(0.047, abs=0.004)
    assert 0.022 < lift.min() < lift.max() < 0.071
    assert "+0.020 with gravity" in definition_of()[0][2]
    assert "+0.036 with gravity" in definition_of(gravity=-4.0)[0][2]
    for side in (1, 3):
        tilt, tilted = one_step(2, tilt_steps=(side,) * 8)
        assert tilted[:, 2].mean() == pytest.approx(-0.07 * np.sin(tilt).mean(), abs=0.005)


def test_reward_as_described():
    def shaping(state: LanderState) -> float:
        speed, distance = np.hypot(state.velocity_x, state.velocity_y), np.hypot(state.x, state.y)
        legs = state.left_leg_contact + state.right_leg_contact
        return float(-100 * distance - 100 * speed - 100 * abs(state.angle) + 10 * legs)

    fuel = {0: 0.0, 1: 0.03, 2: 0.3, 3: 0.03}
    env = gym.make("LunarLanderLLM-v3")
    layer = find_llm_env(env)
    observation, _ = env.reset(seed=2)
    while True:
        before, action = shaping(layer.state(observation)), layer.heuristic(observation).action
        observation, reward, terminated, *_ = env.step(action)
        if terminated:
            break
        assert reward == pytest.approx(shaping(layer.state(observation)) - before - fuel[action], abs=1e-3)
    assert reward == 100


@pytest.mark.parametrize("action", [0, 1, 3])
def test_crash_ends_with_minus_100(action: int):
    *_, (_, reward) = fly("LunarLanderLLM-v3", 0, lambda *_: action)
    assert reward == -100


def test_wind_is_told_and_true():
    _, calm = definition_of()
    assert "Wind" not in calm
    _, windy = definition_of(enable_wind=True)
    assert "velocity_x by up to about 0.012 and angular_velocity by about 0.014" in windy
    pushes = np.concatenate([one_step(0, (0,) * n, enable_wind=True)[1] for n in range(0, 40, 10)])
    assert np.abs(pushes[:, 2]).max() == pytest.approx(0.012, abs=0.001)
    assert np.abs(pushes[:, 5]).max() == pytest.approx(0.014, abs=0.001)


@pytest.mark.parametrize("kwargs", [{}, {"enable_wind": True, "wind_power": 20.0, "turbulence_power": 2.0}])
@pytest.mark.parametrize("id", BOTH)
def test_observations_stay_in_the_space_beyond_gymnasiums_bounds(id: str, kwargs: dict[str, Any]):
    wild = [lambda *_: 1, lambda *_: 2, lambda *_: 3, lambda _l, _o, step: (1, 2)[step % 2], climb]
    for seed, choose in enumerate(wild):
        assert list(fly(id, seed, choose, **kwargs))
    if id == "LunarLanderLLM-v3" and not kwargs:
        *_, (highest, _) = fly(id, 0, climb)
        assert highest["y"] > 100  # declared: 2.5


def test_v2_is_cut_after_80_steps():
    flight = list(fly("LunarLanderLLM-v2", 0, by_heuristic))
    assert len(flight) == 80
    assert all(observation["legs_contact"].sum() < 2 for observation, _ in flight)


def test_heuristic_lands():
    returns = [sum(reward for _, reward in fly("LunarLanderLLM-v3", seed, by_heuristic)) for seed in range(10)]
    assert np.mean(returns) > 200


def test_heuristic_lands_on_what_a_model_reads():
    def rounded(layer: LLMEnv, observation: Any, step: int) -> int:
        return layer.heuristic({name: round(value, 4) for name, value in to_json(observation).items()}).action

    returns = [sum(reward for _, reward in fly("LunarLanderLLM-v3", seed, rounded)) for seed in range(10)]
    assert np.mean(returns) > 200


def random_states(n: int) -> Iterator[LanderState]:
    random = np.random.default_rng(0)
    for _ in range(n):
        vector = random.normal(size=6) * random.choice([0.1, 0.5, 1.5]) * (0.5, 1, 0.7, 0.7, 0.5, 0.5)
        yield LanderState(*vector.tolist(), *random.choice([0.0, 1.0], size=2, p=[0.8, 0.2]).tolist())


def test_the_named_errors_always_explain_gymnasiums_action():
    env = gym.make("LunarLanderLLM-v3")
    for state in random_states(5000):
        turn, lift = pilot.errors(state)[2:]
        if lift > abs(turn) and lift > 0.05:
            explained = pilot.MAIN_ENGINE
        else:
            explained = pilot.TURN_LEFT if turn > 0.05 else pilot.TURN_RIGHT if turn < -0.05 else pilot.NOTHING
        assert explained == heuristic(env, state)


@pytest.mark.parametrize(
    ("state", "action", "reflection"),
    [
        (
            LanderState(0.0, 0.55, 0.0, -0.70, 0.0, 0.0, 0, 0),
            2,
            "Falling at 0.700 at a height of 0.55, where 0.650 is the safe limit: firing the main engine to slow the "
            "descent.",
        ),
        (
            LanderState(-0.8, 0.1, 0.3, -0.1, -0.1, 0.0, 0, 0),
            2,
            "Falling at 0.100 at a height of 0.10, which is 0.34 too low for being 0.80 away from the middle of the "
            "pad: firing the main engine for lift.",
        ),
        (
            LanderState(0.1, 1.0, 0.25, -0.3, -0.12, 0.1, 0, 0),
            1,
            "The tilt is 0.12 rad to the right, wanted is 0.30 rad to the left, against the drift to the right at "
            "0.25, and it turns left at 0.100: firing a side engine to turn more to the left.",
        ),
        (
            LanderState(-0.6, 1.0, 0.1, -0.3, 0.05, 0.02, 0, 0),
            3,
            "The tilt is 0.05 rad to the left, wanted is 0.20 rad to the right, towards the middle of the pad 0.60 to "
            "the right, and it turns left at 0.020: firing a side engine to turn more to the right.",
        ),
        (
            LanderState(0.2, 1.0, 0.1, -0.3, 0.1, 0.3, 0, 0),
            3,
            "It turns left at 0.30 with only 0.10 rad to go to the wanted tilt of 0.20 rad to the left: firing a side "
            "engine to slow the turn.",
        ),
        (
            LanderState(0.0, 0.8, 0.02, -0.4, -0.01, 0.0, 0, 0),
            0,
            "Falling at 0.400 at a height of 0.80, within the safe limit of 0.900, and the turn from 0.01 rad to the "
            "right to the wanted 0.02 rad to the left needs no correction: no engine, to save fuel.",
        ),
        (
            LanderState(0.0, 0.0, 0.0, -0.3, 0.0, 0.0, 1, 0),
            2,
            "The right leg touches the ground but the lander still sinks at 0.300: firing the main engine to soften "
            "it.",
        ),
        (
            LanderState(0.0, 0.0, 0.0, -0.02, 0.0, 0.0, 1, 1),
            0,
            "Both legs touch the ground and the lander sinks at only 0.020: engines off, so that the lander comes to "
            "rest.",
        ),
    ],
)
def test_reflection(state: LanderState, action: int, reflection: str):
    advice = pilot.advise(gym.make("LunarLanderLLM-v3"), state)
    assert (advice.action, advice.reflection) == (action, reflection)


def test_reflections_speak_of_what_is_done_and_vary():
    env = gym.make("LunarLanderLLM-v3")
    words = {0: "no engine|engines off", 1: "side engine", 2: "main engine", 3: "side engine"}
    told = [pilot.advise(env, state) for state in random_states(1000)]
    assert all(any(word in advice.reflection for word in words[advice.action].split("|")) for advice in told)
    assert len({advice.reflection for advice in told}) > 700


def test_thrusts_as_described():
    def change(first: float, second: float) -> np.ndarray:
        env = gym.make("LunarLanderContinuousLLM-v3").unwrapped
        changes = []
        for seed in range(SEEDS):
            env.reset(seed=seed)
            for _ in range(2):
                before, *_ = env.step(np.zeros(2, dtype=np.float32))
            after, *_ = env.step(np.array([first, second], dtype=np.float32))
            changes.append(after - before)
        return np.mean(changes, axis=0)

    nothing = change(0, 0.5)
    assert np.allclose(nothing, change(-1, -0.5), atol=1e-6)
    assert change(1, 0)[3] - nothing[3] == pytest.approx(0.047, abs=0.004)
    assert change(0.01, 0)[3] - nothing[3] == pytest.approx(0.047 / 2, abs=0.003)
    for sign in (1, -1):
        turned = change(0, -sign)
        assert sign * turned[5] == pytest.approx(0.04, abs=0.003)
        assert sign * turned[2] == pytest.approx(-0.01, abs=0.002)
        assert sign * change(0, -0.51 * sign)[5] == pytest.approx(0.02, abs=0.003)


def test_thrust_reflections_speak_of_what_is_done():
    env = gym.make("LunarLanderContinuousLLM-v3")
    layer = find_llm_env(env)
    told = set()
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            thrust, text = (advice := layer.heuristic(observation)).action, advice.reflection
            if not (observation["left_leg_contact"] or observation["right_leg_contact"]):
                assert ("firing the main engine" in text) == (thrust[0] > 0)
                assert ("firing a side engine" in text) == (abs(thrust[1]) > 0.5)
            told.add(text)
            observation, _, terminated, truncated, _ = env.step(thrust)
            over = terminated or truncated
    assert len(told) > 300
