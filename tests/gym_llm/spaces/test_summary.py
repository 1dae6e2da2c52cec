"""Large arrays: small, deterministic, and still told apart by their last byte."""

from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest
from gymnasium import spaces

from gym_llm.errors import SpaceError
from gym_llm.spaces import digest, draw, json_schema, to_json

LARGE_SPACES = [
    spaces.Box(0, 255, (96, 96, 3), np.uint8),
    spaces.Box(0, 255, (3, 64, 64), np.uint8),
    spaces.Box(0, 255, (84, 84), np.uint8),
    spaces.Box(-1, 1, (64, 64, 3), np.float32),
    spaces.Box(-np.inf, np.inf, (1000,), np.float64),
    spaces.Box(-(2**62), 2**62, (300,), np.int64),
    spaces.Box(-np.inf, np.inf, (5, 6, 7, 8), np.float32),
    spaces.MultiBinary((30, 30)),
    spaces.MultiDiscrete(np.full((20, 20), 7)),
]


@pytest.mark.parametrize("space", LARGE_SPACES, ids=str)
def test_a_summary_is_small_and_as_its_schema_says(space: Any) -> None:
    plain = to_json(draw(space, 0, 0))
    assert len(orjson.dumps(plain)) < 1500
    jsonschema.validate(plain, json_schema(space))
    assert plain["shape"] == list(space.shape)


@pytest.mark.parametrize("space", LARGE_SPACES, ids=str)
def test_every_number_counts(space: Any) -> None:
    array = draw(space, 0, 0)
    changed = array.copy()
    last = (-1,) * array.ndim
    changed[last] = 0 if array[last] else 1
    assert digest(to_json(array)) == digest(to_json(array.copy(order="F")))
    assert digest(to_json(array)) != digest(to_json(changed))


def test_the_means_are_those_of_the_blocks() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:2, 2:4] = [90, 60, 30]
    picture[15, 15, 2] = 100
    summary = to_json({"image": picture})["image"]
    assert np.array(summary["mean"]).shape == (8, 8, 3)
    assert summary["mean"][0][:3] == [[0, 0, 0], [90, 60, 30], [0, 0, 0]]
    assert summary["mean"][7][7] == [0, 0, 25]
    assert (summary["min"], summary["max"]) == (0, 100)


def test_blocks_cover_lengths_that_do_not_divide() -> None:
    vector = np.arange(257.0)
    summary = to_json(vector)
    assert len(summary["mean"]) == 64
    assert summary["mean"][0] == 1.5
    assert summary["mean"][-1] == pytest.approx(254, abs=1)


def test_colours_of_floats_are_averaged() -> None:
    picture = np.zeros((16, 16, 3), np.float32)
    picture[:, :, 0] = 0.9
    assert to_json(picture)["mean"] == [[0.3] * 8] * 8


def test_not_a_number_in_a_large_array_is_named() -> None:
    picture = np.zeros((30, 30), np.float32)
    picture[3, 4] = np.nan
    with pytest.raises(SpaceError, match=r"observation\.image holds NaN"):
        to_json({"image": picture})
