"""From JSON to elements of a space, and observations to JSON: what is wrong is named."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from gym_llm.errors import ConfigError, SpaceError
from gym_llm.spaces import check_action_space, check_contains, digest, draw, from_json, json_schema, to_json


def test_draw_is_a_function_of_seed_and_step_and_leaves_the_space_alone() -> None:
    space = spaces.Discrete(1000, seed=3)
    expected = spaces.Discrete(1000, seed=3).sample()
    assert draw(space, 1, 2) == draw(space, 1, 2)
    assert len({int(draw(space, 1, step)) for step in range(20)}) > 10
    assert space.sample() == expected


@pytest.mark.parametrize(
    ("space", "value", "told"),
    [
        (spaces.Discrete(3, start=1), 0, "action must be one of the integers 1 to 3"),
        (spaces.Box(-1, 1, (2,)), [0, 2], r"action\[1\] is out of range: 2 is not from -1 to 1"),
        (spaces.Box(-1, 1, (2,)), [0], r"action must be numbers of shape \(2,\)"),
        (spaces.Box(-1, 1, (2,)), [[0], 1], "action must be an array of shape"),
        (spaces.Box(-1, 1, ()), "fast", "action must be a number"),
        (spaces.Box(-1, 1, ()), float("nan"), "finite"),
        (spaces.Box(0, 9, (1,), np.int64), [1.5], "whole numbers"),
        (spaces.MultiBinary(2), [0, 2], "0 or 1"),
        (spaces.MultiDiscrete([2, 2]), [0, 2], r"action\[1\] is out of range"),
        (spaces.Text(3, charset="ab"), "abc", "action must be 1 to 3 allowed characters"),
        (spaces.Dict(go=spaces.Discrete(2)), {"go": 5}, r"action\.go must be one of the integers 0 to 1"),
        (spaces.Dict(go=spaces.Discrete(2)), {"stop": 1}, "exactly the fields"),
        (spaces.Tuple([spaces.Discrete(2)]), [3], r"action\[0\] must be"),
        (spaces.Tuple([spaces.Discrete(2)]), [1, 1], "a list of 1 values"),
        (spaces.MultiDiscrete([[2, 2], [2, 5]]), [[0, 0], [0, 5]], r"action\[1\]\[1\] is out of range"),
        (spaces.Box(-np.inf, np.inf, (1,)), [1e300], r"action\[0\] is out of range"),
        (spaces.Box(-(2**63), 2**63 - 1, (1,), np.int64), [1e30], r"action\[0\] is out of range"),
        (spaces.Box(-(2**63), 2**63 - 1, (1,), np.int64), [2**63], r"action\[0\] is out of range"),
        (spaces.Box(-1, 1, (1,)), [10**30], "must be numbers"),
        (spaces.Sequence(spaces.Discrete(2)), [0, 7], r"action\[1\] must be one of the integers"),
        (spaces.Sequence(spaces.Discrete(2)), [0] * 300, "at most 256 values"),
        (spaces.Sequence(spaces.Box(-1, 1, (2,)), stack=True), [[0, 0], [0, 9]], r"action\[1\]\[1\] is out of range"),
        (spaces.Sequence(spaces.Box(-1, 1, (2,)), stack=True), [[0, 0]] * 129, "256 numbers at most"),
        (spaces.Sequence(spaces.Dict(a=spaces.Discrete(2)), stack=True), {"b": []}, "exactly the fields"),
        (spaces.Sequence(spaces.Tuple([spaces.Discrete(2)]), stack=True), [], "a list of 1 values"),
        (spaces.OneOf([spaces.Discrete(2)]), [1, 0], r"action\[0\] must be one of the integers 0 to 0"),
        (spaces.OneOf([spaces.Discrete(2)]), [0, 2], r"action\[1\] must be"),
        (spaces.OneOf([spaces.Discrete(2)]), 0, "a list of two values"),
        (spaces.Box(0, 255, (96, 96, 3), np.uint8), [], "27648 numbers can't be written down"),
    ],
)
def test_a_wrong_action_is_named(space: gym.Space[Any], value: Any, told: str) -> None:
    with pytest.raises(SpaceError, match=told):
        from_json(space, value)


def test_a_wrong_observation_is_named() -> None:
    space = spaces.Dict(near=spaces.Dict(x=spaces.Box(-1, 1, (), np.float32)))
    with pytest.raises(SpaceError, match=r"observation\.near\.x is outside its space"):
        check_contains(space, {"near": {"x": np.array(2, np.float32)}})
    with pytest.raises(SpaceError, match=r"\['far', 'near'\] are missing or unknown"):
        check_contains(space, {"far": 1})
    several = spaces.Tuple([spaces.Discrete(2), spaces.Sequence(spaces.Discrete(3))])
    with pytest.raises(SpaceError, match=r"observation\[1\]\[2\] is outside its space"):
        check_contains(several, (0, (1, 2, 3)))
    with pytest.raises(SpaceError, match="observation has 1 values instead of 2"):
        check_contains(several, (0,))
    with pytest.raises(SpaceError, match=r"observation\.near\.x is nan"):
        to_json({"near": {"x": np.float32("nan")}})
    with pytest.raises(SpaceError, match=r"observation\.a\[1\] holds NaN"):
        to_json({"a": [1, np.array([np.inf])]})
    with pytest.raises(SpaceError, match="observation is a set"):
        to_json({1, 2})


def test_a_space_without_json_form_is_refused() -> None:
    space = spaces.Graph(spaces.Discrete(2), spaces.Discrete(2))
    with pytest.raises(SpaceError, match="no JSON form"):
        json_schema(space)
    with pytest.raises(SpaceError, match="no JSON form"):
        from_json(space, {})


def test_an_answer_in_fewer_digits_than_the_bound_is_in_range() -> None:
    assert from_json(spaces.Box(-0.7, 0.7, (1,)), [0.7]) == np.float32(0.7)


@pytest.mark.parametrize(
    ("space", "told"),
    [
        (spaces.Box(0, 255, (96, 96, 3), np.uint8), "action_space: an action of 27648 numbers"),
        (spaces.Dict(a=spaces.Tuple([spaces.Box(-1, 1, (200,))] * 2)), "an action of 400 numbers"),
        (spaces.Sequence(spaces.MultiBinary(257)), "an action of 257 numbers"),
        (spaces.Graph(spaces.Discrete(2), spaces.Discrete(2)), "action_space: no JSON form"),
    ],
)
def test_what_no_model_could_answer_is_refused(space: gym.Space[Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_action_space(space)
    check_action_space(spaces.OneOf([spaces.Box(-1, 1, (200,)), spaces.Box(-1, 1, (256,))]))


def test_digest_tells_observations_apart() -> None:
    one = {"x": 0.1, "y": [1, 2]}
    assert digest(one) == digest({"y": [1, 2], "x": 0.1})
    assert digest(one) != digest({"x": 0.1 + 1e-16 + 1e-17, "y": [1, 3]})
    assert digest({"x": np.nextafter(0.1, 1).item()}) != digest({"x": 0.1})
