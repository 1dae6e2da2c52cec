"""The JSON Schema of a space: what structured output holds a model to."""

import math
from collections.abc import Callable
from itertools import groupby
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gym_llm.errors import ConfigError, SpaceError
from gym_llm.json_space import JsonSpace
from gym_llm.spaces.summary import LARGE, is_large, summary_schema

JsonSchema = dict[str, Any]
Bounds = np.ndarray[Any, np.dtype[Any]]

MAX_ENUM = 256
"""A Discrete space up to this size is listed value by value: models obey an enum better than a range."""
MAX_PATTERN = 256
"""A text up to this long, of at most this many characters, is held to them by a pattern."""


def json_schema(space: gym.Space[Any]) -> JsonSchema:
    """The JSON Schema of the elements of `space`, as `to_json` writes them.

    It keeps to what OpenAI's strict mode takes, save for lists whose parts differ: strict mode knows none.

    Raises:
        SpaceError: no JSON form is known for this kind of space.
    """
    match space:
        case spaces.Discrete():
            low, high = int(space.start), int(space.start + space.n) - 1
            if space.n <= MAX_ENUM:
                return {"type": "integer", "enum": list(range(low, high + 1))}
            return {"type": "integer", "minimum": low, "maximum": high}
        case spaces.MultiBinary() | spaces.MultiDiscrete() | spaces.Box() if is_large(space.shape):
            return summary_schema(space.shape, np.dtype(space.dtype))
        case spaces.MultiBinary():
            return _same(space.shape, {"type": "integer", "enum": [0, 1]})
        case spaces.MultiDiscrete():
            return _numbers(space.start, space.start + space.nvec - 1, _integer)
        case spaces.Box() if space.dtype == np.bool_:
            return _same(space.shape, {"type": "boolean"})
        case spaces.Box():
            return _numbers(space.low, space.high, _integer if np.issubdtype(space.dtype, np.integer) else _number)
        case spaces.Text():
            return _text(space)
        case spaces.Dict():
            return _object({name: json_schema(part) for name, part in space.spaces.items()})
        case spaces.Tuple():
            return _items([json_schema(part) for part in space.spaces])
        case spaces.OneOf():
            options = [_items([{"type": "integer", "enum": [n]}, json_schema(p)]) for n, p in enumerate(space.spaces)]
            return {"anyOf": options}
        case spaces.Sequence() if space.stack:
            return _stacked(space.feature_space)
        case spaces.Sequence():
            return {"type": "array", "items": json_schema(space.feature_space)}
        case JsonSpace():
            return space.schema
    raise SpaceError(f"no JSON form is known for the space {space!s:.200}")


def check_action_space(space: gym.Space[Any]) -> None:
    """Check that a model can be asked for elements of `space`.

    Raises:
        ConfigError: they have more numbers than anybody would write down, or no JSON form.
    """
    try:
        json_schema(space)
    except SpaceError as error:
        raise ConfigError(f"action_space: {error}") from error
    if (count := _count(space)) > LARGE:
        raise ConfigError(f"action_space: an action of {count} numbers; a model is asked for {LARGE} at most")


def _count(space: gym.Space[Any]) -> int:
    match space:
        case spaces.MultiBinary() | spaces.MultiDiscrete() | spaces.Box():
            return math.prod(space.shape)
        case spaces.Dict():
            return sum(map(_count, space.spaces.values()))
        case spaces.Tuple():
            return sum(map(_count, space.spaces))
        case spaces.OneOf():
            return max(map(_count, space.spaces))
        case spaces.Sequence():
            return _count(space.feature_space)
    return 1


def _object(properties: dict[str, JsonSchema]) -> JsonSchema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _same(shape: tuple[int, ...], item: JsonSchema) -> JsonSchema:
    for length in reversed(shape):
        item = {"type": "array", "items": item, "minItems": length, "maxItems": length}
    return item


def _items(parts: list[JsonSchema]) -> JsonSchema:
    if parts and all(part == parts[0] for part in parts):
        return _same((len(parts),), parts[0])
    # No `"items": false`: the lengths say the same, and the grammar of llama.cpp, so Ollama's, trips over it.
    return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}


def _numbers(low: Bounds, high: Bounds, number: Callable[[float, float], JsonSchema]) -> JsonSchema:
    if low.size == 0:
        return _same(low.shape, {"type": "number"})
    if low.ndim == 0:
        return number(low.item(), high.item())
    return _items([_numbers(low[index], high[index], number) for index in range(len(low))])


def _integer(low: float, high: float) -> JsonSchema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _number(low: float, high: float) -> JsonSchema:
    schema: JsonSchema = {"type": "number"}
    if math.isfinite(low):
        schema["minimum"] = low
    if math.isfinite(high):
        schema["maximum"] = high
    return schema


def _text(space: spaces.Text) -> JsonSchema:
    if not 0 < len(space.character_list) <= MAX_PATTERN or max(map(ord, space.character_list)) >= 2**16:
        return {"type": "string", "minLength": space.min_length, "maxLength": space.max_length}
    if space.max_length > MAX_PATTERN:
        length = "+" if space.min_length else "*"
    else:
        length = f"{{{space.min_length},{space.max_length}}}"
    return {"type": "string", "pattern": f"^[{_ranges(space.character_list)}]{length}$"}


def _ranges(characters: tuple[str, ...]) -> str:
    # "a-dx" of "abcdx".
    codes = sorted(map(ord, characters))
    told = ""
    for _, group in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0]):
        run = [_escaped(code) for _, code in group]
        told += f"{run[0]}-{run[-1]}" if len(run) > 2 else "".join(run)
    return told


def _escaped(code: int) -> str:
    if chr(code) in "\\[]^-":
        return f"\\{chr(code)}"
    return chr(code) if chr(code).isprintable() else f"\\u{code:04x}"


def _stacked(space: gym.Space[Any]) -> JsonSchema:
    # Gymnasium stacks a sequence of objects into an object of sequences.
    match space:
        case spaces.Dict():
            return _object({name: _stacked(part) for name, part in space.spaces.items()})
        case spaces.Tuple():
            return _items([_stacked(part) for part in space.spaces])
    return {"type": "array", "items": json_schema(space)}
