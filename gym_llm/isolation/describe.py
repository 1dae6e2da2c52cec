"""Spaces and constructors in plain words, as they cross the line; `rebuild.py` is the way back."""

import inspect
import types
import typing
from typing import Any

from gymnasium import spaces

from gym_llm.isolation.wire import WireError

NAMES = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}
_COLLECTIONS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def space(described: Any) -> dict[str, Any]:
    """A space.

    Raises:
        WireError: it is of a kind that cannot cross.
    """
    match described:
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(described.n), "start": int(described.start)}
        case spaces.Box():
            return {"kind": "Box", "low": described.low, "high": described.high, "dtype": described.dtype.str}
        case spaces.MultiDiscrete():
            told = {"nvec": described.nvec, "start": described.start, "dtype": described.dtype.str}
            return {"kind": "MultiDiscrete", **told}
        case spaces.MultiBinary():
            return {"kind": "MultiBinary", "shape": list(described.shape)}
        case spaces.Text():
            lengths = {"min_length": int(described.min_length), "max_length": int(described.max_length)}
            return {"kind": "Text", **lengths, "charset": "".join(sorted(described.character_set))}
        case spaces.Dict():
            return {"kind": "Dict", "parts": [[name, space(part)] for name, part in described.spaces.items()]}
        case spaces.Tuple():
            return {"kind": "Tuple", "parts": [space(part) for part in described.spaces]}
        case spaces.OneOf():
            return {"kind": "OneOf", "parts": [space(part) for part in described.spaces]}
        case spaces.Sequence():
            return {"kind": "Sequence", "part": space(described.feature_space), "stack": bool(described.stack)}
    if type(described).__name__ == "JsonSpace":  # Ours; it is not imported, as it needs more than a child has.
        return {"kind": "JsonSpace", "schema": described.schema}
    raise WireError(f"the space {described} is of a kind that cannot cross to another process")


def parameters(creator: Any) -> list[dict[str, Any]]:
    """The keywords of an environment's constructor that have an annotation of plain values, and their defaults.

    A keyword with any other annotation is left out where it has a default; `render_mode` is none of them.
    """
    target = creator.__init__ if isinstance(creator, type) else creator  # type: ignore[misc]
    told = []
    for name, parameter in inspect.signature(target, eval_str=True).parameters.items():
        if name in ("self", "render_mode") or parameter.kind in _COLLECTIONS:
            continue
        entry: dict[str, Any] = {"name": name, "type": _annotation(parameter.annotation)}
        if parameter.default is not inspect.Parameter.empty:
            if entry["type"] is None or not _plain(parameter.default):
                continue
            entry["default"] = parameter.default
        told.append(entry)
    return told


def _annotation(annotation: Any) -> Any:
    """The name of a type, or how it is made up of others; None = it is none of plain values."""
    if annotation is None or annotation in NAMES:
        return NAMES[type(None) if annotation is None else annotation]
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return {"literal": list(parts)} if _plain(list(parts)) else None
    told = [_annotation(part) for part in parts]
    if not told or None in told:
        return None
    if origin in (typing.Union, types.UnionType):
        return {"any": told}
    return {"list": told[0]} if origin is list else None


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_plain, value))
    return isinstance(value, tuple(NAMES))
