"""From JSON to an element of a space: where a model's action is checked, and where random ones are drawn."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gym_llm.errors import SpaceError
from gym_llm.json_space import JsonSpace
from gym_llm.spaces.summary import LARGE, is_large

Array = np.ndarray[Any, np.dtype[Any]]

MOST_EXACT = 2**53
"""Beyond it, a number written with a point or an exponent does not stand for one integer."""


def from_json(space: gym.Space[Any], value: Any, field: str = "action") -> Any:
    """The element of `space` that a JSON value stands for.

    Raises:
        SpaceError: it stands for none; the message names the field and what would be allowed.
    """
    match space:
        case spaces.Discrete():
            return _whole(value, int(space.start), int(space.start + space.n) - 1, field)
        case spaces.MultiBinary() | spaces.MultiDiscrete() | spaces.Box() if is_large(space.shape):
            raise SpaceError(f"{field}: an array of {math.prod(space.shape)} numbers can't be written down")
        case spaces.MultiBinary():
            flags = _numbers(value, space.shape, field)
            if not np.isin(flags, (0, 1)).all():
                raise SpaceError(f"{field} must hold 0 or 1 (false or true) only")
            return flags.astype(np.int8)
        case spaces.MultiDiscrete():
            return _array(space, value, space.start, space.start + space.nvec - 1, field)
        case spaces.Box():
            return _array(space, value, space.low, space.high, field)
        case spaces.Text():
            if not isinstance(value, str) or not space.contains(value):
                raise SpaceError(f"{field} must be {space.min_length} to {space.max_length} allowed characters")
            return value
        case spaces.Dict():
            if not isinstance(value, Mapping) or set(value) != set(space.spaces):
                raise SpaceError(f"{field} must be an object with exactly the fields {list(space.spaces)}")
            return {name: from_json(part, value[name], f"{field}.{name}") for name, part in space.spaces.items()}
        case spaces.Tuple():
            if not isinstance(value, list | tuple) or len(value) != len(space.spaces):
                raise SpaceError(f"{field} must be a list of {len(space.spaces)} values")
            parts = zip(space.spaces, value, strict=True)
            return tuple(from_json(part, item, f"{field}[{index}]") for index, (part, item) in enumerate(parts))
        case spaces.OneOf():
            if not isinstance(value, list | tuple) or len(value) != 2:
                raise SpaceError(f"{field} must be a list of two values: which option, and its value")
            option = _whole(value[0], 0, len(space.spaces) - 1, f"{field}[0]")
            return option, from_json(space.spaces[option], value[1], f"{field}[1]")
        case spaces.Sequence() if space.stack:
            return _stacked(space.feature_space, value, field)
        case spaces.Sequence():
            return tuple(_sequence(space.feature_space, value, field))
        case JsonSpace():
            space.check(value, field)
            return value
    raise SpaceError(f"no JSON form is known for the space {space!s:.200}")


def draw(space: gym.Space[Any], seed: int, step: int) -> Any:
    """A random element of `space`: always the same one for the same seed and step."""
    # A copy: drawing from an environment's own space would disturb what the environment draws from it.
    copied = copy.deepcopy(space)
    copied.seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
    return copied.sample()


def _whole(value: Any, low: int, high: int, field: str) -> int:
    whole = isinstance(value, int | np.integer) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not low <= value <= high:
        raise SpaceError(f"{field} must be one of the integers {low} to {high}, not {value!r:.60}")
    return int(value)


def _numbers(value: Any, shape: tuple[int, ...], field: str) -> Array:
    try:
        numbers = np.asarray(value)
    except ValueError as error:
        raise SpaceError(f"{field} must be an array of shape {shape}") from error
    if 0 in shape and numbers.shape == shape:
        return numbers
    if numbers.dtype.kind not in "biuf" or numbers.shape != shape:
        raise SpaceError(f"{field} must be {'a number' if shape == () else f'numbers of shape {shape}'}")
    if not np.isfinite(numbers).all():
        raise SpaceError(f"{field} must hold finite numbers only")
    return numbers


def _array(space: gym.Space[Any], value: Any, low: Array, high: Array, field: str) -> Array:
    numbers = _numbers(value, low.shape, field)
    kind = np.dtype(space.dtype)
    if kind.kind == "f":
        # Compared in the space's own precision: a model told "at most 0.7" may answer 0.7.
        wrong = np.abs(numbers) > np.finfo(kind).max
        element = np.where(wrong, 0, numbers).astype(kind)
        wrong |= (element < low) | (element > high)
    else:
        if numbers.dtype.kind == "f" and not np.equal(numbers, np.floor(numbers)).all():
            raise SpaceError(f"{field} must hold whole numbers only")
        wrong = (numbers < low) | (numbers > high)
        if numbers.dtype.kind == "f":
            wrong |= np.abs(numbers) > MOST_EXACT
        element = np.where(wrong, 0, numbers).astype(kind)
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        told = "".join(f"[{index}]" for index in place)
        raise SpaceError(
            f"{field}{told} is out of range: {numbers[place]} is not from {low[place]:g} to {high[place]:g}"
        )
    return element


def _sequence(space: gym.Space[Any], value: Any, field: str) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > LARGE:
        raise SpaceError(f"{field} must be a list of at most {LARGE} values")
    return [from_json(space, item, f"{field}[{index}]") for index, item in enumerate(value)]


def _stacked(space: gym.Space[Any], value: Any, field: str) -> Any:
    match space:
        case spaces.Dict():
            if not isinstance(value, Mapping) or set(value) != set(space.spaces):
                raise SpaceError(f"{field} must be an object with exactly the fields {list(space.spaces)}")
            return {name: _stacked(part, value[name], f"{field}.{name}") for name, part in space.spaces.items()}
        case spaces.Tuple():
            if not isinstance(value, list | tuple) or len(value) != len(space.spaces):
                raise SpaceError(f"{field} must be a list of {len(space.spaces)} values")
            parts = zip(space.spaces, value, strict=True)
            return tuple(_stacked(part, item, f"{field}[{index}]") for index, (part, item) in enumerate(parts))
    items = _sequence(space, value, field)
    if not space.is_np_flattenable or space.shape is None or isinstance(space, spaces.Text):
        return tuple(items)
    if len(items) * math.prod(space.shape) > LARGE:
        raise SpaceError(f"{field} must hold {LARGE} numbers at most")
    return np.array(items, dtype=space.dtype).reshape(len(items), *space.shape)
