"""A space in plain English."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gym_llm.json_space import JsonSpace
from gym_llm.spaces.summary import colour_axis, is_large, mean_shape


def describe(space: gym.Space[Any]) -> str:
    """What an element of `space` looks like as JSON, in words: `a list of 4 numbers, each from -1 to 1`."""
    match space:
        case spaces.Discrete():
            return f"a whole number from {space.start} to {space.start + space.n - 1}"
        case spaces.MultiBinary() | spaces.MultiDiscrete() | spaces.Box() if is_large(space.shape):
            return _summary(space.shape, np.dtype(space.dtype))
        case spaces.MultiBinary():
            return f"{_array(space.shape, 'number')}, each 0 or 1"
        case spaces.MultiDiscrete():
            return _numbers(space.shape, "whole number", space.start, space.start + space.nvec - 1)
        case spaces.Box():
            kind = "number" if np.issubdtype(space.dtype, np.floating) else "whole number"
            return _numbers(space.shape, kind, space.low, space.high)
        case spaces.Text():
            return f"a text of {space.min_length} to {space.max_length} characters"
        case spaces.Dict():
            fields = [f'"{name}": {describe(part)}' for name, part in space.spaces.items()]
            return f"an object with {'; '.join(fields) or 'no fields'}"
        case spaces.Tuple():
            return f"a list with, in this order, {'; '.join(map(describe, space.spaces))}"
        case spaces.OneOf():
            options = [f"[{index}, {describe(part)}]" for index, part in enumerate(space.spaces)]
            return f"a list of two values, one of {'; or '.join(options)}"
        case spaces.Sequence():
            return f"a list of any length, each item {describe(space.feature_space)}"
        case JsonSpace(schema={"type": "string"}):
            return "a text"
        case JsonSpace():
            return "a JSON value"
    return f"an element of {space!s:.200}"


def _array(shape: tuple[int, ...], kind: str) -> str:
    if shape == ():
        return f"a {kind}"
    if len(shape) == 1:
        return f"a list of {shape[0]} {kind}{'s' if shape[0] != 1 else ''}"
    return f"nested lists of {' x '.join(map(str, shape))} {kind}s"


def _numbers(shape: tuple[int, ...], kind: str, low: Any, high: Any) -> str:
    array = _array(shape, kind)
    if low.size == 0:
        return array
    if (low == low.flat[0]).all() and (high == high.flat[0]).all():
        limits = bounds(low.flat[0], high.flat[0])
        return f"{array}{', each' if low.size > 1 and limits else ''} {limits}".rstrip()
    if len(shape) > 1:
        return f"{array} between {low.min():g} and {high.max():g}"
    limits = ", ".join(bounds(*pair) or "any" for pair in zip(low, high, strict=True))
    return f"{array}: {limits}"


def bounds(low: float, high: float) -> str:
    """`from -1 to 1`, `at least 0`, or nothing for what has no bound."""
    low, high = low + 0, high + 0  # -0 is told as 0
    match math.isfinite(low), math.isfinite(high):
        case True, True:
            return f"from {low:g} to {high:g}"
        case True, False:
            return f"at least {low:g}"
        case False, True:
            return f"at most {high:g}"
    return ""


def _summary(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    cells = mean_shape(shape, dtype)
    kind = "numbers" if dtype.kind == "f" else "whole numbers"
    colours = colour_axis(shape)
    picture = ""
    if colours is not None:
        held = "red, green, blue" if shape[colours] == 3 else "colours or stacked pictures"
        picture = f"; axis {colours} holds {held}"
        picture += "" if dtype.itemsize == 1 else ", which are averaged"
    first = " from the top, left to right," if colours == 2 else ""
    return (
        f"an array of {' x '.join(map(str, shape))} {kind} ({dtype.name}{picture}), told as a summary: "
        f'"mean" are the means over {" x ".join(map(str, cells)) or "one"} equal blocks,{first} in the order of the '
        'array; "min" and "max" are its smallest and largest number; "fingerprint" changes whenever any number does'
    )
