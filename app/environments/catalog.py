"""Which environments there are, and how to make one. Nothing outside the loaded plugins can be made."""

import asyncio
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from pydantic import BaseModel, ValidationError

import env_plugins
from app.environments.arguments import arguments
from app.environments.schemas import Definition, EnvironmentView, KwargView
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from gym_llm.config import EnvironmentConfig
from gym_llm.env_runner import EnvRunner
from gym_llm.errors import EnvError
from gym_llm.llm_env import LLMEnv, find_llm_env, get_env, get_env_definition
from gym_llm.recording import png
from gym_llm.spaces import json_schema

PREVIEW_SEED = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One environment of a plugin."""

    id: str
    plugin: str
    arguments: type[BaseModel]


class Catalog:
    """The environments of the loaded plugins."""

    def __init__(self) -> None:
        self._entries = {
            id: Entry(id, plugin, arguments(gym.spec(id))) for plugin, ids in env_plugins.plugins.items() for id in ids
        }
        self._views: dict[str, EnvironmentView] = {}
        self._previews: dict[str, bytes] = {}

    def check(self, config: EnvironmentConfig) -> None:
        """Check that a request may have this environment.

        Raises:
            InvalidRequestError: it is not in the catalog, or an argument is unknown or of the wrong type.
        """
        entry = self._entries.get(config.name)
        if entry is None:
            raise InvalidRequestError("environment.name: no such environment; GET /environments lists them all.")
        try:
            entry.arguments.model_validate(config.kwargs or {})
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            told = "; ".join(f"environment.kwargs.{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)
            raise InvalidRequestError(told) from None

    def make(self, config: EnvironmentConfig, render_mode: str | None) -> gym.Env[Any, Any]:
        """Make an environment of the catalog.

        Raises:
            EnvError: it is not in the catalog (any more).
        """
        if config.name not in self._entries:
            raise EnvError(f"environment {config.name!r:.80} is not loaded on this server")
        return get_env(config, render_mode)

    async def list(self) -> list[EnvironmentView]:
        """Every environment, and every plugin that failed to load."""
        failed = [
            EnvironmentView(id=None, plugin=plugin, load_error=f"{type(error).__name__}: {error}")
            for plugin, error in env_plugins.failures.items()
        ]
        return [await self.get(id) for id in sorted(self._entries)] + failed

    async def get(self, id: str) -> EnvironmentView:
        """One environment.

        Raises:
            NotFoundError: it is not in the catalog.
        """
        entry = self._entry(id)
        if id not in self._views:
            self._views[id] = await asyncio.to_thread(_view, entry)
        return self._views[id]

    async def preview(self, id: str) -> bytes:
        """A PNG of the first frame.

        Raises:
            NotFoundError: it is not in the catalog.
            ConflictError: it does not render.
        """
        self._entry(id)
        if id not in self._previews:
            try:
                env = await EnvRunner.make(lambda: self.make(EnvironmentConfig(name=id), "rgb_array"))
                try:
                    await env.reset(PREVIEW_SEED)
                    frame = await env.frame()
                finally:
                    await env.close()
            except EnvError as error:
                raise ConflictError(f"This environment can't be rendered: {error}") from error
            if frame is None:
                raise ConflictError("This environment does not render.")
            self._previews[id] = await asyncio.to_thread(png, frame)
        return self._previews[id]

    def _entry(self, id: str) -> Entry:
        if id not in self._entries:
            raise NotFoundError("There is no such environment; GET /environments lists them all.")
        return self._entries[id]


def _view(entry: Entry) -> EnvironmentView:
    kwargs = {
        name: KwargView(type=_type_name(field.annotation), default=field.get_default(), required=field.is_required())
        for name, field in entry.arguments.model_fields.items()
    }
    try:
        env = get_env(EnvironmentConfig(name=entry.id), None)
        try:
            definition = get_env_definition(env)
            return EnvironmentView(
                id=entry.id,
                plugin=entry.plugin,
                definition=_definition(definition),
                observation_space=json_schema(env.observation_space),
                action_space=json_schema(env.action_space),
                max_steps=env.spec.max_episode_steps if env.spec else None,
                reward_threshold=env.spec.reward_threshold if env.spec else None,
                allowed_kwargs=kwargs,
                heuristic=type(find_llm_env(env)).heuristic is not LLMEnv.heuristic,
            )
        finally:
            env.close()
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; one that does is shown with its error
        told = f"{type(error).__name__}: {error}"
        return EnvironmentView(id=entry.id, plugin=entry.plugin, load_error=told, allowed_kwargs=kwargs)


def _definition(definition: Any) -> Definition:
    actions = definition["action_schema"]
    return Definition(
        observation_schema=definition["observation_schema"],
        action_schema=actions if isinstance(actions, str) else {str(key): text for key, text in actions.items()},
        goal_description=definition["goal_description"],
    )


def _type_name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
