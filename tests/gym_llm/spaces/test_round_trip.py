"""Any space -> schema -> JSON -> element of the space."""

from typing import Any

import gymnasium as gym
import jsonschema
import numpy as np
import orjson
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from gym_llm.backends.openai import takes_strict
from gym_llm.errors import SpaceError
from gym_llm.json_space import JsonSpace
from gym_llm.prompt import reply_schema
from gym_llm.spaces import describe, draw, from_json, json_schema, to_json

SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1, 2), (0,)])
FULL_SHAPES = st.sampled_from([(1,), (3,), (2, 3), (2, 1, 2)])
NUMBERS = st.floats(-100, 100, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> spaces.Box:
    """Boxes of any shape, each number with bounds of its own, or without."""
    shape = draw(SHAPES)
    dtype = draw(st.sampled_from([np.float32, np.float64, np.int8, np.int64, np.uint8]))
    whole = np.issubdtype(dtype, np.integer)
    one = st.integers(0, 50) if whole else st.one_of(NUMBERS, st.just(np.inf))
    low = np.empty(shape, dtype)
    high = np.empty(shape, dtype)
    for index in np.ndindex(shape):
        start, width = draw(one), draw(st.integers(0, 50))
        if np.isinf(start):
            low[index], high[index] = -np.inf, draw(st.sampled_from([np.inf, 3.5]))
        else:
            low[index], high[index] = start, start + width
    return spaces.Box(low, high, dtype=dtype)


@st.composite
def multi_discretes(draw: st.DrawFn) -> spaces.MultiDiscrete:
    shape = draw(FULL_SHAPES)
    size = int(np.prod(shape))
    sizes = draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    starts = draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size))
    return spaces.MultiDiscrete(np.reshape(sizes, shape), start=np.reshape(starts, shape))


LEAVES = st.one_of(
    st.builds(spaces.Discrete, st.integers(1, 300), start=st.integers(-5, 5)),
    FULL_SHAPES.map(spaces.MultiBinary),
    multi_discretes(),
    boxes(),
    st.builds(
        lambda low, more, charset: spaces.Text(low + more, min_length=low, charset=charset),
        st.integers(0, 3),
        st.integers(0, 300),
        st.sampled_from(["a", "abc", "ab-]^[\\ \n\t\"'/é", "".join(map(chr, range(32, 400)))]),
    ),
    st.just(JsonSpace({"type": "object", "properties": {"a": {"enum": [1, "x"]}}, "required": ["a"]})),
)
SPACES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.dictionaries(st.sampled_from(["a", "b", "a b", "ü"]), parts, min_size=1, max_size=3).map(spaces.Dict),
        st.lists(parts, min_size=1, max_size=3).map(spaces.Tuple),
        st.lists(parts, min_size=1, max_size=3).map(spaces.OneOf),
        parts.map(spaces.Sequence),
    ),
    max_leaves=4,
)
STACKABLE = st.one_of(
    st.builds(spaces.Discrete, st.integers(1, 9)),
    FULL_SHAPES.map(spaces.MultiBinary),
    multi_discretes(),
    st.just(spaces.Box(-1, 1, (2,), np.float32)),
    st.just(spaces.Text(3)),
)
STACKED = st.one_of(
    STACKABLE,
    st.lists(STACKABLE, min_size=1, max_size=2).map(spaces.Tuple),
    st.dictionaries(st.sampled_from("ab"), STACKABLE, min_size=1, max_size=2).map(spaces.Dict),
).map(lambda part: spaces.Sequence(part, stack=True))
SEEDS = st.integers(0, 2**31)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(equal, one, other))
    return bool(np.array_equal(one, other))


def check_round_trip(space: gym.Space[Any], seed: int) -> None:
    schema = json_schema(space)
    jsonschema.Draft202012Validator.check_schema(schema)
    element = draw(space, seed, 1)
    plain = orjson.loads(orjson.dumps(to_json(element)))
    jsonschema.validate(plain, schema)
    again = from_json(space, plain)
    assert space.contains(again)
    assert equal(element, again)
    assert to_json(again) == plain


@settings(max_examples=150)
@given(SPACES, SEEDS)
def test_every_element_survives_the_way_through_json(space: gym.Space[Any], seed: int) -> None:
    check_round_trip(space, seed)
    assert describe(space)


@settings(max_examples=40)
@given(STACKED, SEEDS)
def test_stacked_sequences_too(space: gym.Space[Any], seed: int) -> None:
    check_round_trip(space, seed)


@settings(max_examples=100)
@given(
    SPACES, st.recursive(st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=3)), st.lists)
)
def test_whatever_a_model_answers_is_an_element_or_refused(space: gym.Space[Any], value: Any) -> None:
    try:
        element = from_json(space, value)
    except SpaceError:
        return
    assert space.contains(element)


@settings(max_examples=50)
@given(
    st.recursive(
        st.one_of(
            st.builds(spaces.Discrete, st.integers(1, 300)),
            FULL_SHAPES.map(spaces.MultiBinary),
            st.builds(lambda shape: spaces.Box(-1, 1, shape, np.float32), SHAPES),
            st.builds(spaces.Text, st.integers(1, 300)),
        ),
        lambda parts: st.one_of(
            st.dictionaries(st.sampled_from("ab"), parts, min_size=1).map(spaces.Dict), parts.map(spaces.Sequence)
        ),
        max_leaves=4,
    )
)
def test_schemas_keep_to_what_strict_mode_takes(space: gym.Space[Any]) -> None:
    assert takes_strict(reply_schema(json_schema(space)))
