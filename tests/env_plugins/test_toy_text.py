"""Blackjack, Taxi, FrozenLake, CliffWalking: what their words say is true in the simulator."""

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import env_plugins  # noqa: F401  (registers)
from gym_llm.llm_env import find_llm_env, get_env_definition


def play(id: str, seed: int, **kwargs: Any) -> tuple[float, int, bool]:
    """Return, steps and success of one episode by the heuristic."""
    env = gym.make(id, **kwargs)
    layer = find_llm_env(env)
    observation, _ = env.reset(seed=seed)
    total, over = 0.0, False
    for step in itertools.count(1):
        observation, reward, terminated, truncated, info = env.step(layer.heuristic(observation).action)
        total, over = total + float(reward), terminated or truncated
        if over:
            return total, step, info["is_success"]
    raise AssertionError


def goal(id: str, **kwargs: Any) -> str:
    return get_env_definition(gym.make(id, **kwargs))["goal_description"]


@pytest.mark.parametrize(
    ("id", "kwargs", "at_least"),
    [
        ("TaxiLLM-v3", {}, 7),
        ("TaxiLLM-v4", {}, 7),
        ("TaxiLLM-v4", {"is_rainy": True, "fickle_passenger": True}, 2),
        ("FrozenLakeLLM-v1", {}, 0.7),
        ("FrozenLakeLLM-v1", {"is_slippery": False}, 1),
        ("FrozenLake8x8LLM-v1", {}, 0.8),
        ("CliffWalkingLLM-v1", {}, -13),
        ("CliffWalkingSlipperyLLM-v1", {}, -90),
    ],
)
def test_heuristics(id: str, kwargs: dict[str, Any], at_least: float):
    assert np.mean([play(id, seed, **kwargs)[0] for seed in range(40)]) >= at_least


def test_blackjack_is_gymnasiums_under_other_names():
    theirs, ours = gym.make("Blackjack-v1"), gym.make("BlackjackLLM-v1")
    for seed in range(50):
        (hand, _), (told, _) = theirs.reset(seed=seed), ours.reset(seed=seed)
        over = False
        while not over:
            assert tuple(told.values()) == hand
            action = int(told["players_sum"] < 15)
            hand, reward, over, *_ = theirs.step(action)
            told, our_reward, *_, info = ours.step(action)
            assert reward == our_reward
        assert info["is_success"] == (reward > 0)


def test_blackjack_plays_no_worse_than_expected():
    # Its long-run mean is -0.043; 3000 hands have a standard error of 0.017.
    assert np.mean([play("BlackjackLLM-v1", seed)[0] for seed in range(3000)]) == pytest.approx(-0.043, abs=0.04)


def test_blackjack_tells_the_rule_that_is_played():
    assert "An ace and a ten from the start beat" in goal("BlackjackLLM-v1")
    assert "earn 1.5" in goal("BlackjackLLM-v1", sab=False, natural=True)
    assert "from the start" not in goal("BlackjackLLM-v1", sab=False)


def test_taxi_tells_walls_and_useful_actions_truly():
    env = gym.make("TaxiLLM-v4").unwrapped
    layer = find_llm_env(gym.make("TaxiLLM-v4"))
    for state in range(500):
        told = layer.observation(state)
        row, column, passenger, _ = env.decode(state)
        assert (told["taxi_row"], told["taxi_column"]) == (row, column)
        assert told["passenger"].startswith("in the taxi" if passenger == 4 else "waits at ")
        for action, way in enumerate(("south", "north", "east", "west")):
            ((_, following, *_),) = env.P[state][action]
            assert (way in told["walls"].split(", ")) == (following == state)
        useful = [int(part.split()[0]) for part in told["useful_actions"].split(", ")]
        assert useful == np.flatnonzero(env.action_mask(state)).tolist()
        assert layer.observation_space.contains(told)
        wall = (column in (0, 2) and row in (3, 4)) or (column == 1 and row in (0, 1))
        assert ("east" in told["walls"].split(", ")) == (wall or column == 4)


def test_taxi_chances_are_told():
    assert "rains" not in goal("TaxiLLM-v4")
    told = goal("TaxiLLM-v4", is_rainy=True, rainy_probability=0.7, fickle_passenger=True)
    assert "probability 0.70, and swerves to each of the two sides with probability 0.15" in told
    assert "fickle: with probability 0.30" in told


def test_the_example_number_of_taxi_v3():
    assert gym.make("TaxiLLM-v3").unwrapped.encode(3, 1, 2, 0) == 328
    assert "328 = ((3 * 5 + 1) * 5 + 2) * 4 + 0" in goal("TaxiLLM-v3")


@pytest.mark.parametrize("id", ["FrozenLakeLLM-v1", "FrozenLake8x8LLM-v1", "CliffWalkingLLM-v1"])
def test_moves_and_neighbours_as_described(id: str):
    env = gym.make(id, is_slippery=False)
    layer, table = find_llm_env(env), env.unwrapped.P
    actions = get_env_definition(env)["action_schema"]
    for state in table:
        told = layer.observation(state)
        if layer.tile(told["row"], told["column"]) in ("cliff", "hole", "goal"):
            continue  # nobody can be there and go on
        for action, text in actions.items():
            way = text.split()[1].rstrip(":")
            ((_, following, reward, ends),) = table[state][action]
            if told[way] == "edge of the map":
                assert following == state
            elif told[way] == "cliff":
                assert (following, reward, ends) == (36, -100, False)
            else:
                after = layer.observation(following)
                axis = "row" if "row" in text else "column"
                assert after[axis] - told[axis] == (1 if "rises" in text else -1)
                assert ends == (told[way] in ("hole", "goal"))


def test_slipping_is_told_truly():
    table = gym.make("FrozenLakeLLM-v1", success_rate=0.5).unwrapped.P
    assert [chance for chance, *_ in table[9][2]] == [0.25, 0.5, 0.25]
    told = goal("FrozenLakeLLM-v1", success_rate=0.5)
    assert "with probability 0.500, and to each of the two ways beside it with probability 0.250" in told
    assert "slip" not in goal("CliffWalkingLLM-v1")


def test_random_maps_are_drawn_and_the_same_for_the_same_seed():
    maps = [goal("FrozenLakeLLM-v1", map_name="random", size=5, map_seed=seed) for seed in (1, 1, 2)]
    assert maps[0] == maps[1] != maps[2]
    assert maps[0].count("\nrow ") == 5


@pytest.mark.parametrize(
    ("kwargs", "named"),
    [({"map_name": "9x9"}, "map_name"), ({"size": 99}, "size"), ({"success_rate": 0}, "success_rate")],
)
def test_wrong_arguments_are_named(kwargs: dict[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        gym.make("FrozenLakeLLM-v1", **kwargs)
