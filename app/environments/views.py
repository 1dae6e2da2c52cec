"""What is shown of an environment that has been made."""

from typing import Any

import gymnasium as gym
from pydantic import BaseModel

from app.environments.schemas import Definition, EnvironmentView, KwargView
from gym_llm.llm_env import LLMEnv, find_llm_env, get_env_definition
from gym_llm.spaces import json_schema

DERIVED = ("gym_llm.adapt", "gym_llm.openenv")
"""Whose descriptions are made up from what a program knows of an environment."""


def view(id: str, plugin: str, env: gym.Env[Any, Any], arguments: type[BaseModel]) -> EnvironmentView:
    """The environment in full.

    Raises:
        EnvError: it does not describe itself.
        SpaceError: one of its spaces has no JSON form.
    """
    definition = get_env_definition(env)
    layer = find_llm_env(env)
    return EnvironmentView(
        id=id,
        plugin=plugin,
        description="adapted" if type(layer).__module__.startswith(DERIVED) else "hand-written",
        definition=_definition(definition),
        observation_space=json_schema(env.observation_space),
        action_space=json_schema(env.action_space),
        max_steps=env.spec.max_episode_steps if env.spec else None,
        reward_threshold=env.spec.reward_threshold if env.spec else None,
        allowed_kwargs=allowed_kwargs(arguments),
        heuristic=getattr(layer, "has_heuristic", type(layer).heuristic is not LLMEnv.heuristic),
    )


def allowed_kwargs(arguments: type[BaseModel]) -> dict[str, KwargView]:
    """The arguments that a request may give."""
    return {
        name: KwargView(type=_type_name(field.annotation), default=field.get_default(), required=field.is_required())
        for name, field in arguments.model_fields.items()
    }


def _definition(definition: Any) -> Definition:
    actions = definition["action_schema"]
    return Definition(
        observation_schema=definition["observation_schema"],
        action_schema=actions if isinstance(actions, str) else {str(key): text for key, text in actions.items()},
        goal_description=definition["goal_description"],
    )


def _type_name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
