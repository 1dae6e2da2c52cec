"""Spaces and signatures made again from what `describe.py` told of them."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gym_llm.isolation.wire import WireError
from gym_llm.json_space import JsonSpace

TYPES: dict[str, Any] = {"bool": bool, "int": int, "float": float, "str": str, "null": None}


def space(told: Mapping[str, Any]) -> gym.Space[Any]:
    """The space that was described.

    Raises:
        WireError: it was not described as this version would.
    """
    match told:
        case {"kind": "Discrete", "n": n, "start": start}:
            return spaces.Discrete(n, start=start)
        case {"kind": "Box", "low": low, "high": high, "dtype": dtype}:
            return spaces.Box(low, high, dtype=np.dtype(dtype).type)
        case {"kind": "MultiDiscrete", "nvec": nvec, "start": start, "dtype": dtype}:
            return spaces.MultiDiscrete(nvec, dtype=np.dtype(dtype).type, start=start)
        case {"kind": "MultiBinary", "shape": shape}:
            return spaces.MultiBinary(shape if len(shape) > 1 else shape[0])
        case {"kind": "Text", "min_length": least, "max_length": most, "charset": charset}:
            return spaces.Text(most, min_length=least, charset=charset)
        case {"kind": "Dict", "parts": parts}:
            # As pairs: from a dict, Gymnasium would sort them.
            return spaces.Dict([(name, space(part)) for name, part in parts])
        case {"kind": "Tuple", "parts": parts}:
            return spaces.Tuple([space(part) for part in parts])
        case {"kind": "OneOf", "parts": parts}:
            return spaces.OneOf([space(part) for part in parts])
        case {"kind": "Sequence", "part": part, "stack": stack}:
            return spaces.Sequence(space(part), stack=stack)
        case {"kind": "JsonSpace", "schema": schema}:
            return JsonSpace(schema)
    raise WireError(f"not the description of a space: {told!r:.200}")


def signature(parameters: Sequence[Mapping[str, Any]]) -> inspect.Signature:
    """What the constructor takes, all by name."""
    return inspect.Signature(
        [
            inspect.Parameter(
                told["name"],
                inspect.Parameter.KEYWORD_ONLY,
                default=told.get("default", inspect.Parameter.empty),
                annotation=_annotation(told["type"]),
            )
            for told in parameters
        ]
    )


def _annotation(told: Any) -> Any:
    match told:
        case str():
            return TYPES[told]
        case {"literal": values}:
            return Literal[tuple(values)]
        case {"any": parts}:
            return Union[tuple(_annotation(part) for part in parts)]  # noqa: UP007 - made at run time
        case {"list": part}:
            return list[_annotation(part)]  # type: ignore[misc]
    return Any
