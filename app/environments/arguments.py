"""Which arguments an environment takes from a request: the annotated keywords of its own constructor."""

import inspect
import re
import types
from typing import Any, Literal, Union, get_args, get_origin

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator
from pydantic import BaseModel, ConfigDict, create_model

NOT_FROM_REQUESTS = ("self", "render_mode")
_PLAIN = (bool, int, float, str, type(None))
_REACHES_OUT = re.compile(r"(^|_)(file|path|dir|folder|url|module)", re.IGNORECASE)
"""Keywords that name files and the like. No request may choose what an environment reads, unless its plugin says so."""


def creator(spec: EnvSpec) -> Any:
    """What makes the environment: a class or a function.

    Raises:
        ImportError: its module, or something that this needs, is not installed.
    """
    return load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point


def arguments(spec: EnvSpec, *, adapted: bool = False) -> type[BaseModel]:
    """The arguments that requests may give, as a model that refuses all others.

    Args:
        spec: of the environment.
        adapted: its author did not write it for requests. Then only keywords of plain types are taken; where the
            annotation is missing, the default tells the type.
    """
    made_by = creator(spec)
    target = made_by.__init__ if isinstance(made_by, type) and issubclass(made_by, gym.Env) else made_by
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(target, eval_str=True).parameters.items():
        if name in NOT_FROM_REQUESTS or parameter.kind not in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        ):
            continue
        default = spec.kwargs.get(name, parameter.default)
        annotation = parameter.annotation
        if adapted:
            annotation = _type_of(default) if annotation is inspect.Parameter.empty else annotation
            if not _is_plain(annotation) or _REACHES_OUT.search(name):
                continue
        kind = Any if annotation is inspect.Parameter.empty else annotation
        fields[name] = (kind, ... if default is inspect.Parameter.empty else default)
    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)
    return create_model(f"{spec.id} arguments", __config__=config, **fields)


def _type_of(default: Any) -> Any:
    # A whole number as the default of a quantity says little about whether others may be whole only.
    return float if type(default) is int else type(default)


def _is_plain(annotation: Any) -> bool:
    if annotation in _PLAIN or annotation is None:
        return True
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return all(isinstance(part, _PLAIN) for part in parts)
    return origin in (Union, types.UnionType, list) and all(map(_is_plain, parts))
