"""Spaces and JSON, both ways."""

from typing import Any

import gymnasium as gym
import jsonschema
import numpy as np
import orjson
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from gym_llm.errors import SpaceError
from gym_llm.spaces import check_contains, digest, draw, from_json, json_schema, to_json

LEAVES = st.one_of(
    st.builds(spaces.Discrete, st.integers(1, 300), start=st.integers(-5, 5)),
    st.builds(spaces.MultiBinary, st.integers(1, 4)),
    st.builds(lambda sizes: spaces.MultiDiscrete(sizes), st.lists(st.integers(1, 9), min_size=1, max_size=4)),
    st.builds(
        lambda low, width, shape: spaces.Box(low, low + width, shape, np.float32),
        st.integers(-9, 9),
        st.integers(1, 9),
        st.sampled_from([(), (2,), (2, 3)]),
    ),
    st.builds(lambda shape: spaces.Box(-np.inf, np.inf, shape, np.float64), st.sampled_from([(), (3,)])),
    st.builds(lambda n: spaces.Text(n, charset="abc"), st.integers(1, 5)),
)
SPACES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.dictionaries(st.sampled_from("abcd"), parts, min_size=1, max_size=3).map(spaces.Dict),
        st.lists(parts, min_size=1, max_size=3).map(spaces.Tuple),
    ),
    max_leaves=5,
)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(np.array_equal(one, other))


@given(SPACES, st.integers(0, 2**31))
def test_every_element_survives_the_way_through_json(space: gym.Space[Any], seed: int) -> None:
    element = draw(space, seed, 1)
    plain = orjson.loads(orjson.dumps(to_json(element)))
    again = from_json(space, plain)
    assert space.contains(again)
    assert equal(element, again)


@given(SPACES, st.integers(0, 2**31))
def test_every_element_is_valid_against_the_schema(space: gym.Space[Any], seed: int) -> None:
    schema = json_schema(space)
    jsonschema.Draft202012Validator.check_schema(schema)
    plain = to_json(draw(space, seed, 1))
    if "boolean" not in str(schema):  # 0 and 1 are as good as false and true to us, not to JSON Schema
        jsonschema.validate(plain, schema)


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
        (spaces.Box(-1, 1, (2,)), [0, 2], "action is out of range"),
        (spaces.Box(-1, 1, (2,)), [0], r"action must be numbers of shape \(2,\)"),
        (spaces.Box(-1, 1, (2,)), [[0], 1], "action must be an array of shape"),
        (spaces.Box(-1, 1, ()), "fast", "action must be a number"),
        (spaces.Box(-1, 1, ()), float("nan"), "finite"),
        (spaces.Box(0, 9, (1,), np.int64), [1.5], "whole numbers"),
        (spaces.MultiBinary(2), [0, 2], "true or false"),
        (spaces.MultiDiscrete([2, 2]), [0, 2], "out of range"),
        (spaces.Text(3, charset="ab"), "abc", "action must be 1 to 3 allowed characters"),
        (spaces.Dict(go=spaces.Discrete(2)), {"go": 5}, r"action\.go must be one of the integers 0 to 1"),
        (spaces.Dict(go=spaces.Discrete(2)), {"stop": 1}, "exactly the fields"),
        (spaces.Tuple([spaces.Discrete(2)]), [3], r"action\[0\] must be"),
        (spaces.Tuple([spaces.Discrete(2)]), [1, 1], "a list of 1 values"),
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


def test_digest_tells_observations_apart() -> None:
    one = {"x": 0.1, "y": [1, 2]}
    assert digest(one) == digest({"y": [1, 2], "x": 0.1})
    assert digest(one) != digest({"x": 0.1 + 1e-16 + 1e-17, "y": [1, 3]})
    assert digest({"x": np.nextafter(0.1, 1).item()}) != digest({"x": 0.1})
