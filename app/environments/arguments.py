"""Which arguments an environment takes from a request: the annotated keywords of its own constructor."""

import inspect
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator
from pydantic import BaseModel, ConfigDict, create_model

NOT_FROM_REQUESTS = ("self", "render_mode")


def arguments(spec: EnvSpec) -> type[BaseModel]:
    """The arguments that requests may give, as a model that refuses all others."""
    creator: Any = spec.entry_point
    if isinstance(creator, str):
        creator = load_env_creator(creator)
    target = creator.__init__ if isinstance(creator, type) and issubclass(creator, gym.Env) else creator
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(target, eval_str=True).parameters.items():
        if name in NOT_FROM_REQUESTS or parameter.kind not in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        ):
            continue
        kind = Any if parameter.annotation is inspect.Parameter.empty else parameter.annotation
        default = spec.kwargs.get(name, parameter.default)
        fields[name] = (kind, ... if default is inspect.Parameter.empty else default)
    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, allow_inf_nan=False)
    return create_model(f"{spec.id} arguments", __config__=config, **fields)
