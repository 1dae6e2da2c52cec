"""The environments of gym-llm, one folder each: `import env_plugins` registers them all with Gymnasium.

A plugin is a package that calls `gymnasium.register` when imported: inside this folder, inside one that
`GYM_LLM_PLUGIN_PATH` names or `load` is given, or an entry point `gym_llm.environments` of an installed package.
It is trusted code. One that raises is recorded in `failures` and breaks nothing else. One whose `plugin.toml` or
`GYM_LLM_ISOLATE` says so is never imported here: it runs in processes of its own.
"""

import importlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import gymnasium as gym
from dotenv import dotenv_values

from env_plugins import _manifest
from env_plugins._sources import Source, in_folder, installed
from gym_llm import limits
from gym_llm.environments import plugin_id
from gym_llm.errors import ConfigError, EnvError
from gym_llm.isolation.discovery import Discovery
from gym_llm.isolation.process import Program
from gym_llm.openenv import register_servers

plugins: dict[str, tuple[str, ...]] = {}
"""Plugin name -> the environment ids that it registered."""
failures: dict[str, Exception] = {}
"""Plugin name (or a folder, or a name and where it was met again) -> why it is not there, nor anything of it."""
OPENENV = "openenv"
"""The name under which environments on OpenEnv servers are listed."""

_where: dict[str, str] = {}
_isolate: set[str] = set()


def use(plugin_path: str = "", isolate: str = "", openenv: str = "", env_timeout_s: float | None = None) -> None:
    """Load what an operator's settings name. Once more with the same settings does nothing.

    Args:
        plugin_path: folders with plugins, separated as in PATH.
        isolate: names of plugins, by comma, that run in processes of their own whatever their manifests say; or `all`.
        openenv: environments on OpenEnv servers, as `gym_llm.openenv.servers` reads it.
        env_timeout_s: how long one call to an environment may take.
    """
    if env_timeout_s is not None:
        limits.set_default(env_timeout_s)
    _move_out({name.strip() for name in isolate.split(",")} - {""})
    for folder in filter(None, plugin_path.split(os.pathsep)):
        load(folder)
    if openenv:
        _use_servers(openenv)


def load(folder: str | Path) -> None:
    """Import every plugin inside `folder`, as `env_plugins.<name>`.

    A name that is already taken keeps its first plugin; loading a folder twice does nothing.
    """
    path = str(folder)
    if not Path(path).is_dir():
        failures[path] = FileNotFoundError("there is no such folder")
        return
    failures.pop(path, None)
    if path not in __path__:
        __path__.append(path)
        importlib.invalidate_caches()
    _load(in_folder(path, tuple(map(str, __path__))))


def _load(sources: Iterable[Source]) -> None:
    discoveries = []
    for source in sources:
        if source.name in plugins.keys() | failures.keys():
            if _where.get(source.name, source.where) != source.where:
                failures[f"{source.name} ({source.where})"] = EnvError(
                    f"the name is taken by the plugin in {_where[source.name]}"
                )
            continue
        _where[source.name] = source.where
        try:
            manifest = _manifest.read(source.folder) if source.folder is not None else _manifest.Manifest()
            if manifest.isolated or _isolate & {source.name, "all"}:
                program = Program(source.name, source.module, source.call, source.inside, manifest.python)
                # They start at the same time, and are asked when all of them have been started.
                discoveries.append((source.name, manifest, Discovery(program, manifest.env_timeout_s)))
                continue
            plugins[source.name] = _import(source)
        except Exception as error:  # noqa: BLE001  (a plugin may raise anything: it is recorded, the others go on)
            failures[source.name] = error
        else:
            _limit(source.name, manifest)
    for name, manifest, discovery in discoveries:
        try:
            plugins[name] = discovery.register()
        except EnvError as error:
            failures[name] = error
        else:
            _limit(name, manifest)


def _use_servers(openenv: str) -> None:
    for id in plugins.pop(OPENENV, ()):
        del gym.registry[id]
    failures.pop(OPENENV, None)
    _where[OPENENV] = "GYM_LLM_OPENENV"
    try:
        plugins[OPENENV] = register_servers(openenv)
    except ConfigError as error:
        failures[OPENENV] = error


def _import(source: Source) -> tuple[str, ...]:
    before = dict(gym.registry)
    try:
        module = importlib.import_module(source.module)
        if source.call is not None:
            getattr(module, source.call)()
        if taken := [id for id, spec in before.items() if gym.registry.get(id) is not spec]:
            raise EnvError(f"{taken[0]} is registered already")
    except BaseException:
        gym.registry.clear()
        gym.registry.update(before)
        raise
    # What a plugin describes under an id of its own is not its own: packages register theirs when they are imported.
    return tuple(id for id in gym.registry if id not in before and plugin_id(id) not in gym.registry)


def _limit(name: str, manifest: _manifest.Manifest) -> None:
    if manifest.env_timeout_s is not None:
        limits.set_own(plugins[name], manifest.env_timeout_s)


def _move_out(names: set[str]) -> None:
    """From now on these plugins are isolated; what is registered of them already is registered anew."""
    new = names - _isolate
    _isolate.update(new)
    moved = [name for name in plugins if new & {name, "all"} and name in _where]
    for name in moved:
        for id in plugins.pop(name):
            del gym.registry[id]
    if moved:
        _load(source for source in _everything() if source.name in moved)


def _everything() -> Iterable[Source]:
    for folder in tuple(map(str, __path__)):
        yield from in_folder(folder, tuple(map(str, __path__)))
    yield from installed()


def _from_environment() -> None:
    values: Mapping[str, str | None] = {**dotenv_values(".env"), **os.environ}
    use(isolate=values.get("GYM_LLM_ISOLATE") or "")
    for folder in tuple(__path__):
        load(folder)
    use(plugin_path=values.get("GYM_LLM_PLUGIN_PATH") or "", openenv=values.get("GYM_LLM_OPENENV") or "")
    with suppress(ValueError):  # The service refuses to start with what is no number.
        limits.set_default(float(values.get("GYM_LLM_ENV_TIMEOUT_S") or limits.DEFAULT_S))
    _load(installed())


_from_environment()
