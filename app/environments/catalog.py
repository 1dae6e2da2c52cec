"""Which environments there are, and how to make one. Nothing that is not registered here can be made."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from pydantic import BaseModel, ValidationError

import env_plugins
from app.environments import known
from app.environments.arguments import arguments
from app.environments.schemas import EnvironmentView
from app.environments.views import allowed_kwargs, view
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from gym_llm.config import EnvironmentConfig
from gym_llm.env_runner import EnvRunner
from gym_llm.environments import get_env
from gym_llm.errors import EnvError
from gym_llm.recording import png

PREVIEW_SEED = 0
LOOK_S = 30.0
"""How long an environment may take to be made when it is only looked at."""
LOOKS = 4
"""Environments that are looked at at the same time."""
RETRY_S = 30.0
"""How long one that could not be made is taken for broken: a server that was down may be up again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One environment, under the id that it was asked for."""

    id: str
    plugin: str
    spec: EnvSpec
    """Of what is made."""
    adapted: bool
    """Whether its author did not write it for language models, as far as can be told without making it."""

    def arguments(self) -> type[BaseModel]:
        """Those that requests may give."""
        return arguments(self.spec, adapted=self.adapted)


class Catalog:
    """The environments of the plugins, and all others that Gymnasium knows and that can be made here."""

    def __init__(self) -> None:
        self._plugins = {id: plugin for plugin, ids in env_plugins.plugins.items() for id in ids}
        self._entries: dict[str, Entry] = {}
        self._views: dict[str, EnvironmentView] = {}
        self._broken: dict[str, tuple[float, EnvironmentView]] = {}
        self._previews: dict[str, bytes] = {}
        self._looks = asyncio.Semaphore(LOOKS)

    def check(self, config: EnvironmentConfig) -> None:
        """Check that a request may have this environment.

        Raises:
            InvalidRequestError: there is none, or an argument is unknown or of the wrong type.
        """
        entry = self._find(config.name)
        if entry is None:
            raise InvalidRequestError("environment.name: no such environment; GET /environments lists them all.")
        try:
            model = entry.arguments()
        except Exception as error:
            raise InvalidRequestError(f"environment.name: it can't be made here: {error!s:.300}") from error
        try:
            model.model_validate(config.kwargs or {})
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            told = "; ".join(f"environment.kwargs.{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)
            raise InvalidRequestError(told) from None

    def make(self, config: EnvironmentConfig, render_mode: str | None) -> gym.Env[object, object]:
        """Make an environment of the catalog.

        Raises:
            EnvError: it is not in the catalog (any more).
        """
        entry = self._find(config.name)
        if entry is None:
            raise EnvError(f"environment {config.name!r:.80} is not loaded on this server")
        return get_env(config.model_copy(update={"name": entry.spec.id}), render_mode)

    def reward_threshold(self, id: str) -> float | None:
        """The total reward at which an environment counts as solved; None where none is declared, or it is gone."""
        entry = self._find(id)
        return None if entry is None else entry.spec.reward_threshold

    async def list(self) -> list[EnvironmentView]:
        """Every environment in its newest version, and every plugin that failed to load."""
        failed = [
            EnvironmentView(id=None, plugin=plugin, load_error=f"{type(error).__name__}: {error}")
            for plugin, error in env_plugins.failures.items()
        ]
        ids = await asyncio.to_thread(self._listed)
        return [*await asyncio.gather(*(self.get(id) for id in sorted(ids))), *failed]

    async def get(self, id: str) -> EnvironmentView:
        """One environment.

        Raises:
            NotFoundError: it is not in the catalog.
        """
        entry = self._entry(id)
        async with self._looks:
            if id in self._views:
                return self._views[id]
            looked_at, broken = self._broken.get(id, (0.0, None))
            if broken is not None and time.monotonic() < looked_at + RETRY_S:
                return broken
            found = await self._look(entry)
            if found.load_error is None:
                self._views[id] = found
            else:
                self._broken[id] = time.monotonic(), found
            return found

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

    async def _look(self, entry: Entry) -> EnvironmentView:
        found: list[EnvironmentView] = []

        def made() -> gym.Env[object, object]:
            env = self.make(EnvironmentConfig(name=entry.id), None)
            try:
                found.append(view(entry.id, entry.plugin, env, entry.arguments()))
            except BaseException:
                env.close()
                raise
            return env

        try:
            async with asyncio.timeout(LOOK_S):
                await (await EnvRunner.make(made)).close()
            return found[0]
        except TimeoutError:
            told = f"could not be made within {LOOK_S:g} s"
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; one that does is shown with its error
            told = f"{type(error).__name__}: {error}"
        broken = EnvironmentView(id=entry.id, plugin=entry.plugin, load_error=told)
        with suppress(Exception):
            broken.allowed_kwargs = allowed_kwargs(entry.arguments())
        return broken

    def _listed(self) -> set[str]:
        found = {id: entry for id in gym.registry if (entry := self._find(id)) is not None}
        adapted = {id for id, entry in found.items() if entry.adapted}
        stood_in_for = {id for id, entry in found.items() if entry.spec.id != id}
        return (found.keys() - adapted | adapted & known.newest(found)) - stood_in_for

    def _entry(self, id: str) -> Entry:
        entry = self._find(id)
        if entry is None:
            raise NotFoundError("There is no such environment; GET /environments lists them all.")
        return entry

    def _find(self, id: str) -> Entry | None:
        if id not in self._entries:
            spec = gym.registry.get(id)
            if spec is None or not (id in self._plugins or known.can_be_made(spec)):
                return None
            made = gym.registry[known.stand_in(id)]
            plugin = self._plugins.get(made.id) or known.package(spec)
            self._entries[id] = Entry(id, plugin, made, known.adapted(made, of_plugin=made.id in self._plugins))
        return self._entries[id]
