"""Gymnasium spaces and JSON: the schema of a space, observations as plain JSON, JSON actions as elements of a space."""

import copy
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import orjson
from gymnasium import spaces

from gym_llm.errors import SpaceError

JsonSchema = dict[str, Any]
MAX_ENUM = 256
"""A Discrete space up to this size is listed value by value: models obey an enum better than a range."""


def json_schema(space: gym.Space[Any]) -> JsonSchema:
    """The JSON Schema of the elements of `space`.

    Raises:
        SpaceError: no JSON form is known for this kind of space.
    """
    match space:
        case spaces.Discrete():
            low, high = int(space.start), int(space.start + space.n) - 1
            if space.n <= MAX_ENUM:
                return {"type": "integer", "enum": list(range(low, high + 1))}
            return {"type": "integer", "minimum": low, "maximum": high}
        case spaces.MultiBinary():
            return _array(space.shape, {"type": "boolean"})
        case spaces.MultiDiscrete() if space.nvec.ndim == 1:
            bounds = zip(space.start.tolist(), space.nvec.tolist(), strict=True)
            return _items([{"type": "integer", "minimum": start, "maximum": start + n - 1} for start, n in bounds])
        case spaces.Box():
            return _box_schema(space)
        case spaces.Text():
            return {"type": "string", "minLength": space.min_length, "maxLength": space.max_length}
        case spaces.Dict():
            return {
                "type": "object",
                "properties": {name: json_schema(part) for name, part in space.spaces.items()},
                "required": list(space.spaces),
                "additionalProperties": False,
            }
        case spaces.Tuple():
            return _items([json_schema(part) for part in space.spaces])
    raise SpaceError(f"no JSON form is known for the space {space}")


def _array(shape: tuple[int, ...], item: JsonSchema) -> JsonSchema:
    for length in reversed(shape):
        item = {"type": "array", "items": item, "minItems": length, "maxItems": length}
    return item


def _items(parts: list[JsonSchema]) -> JsonSchema:
    return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts), "maxItems": len(parts)}


def _box_schema(space: spaces.Box) -> JsonSchema:
    kind = "integer" if np.issubdtype(space.dtype, np.integer) else "number"

    def number(low: float, high: float) -> JsonSchema:
        schema: JsonSchema = {"type": kind}
        if math.isfinite(low):
            schema["minimum"] = low
        if math.isfinite(high):
            schema["maximum"] = high
        return schema

    lows, highs = space.low.ravel().tolist(), space.high.ravel().tolist()
    if len(set(lows)) <= 1 and len(set(highs)) <= 1 and lows:
        return _array(space.shape, number(lows[0], highs[0]))
    if len(space.shape) == 1:
        return _items([number(low, high) for low, high in zip(lows, highs, strict=True)])
    return _array(space.shape, {"type": kind})


def to_json(value: Any) -> Any:
    """An observation as plain JSON at full precision.

    Raises:
        SpaceError: it holds NaN, an infinity, or something with no JSON form; the message names the field.
    """
    return _plain(value, "observation")


def _plain(value: Any, field: str) -> Any:
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            if not math.isfinite(value):
                raise SpaceError(f"{field} is {value}")
            return value
        case np.generic():
            return _plain(value.item(), field)
        case np.ndarray():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise SpaceError(f"{field} holds NaN or an infinity")
            return value.tolist()
        case Mapping():
            return {str(name): _plain(part, f"{field}.{name}") for name, part in value.items()}
        case list() | tuple():
            return [_plain(part, f"{field}[{index}]") for index, part in enumerate(value)]
    raise SpaceError(f"{field} is a {type(value).__name__}, which has no JSON form")


def check_contains(space: gym.Space[Any], value: Any, field: str = "observation") -> None:
    """Check that `value` belongs to `space`.

    Raises:
        SpaceError: it does not; the message names the innermost field that is wrong.
    """
    if space.contains(value):
        return
    if isinstance(space, spaces.Dict) and isinstance(value, Mapping):
        if missing := set(space.spaces) ^ set(value):
            raise SpaceError(f"{field}: fields {sorted(missing)} are missing or unknown")
        for name, part in space.spaces.items():
            check_contains(part, value[name], f"{field}.{name}")
    raise SpaceError(f"{field} is outside its space {space}: {value!r:.200}")


def from_json(space: gym.Space[Any], value: Any, field: str = "action") -> Any:
    """The element of `space` that a JSON value stands for.

    Raises:
        SpaceError: it stands for none; the message names the field and what would be allowed.
    """
    match space:
        case spaces.Discrete():
            return _whole(value, int(space.start), int(space.start + space.n) - 1, field)
        case spaces.MultiBinary():
            flags = _numbers(value, space.shape, field)
            if not np.isin(flags, (0, 1)).all():
                raise SpaceError(f"{field} must hold true or false only")
            return flags.astype(np.int8)
        case spaces.MultiDiscrete():
            return _element(space, _whole_numbers(value, space.shape, field), field)
        case spaces.Box() if np.issubdtype(space.dtype, np.integer):
            return _element(space, _whole_numbers(value, space.shape, field), field)
        case spaces.Box():
            return _element(space, _numbers(value, space.shape, field), field)
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
    raise SpaceError(f"no JSON form is known for the space {space}")


def _whole(value: Any, low: int, high: int, field: str) -> int:
    whole = isinstance(value, int | np.integer) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not low <= value <= high:
        raise SpaceError(f"{field} must be one of the integers {low} to {high}, not {value!r:.60}")
    return int(value)


def _numbers(value: Any, shape: tuple[int, ...], field: str) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        numbers = np.asarray(value)
    except ValueError as error:
        raise SpaceError(f"{field} must be an array of shape {shape}") from error
    if numbers.dtype.kind not in "biuf" or numbers.shape != shape:
        raise SpaceError(f"{field} must be {'a number' if shape == () else f'numbers of shape {shape}'}")
    if not np.isfinite(numbers).all():
        raise SpaceError(f"{field} must hold finite numbers only")
    return numbers


def _whole_numbers(value: Any, shape: tuple[int, ...], field: str) -> np.ndarray[Any, np.dtype[Any]]:
    numbers = _numbers(value, shape, field)
    if not np.equal(numbers, np.floor(numbers)).all():
        raise SpaceError(f"{field} must hold whole numbers only")
    return numbers


def _element(space: gym.Space[Any], numbers: np.ndarray[Any, np.dtype[Any]], field: str) -> Any:
    element = numbers.astype(space.dtype)
    if not space.contains(element):
        raise SpaceError(f"{field} is out of range: {space}")
    return element


def draw(space: gym.Space[Any], seed: int, step: int) -> Any:
    """A random element of `space`: always the same one for the same seed and step."""
    # A copy: drawing from an environment's own space would disturb what the environment draws from it.
    copied = copy.deepcopy(space)
    copied.seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
    return copied.sample()


def digest(observation: Any) -> str:
    """A fingerprint of a JSON observation: equal exactly where the observations are."""
    return hashlib.blake2b(orjson.dumps(observation, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
